//! Limits how many calls are made in a span of time.
//!
//! # When, and when not
//!
//! Use it to stay within a quota that somebody else enforces, or to spare a backend that cannot
//! defend itself. Do not use it to limit how many calls run at once (that is a bulkhead), nor to
//! find out what a backend can take.
//!
//! # How it works
//!
//! Time is divided into cycles, and each has so many permissions; what is left over is not carried
//! on. A call without one waits for a later cycle, at most for the timeout. How long it will be is
//! known beforehand: a call whose wait would be too long, or would not end before the call's
//! [`Deadline`](crate::Deadline), is refused at once and is told how long it would have been. A caller
//! that goes away while it waits gives its place to others.
//!
//! ```text
//!   limit 3       now
//!   cycle    0     │      1            2
//!          ├──■──■─┼──□───┼──■──■──■───┼──■──□──□───
//!                  │  └ free: no wait       └ the next one waits until here
//! ```
//!
//! [`RateLimiterAlgorithm`] has two ways of waiting. `Cycles` gives out permissions of later cycles
//! ahead of time; a request for more than a cycle's worth spans several. With `Semaphore` callers
//! queue up and are served at the beginning of each cycle in the order of their coming; a request for
//! more than a cycle's worth is refused, and there are no reservations.
//!
//! Nothing runs in the background. Waits end with tokio's timer, which is good to a millisecond.
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `limit_for_period` | permissions | 50 | Resilience4j |
//! | `limit_refresh_period` | duration | 500 ns | Resilience4j |
//! | `timeout` | duration | 5 s | Resilience4j |
//! | `algorithm` | | cycles | Resilience4j |
//! | `drain_on` | | none | Resilience4j |
//!
//! # Events and errors
//!
//! [`RateLimiterEvent`](crate::telemetry::RateLimiterEvent) lists what observers are told: of a wait when
//! it is over, of a reservation at once. A refused call fails with
//! [`Reason::RateLimited`](crate::Reason::RateLimited).
//!
//! # Not as in Resilience4j
//!
//! A call that cannot have a permission in time fails at once and does not sleep out its timeout.
//! Who stops waiting gives back what it reserved. Draining takes what is left now, not what was left
//! at the last call, and leaves debt alone.
//!
//! ```
//! use std::time::Duration;
//! use seawall::{RateLimiter, RateLimiterConfig};
//!
//! # fn main() -> Result<(), seawall::ConfigError> {
//! let limiter = RateLimiter::new(
//!     "inventory",
//!     RateLimiterConfig::builder()
//!         .limit_for_period(100)
//!         .limit_refresh_period(Duration::from_secs(1))
//!         .timeout(Duration::from_millis(250))
//!         .build()?,
//! );
//! # Ok(()) }
//! ```

mod acquire;
mod config;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod cycles;
pub mod future;
mod handle;
mod layer;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod semaphore;
mod service;
mod shared;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod state;

pub use acquire::{Acquire, Ready, Reservation};
pub use config::{RateLimiterAlgorithm, RateLimiterConfig, RateLimiterConfigBuilder};
pub use handle::RateLimiter;
pub use layer::RateLimiterLayer;
pub use service::RateLimiterService;
pub use shared::Metrics;
