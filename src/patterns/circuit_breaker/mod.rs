//! Stops calling a backend that fails, and tries it again later.
//!
//! # When, and when not
//!
//! Use it for every call to something that can be down or hang: callers fail at once instead of
//! queueing up behind a dead backend, and the backend gets room to recover. Do not use it where one
//! call says nothing about the next (unrelated hosts behind one client: give each a breaker of its
//! own), nor for work inside the process.
//!
//! # States
//!
//! ```text
//!             a rate reaches its threshold
//!   Closed ────────────────────────────────▶ Open ◀─┐
//!     ▲                                       │     │ a rate reaches its threshold,
//!     │ both rates stay below                 │ wait │ or no decision in time
//!     │                                       ▼     │
//!     └─────────────────────────────────── HalfOpen ┘
//! ```
//!
//! By hand there are three more: `ForcedOpen` refuses everything, `Disabled` lets everything pass
//! uncounted, `MetricsOnly` lets everything pass and counts. Illegal ways between states are refused.
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `failure_rate_threshold` | percent | 50 | Resilience4j |
//! | `slow_call_rate_threshold` | percent | 100 | Resilience4j |
//! | `slow_call_duration_threshold` | duration | 60 s | Resilience4j |
//! | `sliding_window` | last calls, seconds, or calls in a row | last 100 calls | Resilience4j |
//! | `slice_alignment` | | from start | Resilience4j, lock-free |
//! | `minimum_number_of_calls` | calls | 100 | Resilience4j |
//! | `permitted_calls_in_half_open` | calls | 10 | Resilience4j |
//! | `open_wait`, `wait_duration_in_open_state` | [`Backoff`](crate::Backoff) or duration | 60 s | Resilience4j |
//! | `max_wait_in_half_open`, `after_half_open_wait` | duration, state | none, open | Resilience4j |
//! | `automatic_transition_from_open_to_half_open` | | no | Resilience4j |
//! | `initial_state` | | closed | Resilience4j |
//! | `cancelled_is_failure_after` | duration | the slow-call threshold | seawall |
//! | `panic_is_failure` | | no | seawall |
//! | `random` | dice of a random open wait | seeded by the system | seawall |
//! | `transition_on_result`, `open_on_retry_after` | | none | Resilience4j |
//!
//! # What counts
//!
//! [`Success` and `Failure`](crate::Outcome) are recorded, `Ignored` is not. A refusal by a layer inside is ignored, a
//! timeout is a failure. A call that its caller gives up gives its permission back; if it had run for
//! long, it was hung, and counts as a failure. A report that comes after the state has changed has no
//! effect on the new state. Recording a call costs the same whatever the window's size.
//!
//! # Updates
//!
//! [`update`](CircuitBreaker::update) replaces the settings while calls run. State, counters, observers and permissions that
//! were given stay, nobody waits for it, and the window stays as it is unless it is to be another one.
//!
//! | setting | what an update does |
//! |---|---|
//! | both rate thresholds, `minimum_number_of_calls` | count with the next outcome, half-open trials included |
//! | `slow_call_duration_threshold`, `cancelled_is_failure_after` | count for all calls that end from now on; if durations mattered to nothing before, for those that begin from now on |
//! | `sliding_window` | another size or kind starts an empty window, in which calls under way count; the same one keeps what it holds |
//! | `slice_alignment` | another one starts an empty window, if it is one over time |
//! | `permitted_calls_in_half_open`, `max_wait_in_half_open` | count from the next half-open state on: the current one keeps its number of trials and its end |
//! | `open_wait`, `wait_duration_in_open_state` | counts from the next opening on: the current one keeps its end. The number of openings in a row goes on, what a formula remembers does not |
//! | `after_half_open_wait`, `automatic_transition_from_open_to_half_open` | count at once |
//! | `transition_on_result`, `open_on_retry_after`, `panic_is_failure` | count for all calls that end from now on |
//! | `initial_state`, `random` | without effect |
//!
//! # Events and errors
//!
//! [`CircuitBreakerEvent`](crate::telemetry::CircuitBreakerEvent) lists what observers are told. A refused call fails with
//! [`Reason::CircuitOpen`](crate::Reason::CircuitOpen), `CircuitHalfOpen` or `CircuitForcedOpen`, and says how long the wait is where that is
//! known. [`transitions`](CircuitBreaker::transitions) tells the last changes of state and why they happened, whether anybody listened or not.
//!
//! ```
//! use std::time::Duration;
//! use seawall::{CircuitBreaker, CircuitBreakerConfig, SlidingWindow};
//!
//! # fn main() -> Result<(), seawall::ConfigError> {
//! let breaker = CircuitBreaker::new(
//!     "inventory",
//!     CircuitBreakerConfig::builder()
//!         .sliding_window(SlidingWindow::Time { seconds: 30 })
//!         .minimum_number_of_calls(20)
//!         .wait_duration_in_open_state(Duration::from_secs(5))
//!         .build()?,
//! );
//! # Ok(()) }
//! ```

mod config;
mod described;
mod driver;
pub mod future;
mod gate;
mod handle;
mod layer;
mod permit;
mod service;
mod shared;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod state;
mod view;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod window;

pub use config::{
    CircuitBreakerConfig, CircuitBreakerConfigBuilder, OpenFor, SliceAlignment, SlidingWindow,
};
pub use handle::{CircuitBreaker, IllegalTransition};
pub use layer::CircuitBreakerLayer;
pub use permit::{Pending, Permit};
pub use service::CircuitBreakerService;
pub use view::{Counters, Metrics, State, Transition, TransitionReason};
