//! The layer.

use tower_layer::Layer;

use super::{Retry, RetryService};
use crate::outcome::ResultClassifier;
use crate::replay::CloneRequest;

/// Puts a [`Retry`] around a service.
///
/// `C` judges what an attempt ends with, `R` makes the attempts out of the request; the defaults take
/// any `Err` for a failure and clone the request. Over HTTP both come with [`http`](Self::http).
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
pub struct RetryLayer<C = ResultClassifier, R = CloneRequest> {
    retry: Retry,
    classifier: C,
    replay: R,
}

impl RetryLayer {
    /// A layer over this retry, which other layers may share.
    #[must_use]
    pub const fn new(retry: Retry) -> Self {
        Self { retry, classifier: ResultClassifier, replay: CloneRequest }
    }
}

impl<C, R> RetryLayer<C, R> {
    /// Judges attempts by `classifier`.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> RetryLayer<C2, R> {
        RetryLayer { retry: self.retry, classifier, replay: self.replay }
    }

    /// Makes the attempts out of the request by `replay`.
    #[must_use]
    pub fn replay<R2>(self, replay: R2) -> RetryLayer<C, R2> {
        RetryLayer { retry: self.retry, classifier: self.classifier, replay }
    }

    /// For HTTP: judges by status and kind of error, and sends again only what may be sent twice.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> RetryLayer<crate::http::HttpClassifier, crate::http::HttpReplay> {
        self.classifier(crate::http::HttpClassifier::default())
            .replay(crate::http::HttpReplay::default())
    }
}

impl<S, C: Clone, R: Clone> Layer<S> for RetryLayer<C, R> {
    type Service = RetryService<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService::new(inner, self.retry.clone(), self.classifier.clone(), self.replay.clone())
    }
}
