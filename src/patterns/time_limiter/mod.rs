//! Gives up a call that takes too long.
//!
//! # When, and when not
//!
//! Use it for every call over a network: a backend that hangs otherwise holds its caller for ever. Let
//! the limit be a little longer than nearly all good calls take. Inside a retry it limits each
//! attempt, outside it limits them all together, pauses included. Work that must not stop half-way has to be
//! [detached](#work-that-must-not-stop): otherwise the call's future is dropped.
//!
//! # What it does
//!
//! The call is polled first and the clock looked at after that, so a result that is there at the last
//! moment is returned. No timer is made for a call that is ready at its first poll; with a limit of
//! zero all others are given up right then. Whoever drops a call before its time is over causes no
//! timeout.
//!
//! While it runs (and while it is dropped) a call in place learns of the limit as its
//! [`Deadline`](crate::Deadline): inside, no wait is begun beyond it, and a circuit breaker counts a call
//! that was given up at its deadline as failed.
//!
//! # Work that must not stop
//!
//! [`call_detached`](TimeLimiter::call_detached), and a layer with [`detach`](TimeLimiterLayer::detach), run the call in a task
//! of its own. It is never dropped half-way: when its time is over its caller gets the timeout, and when its caller goes
//! nobody gets anything, but the work runs to its end, with all that it holds, and its result is thrown away. A panic
//! in it is passed on while somebody waits for it; if the runtime shuts down under a caller elsewhere, the call fails with
//! [`Reason::RuntimeShutDown`](crate::Reason::RuntimeShutDown). A detached call costs a task; a call in place allocates nothing.
//!
//! The work takes the [`Deadline`](crate::Deadline) of its caller along, as the whole call's end, but not this limit, which is none to
//! it. So a pipeline that is part of the work ends with the caller's deadline; the limit does not end it.
//!
//! A pipeline's limiter cannot detach. Put layers together instead, and stand the detached one between what shall see the
//! timeout (retry, circuit breaker) and what shall go on (a bulkhead); either side may be a pipeline of its own.
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `timeout` | duration | 1 s | Resilience4j |
//! | `scope` | | head | seawall |
//! | `cancel_running_future` | | yes | Resilience4j; see there what *no* asks of you |
//!
//! # Updates
//!
//! [`update`](TimeLimiter::update) replaces the settings while calls run. Counters and observers stay.
//!
//! | setting | what an update does |
//! |---|---|
//! | `timeout` | counts for calls that begin from now on: one under way keeps its limit |
//! | `scope` | counts for responses that come from now on |
//! | `cancel_running_future` | counts for calls that begin from now on. A pipeline checks this only when it is built, and when a registry's settings are applied |
//!
//! # Events and errors
//!
//! [`TimeLimiterEvent`](crate::telemetry::TimeLimiterEvent) lists what observers are told. A call that is given
//! up fails with [`Reason::AttemptTimedOut`](crate::Reason::AttemptTimedOut), which is a
//! [timeout](crate::Rejected::is_timeout) and no refusal; one that a layer inside gave up counts as a
//! timeout here too. All other errors pass as they are.
//!
//! ```
//! use std::time::Duration;
//! use seawall::{TimeLimiter, TimeLimiterConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), seawall::ConfigError> {
//! let config = TimeLimiterConfig::builder().timeout(Duration::from_millis(5)).build()?;
//! let limiter = TimeLimiter::new("inventory", config);
//!
//! let hung = std::future::pending::<Result<(), std::io::Error>>();
//! assert!(limiter.call(hung).await.unwrap_err().is_timeout());
//! # Ok(()) }
//! ```

mod config;
mod described;
pub mod future;
mod handle;
mod layer;
mod limited;
mod run;
mod service;
mod time_limit;

pub use config::{TimeLimitScope, TimeLimiterConfig, TimeLimiterConfigBuilder};
pub use handle::{Metrics, TimeLimiter};
pub use layer::TimeLimiterLayer;
pub use run::{Detached, InPlace, Run, Spawned};
pub use service::TimeLimiterService;
pub use time_limit::TimeLimit;
