//! The ranges of a formula's numbers.

use std::time::Duration;

use super::Backoff;
use super::formula::Formula;
use super::jitter::Jitter;
use crate::settings::{self, ConfigError};

const MS: Duration = Duration::from_millis(1);

impl Backoff {
    /// Checks the numbers of the formula on behalf of the setting `key`.
    pub(crate) fn validate(&self, key: &'static str) -> Result<(), ConfigError> {
        match &self.formula {
            Formula::Linear { initial, .. } => settings::at_least(key, *initial, MS)?,
            Formula::Exponential { initial, multiplier } => {
                settings::at_least(key, *initial, MS)?;
                above_zero(key, "an exponential backoff with multiplier", *multiplier)?;
            }
            Formula::Geometric { factor, .. } => {
                above_zero(key, "a geometric backoff with factor", *factor)?;
            }
            Formula::Uniform { least, most } if least >= most => {
                let value = format_args!("a backoff from {least:?} to {most:?}");
                return Err(ConfigError::new(key, value, "from less to more"));
            }
            Formula::Fixed(wait) if matches!(self.jitter, Jitter::Randomized(_)) => {
                settings::at_least(key, *wait, MS)?;
            }
            _ => {}
        }
        match self.jitter {
            Jitter::Randomized(factor) => share(key, "a backoff randomized by", factor, 1.0)?,
            Jitter::Factor(factor) => share(key, "a backoff with a jitter of", factor, 1.0)?,
            Jitter::Longer(factor) => share(key, "a backoff lengthened by", factor, 100.0)?,
            Jitter::None | Jitter::Span(_) => {}
        }
        match self.cap {
            Some(cap) => settings::at_least(key, cap, MS),
            None => Ok(()),
        }
    }
}

fn above_zero(key: &'static str, what: &str, factor: f64) -> Result<(), ConfigError> {
    if factor.is_finite() && factor > 0.0 {
        return Ok(());
    }
    Err(ConfigError::new(key, format_args!("{what} {factor}"), "with one above 0"))
}

fn share(key: &'static str, what: &str, factor: f64, most: f64) -> Result<(), ConfigError> {
    if (0.0..=most).contains(&factor) {
        return Ok(());
    }
    Err(ConfigError::new(key, format_args!("{what} {factor}"), format_args!("by 0 to {most}")))
}
