//! Checking of settings: one error type, and the range checks that every builder uses.

mod live;
mod span;

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(crate) use self::live::Live;
pub(crate) use self::span::Span;

/// A setting is out of range, or settings contradict each other.
///
/// Names the setting, the value it was given and what would have been allowed.
///
/// ```
/// use seawall::CircuitBreakerConfig;
///
/// let error = CircuitBreakerConfig::builder().failure_rate_threshold(101.0).build().unwrap_err();
/// assert_eq!(error.key(), "failure_rate_threshold");
/// assert_eq!(
///     error.to_string(),
///     "`failure_rate_threshold` is 101, but must be above 0 and at most 100"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    key: Cow<'static, str>,
    value: String,
    expected: String,
}

impl ConfigError {
    pub(crate) fn new(
        key: &'static str,
        value: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self { key: key.into(), value: value.to_string(), expected: expected.to_string() }
    }

    /// The same error, seen from the thing that has the setting as a part.
    pub(crate) fn within(mut self, whole: &str) -> Self {
        if self.key != whole {
            self.key = format!("{whole}.{}", self.key).into();
        }
        self
    }

    /// The setting, as its builder method is called; that of a pipeline's step as `step.setting`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The refused value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, but must be {}", self.key, self.value, self.expected)
    }
}

impl std::error::Error for ConfigError {}

/// Refuses a whole number outside `range`.
pub(crate) fn number(
    key: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(key, value, format_args!("from {} to {}", range.start(), range.end())))
}

/// Refuses a percentage that is not above 0 and at most 100.
pub(crate) fn percentage(key: &'static str, value: f32) -> Result<(), ConfigError> {
    if value > 0.0 && value <= 100.0 {
        return Ok(());
    }
    Err(ConfigError::new(key, value, "above 0 and at most 100"))
}

/// Refuses a duration below `least`.
pub(crate) fn at_least(
    key: &'static str,
    value: Duration,
    least: Duration,
) -> Result<(), ConfigError> {
    if value >= least {
        return Ok(());
    }
    Err(ConfigError::new(key, format_args!("{value:?}"), format_args!("at least {least:?}")))
}
