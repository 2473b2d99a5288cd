//! The layer.

use tower_layer::Layer;

use super::{Retry, RetryService};
use crate::ends::AtResponse;
use crate::outcome::ResultClassifier;
use crate::replay::CloneRequest;

/// Puts a [`Retry`] around a service.
///
/// `C` judges what an attempt ends with, `R` makes the attempts out of the request; the defaults take
/// any `Err` for a failure and clone the request. `N` says what becomes of a response that is not wanted; the
/// default drops it. Over HTTP all three come with [`http`](Self::http).
///
/// A request that cannot be made twice needs a [`Replay`](crate::Replay) that says what to do; this does not compile:
///
/// ```compile_fail,E0277
/// use seawall::{ErrorLayer, Retry, RetryLayer};
/// use tower::{Service, ServiceBuilder, service_fn};
///
/// struct Once;
/// let client = service_fn(async |_: Once| Ok::<u32, std::io::Error>(42));
/// let mut service = ServiceBuilder::new()
///     .layer(RetryLayer::new(Retry::with_defaults("inventory")))
///     .layer(ErrorLayer)
///     .service(client);
/// let _ = service.call(Once);
/// ```
///
/// This does, and makes each call once:
///
/// ```
/// # use seawall::{ErrorLayer, Retry, RetryLayer};
/// # use tower::{Service, ServiceBuilder, service_fn};
/// # struct Once;
/// # let client = service_fn(async |_: Once| Ok::<u32, std::io::Error>(42));
/// let mut service = ServiceBuilder::new()
///     .layer(RetryLayer::new(Retry::with_defaults("inventory")).replay(seawall::NoReplay))
///     .layer(ErrorLayer)
///     .service(client);
/// let _ = service.call(Once);
/// ```
#[derive(Clone, Debug)]
pub struct RetryLayer<C = ResultClassifier, R = CloneRequest, N = AtResponse> {
    retry: Retry,
    classifier: C,
    replay: R,
    ends: N,
}

impl RetryLayer {
    /// A layer over this retry, which other layers may share.
    #[must_use]
    pub const fn new(retry: Retry) -> Self {
        Self { retry, classifier: ResultClassifier, replay: CloneRequest, ends: AtResponse }
    }
}

impl<C, R, N> RetryLayer<C, R, N> {
    /// Judges attempts by `classifier`.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> RetryLayer<C2, R, N> {
        let Self { retry, replay, ends, .. } = self;
        RetryLayer { retry, classifier, replay, ends }
    }

    /// Makes the attempts out of the request by `replay`.
    #[must_use]
    pub fn replay<R2>(self, replay: R2) -> RetryLayer<C, R2, N> {
        let Self { retry, classifier, ends, .. } = self;
        RetryLayer { retry, classifier, replay, ends }
    }

    /// Gets rid of responses that are not wanted by `ends`: [`AtBodyEnd`](crate::AtBodyEnd) drains the body of
    /// an HTTP response, [`AtResponse`] drops any response.
    #[must_use]
    pub fn ends<N2>(self, ends: N2) -> RetryLayer<C, R, N2> {
        let Self { retry, classifier, replay, .. } = self;
        RetryLayer { retry, classifier, replay, ends }
    }

    /// For HTTP: judges by status and kind of error, sends again only what may be sent twice, and drains
    /// the responses that are not wanted.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(
        self,
    ) -> RetryLayer<crate::http::HttpClassifier, crate::http::HttpReplay, crate::AtBodyEnd> {
        self.classifier(crate::http::HttpClassifier::default())
            .replay(crate::http::HttpReplay::default())
            .ends(crate::AtBodyEnd)
    }
}

impl<C, R, N> RetryLayer<C, R, N> {
    pub(crate) const fn handle(&self) -> &Retry {
        &self.retry
    }

    /// Puts this layer in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut RetryService<S, C, R, N>)
    where
        C: Clone,
        R: Clone,
        N: Clone,
    {
        let Self { retry, classifier, replay, ends } = self;
        service.refit(retry.clone(), classifier.clone(), replay.clone(), ends.clone());
    }
}

impl<S, C: Clone, R: Clone, N: Clone> Layer<S> for RetryLayer<C, R, N> {
    type Service = RetryService<S, C, R, N>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { retry, classifier, replay, ends } = self.clone();
        RetryService::new(inner, retry, classifier, replay, ends)
    }
}
