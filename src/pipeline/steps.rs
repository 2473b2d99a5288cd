//! The steps of a pipeline, and what may be given for one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::patterns::bulkhead::{Bulkhead, BulkheadConfig, BulkheadConfigBuilder};
use crate::patterns::circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder,
};
use crate::patterns::rate_limiter::{RateLimiter, RateLimiterConfig, RateLimiterConfigBuilder};
use crate::patterns::retry::{Retry, RetryConfig, RetryConfigBuilder};
use crate::patterns::time_limiter::{TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder};
use crate::settings::ConfigError;

/// The steps of a finished pipeline.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) name: Arc<str>,
    pub(super) deadline: Option<Duration>,
    pub(super) retry: Option<Retry>,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    pub(super) rate_limiter: Option<RateLimiter>,
    pub(super) time_limiter: Option<TimeLimiter>,
    pub(super) bulkhead: Option<Bulkhead>,
}

/// A step of a pipeline, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The deadline of the whole call.
    Deadline,
    /// The retry.
    Retry,
    /// The circuit breaker.
    CircuitBreaker,
    /// The rate limiter.
    RateLimiter,
    /// The limit of one attempt.
    TimeLimiter,
    /// The bulkhead.
    Bulkhead,
}

impl Step {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Retry => "retry",
            Self::CircuitBreaker => "circuit_breaker",
            Self::RateLimiter => "rate_limiter",
            Self::TimeLimiter => "time_limiter",
            Self::Bulkhead => "bulkhead",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What a pipeline takes for a step: an instance (which others may share), its settings, or the
/// builder of its settings. What is no instance yet gets the pipeline's name.
pub trait IntoStep<H>: private::Sealed {
    /// The instance.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is a builder with a setting out of range.
    fn into_step(self, name: &Arc<str>) -> Result<H, ConfigError>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! into_step {
    ($($handle:ident, $config:ident, $builder:ident;)*) => {
        $(
            impl private::Sealed for $handle {}
            impl private::Sealed for $config {}
            impl private::Sealed for $builder {}

            impl IntoStep<$handle> for $handle {
                fn into_step(self, _: &Arc<str>) -> Result<$handle, ConfigError> {
                    Ok(self)
                }
            }

            impl IntoStep<$handle> for $config {
                fn into_step(self, name: &Arc<str>) -> Result<$handle, ConfigError> {
                    Ok($handle::new(name.clone(), self))
                }
            }

            impl IntoStep<$handle> for $builder {
                fn into_step(self, name: &Arc<str>) -> Result<$handle, ConfigError> {
                    self.build()?.into_step(name)
                }
            }
        )*
    };
}

into_step! {
    Retry, RetryConfig, RetryConfigBuilder;
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder;
    RateLimiter, RateLimiterConfig, RateLimiterConfigBuilder;
    TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder;
    Bulkhead, BulkheadConfig, BulkheadConfigBuilder;
}
