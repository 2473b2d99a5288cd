//! seawall
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod clock;
mod deadline;
mod ends;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod outcome;
pub mod patterns;
pub mod pipeline;
mod random;
mod replay;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod settings;
mod sync;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;

pub use backoff::{Backoff, BackoffContext};
pub use deadline::{Deadline, Scoped};
pub use ends::{AtBodyEnd, AtResponse, Ends, Guard};
pub use error::{Error, ErrorFuture, ErrorLayer, ErrorService, FromRejected, Reason, Rejected};
pub use outcome::{Cause, Classify, Outcome, ResultClassifier, Verdict};
pub use patterns::bulkhead::{
    Bulkhead, BulkheadConfig, BulkheadConfigBuilder, BulkheadLayer, BulkheadPermit, BulkheadService,
};
pub use patterns::circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, CircuitBreakerLayer,
    CircuitBreakerService, SlidingWindow,
};
pub use patterns::rate_limiter::{
    RateLimiter, RateLimiterAlgorithm, RateLimiterConfig, RateLimiterConfigBuilder,
    RateLimiterLayer, RateLimiterService,
};
pub use patterns::retry::{
    Retry, RetryBudget, RetryConfig, RetryConfigBuilder, RetryLayer, RetryService,
};
pub use patterns::time_limiter::{
    TimeLimitScope, TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder, TimeLimiterLayer,
    TimeLimiterService,
};
pub use pipeline::{Pipeline, PipelineBuilder, PipelineService};
pub use random::Random;
pub use replay::{CloneRequest, NoReplay, Replay};
pub use settings::ConfigError;
