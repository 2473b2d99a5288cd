//! Settings from files.

mod model;
mod placeholders;
mod problem;
mod read;
mod tree;

pub use model::{
    BackoffSettings, BudgetSettings, BulkheadSettings, CircuitBreakerSettings, RateLimiterSettings,
    RetrySettings, ThreadPoolBulkheadSettings, TimeLimiterSettings,
};
pub use problem::{ConfigErrors, Problem};
pub use tree::Format;
