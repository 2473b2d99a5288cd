//! What the patterns tell, and the one door by which it leaves.
//!
//! Cores and glue build [`Event`]s, but only when somebody listens; [`Observer`]s receive them,
//! outside every lock. An observer that panics harms no call.

mod event;
mod events;
pub mod meters;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod observer;
#[cfg(feature = "otel")]
pub mod otel;
mod prometheus;
#[cfg(feature = "snapshot")]
pub mod serve;
pub mod snapshot;
pub(crate) mod trace;

pub use event::{
    BulkheadEvent, CircuitBreakerEvent, Event, EventKind, InstanceKind, KeyedEvent,
    RateLimiterEvent, RegistryEvent, ReloadEvent, RetryEvent, TimeLimiterEvent,
};
pub(crate) use events::Detach;
pub use events::{EventRecord, Events};
pub use meters::Meters;
pub use observer::{Observer, ObserverId};
pub(crate) use observer::{Observers, Outbox};
pub use snapshot::Snapshot;
pub(crate) use trace::Trace;
pub use trace::{EnteredTrace, RequestInfo, ResponseInfo, TraceContext, Traced};
