//! What an instance can be made from.

use super::{RegistryError, View};
use crate::patterns::Instance;
use crate::patterns::bulkhead::{Bulkhead, BulkheadConfig, BulkheadConfigBuilder};
use crate::patterns::circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder,
};
use crate::patterns::rate_limiter::{RateLimiter, RateLimiterConfig, RateLimiterConfigBuilder};
use crate::patterns::retry::{Retry, RetryConfig, RetryConfigBuilder};
use crate::patterns::time_limiter::{TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder};
use crate::patterns::timer::{Timer, TimerConfig, TimerConfigBuilder};
use crate::settings::ConfigError;

/// What gives the settings of an instance: the settings themselves, their builder, the name of settings that the registry
/// knows, or a function.
///
/// A function is asked only if the instance has to be made.
pub trait Settings<H: Instance> {
    /// Shall it be left alone where the instance exists?
    const ONLY_TO_MAKE: bool = false;

    /// The settings.
    ///
    /// # Errors
    ///
    /// [`RegistryError`]: no settings of this name, or a setting out of range.
    fn settings(self, view: &View<H>) -> Result<H::Config, RegistryError>;
}

/// The name of settings that the registry knows.
impl<H: Instance> Settings<H> for &str {
    fn settings(self, view: &View<H>) -> Result<H::Config, RegistryError> {
        Ok((*view.config(self)?).clone())
    }
}

impl<H: Instance, F: FnOnce() -> H::Config> Settings<H> for F {
    const ONLY_TO_MAKE: bool = true;

    fn settings(self, _: &View<H>) -> Result<H::Config, RegistryError> {
        Ok(self())
    }
}

macro_rules! settings {
    ($($handle:ident, $config:ident, $builder:ident;)*) => {
        $(
            impl Settings<$handle> for $config {
                fn settings(self, _: &View<$handle>) -> Result<$config, RegistryError> {
                    Ok(self)
                }
            }

            impl Settings<$handle> for $builder {
                fn settings(self, view: &View<$handle>) -> Result<$config, RegistryError> {
                    self.build().map_err(|error| out_of_range(view, error))
                }
            }
        )*
    };
}

settings! {
    Retry, RetryConfig, RetryConfigBuilder;
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder;
    RateLimiter, RateLimiterConfig, RateLimiterConfigBuilder;
    TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder;
    Bulkhead, BulkheadConfig, BulkheadConfigBuilder;
    Timer, TimerConfig, TimerConfigBuilder;
}

fn out_of_range<H: Instance>(view: &View<H>, error: ConfigError) -> RegistryError {
    RegistryError::Config { kind: view.kind(), name: String::new(), error }
}
