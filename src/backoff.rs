//! How long to wait before the next try: formulas without a clock.
//!
//! A retry asks for the pause before its next attempt, an open circuit breaker for the time until
//! its first trial. Both number their tries from 1.
//!
//! | constructor | wait before try *n* | source |
//! |---|---|---|
//! | [`fixed`](Backoff::fixed) | `wait` | Resilience4j |
//! | [`linear`](Backoff::linear) | `initial + (n − 1) · step` | Resilience4j, custom function |
//! | [`exponential`](Backoff::exponential) | `initial · multiplierⁿ⁻¹`, cut to whole milliseconds at every step | Resilience4j |
//! | [`full_jitter`](Backoff::full_jitter) | anything from 0 to `min(cap, base · 2ⁿ⁻¹)` | AWS |
//! | [`custom`](Backoff::custom) | what your function says | |
//!
//! [`randomized`](Backoff::randomized) spreads any of them, [`capped`](Backoff::capped) bounds any of
//! them; the cap holds after the jitter. Nothing overflows: what is too long becomes the cap.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::outcome::Verdict;
use crate::random::Random;
use crate::settings::{self, ConfigError};

const MS: Duration = Duration::from_millis(1);

/// The longest wait that any formula gives: about 584 million years, all that milliseconds in 64
/// bits can say. A wait that long only means "never".
const LONGEST: Duration = Duration::from_millis(u64::MAX);

/// Growth stops here, so that a multiplier hardly above 1 cannot keep a processor busy.
const LAST_STEP: u32 = 100_000;

/// A formula for waits.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use seawall::{Backoff, BackoffContext, Random};
///
/// let backoff = Backoff::exponential(Duration::from_millis(500), 1.5).capped(Duration::from_secs(2));
/// let wait = |attempt| {
///     let context = BackoffContext::new(NonZeroU32::new(attempt).unwrap());
///     backoff.wait(&context, &Random::seeded(1)).unwrap().as_millis()
/// };
/// assert_eq!([wait(1), wait(2), wait(3), wait(4), wait(5)], [500, 750, 1125, 1687, 2000]);
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    formula: Formula,
    randomization: Option<f64>,
    cap: Option<Duration>,
}

type Function = Arc<dyn Fn(&BackoffContext) -> Option<Duration> + Send + Sync>;

#[derive(Clone)]
enum Formula {
    Fixed(Duration),
    Linear { initial: Duration, step: Duration },
    Exponential { initial: Duration, multiplier: f64 },
    FullJitter { base: Duration },
    Custom(Function),
}

/// What a wait may depend on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackoffContext {
    /// Which wait this is, from 1: tries that failed so far, or times that the circuit opened.
    pub attempt: NonZeroU32,
    /// The verdict on the last try; nothing when a circuit breaker asks.
    pub verdict: Option<Verdict>,
    /// Did the last try end with an error (and not with a response that is judged a failure)?
    pub is_error: bool,
    /// Time since the call began; zero when a circuit breaker asks.
    pub elapsed: Duration,
    /// Time left until the call's deadline, if it has one.
    pub remaining: Option<Duration>,
}

impl BackoffContext {
    /// The context of the given attempt, with nothing else known.
    #[must_use]
    pub const fn new(attempt: NonZeroU32) -> Self {
        Self { attempt, verdict: None, is_error: false, elapsed: Duration::ZERO, remaining: None }
    }
}

impl Backoff {
    const fn of(formula: Formula) -> Self {
        Self { formula, randomization: None, cap: None }
    }

    /// The same wait every time. Range: from 0.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self::of(Formula::Fixed(wait))
    }

    /// Grows by `step` from try to try. Range of `initial`: from 1 ms.
    #[must_use]
    pub const fn linear(initial: Duration, step: Duration) -> Self {
        Self::of(Formula::Linear { initial, step })
    }

    /// Grows by a factor, in whole milliseconds as Resilience4j counts.
    ///
    /// Range of `initial`: from 1 ms. Range of `multiplier`: above 0. Growth stops after 100 000
    /// tries.
    #[must_use]
    pub const fn exponential(initial: Duration, multiplier: f64) -> Self {
        Self::of(Formula::Exponential { initial, multiplier })
    }

    /// AWS's full jitter: anything from zero to `min(cap, base · 2ⁿ⁻¹)`, all equally likely.
    ///
    /// Spreads callers that failed together as far apart as possible. Range of `base`: from 0.
    #[must_use]
    pub const fn full_jitter(base: Duration, cap: Duration) -> Self {
        Self { formula: Formula::FullJitter { base }, randomization: None, cap: Some(cap) }
    }

    /// Your own formula. `None` gives up: there is no further try.
    ///
    /// A circuit breaker takes `None` for "as long as can be", and a panic for 60 s. The function is
    /// called once a wait, never under a lock; until it returns, the open circuit just refuses.
    #[must_use]
    pub fn custom(
        formula: impl Fn(&BackoffContext) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Formula::Custom(Arc::new(formula)))
    }

    /// Spreads every wait *w* evenly over *w* − *f·w* to *w* + *f·w*, as Resilience4j does: in whole
    /// milliseconds, and never below one.
    ///
    /// Range of `factor`: 0 to 1. Resilience4j's default is 0.5.
    #[must_use]
    pub const fn randomized(mut self, factor: f64) -> Self {
        self.randomization = Some(factor);
        self
    }

    /// No wait is longer than `cap`, jitter included. Range: from 1 ms.
    #[must_use]
    pub const fn capped(mut self, cap: Duration) -> Self {
        self.cap = Some(cap);
        self
    }

    /// The wait before the next try, or `None` if there shall be none.
    #[must_use]
    pub fn wait(&self, context: &BackoffContext, random: &Random) -> Option<Duration> {
        let cap = self.cap.unwrap_or(LONGEST);
        let steps = context.attempt.get().min(LAST_STEP) - 1;
        let wait = match &self.formula {
            Formula::Fixed(wait) => *wait,
            Formula::Linear { initial, step } => initial
                .saturating_add(step.checked_mul(context.attempt.get() - 1).unwrap_or(LONGEST)),
            Formula::Exponential { initial, multiplier } => grow(
                *initial,
                *multiplier,
                steps,
                if self.randomization.is_none() { cap } else { LONGEST },
            ),
            Formula::FullJitter { base } => random.up_to(double(*base, steps, cap).min(cap)),
            Formula::Custom(formula) => formula(context)?,
        };
        let wait = match self.randomization {
            Some(factor) => spread(wait, factor, random.fraction()),
            None => wait,
        };
        Some(wait.min(cap))
    }

    /// The wait, if it is always the same.
    pub(crate) const fn as_fixed(&self) -> Option<Duration> {
        match (&self.formula, self.randomization) {
            (Formula::Fixed(wait), None) => Some(*wait),
            _ => None,
        }
    }

    pub(crate) const fn is_custom(&self) -> bool {
        matches!(self.formula, Formula::Custom(_))
    }

    /// Checks the numbers of the formula on behalf of the setting `key`.
    pub(crate) fn validate(&self, key: &'static str) -> Result<(), ConfigError> {
        match &self.formula {
            Formula::Linear { initial, .. } => settings::at_least(key, *initial, MS)?,
            Formula::Exponential { initial, multiplier } => {
                settings::at_least(key, *initial, MS)?;
                if !(multiplier.is_finite() && *multiplier > 0.0) {
                    let value = format_args!("an exponential backoff with multiplier {multiplier}");
                    return Err(ConfigError::new(key, value, "with a multiplier above 0"));
                }
            }
            Formula::Fixed(wait) if self.randomization.is_some() => {
                settings::at_least(key, *wait, MS)?;
            }
            Formula::Fixed(_) | Formula::FullJitter { .. } | Formula::Custom(_) => {}
        }
        if let Some(factor) = self.randomization
            && !(0.0..=1.0).contains(&factor)
        {
            let value = format_args!("a backoff randomized by {factor}");
            return Err(ConfigError::new(key, value, "randomized by 0 to 1"));
        }
        match self.cap {
            Some(cap) => settings::at_least(key, cap, MS),
            None => Ok(()),
        }
    }
}

/// Multiplies `steps` times, cut to whole milliseconds each time, until `limit` is reached.
fn grow(initial: Duration, multiplier: f64, steps: u32, limit: Duration) -> Duration {
    let limit = millis(limit);
    let mut wait = millis(initial);
    for _ in 0..steps {
        let next = (wait as f64 * multiplier) as u64;
        if next == wait || wait >= limit {
            break;
        }
        wait = next;
    }
    Duration::from_millis(wait)
}

/// Doubles `steps` times, until `limit` is reached.
fn double(base: Duration, steps: u32, limit: Duration) -> Duration {
    let mut wait = base;
    for _ in 0..steps {
        if wait.is_zero() || wait >= limit {
            break;
        }
        wait = wait.saturating_mul(2);
    }
    wait
}

/// Even over `wait · (1 ± factor)`, and up to 1 ms more, cut to whole milliseconds.
fn spread(wait: Duration, factor: f64, fraction: f64) -> Duration {
    let wait = millis(wait) as f64;
    let (low, high) = (wait * (1.0 - factor), wait * (1.0 + factor));
    Duration::from_millis((low + fraction * (high - low + 1.0)).max(1.0) as u64)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(wait) => f.debug_tuple("Fixed").field(wait).finish(),
            Self::Linear { initial, step } => {
                f.debug_struct("Linear").field("initial", initial).field("step", step).finish()
            }
            Self::Exponential { initial, multiplier } => f
                .debug_struct("Exponential")
                .field("initial", initial)
                .field("multiplier", multiplier)
                .finish(),
            Self::FullJitter { base } => f.debug_struct("FullJitter").field("base", base).finish(),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}
