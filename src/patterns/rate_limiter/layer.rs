//! The layer.

use tower_layer::Layer;

use super::{RateLimiter, RateLimiterService};
use crate::outcome::ResultClassifier;

/// Puts a [`RateLimiter`] before a service.
///
/// `C` judges what a call ends with; a verdict can drain the limiter. Over HTTP it comes with
/// [`http`](Self::http).
#[derive(Clone, Debug)]
pub struct RateLimiterLayer<C = ResultClassifier> {
    limiter: RateLimiter,
    classifier: C,
}

impl RateLimiterLayer {
    /// A layer over this limiter, which other layers may share.
    #[must_use]
    pub const fn new(limiter: RateLimiter) -> Self {
        Self { limiter, classifier: ResultClassifier }
    }
}

impl<C> RateLimiterLayer<C> {
    /// Judges calls by `classifier`.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> RateLimiterLayer<C2> {
        RateLimiterLayer { limiter: self.limiter, classifier }
    }

    /// For HTTP: judges by status and kind of error.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> RateLimiterLayer<crate::http::HttpClassifier> {
        self.classifier(crate::http::HttpClassifier::default())
    }
}

impl<S, C: Clone> Layer<S> for RateLimiterLayer<C> {
    type Service = RateLimiterService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimiterService::new(inner, self.limiter.clone(), self.classifier.clone())
    }
}
