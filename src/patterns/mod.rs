//! The patterns, one folder each.
//!
//! In each: the manual (`mod.rs`), the settings (`config.rs`), the decision without clock and future
//! (`state.rs`), the handle that people hold (`handle.rs`), and the tower glue (`layer.rs`,
//! `service.rs`, `future.rs`). Nothing in here knows HTTP.

pub mod bulkhead;
pub mod circuit_breaker;
mod instance;
pub(crate) mod oneshot;
pub mod rate_limiter;
pub mod retry;
pub mod time_limiter;
pub mod timer;
mod waiting;

pub use instance::Instance;
pub(crate) use instance::listen;
