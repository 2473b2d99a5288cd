//! The formulas, before their jitter.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::BackoffContext;
use super::span::{LAST_STEP, LONGEST, between, grow, raise, scale};
use super::waits::{Kept, Waits};
use crate::random::Random;

type Function = Arc<dyn Fn(&BackoffContext) -> Option<Duration> + Send + Sync>;
type Step = Arc<dyn Fn(Duration) -> Duration + Send + Sync>;
type Iter = Box<dyn Iterator<Item = Duration> + Send + Sync>;

#[derive(Clone)]
pub(super) enum Formula {
    Fixed(Duration),
    Linear { initial: Duration, step: Duration },
    Exponential { initial: Duration, multiplier: f64 },
    Geometric { initial: Duration, factor: f64 },
    FullJitter { base: Duration },
    EqualJitter { base: Duration },
    Decorrelated { base: Duration },
    Smooth { base: Duration },
    Uniform { least: Duration, most: Duration },
    Iterate { initial: Duration, step: Step },
    Sequence(Arc<dyn Fn() -> Iter + Send + Sync>),
    Custom(Function),
}

impl Formula {
    /// Can it go on from what `other` remembers? Only one that is the same.
    pub(super) fn remembers_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decorrelated { base }, Self::Decorrelated { base: other })
            | (Self::Smooth { base }, Self::Smooth { base: other }) => base == other,
            (
                Self::Iterate { initial, step },
                Self::Iterate { initial: other, step: other_step },
            ) => initial == other && Arc::ptr_eq(step, other_step),
            (Self::Sequence(make), Self::Sequence(other)) => Arc::ptr_eq(make, other),
            _ => false,
        }
    }

    /// The wait before its jitter; only a formula whose jitter is its own looks at the cap.
    pub(super) fn wait(
        &self,
        waits: &mut Waits,
        context: &BackoffContext,
        random: &Random,
        cap: Duration,
    ) -> Option<Duration> {
        let attempt = context.attempt;
        let steps = attempt.get() - 1;
        let doubled = |base| raise(base, 2.0, steps).min(cap);
        let wait = match self {
            Self::Fixed(wait) => *wait,
            Self::Linear { initial, step } => {
                initial.saturating_add(step.checked_mul(steps).unwrap_or(LONGEST))
            }
            Self::Exponential { initial, multiplier } => grow(*initial, *multiplier, steps),
            Self::Geometric { initial, factor } => raise(*initial, *factor, steps),
            Self::FullJitter { base } => random.up_to(doubled(*base)),
            Self::EqualJitter { base } => {
                let most = doubled(*base);
                let half = most / 2;
                half + random.up_to(most - half)
            }
            Self::Decorrelated { base } => {
                let last = waits.last().map_or(*base, |(_, last)| last);
                let wait = between(*base, last.saturating_mul(3), random.fraction()).min(cap);
                waits.keep(self, attempt, Kept::Wait(wait));
                wait
            }
            Self::Smooth { base } => {
                let n = f64::from(steps);
                // Where nobody knows where the last wait ended, it ended in the middle.
                let from = match waits.point_before(attempt) {
                    Some(from) => from,
                    None if steps == 0 => 0.0,
                    None => curve(n - 0.5),
                };
                let to = curve(n + random.fraction());
                waits.keep(self, attempt, Kept::Point(to));
                scale(*base, (to - from) / 1.4)
            }
            Self::Uniform { least, most } => between(*least, *most, random.fraction()),
            Self::Iterate { initial, step } => {
                let last = waits.last().filter(|(at, _)| *at <= attempt);
                let (mut wait, times) =
                    last.map_or((*initial, steps), |(at, last)| (last, attempt.get() - at.get()));
                for _ in 0..times.min(LAST_STEP) {
                    wait = step(wait);
                }
                waits.keep(self, attempt, Kept::Wait(wait));
                wait
            }
            Self::Sequence(make) => {
                if waits.rest().is_none() {
                    waits.keep(self, attempt, Kept::Rest(make()));
                }
                waits.rest()?.next()?
            }
            Self::Custom(formula) => formula(context)?,
        };
        Some(wait)
    }
}

/// The curve of Polly's second decorrelated jitter: waits are the way from point to point.
fn curve(t: f64) -> f64 {
    t.exp2() * (4.0 * t).sqrt().tanh()
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
            Self::Geometric { initial, factor } => f
                .debug_struct("Geometric")
                .field("initial", initial)
                .field("factor", factor)
                .finish(),
            Self::FullJitter { base } => f.debug_struct("FullJitter").field("base", base).finish(),
            Self::EqualJitter { base } => {
                f.debug_struct("EqualJitter").field("base", base).finish()
            }
            Self::Decorrelated { base } => {
                f.debug_struct("Decorrelated").field("base", base).finish()
            }
            Self::Smooth { base } => f.debug_struct("Smooth").field("base", base).finish(),
            Self::Uniform { least, most } => {
                f.debug_struct("Uniform").field("least", least).field("most", most).finish()
            }
            Self::Iterate { initial, .. } => {
                f.debug_struct("Iterate").field("initial", initial).finish_non_exhaustive()
            }
            Self::Sequence(_) => f.write_str("Sequence"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}
