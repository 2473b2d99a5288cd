//! The layer.

use tower_layer::Layer;

use super::{CircuitBreaker, CircuitBreakerService};
use crate::ends::AtResponse;
use crate::outcome::ResultClassifier;

/// Puts a [`CircuitBreaker`] around a service.
///
/// `C` judges what a call ends with, `N` says when it has ended; the defaults take any `Err` for a
/// failure and the response for the end. Over HTTP both come with [`http`](Self::http).
#[derive(Clone, Debug)]
pub struct CircuitBreakerLayer<C = ResultClassifier, N = AtResponse> {
    breaker: CircuitBreaker,
    classifier: C,
    ends: N,
}

impl CircuitBreakerLayer {
    /// A layer over this breaker, which other layers may share.
    #[must_use]
    pub const fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, classifier: ResultClassifier, ends: AtResponse }
    }
}

impl<C, N> CircuitBreakerLayer<C, N> {
    /// Judges calls by `classifier`.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> CircuitBreakerLayer<C2, N> {
        CircuitBreakerLayer { breaker: self.breaker, classifier, ends: self.ends }
    }

    /// Says when a call has ended.
    #[must_use]
    pub fn ends<N2>(self, ends: N2) -> CircuitBreakerLayer<C, N2> {
        CircuitBreakerLayer { breaker: self.breaker, classifier: self.classifier, ends }
    }

    /// For HTTP: judges by status and kind of error, and a body that breaks is a failure too.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> CircuitBreakerLayer<crate::http::HttpClassifier, crate::AtBodyEnd> {
        self.classifier(crate::http::HttpClassifier::default()).ends(crate::AtBodyEnd)
    }
}

impl<C, N> CircuitBreakerLayer<C, N> {
    pub(crate) const fn handle(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Puts this layer in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut CircuitBreakerService<S, C, N>)
    where
        C: Clone,
        N: Clone,
    {
        let Self { breaker, classifier, ends } = self;
        service.refit(breaker.clone(), classifier.clone(), ends.clone());
    }
}

impl<S, C: Clone, N: Clone> Layer<S> for CircuitBreakerLayer<C, N> {
    type Service = CircuitBreakerService<S, C, N>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService::new(
            inner,
            self.breaker.clone(),
            self.classifier.clone(),
            self.ends.clone(),
        )
    }
}
