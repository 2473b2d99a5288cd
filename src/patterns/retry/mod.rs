//! Makes a call again when it fails in a way that may pass.
//!
//! # When, and when not
//!
//! Use it for failures that are over in a moment: a lost connection, one bad instance behind a
//! balancer, a short overload. Do not use it for requests that must not be made twice, and never on
//! several levels of a call chain: three attempts on each of three levels are twenty-seven. Give it a
//! [`RetryBudget`], or an outage multiplies the load on what is left.
//!
//! # Settings
//!
//! | setting | unit | default | from |
//! |---|---|---|---|
//! | `max_attempts` | calls, the first included | 3 | Resilience4j |
//! | `backoff` | [`Backoff`](crate::Backoff) | 500 ms each | Resilience4j |
//! | `retry_when` | decision | every failure | Resilience4j |
//! | `retry_refusals` | | no | seawall |
//! | `max_duration` | duration | none | failsafe-go |
//! | `max_retry_after` | duration | the server's wish is not looked at | seawall |
//! | `retry_after_spread` | share | 0: exactly as asked | seawall |
//! | `fail_after_max_attempts` | | no | Resilience4j |
//! | `budget` | [`RetryBudget`] | none | failsafe-go |
//! | `fail_when_budget_spent` | | no | failsafe-go |
//! | `before_retry` | hook | none | Resilience4j |
//!
//! Polly counts *retries*; here, as in Resilience4j and gRPC, *attempts* are counted: Polly's
//! `MaxRetryAttempts = 3` is `max_attempts(4)`.
//!
//! # What happens
//!
//! After a failure the retry asks, in this order: may this failure be retried, are attempts left, can
//! the request be sent again, does the backoff give a wait, does the wait fit into `max_duration` and the
//! call's [`Deadline`](crate::Deadline), does the budget have room? If any answer is no, the caller gets the
//! last outcome as it is, never wrapped. No attempt begins after the deadline or `max_duration`: if a wait that fitted
//! ends late all the same, the call fails with [`DeadlineExceeded`](crate::Reason::DeadlineExceeded). A wait of zero sets no timer; after
//! every 32nd attempt without a pause, others on the same thread have their turn. What is left of a failed response is got rid of
//! during the wait, which it does not lengthen ([`Discard`](crate::Discard)). State is per call; dropping the future
//! while it waits makes no further attempt.
//!
//! A refusal by a layer inside (circuit open, bulkhead full, …) is not retried unless
//! `retry_refusals` is set: coming back at once would only be refused again.
//!
//! # Updates
//!
//! [`update`](Retry::update) replaces the settings while calls run. Counters and observers stay. A call looks at the settings after
//! each failure, so all of them count at once, for calls under way too; with two exceptions.
//!
//! | setting | what an update does |
//! |---|---|
//! | `backoff` | counts from the next pause on. Another formula begins anew, by the number of the attempt; the same one goes on |
//! | `budget` | only a budget that is no clone of the present one replaces it. Calls under way go over to it with their next failure |
//! | `max_duration`, and the time that `retry_when`, `before_retry` and a custom backoff see | if nothing looked at the time before, it is zero for calls that had begun |
//! | `random` | without effect |
//! | all others | count with the next failure |
//!
//! A pause that has begun ends as it was to end.
//!
//! # Events
//!
//! [`RetryEvent`](crate::telemetry::RetryEvent): `Retry` before every wait, `Success` only after a retry, `Error` when attempts are used up,
//! `IgnoredError` for what is not retried, `BudgetRefused`.
//!
//! ```
//! use std::time::Duration;
//! use seawall::{Backoff, Retry, RetryBudget, RetryConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let retry = Retry::new(
//!     "inventory",
//!     RetryConfig::builder()
//!         .max_attempts(4)
//!         .backoff(Backoff::full_jitter(Duration::from_millis(50), Duration::from_secs(2)))
//!         .budget(RetryBudget::default())
//!         .build()?,
//! );
//! let stock = retry.call(|| async { Ok::<u32, std::io::Error>(42) }).await?;
//! assert_eq!(stock, 42);
//! # Ok(()) }
//! ```

mod attempts;
mod budget;
mod config;
mod described;
pub mod future;
mod handle;
mod layer;
mod pause;
mod service;

pub use attempts::{Attempts, Next};
pub use budget::{DepositBudgetBuilder, RetryBudget, TokenBudgetBuilder};
pub use config::{RetryConfig, RetryConfigBuilder};
pub use handle::{Retry, RetryMetrics};
pub use layer::RetryLayer;
pub(crate) use pause::Pause;
pub use service::RetryService;
