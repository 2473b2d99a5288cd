//! The layer.

use tower_layer::Layer;

use super::{OnePermission, RateLimiter, RateLimiterService};
use crate::outcome::ResultClassifier;

/// Puts a [`RateLimiter`] before a service.
///
/// `C` judges what a call ends with; a verdict can drain the limiter. Over HTTP it comes with
/// [`http`](Self::http). `K` says what a call costs.
#[derive(Clone, Debug)]
pub struct RateLimiterLayer<C = ResultClassifier, K = OnePermission> {
    limiter: RateLimiter,
    classifier: C,
    cost: K,
}

impl RateLimiterLayer {
    /// A layer over this limiter, which other layers may share.
    #[must_use]
    pub const fn new(limiter: RateLimiter) -> Self {
        Self { limiter, classifier: ResultClassifier, cost: OnePermission }
    }
}

impl<C, K> RateLimiterLayer<C, K> {
    /// Judges calls by `classifier`.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> RateLimiterLayer<C2, K> {
        let Self { limiter, cost, .. } = self;
        RateLimiterLayer { limiter, classifier, cost }
    }

    /// Says how many permissions a call takes; see [`Cost`](super::Cost). Default: one.
    ///
    /// ```
    /// use seawall::{ErrorLayer, RateLimiter, RateLimiterLayer};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let limiter = RateLimiter::with_defaults("inventory");
    /// let by_rows = RateLimiterLayer::new(limiter).cost(|rows: &u32| rows.div_ceil(100));
    /// let client = service_fn(async |rows: u32| Ok::<_, std::io::Error>(rows));
    /// let client = ServiceBuilder::new().layer(by_rows).layer(ErrorLayer).service(client);
    /// assert_eq!(client.oneshot(250).await.unwrap(), 250); // for three permissions
    /// # }
    /// ```
    #[must_use]
    pub fn cost<K2>(self, cost: K2) -> RateLimiterLayer<C, K2> {
        let Self { limiter, classifier, .. } = self;
        RateLimiterLayer { limiter, classifier, cost }
    }

    /// For HTTP: judges by status and kind of error.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> RateLimiterLayer<crate::http::HttpClassifier, K> {
        self.classifier(crate::http::HttpClassifier::default())
    }
}

impl<C, K> RateLimiterLayer<C, K> {
    pub(crate) const fn handle(&self) -> &RateLimiter {
        &self.limiter
    }

    /// Puts this layer in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut RateLimiterService<S, C, K>)
    where
        C: Clone,
        K: Clone,
    {
        let Self { limiter, classifier, cost } = self;
        service.refit(limiter.clone(), classifier.clone(), cost.clone());
    }
}

impl<S, C: Clone, K: Clone> Layer<S> for RateLimiterLayer<C, K> {
    type Service = RateLimiterService<S, C, K>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { limiter, classifier, cost } = self.clone();
        RateLimiterService::new(inner, limiter, classifier, cost)
    }
}
