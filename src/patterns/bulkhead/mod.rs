//! Limits how many calls run at once.
//!
//! # When, and when not
//!
//! Use it so that one slow backend cannot tie up all connections, memory and tasks of the process: give
//! each backend a bulkhead of its own, as large as the load that it takes when it is well. It limits
//! how many calls run, not how many start a second (see [`rate_limiter`](super::rate_limiter)), and not how
//! long they run (see [`time_limiter`](super::time_limiter)).
//!
//! # What it does
//!
//! A call takes a place, and gives it back when it ends in whatever way: with a response, an error or
//! a panic, or dropped. Where no place is free, the call waits for at most `max_wait` or until its
//! [`Deadline`](crate::Deadline), whichever comes first, and is then refused. Those who wait are let in in
//! the order in which they came; a place that becomes free is handed to the first. With `fair(false)`
//! the first is only woken, and a newcomer may take the place before it: that is faster under great
//! load, and unfair. Whoever stops waiting leaves the queue; a place that it was given already goes to
//! the next.
//!
//! A full bulkhead with unlimited waiting only moves the pile: bound the queue as well
//! (`queue_capacity`), and one more is refused at once. [`BulkheadConfig::thread_pool`] starts from the
//! settings of Resilience4j's `ThreadPoolBulkhead`, which becomes such a bounded queue here: there are no
//! threads, so its core size and keep-alive are read and shown, and have no effect.
//!
//! Over HTTP a call has its place until the body of its response has ended or was dropped
//! ([`BulkheadLayer::http`]).
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `max_concurrent_calls` | calls | 25 (thread pool: processors) | Resilience4j |
//! | `max_wait` | duration; [`Duration::MAX`](std::time::Duration::MAX) is no limit | zero (thread pool: no limit) | Resilience4j |
//! | `queue_capacity` | calls | any number (thread pool: 100) | Resilience4j |
//! | `fair` | | yes | Resilience4j |
//! | `core_pool_size`, `keep_alive` | calls, duration | processors − 1, 20 ms; without effect | Resilience4j |
//!
//! # Updates
//!
//! [`update`](Bulkhead::update) replaces the settings while calls run and wait; the first two can be
//! [changed](Bulkhead::change_max_concurrent_calls) alone. No running call is interrupted, nobody who waits loses its place in the
//! queue, observers stay, and (unlike in Resilience4j) nothing blocks.
//!
//! | setting | what an update does |
//! |---|---|
//! | `max_concurrent_calls` | raised, it lets in those who wait and now have room; lowered, nobody comes in until enough calls have ended. With zero all are refused, or wait for it to be raised |
//! | `max_wait` | counts for those who come from now on |
//! | `queue_capacity` | counts for those who come from now on: nobody who waits is sent away |
//! | `fair` | counts at once; who was handed a place already keeps it |
//! | `core_pool_size`, `keep_alive` | without effect as ever |
//!
//! # Events and errors
//!
//! [`BulkheadEvent`](crate::telemetry::BulkheadEvent) lists what observers are told. A waiter counts as permitted
//! when it takes up its place, and not at all if it is dropped before. A refused call fails with
//! [`Reason::BulkheadFull`](crate::Reason::BulkheadFull).
//!
//! ```
//! use std::time::Duration;
//! use seawall::{Bulkhead, BulkheadConfig};
//!
//! # fn main() -> Result<(), seawall::ConfigError> {
//! let bulkhead = Bulkhead::new(
//!     "inventory",
//!     BulkheadConfig::builder()
//!         .max_concurrent_calls(10)
//!         .max_wait(Duration::from_millis(50))
//!         .build()?,
//! );
//! # Ok(()) }
//! ```

mod acquire;
mod config;
mod described;
pub mod future;
mod gate;
mod handle;
mod layer;
#[cfg(test)]
mod model;
mod queue;
mod service;
mod shared;
mod state;

pub use acquire::Acquire;
pub use config::{BulkheadConfig, BulkheadConfigBuilder};
pub(crate) use handle::Begun;
pub use handle::{Bulkhead, BulkheadPermit, Metrics};
pub use layer::BulkheadLayer;
pub use service::BulkheadService;
