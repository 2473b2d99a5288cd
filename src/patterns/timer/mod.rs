//! Measures how long calls take, and how they end.
//!
//! # When, and when not
//!
//! Use it for a call whose durations you want to see by themselves: with none of the other patterns around it, or apart from what
//! they add. A circuit breaker's meter has durations too, but none of calls that are refused, and none while it is disabled. For
//! what happens inside a call there are [spans](crate::telemetry#spans).
//!
//! # What it does
//!
//! It refuses nothing and changes nothing. A call is a success if the classifier says so; whatever else it is, refused by a layer
//! inside or ignored, is a failure, whose cause the meter's tag `failure` tells. One that is dropped before its end has
//! failed too: its cause is `timeout` if the [`Deadline`](crate::Deadline) that it stood under had passed, and `cancelled` if not; of a
//! panic it is `other`. So an outage shows in the meter while all callers give up.
//!
//! A call ends with its response, or, over HTTP, with the end of the response's body: [`TimerLayer::http`]. A body that is
//! dropped half-way is no failure.
//!
//! As a pipeline's step it measures each attempt that has passed all gates. What a further attempt waits for the client to be ready is
//! part of that.
//!
//! A success takes two looks at the clock and three atomic additions, and no lock. A failure looks for its tag under a short one.
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `metric_names` | the meter's name | `resilience4j.timer.calls` | Resilience4j |
//! | `failure_tag` | | [`Cause::key`](crate::Cause::key) | Resilience4j has the error's type |
//!
//! # Updates
//!
//! [`update`](Timer::update) replaces the settings while calls run. Counters and observers stay.
//!
//! | setting | what an update does |
//! |---|---|
//! | `metric_names` | what was counted so far goes on under the new name; an exporter that is told each duration at once begins anew |
//! | `failure_tag` | counts for calls that end from now on |
//!
//! # Events and errors
//!
//! [`TimerEvent`](crate::telemetry::TimerEvent) lists what observers are told. It has no errors of its own: all pass as they are.
//!
//! ```
//! use seawall::Timer;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let timer = Timer::with_defaults("inventory");
//! let stock = timer.call(async { Ok::<u32, std::io::Error>(42) }).await;
//! assert_eq!(stock.unwrap(), 42);
//! assert_eq!(timer.metrics().successful.count(), 1);
//! # }
//! ```

mod config;
mod described;
pub mod future;
mod handle;
mod layer;
mod measurement;
mod service;

pub use config::{TimerConfig, TimerConfigBuilder};
pub use handle::{Metrics, Timer};
pub use layer::TimerLayer;
pub use measurement::{Measurement, Pending};
pub use service::TimerService;
