//! What can be kept by key, and what eviction asks of it.

use std::any::Any;
use std::sync::Arc;

use crate::patterns::Instance;
use crate::patterns::bulkhead::BulkheadLayer;
use crate::patterns::circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, State};
use crate::patterns::rate_limiter::RateLimiterLayer;
use crate::patterns::retry::RetryLayer;
use crate::patterns::time_limiter::TimeLimiterLayer;
use crate::patterns::timer::TimerLayer;
use crate::pipeline::{FlatLayer, Pipeline};
use crate::telemetry::meters::{Metered, Out};
use crate::telemetry::{Observer, ObserverId};

/// What a [`Keyed`](super::Keyed) can hold for each key: a handle of any pattern, a layer of any pattern, or a pipeline.
pub trait Keyable: private::Parts + Clone + Send + Sync + 'static {}

impl<T: private::Parts + Clone + Send + Sync + 'static> Keyable for T {}

pub(super) mod private {
    use super::*;

    /// What eviction asks. `born` is what `is_held` said when the instance came: what somebody else held from the start (one
    /// retry for all keys, say) tells nothing, and is not the key's own.
    pub trait Parts {
        /// Does somebody else hold it: a call, or whoever keeps a handle?
        fn is_held(&self) -> bool;

        /// Is there no state that would be lost with it? Asked under a lock, so nothing may follow from it.
        fn is_at_rest(&self) -> bool;

        /// Attaches an observer, under this id, to what is its own.
        fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>);

        /// Takes it off again.
        fn detach(&self, id: ObserverId);

        /// The state of its circuit breaker, if it has one.
        fn state(&self) -> Option<State>;

        /// What the meters of what is its own say.
        fn read(&self, out: &mut Out<'_>);
    }
}

use private::Parts;

impl<H: Metered> Parts for H {
    fn is_held(&self) -> bool {
        self.is_shared()
    }

    fn is_at_rest(&self) -> bool {
        Instance::is_at_rest(self)
    }

    fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>) {
        self.attach_as(id, observer.clone());
    }

    fn detach(&self, id: ObserverId) {
        Instance::detach(self, id);
    }

    fn state(&self) -> Option<State> {
        (self as &dyn Any).downcast_ref().map(CircuitBreaker::state)
    }

    fn read(&self, out: &mut Out<'_>) {
        Metered::read(self, out);
    }
}

macro_rules! layers {
    ($($layer:ident<$($parameter:ident),*>;)*) => {
        $(
            impl<$($parameter),*> Parts for $layer<$($parameter),*> {
                fn is_held(&self) -> bool {
                    self.handle().is_held()
                }

                fn is_at_rest(&self) -> bool {
                    Parts::is_at_rest(self.handle())
                }

                fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>) {
                    Parts::attach(self.handle(), id, observer);
                }

                fn detach(&self, id: ObserverId) {
                    Parts::detach(self.handle(), id);
                }

                fn state(&self) -> Option<State> {
                    Parts::state(self.handle())
                }

                fn read(&self, out: &mut Out<'_>) {
                    Parts::read(self.handle(), out);
                }
            }
        )*
    };
}

layers! {
    CircuitBreakerLayer<C, N>;
    RetryLayer<C, R, N>;
    BulkheadLayer<N>;
    RateLimiterLayer<C, K>;
    TimeLimiterLayer<N, M>;
    TimerLayer<C, N>;
}

/// A pipeline knows itself which steps others held when it was made.
impl<C, N, R, K, L> Parts for Pipeline<C, N, R, K, L> {
    fn is_held(&self) -> bool {
        self.is_shared()
    }

    fn is_at_rest(&self) -> bool {
        self.is_at_rest()
    }

    fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>) {
        self.attach(id, observer);
    }

    fn detach(&self, id: ObserverId) {
        self.detach(id);
    }

    fn state(&self) -> Option<State> {
        self.circuit_breaker().map(|breaker| breaker.state())
    }

    fn read(&self, out: &mut Out<'_>) {
        self.read(out);
    }
}

impl<C, N, R, K> Parts for FlatLayer<C, N, R, K> {
    fn is_held(&self) -> bool {
        self.pipeline().is_held()
    }

    fn is_at_rest(&self) -> bool {
        self.pipeline().is_at_rest()
    }

    fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>) {
        self.pipeline().attach(id, observer);
    }

    fn detach(&self, id: ObserverId) {
        self.pipeline().detach(id);
    }

    fn state(&self) -> Option<State> {
        self.pipeline().state()
    }

    fn read(&self, out: &mut Out<'_>) {
        self.pipeline().read(out);
    }
}
