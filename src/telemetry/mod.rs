//! What the patterns tell, and the one door by which it leaves.
//!
//! Cores and glue build [`Event`]s, but only when somebody listens; [`Observer`]s receive them,
//! outside every lock. An observer that panics harms no call.

mod event;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod observer;

pub use event::{
    BulkheadEvent, CircuitBreakerEvent, Event, EventKind, InstanceKind, KeyedEvent,
    RateLimiterEvent, RegistryEvent, ReloadEvent, RetryEvent, TimeLimiterEvent,
};
pub use observer::{Observer, ObserverId};
pub(crate) use observer::{Observers, Outbox};
