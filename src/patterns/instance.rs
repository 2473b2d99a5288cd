//! What the handles of all patterns have in common.

use std::fmt;
use std::sync::Arc;

use crate::patterns::bulkhead::{Bulkhead, BulkheadConfig};
use crate::patterns::circuit_breaker::{CircuitBreaker, CircuitBreakerConfig};
use crate::patterns::rate_limiter::{RateLimiter, RateLimiterConfig};
use crate::patterns::retry::{Retry, RetryConfig};
use crate::patterns::time_limiter::{TimeLimiter, TimeLimiterConfig};
use crate::patterns::timer::{Timer, TimerConfig};
use crate::pipeline::Step;
use crate::telemetry::{Detach, Events, Observer, ObserverId};

/// A named instance of any pattern: for whoever manages instances and does not care of which pattern.
///
/// The handles have methods of the same meaning, by which people use one that they know.
pub trait Instance: private::Sealed + Clone + fmt::Debug + Send + Sync + 'static {
    /// Its settings.
    type Config: Clone + fmt::Debug + Default + Send + Sync + 'static;

    /// The pattern.
    const STEP: Step;

    /// A new instance.
    fn create(name: Arc<str>, config: Self::Config) -> Self;

    /// The name.
    fn shared_name(&self) -> &Arc<str>;

    /// The settings as they stand now.
    fn settings(&self) -> Arc<Self::Config>;

    /// Replaces the settings while calls run. What restarts and what stays, the pattern's own page says.
    fn update(&self, config: Self::Config);

    /// Tells `observer` whatever this instance does from now on, until it is taken off.
    fn attach(&self, observer: Arc<dyn Observer>) -> ObserverId {
        let id = ObserverId::next();
        self.attach_as(id, observer);
        id
    }

    /// The same under an id of the caller's, by which one observer can be attached to many instances.
    #[doc(hidden)]
    fn attach_as(&self, id: ObserverId, observer: Arc<dyn Observer>);

    /// Takes an observer off. Nothing happens if it is gone already.
    ///
    /// One that is being told something at this moment may still be told that.
    fn detach(&self, id: ObserverId);

    /// Does anyone else hold the instance: another handle, or a call under way?
    fn is_shared(&self) -> bool;

    /// Is there no state that would be lost with it? Only a circuit breaker can have one: where it keeps calls off, or tries
    /// them.
    fn is_at_rest(&self) -> bool {
        true
    }

    /// Finds the instance again for as long as anyone else holds it.
    #[doc(hidden)]
    fn weak(&self) -> Box<dyn Fn() -> Option<Self> + Send + Sync>;

    /// The same for all handles of one instance, and for no other instance while a [`weak`](Self::weak) of it is kept.
    #[doc(hidden)]
    fn address(&self) -> usize;
}

mod private {
    pub trait Sealed {}
}

/// Attaches an observer and says how to take it off, which does not keep the instance alive.
pub(crate) fn listen<H: Instance>(instance: &H, observer: &Arc<dyn Observer>) -> Detach {
    let id = instance.attach(observer.clone());
    let weak = instance.weak();
    Box::new(move || weak().iter().for_each(|instance| instance.detach(id)))
}

macro_rules! instance {
    ($($handle:ident, $config:ident $(, $is_at_rest:expr)?;)*) => {
        $(
            impl private::Sealed for $handle {}

            impl Instance for $handle {
                type Config = $config;
                const STEP: Step = Step::$handle;

                fn create(name: Arc<str>, config: $config) -> Self {
                    Self::new(name, config)
                }

                fn shared_name(&self) -> &Arc<str> {
                    &self.shared.name
                }

                fn settings(&self) -> Arc<$config> {
                    self.shared.settings()
                }

                fn update(&self, config: $config) {
                    self.update(config);
                }

                fn attach_as(&self, id: ObserverId, observer: Arc<dyn Observer>) {
                    self.shared.attach(id, observer);
                }

                fn detach(&self, id: ObserverId) {
                    self.shared.detach(id);
                }

                fn is_shared(&self) -> bool {
                    Arc::strong_count(&self.shared) > 1
                }

                fn weak(&self) -> Box<dyn Fn() -> Option<Self> + Send + Sync> {
                    let shared = Arc::downgrade(&self.shared);
                    Box::new(move || Some(Self { shared: shared.upgrade()? }))
                }

                fn address(&self) -> usize {
                    Arc::as_ptr(&self.shared).addr()
                }

                $(fn is_at_rest(&self) -> bool {
                    $is_at_rest(self)
                })?
            }

            impl $handle {
                /// What it does from now on, as a stream that keeps the newest `capacity` events for its reader.
                ///
                /// Unit: events. Range: from 1; zero is taken for it. Resilience4j keeps 100.
                pub fn events(&self, capacity: usize) -> Events {
                    Events::new(capacity, |observer| vec![listen(self, observer)])
                }
            }
        )*
    };
}

instance! {
    CircuitBreaker, CircuitBreakerConfig, CircuitBreaker::is_at_rest;
    Retry, RetryConfig;
    Bulkhead, BulkheadConfig;
    RateLimiter, RateLimiterConfig;
    TimeLimiter, TimeLimiterConfig;
    Timer, TimerConfig;
}
