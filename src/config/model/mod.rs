//! Every setting once: its name, type, range, default and meaning. Reading, inheriting, explaining and the schema all come from
//! these tables.

mod backoff;
mod budget;
mod circuit_breaker;
pub(super) mod duration;
pub(super) mod kind;
mod limits;
mod pipeline;
mod retry;
pub(super) mod serde;
pub(super) mod table;
mod timer;

pub use backoff::BackoffSettings;
pub use budget::BudgetSettings;
pub(super) use circuit_breaker::CIRCUIT_BREAKER;
pub use circuit_breaker::CircuitBreakerSettings;
pub(super) use kind::write_span;
pub(super) use limits::{BULKHEAD, RATE_LIMITER, THREAD_POOL_BULKHEAD, TIME_LIMITER};
pub use limits::{
    BulkheadSettings, RateLimiterSettings, ThreadPoolBulkheadSettings, TimeLimiterSettings,
};
pub(super) use pipeline::{CLASSIFIER, PIPELINE};
pub use pipeline::{ClassifierSettings, PipelineSettings};
pub(super) use retry::RETRY;
pub use retry::RetrySettings;
pub(super) use timer::TIMER;
pub use timer::TimerSettings;

const IDLE_BUFFER: &str = "whoever subscribes to events says how many are kept";
const IDLE_HEALTH: &str = "there are no health indicators here; the snapshot tells the states";
const IDLE_STACK: &str = "an error has no stack trace here";
