//! Settings from files: YAML, TOML and JSON, an unchanged Resilience4j `application.yml` among them.

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
mod tree;

pub use classes::ClassMap;
pub use loaded::{Config, Patterns};
pub use loader::Loader;
pub use model::{
    BackoffSettings, BudgetSettings, BulkheadSettings, CircuitBreakerSettings, ClassifierSettings,
    PipelineSettings, RateLimiterSettings, RetrySettings, ThreadPoolBulkheadSettings,
    TimeLimiterSettings,
};
pub use pipelines::{ClassifierPlan, PipelinePlan, Protocol};
pub use problem::{ConfigErrors, Problem};
pub use tree::Format;
