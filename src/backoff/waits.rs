//! What a formula remembers from wait to wait.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::formula::Formula;
use super::{Backoff, BackoffContext};
use crate::random::Random;

/// The waits of one call, one after the other: what a formula has to remember is kept here.
///
/// A retry has one for every call, a circuit breaker one from opening to opening. The wait before the first
/// try begins anew. Formulas that remember nothing cost nothing here.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use seawall::{Backoff, BackoffContext, Random, Waits};
///
/// let ms = Duration::from_millis;
/// let backoff = Backoff::sequence(move || [ms(10), ms(50)]);
/// let (mut waits, random) = (Waits::default(), Random::seeded(1));
/// let mut next = |attempt| {
///     let context = BackoffContext::new(NonZeroU32::new(attempt).unwrap());
///     waits.next(&backoff, &context, &random)
/// };
/// assert_eq!([next(1), next(2), next(3)], [Some(ms(10)), Some(ms(50)), None]);
/// ```
#[derive(Debug, Default)]
pub struct Waits(Option<Box<Memory>>);

#[derive(Debug)]
struct Memory {
    attempt: NonZeroU32,
    kept: Kept,
    /// Whose memory it is: settings may be replaced between two waits.
    of: Formula,
}

pub(super) enum Kept {
    /// The last wait of a formula that goes on from it.
    Wait(Duration),
    /// Where on its curve the last wait ended.
    Point(f64),
    /// What is left of a sequence.
    Rest(Box<dyn Iterator<Item = Duration> + Send + Sync>),
}

impl Waits {
    /// The wait before the next try, or `None` if there shall be none.
    #[must_use]
    pub fn next(
        &mut self,
        backoff: &Backoff,
        context: &BackoffContext,
        random: &Random,
    ) -> Option<Duration> {
        let is_foreign = |memory: &Memory| !backoff.formula.remembers_as(&memory.of);
        if context.attempt == NonZeroU32::MIN || self.0.as_deref().is_some_and(is_foreign) {
            self.0 = None;
        }
        backoff.after(self, context, random)
    }

    pub(super) fn keep(&mut self, of: &Formula, attempt: NonZeroU32, kept: Kept) {
        self.0 = Some(Box::new(Memory { attempt, kept, of: of.clone() }));
    }

    /// The last wait, and before which try it was.
    pub(super) fn last(&self) -> Option<(NonZeroU32, Duration)> {
        match self.0.as_deref()? {
            Memory { attempt, kept: Kept::Wait(wait), .. } => Some((*attempt, *wait)),
            _ => None,
        }
    }

    /// The point where the last wait ended, if that was before the try before this one.
    pub(super) fn point_before(&self, attempt: NonZeroU32) -> Option<f64> {
        match self.0.as_deref()? {
            Memory { attempt: at, kept: Kept::Point(point), .. }
                if at.checked_add(1) == Some(attempt) =>
            {
                Some(*point)
            }
            _ => None,
        }
    }

    pub(super) fn rest(&mut self) -> Option<&mut (dyn Iterator<Item = Duration> + Send + Sync)> {
        match &mut self.0.as_deref_mut()?.kept {
            Kept::Rest(rest) => Some(&mut **rest),
            _ => None,
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(wait) => f.debug_tuple("Wait").field(wait).finish(),
            Self::Point(point) => f.debug_tuple("Point").field(point).finish(),
            Self::Rest(_) => f.write_str("Rest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_formula_begins_anew() {
        let ms = Duration::from_millis;
        let random = Random::seeded(1);
        let context = |attempt| BackoffContext::new(NonZeroU32::new(attempt).unwrap());
        let one = Backoff::sequence(move || [ms(1), ms(2), ms(3)]);
        let other = Backoff::sequence(move || [ms(10), ms(20)]);
        let mut waits = Waits::default();
        assert_eq!(waits.next(&one, &context(1), &random), Some(ms(1)));
        assert_eq!(waits.next(&one.clone(), &context(2), &random), Some(ms(2)));
        assert_eq!(waits.next(&other, &context(3), &random), Some(ms(10)));
        assert_eq!(waits.next(&other, &context(4), &random), Some(ms(20)));
        let doubled = |initial| Backoff::iterate(initial, |wait| wait * 2);
        let (one, other) = (doubled(ms(1)), doubled(ms(100)));
        assert_eq!(waits.next(&one, &context(2), &random), Some(ms(2)));
        assert_eq!(waits.next(&other, &context(2), &random), Some(ms(200)));
    }
}
