//! Client-side resilience: circuit breaker, retry, bulkhead, rate limiter, time limiter and timer around the
//! calls that a service makes to other services.
//!
//! # Where to start
//!
//! - You use reqwest: [`seawall::reqwest::Client`](crate::reqwest) keeps its verbs. One line changes.
//! - You use tonic: [`Pipeline::grpc`] is a layer for its channel; see [`tonic`].
//! - You use hyper, or any tower service: [`Pipeline::http`] and [`Pipeline::builder`] are one layer with all patterns in
//!   the right order.
//! - You compose yourself: [`CircuitBreakerLayer`], [`RetryLayer`], [`BulkheadLayer`], [`RateLimiterLayer`],
//!   [`TimeLimiterLayer`], [`TimerLayer`], with [`ErrorLayer`] at the bottom.
//! - You have no tower: [`CircuitBreaker::call`], [`Retry::call`], … go around any future, and [`Pipeline::call`] is all of
//!   them; `try_acquire` and `record` are there for calls made by hand.
//!
//! All of these sit on the same state machines. A handle ([`CircuitBreaker`], [`Retry`], …) is cheap to clone, its clones share
//! one state, and it needs no runtime to be made.
//!
//! ```
//! use std::time::Duration;
//! use seawall::{CircuitBreakerConfig, Pipeline, RetryConfig, TimeLimiterConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let inventory = Pipeline::builder("inventory")
//!     .deadline(Duration::from_secs(5))
//!     .retry(RetryConfig::safe())
//!     .circuit_breaker(CircuitBreakerConfig::builder().minimum_number_of_calls(20))
//!     .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_secs(1)))
//!     .build()?;
//!
//! let stock = inventory.call(|| async { Ok::<u32, std::io::Error>(42) }).await?;
//! # assert_eq!(stock, 42);
//! # Ok(()) }
//! ```
//!
//! # What fails how
//!
//! A call fails with the client's own error, untouched, or with a [`Rejected`]: a *refusal* (the call was never made) or a
//! *timeout* (it was made and given up). [`Error`] holds either; a stack of any depth has this one error type, because a
//! layer asks of the service inside it only that its error can hold a rejection ([`FromRejected`]).
//!
//! # What counts
//!
//! A [`Classify`] judges what a call ended with, once, and every pattern reads that one [`Verdict`]. [`Ends`] says when a call is
//! over: with its response, or with the end of its body. [`Replay`] says how a request is sent again. Over HTTP all three come
//! with `.http()`; see [`http`].
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | (none) | all patterns, pipeline, handles, layers, [`registry`], [`keyed`] layers, [`telemetry`] |
//! | `http` | [`http`]: classification, idempotency, bodies |
//! | `hyper` | tells the errors of hyper and of hyper-util's client apart |
//! | `reqwest` | [`reqwest`]: a client with reqwest's verbs |
//! | `http2` | tells HTTP/2's errors apart, switches HTTP/2 on |
//! | `tonic` | [`tonic`]: a channel behind the patterns, for generated gRPC clients |
//! | `json`, `form`, `query`, `multipart`, `stream`, `brotli`, `charset`, `cookies`, `deflate`, `gzip`, `rustls-no-provider`, `socks`, `system-proxy`, `zstd`, `hickory-dns` | reqwest's features of the same names, with their methods |
//! | `config` | [`config`]: settings from YAML, TOML and JSON, watched while calls run |
//! | `snapshot` | [`telemetry::serve`]: states, rates and counters as JSON and as Prometheus text |
//! | `tracing` | spans per call and attempt, see [`telemetry`] |
//! | `metrics` | [`telemetry::metrics`]: meters through the `metrics` facade |
//! | `otel` | [`telemetry::otel`]: meters and trace context through OpenTelemetry |
//! | `testing` | for your tests: a server that misbehaves, a clock that steps, a contract kit for tower layers |
//! | `full` | all but `testing` and `hickory-dns` |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "full"), allow(rustdoc::broken_intra_doc_links))]

// The condition is reqwest's own, under which it is another client with another API.
#[cfg(all(
    any(feature = "reqwest", feature = "hyper"),
    all(target_arch = "wasm32", any(target_os = "unknown", target_os = "none"))
))]
compile_error!(
    "seawall's features `reqwest` and `hyper` do not support WebAssembly, where there are no sockets: reqwest is the \
     browser's `fetch` there. Leave them off for this target, and put `Pipeline::call` or the handles around your calls."
);

mod backoff;
mod clock;
#[cfg(feature = "config")]
pub mod config;
mod deadline;
mod ends;
mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod keyed;
mod near;
mod outcome;
pub mod patterns;
pub mod pipeline;
mod random;
pub mod registry;
mod replay;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod settings;
mod sync;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tonic")]
pub mod tonic;

pub use backoff::{Backoff, BackoffContext, Waits};
pub use deadline::{Deadline, Scoped};
pub use ends::{AtBodyEnd, AtResponse, Discard, Ends, Guard};
pub use error::{Error, ErrorFuture, ErrorLayer, ErrorService, FromRejected, Reason, Rejected};
pub use outcome::{
    Cause, CauseFilter, CauseMatcher, CauseRules, Classify, Outcome, ResultClassifier, Verdict,
};
pub use patterns::bulkhead::{
    Bulkhead, BulkheadConfig, BulkheadConfigBuilder, BulkheadLayer, BulkheadPermit, BulkheadService,
};
pub use patterns::circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, CircuitBreakerLayer,
    CircuitBreakerService, OpenFor, SliceAlignment, SlidingWindow, State,
};
pub use patterns::rate_limiter::{
    Cost, OnePermission, RateLimiter, RateLimiterAlgorithm, RateLimiterConfig,
    RateLimiterConfigBuilder, RateLimiterLayer, RateLimiterService,
};
pub use patterns::retry::{
    DepositBudgetBuilder, Retry, RetryBudget, RetryConfig, RetryConfigBuilder, RetryLayer,
    RetryService, TokenBudgetBuilder,
};
pub use patterns::time_limiter::{
    TimeLimitScope, TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder, TimeLimiterLayer,
    TimeLimiterService,
};
pub use patterns::timer::{Timer, TimerConfig, TimerConfigBuilder, TimerLayer, TimerService};
pub use pipeline::{Pipeline, PipelineBuilder, PipelineService, Step};
pub use random::Random;
pub use registry::Registry;
pub use replay::{CloneRequest, NoReplay, Replay};
pub use settings::ConfigError;

/// Compiles and runs the README's snippets.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
struct Readme;
