//! The random part of a wait.

use std::time::Duration;

use super::span::{millis, scale};
use crate::random::Random;

/// How waits are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Jitter {
    None,
    /// Resilience4j's.
    Randomized(f64),
    /// By a share of the wait, either way.
    Factor(f64),
    /// By a span, either way.
    Span(Duration),
    /// By a share of the wait, only longer.
    Longer(f64),
}

impl Jitter {
    pub(super) fn apply(self, wait: Duration, random: &Random) -> Duration {
        match self {
            Self::None => wait,
            Self::Randomized(factor) => randomize(wait, factor, random.fraction()),
            _ if wait.is_zero() => wait,
            Self::Factor(factor) => scale(wait, 1.0 + factor * (1.0 - 2.0 * random.fraction())),
            Self::Span(span) => {
                let share = 1.0 - 2.0 * random.fraction();
                let shift = scale(span, share.abs());
                match share.is_sign_negative() {
                    true => wait.saturating_sub(shift),
                    false => wait.saturating_add(shift),
                }
            }
            Self::Longer(factor) => wait.saturating_add(scale(wait, factor * random.fraction())),
        }
    }
}

/// Even over `wait · (1 ± factor)`, and up to 1 ms more, cut to whole milliseconds.
fn randomize(wait: Duration, factor: f64, fraction: f64) -> Duration {
    let wait = millis(wait) as f64;
    let (low, high) = (wait * (1.0 - factor), wait * (1.0 + factor));
    Duration::from_millis((low + fraction * (high - low + 1.0)).max(1.0) as u64)
}
