//! Exchanges the instance in a service that is ready, so that the ready client in it is the one that is called.

use tower_layer::Layer;

use crate::patterns::bulkhead::BulkheadLayer;
use crate::patterns::circuit_breaker::CircuitBreakerLayer;
use crate::patterns::rate_limiter::RateLimiterLayer;
use crate::patterns::retry::RetryLayer;
use crate::patterns::time_limiter::TimeLimiterLayer;
use crate::patterns::timer::TimerLayer;
use crate::pipeline::{FlatLayer, Pipeline};

/// A layer whose services differ only by what they have from the layer: those of seawall.
pub trait Fit<S>: Layer<S> {
    /// Puts this layer in the place of the one that `service` was made by.
    fn fit(&self, service: &mut Self::Service);
}

macro_rules! fits {
    ($($layer:ident<$($parameter:ident),*>;)*) => {
        $(
            impl<S, $($parameter: Clone),*> Fit<S> for $layer<$($parameter),*> {
                #[inline]
                fn fit(&self, service: &mut Self::Service) {
                    self.refit(service);
                }
            }
        )*
    };
}

fits! {
    CircuitBreakerLayer<C, N>;
    RetryLayer<C, R, N>;
    BulkheadLayer<N>;
    RateLimiterLayer<C, K>;
    TimeLimiterLayer<N, M>;
    TimerLayer<C, N>;
}

impl<S, C: Clone, N: Clone, R: Clone, K: Clone> Fit<S> for FlatLayer<C, N, R, K> {
    #[inline]
    fn fit(&self, service: &mut Self::Service) {
        self.pipeline().refit(service);
    }
}

impl<S, C, N, R, K, L> Fit<S> for Pipeline<C, N, R, K, L>
where
    C: Clone,
    N: Clone,
    R: Clone,
    K: Clone,
    L: Layer<S> + Clone,
{
    #[inline]
    fn fit(&self, service: &mut Self::Service) {
        self.refit(service);
    }
}
