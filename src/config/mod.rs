//! Settings from files: YAML, TOML and JSON, an unchanged Resilience4j `application.yml` among them.

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
    TimeLimiterSettings,
};
pub use pipelines::{ClassifierPlan, PipelinePlan};
pub use problem::{ConfigErrors, Problem};
pub use schema::schema;
pub use tree::Format;
pub use watch::Watch;
