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
//! A call without a permission waits for one, at most for the timeout. How long that will be is known
//! beforehand: a call whose wait would be too long, or would not end before the call's
//! [`Deadline`](crate::Deadline), is refused at once and is told after how long the same request would
//! succeed; that is exact, to the nanosecond, if nobody else comes. A caller that goes away while it
//! waits gives its place to others. A call may [cost](RateLimiterLayer::cost) more than one permission,
//! or none.
//!
//! [`RateLimiterAlgorithm`] says how permissions come:
//!
//! | algorithm | permissions | at most, in any span of a period | more than the limit in one request |
//! |---|---|---|---|
//! | `Cycles` | `limit` at the start of each cycle, nothing carried over | twice the limit, around a cycle's end | spans several cycles |
//! | `TokenBucket` | flow in evenly, up to `burst` are kept | `burst` + the limit | goes into debt |
//! | `SlidingWindow` | come back one period after they were used | the limit | refused |
//! | `Semaphore` | as `Cycles`, but callers queue up for the next cycle | twice the limit | refused |
//!
//! ```text
//!   Cycles, limit 3     now
//!   cycle          0     │      1            2
//!                ├──■──■─┼──□───┼──■──■──■───┼──■──□──□───
//!                        │  └ free: no wait       └ the next one waits until here
//! ```
//!
//! All but `Semaphore` give out permissions ahead of time: debt that later permissions pay. What a
//! dropped request gives back can be had again: at the end of the line as if it had never been, else as
//! a hole that a later request takes which fits into it. `Semaphore` has no debt and no reservations;
//! callers are served in the order of their coming.
//!
//! Which one? `TokenBucket` with a small burst is kind to a backend; `SlidingWindow` keeps to a quota
//! that somebody else counts strictly; `Cycles` is Resilience4j's default, and cheapest.
//!
//! failsafe-go's *bursty* limiter is `Cycles`, with no difference at all; its *smooth* one is
//! [`RateLimiterConfig::smooth`], which is `Cycles` too. A token bucket with a burst of 1 spaces calls
//! more strictly than that.
//!
//! Nothing runs in the background. Waits end with tokio's timer, which is good to a millisecond.
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `limit_for_period` | permissions | 50 | Resilience4j |
//! | `limit_refresh_period` | duration | 500 ns | Resilience4j |
//! | `timeout` | duration; zero never waits, [`Duration::MAX`](std::time::Duration::MAX) is no bound | 5 s | Resilience4j |
//! | `algorithm` | | cycles | Resilience4j |
//! | `burst` of a token bucket | permissions | must be given | |
//! | [`cost`](RateLimiterLayer::cost) of a layer | permissions a call | 1 | |
//! | `drain_on` | | none | Resilience4j |
//!
//! # Updates
//!
//! [`update`](RateLimiter::update) replaces the settings while calls run and wait. Observers stay, and so does what was taken: no
//! update makes more permissions than the old or the new settings give.
//!
//! | setting | what an update does |
//! |---|---|
//! | `limit_for_period` | see [`change_limit_for_period`](RateLimiter::change_limit_for_period). The current cycle keeps what it has; those who wait move up if there are more |
//! | `timeout` | counts for those who come from now on |
//! | `limit_refresh_period`, `algorithm`, `burst` | another one starts a first cycle with no more permissions than there were, and with the debt there was. Those who wait are asked again under the new settings, in the order of their coming, and never wait for longer than they would have; who cannot have its turn in time any more is refused |
//! | `drain_on` | counts for all calls that end from now on |
//!
//! A [`Reservation`] keeps its moment whatever is changed. Dropped after the algorithm or the period has changed, it gives nothing back.
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
//! The wait that is told with a refusal makes the request succeed; where none does, because it is for more
//! than a cycle's worth and not patient enough, none is told. Who stops waiting gives back what it reserved. Draining takes what is left now, not what was left
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
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod bucket;
mod config;
mod core;
mod cost;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod cycles;
mod described;
pub mod future;
mod handle;
mod layer;
mod room;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod semaphore;
mod service;
mod shared;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod state;
#[cfg(test)]
mod tests;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod window;

pub use acquire::{Acquire, Ready, Reservation};
pub use config::{RateLimiterAlgorithm, RateLimiterConfig, RateLimiterConfigBuilder};
pub use cost::{Cost, OnePermission};
pub use handle::RateLimiter;
pub use layer::RateLimiterLayer;
pub use service::RateLimiterService;
pub use shared::Metrics;
