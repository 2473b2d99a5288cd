//! Settings from files: YAML, TOML and JSON, an unchanged Resilience4j `application.yml` among them.
//!
//! # When
//!
//! Where operators set thresholds and not the code, where one file serves several environments, or where a service comes from the
//! JVM and brings its `application.yml` along.
//!
//! ```
//! use seawall::Registry;
//! use seawall::config::{Config, Format};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "
//! resilience4j:
//!   circuitbreaker:
//!     configs:
//!       default: {slidingWindowSize: 20, minimumNumberOfCalls: 10}
//!     instances:
//!       orders: {failureRateThreshold: 30, waitDurationInOpenState: 7500ms}
//!   retry.instances.orders.maxAttempts: 4
//! ";
//! let config = Config::from_text(Format::Yaml, "application.yml", text)?; // or `Config::load(path)`
//! assert!(config.explain().any(|line| {
//!     line == "circuit_breaker.orders.wait_duration_in_open_state = 7.5s  # application.yml:7"
//! }));
//!
//! let registry = Registry::new();
//! config.apply(&registry)?;
//! let orders = registry.pipeline("orders")?; // the breaker and the retry of that name
//! # Ok(()) }
//! ```
//!
//! # What is read
//!
//! The trees `resilience4j` and `seawall`; all else in a file is left alone. Both have the same sections, and may stand side by side:
//! `circuit_breaker`, `retry`, `bulkhead`, `thread_pool_bulkhead`, `rate_limiter`, `time_limiter` and `timer`, which Resilience4j has as
//! `micrometer.timer`, each with
//!
//! | key | what |
//! |---|---|
//! | `configs` | shared settings by name |
//! | `instances` (also `backends`, `limiters`) | the instances by name, in the order of the file |
//! | `tags` | tags of all instances |
//! | `retryAspectOrder`, …, `timerAspectOrder` | may only say the order that pipelines have at any rate, with the timer innermost |
//!
//! The settings are the fields of [`CircuitBreakerSettings`], [`RetrySettings`], [`BulkheadSettings`],
//! [`ThreadPoolBulkheadSettings`], [`RateLimiterSettings`], [`TimeLimiterSettings`], [`TimerSettings`], with [`BackoffSettings`] and
//! [`BudgetSettings`] in them: Resilience4j's by their names, and what seawall has beyond. [`schema()`] has them all with their ranges
//! and defaults. Below `seawall` there are also
//!
//! | key | what |
//! |---|---|
//! | `pipelines` | named pipelines: [`PipelineSettings`] |
//! | `classifiers` | how calls count by status and kind of error: [`ClassifierSettings`] |
//!
//! ```yaml
//! seawall:
//!   retry:
//!     instances:
//!       patient:
//!         max_attempts: 5
//!         backoff: {kind: full_jitter, base: 100ms, cap: 5s}
//!         budget: {kind: tokens}
//!         ignore: [grpc:not_found, 501]
//!   classifiers:
//!     strict: {failure: [404], ignore: [429]}
//!   pipelines:
//!     shop: {protocol: http, deadline: 5s, retry: patient, classifier: strict}
//! ```
//!
//! # How it is read
//!
//! - `failureRateThreshold`, `failure-rate-threshold`, `failure_rate_threshold` and `FAILURERATETHRESHOLD` are one key. Names of instances are
//!   taken to the letter; one with dots or brackets stands in brackets: `"[legacy.stock]"`, `"[[::1]:8080]"`.
//! - Dotted keys, nested keys and several YAML documents make one tree; a later document wins. Documents for a Spring profile apply if
//!   the [profile is active](Loader::profile). Anchors and merge keys work.
//! - `${NAME:default}` stands for a [variable](Loader::env), or for another key of the file; what it stands for may have placeholders too.
//! - A variable `RESILIENCE4J_RETRY_INSTANCES_ORDERS_MAXATTEMPTS` or `SEAWALL_RETRY_INSTANCES_ORDERS_MAX_ATTEMPTS` wins over the file.
//! - Whole numbers may have underscores (`1_000`), and no leading zeros, which some take for octal.
//! - Durations are milliseconds, or have a unit (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`), or are ISO 8601 (`PT7.5S`), or `forever`.
//! - Names of Java classes mean what [`ClassMap`] says. Matchers (`503`, `5xx`, `timeout`, `grpc:14`) are those of
//!   [`CauseMatcher`](crate::CauseMatcher).
//! - A file has at most 1 MiB, 64 levels and 200 000 values, those that aliases stand for included.
//!
//! # What an instance inherits
//!
//! An instance has its own settings; what it leaves out comes from the config that its `baseConfig` names, which may have a base of its own.
//! Without `baseConfig`, a circuit breaker takes the config of its own name, and all take `default`, if there is one. What nobody sets has
//! its default. Lists replace lists. Otherwise than in Resilience4j every key is inherited by itself (also a `randomizedWaitFactor`),
//! and caps of growing waits always hold; a `backoff` takes the place of inherited flags, and the other way round.
//!
//! # What is wrong
//!
//! Unknown keys, wrong types, values out of range, contradictions, references to nothing, circles: all of them are found at once
//! ([`ConfigErrors`]), each with its place, its key, its value and what would be allowed. What is right but has no effect here (health
//! indicators, stack traces, threads) is among the [warnings](Config::warnings). Nothing that is read is dropped in silence.
//!
//! # While the program runs
//!
//! [`Loader::watch`] applies a file again whenever it changes, in place; see [`Watch`]. [`Config::explain`] tells where each value comes from.
//! `cargo run --example config_file -- --check FILE` does both for a file at hand.

mod apply;
mod classes;
mod convert;
mod document;
mod env;
mod explain;
mod fixed;
mod inherit;
mod loaded;
mod loader;
mod model;
mod order;
mod pipelines;
mod placeholders;
mod problem;
mod profiles;
mod read;
mod schema;
mod tree;
mod watch;

pub use apply::Applied;
pub use classes::ClassMap;
pub use loaded::{Config, Patterns};
pub use loader::Loader;
pub use model::{
    BackoffSettings, BudgetSettings, BulkheadSettings, CircuitBreakerSettings, ClassifierSettings,
    PipelineSettings, RateLimiterSettings, RetrySettings, ThreadPoolBulkheadSettings,
    TimeLimiterSettings, TimerSettings,
};
pub use pipelines::{ClassifierPlan, PipelinePlan};
pub use problem::{ConfigErrors, Problem};
pub use schema::schema;
pub use tree::Format;
pub use watch::Watch;
