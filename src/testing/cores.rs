//! The door to the cores, for replaying recorded traces straight into them.
//!
//! Not part of the public API: what stands here may change in any release.

/// Of the circuit breaker.
pub mod circuit_breaker {
    pub use crate::patterns::circuit_breaker::state::{Core, Ending, Refusal, WaitWanted};
    pub use crate::patterns::circuit_breaker::window::{
        CountWindow, Measurement, Slices, TimeWindow, Totals,
    };
}

/// Of the rate limiter.
pub mod rate_limiter {
    pub use crate::patterns::rate_limiter::bucket::{Bucket, Claim as BucketClaim};
    pub use crate::patterns::rate_limiter::cycles::{Claim, Cycles};
    pub use crate::patterns::rate_limiter::semaphore::{Semaphore, Turn};
    pub use crate::patterns::rate_limiter::state::{Answer, Limiter, Patience};
    pub use crate::patterns::rate_limiter::window::{Claim as WindowClaim, Window};
}

pub use crate::telemetry::observer::Outbox;
