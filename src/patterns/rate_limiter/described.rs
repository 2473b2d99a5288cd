//! The settings as a list, for people and programs to look at.

use super::config::{RateLimiterAlgorithm, RateLimiterConfig};
use crate::telemetry::snapshot::Settings;

impl RateLimiterConfig {
    pub(crate) fn described(&self) -> Settings {
        let (algorithm, burst) = match self.algorithm {
            RateLimiterAlgorithm::Cycles => ("cycles", None),
            RateLimiterAlgorithm::Semaphore => ("semaphore", None),
            RateLimiterAlgorithm::TokenBucket { burst } => ("token_bucket", Some(burst)),
            RateLimiterAlgorithm::SlidingWindow => ("sliding_window", None),
        };
        Settings::default()
            .with("limit_for_period", self.limit_for_period)
            .with_span("limit_refresh_period", self.limit_refresh_period)
            .with_span("timeout", self.timeout)
            .with("algorithm", algorithm)
            .with("burst", burst)
            .with("drain_on", self.drain_on.is_some())
    }
}
