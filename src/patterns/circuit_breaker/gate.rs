//! What is known of a call without the core's lock.
//!
//! One word says what the core would answer, and counts the calls of which the core has nothing to
//! learn but their number: successes in time while nothing else is in sight, or refusals by an open
//! circuit. The count and the state that it belongs to are one word, so no call is counted in the
//! wrong one. Whoever locks the core closes the gate first and credits the count; that is one
//! order of all calls, as if each had taken the lock.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::AtomicU64;

/// Lowest in the word: how many calls were counted.
const COUNT: u64 = (1 << 20) - 1;
/// Calls pass.
const PASS: u64 = 1 << 20;
/// Calls are counted here: successes where calls pass, else refusals.
const TALLY: u64 = 1 << 21;
/// Calls are measured in time.
const TIMED: u64 = 1 << 22;
/// The rest is the generation: 41 bits, enough for ages.
const GENERATION_SHIFT: u32 = 23;

/// What the core says of itself, until it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) generation: u64,
    pub(super) passes: bool,
    pub(super) is_timed: bool,
    /// Successes in time need only be counted.
    pub(super) tallies: bool,
    /// Before this moment every call is refused, and need only be counted.
    pub(super) refuses_until: Option<Instant>,
}

/// Calls that were counted at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tally {
    Successes(u32),
    Refusals(u32),
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Gate {
    word: AtomicU64,
    /// The moment that `TALLY` without `PASS` speaks of. Changes only while the gate is closed.
    until: AtomicU64,
    /// The zero of that moment.
    created: Instant,
}

impl Gate {
    /// A gate that knows nothing yet.
    pub(super) fn new(created: Instant) -> Self {
        Self { word: AtomicU64::new(0), until: AtomicU64::new(0), created }
    }

    /// What a call finds.
    #[inline]
    pub(super) fn look(&self) -> Sight {
        Sight(self.word.load(Ordering::Acquire))
    }

    /// Counts a success in time, if that is all there is to do.
    #[inline]
    pub(super) fn count_success(&self, generation: u64) -> bool {
        self.count(|sight| sight.passes_as(generation))
    }

    /// Counts a refusal, if that is all there is to do. Says how long the circuit stays open.
    #[inline]
    pub(super) fn count_refusal(&self, now: Instant) -> Option<Duration> {
        let mut left = 0;
        let now = nanos(self.created, now)?;
        let counted = self.count(|sight| {
            left = self.until.load(Ordering::Relaxed).saturating_sub(now);
            left > 0 && !sight.passes()
        });
        // The wait is over only after its last moment.
        counted.then(|| Duration::from_nanos(left + 1))
    }

    /// One more, if calls are counted here, there is room for one, and the caller agrees.
    #[inline]
    fn count(&self, mut agrees: impl FnMut(Sight) -> bool) -> bool {
        let mut word = self.word.load(Ordering::Acquire);
        while word & TALLY != 0 && word & COUNT != COUNT && agrees(Sight(word)) {
            let one_more = self.word.compare_exchange_weak(
                word,
                word + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match one_more {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Counts no more, and says what was counted. For the owner of the core's lock.
    #[inline]
    pub(super) fn close(&self) -> Option<Tally> {
        if self.word.load(Ordering::Relaxed) & TALLY == 0 {
            return None;
        }
        let word = self.word.fetch_and(!(COUNT | TALLY), Ordering::AcqRel);
        let count = (word & COUNT) as u32;
        Some(if word & PASS == 0 { Tally::Refusals(count) } else { Tally::Successes(count) })
    }

    /// Says anew what the core would answer. For the owner of the core's lock, who closed the gate.
    #[inline]
    pub(super) fn show(&self, shown: Shown) {
        let until = shown.refuses_until.and_then(|until| nanos(self.created, until));
        if let Some(until) = until {
            self.until.store(until, Ordering::Relaxed);
        }
        let flag = |flag, is_set| if is_set { flag } else { 0 };
        let word = shown.generation << GENERATION_SHIFT
            | flag(PASS, shown.passes)
            | flag(TALLY, shown.tallies || until.is_some())
            | flag(TIMED, shown.is_timed);
        self.word.store(word, Ordering::Release);
    }
}

/// What a call found at the gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight(u64);

impl Sight {
    /// Does the call pass?
    #[inline]
    pub(super) const fn passes(self) -> bool {
        self.0 & PASS != 0
    }

    /// Does the state stand that gave this permission, and let all calls pass?
    #[inline]
    pub(super) const fn passes_as(self, generation: u64) -> bool {
        self.passes() && self.generation() == generation
    }

    /// Is the call measured in time?
    #[inline]
    pub(super) const fn is_timed(self) -> bool {
        self.0 & TIMED != 0
    }

    /// Whose permission the call would have.
    #[inline]
    pub(super) const fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }
}

/// From `zero` to `moment`, unless that is centuries.
fn nanos(zero: Instant, moment: Instant) -> Option<u64> {
    let span = moment.saturating_duration_since(zero);
    let seconds = span.as_secs().checked_mul(1_000_000_000)?;
    seconds.checked_add(span.subsec_nanos().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: Shown =
        Shown { generation: 7, passes: true, is_timed: true, tallies: true, refuses_until: None };

    fn gate(shown: Shown) -> Gate {
        let gate = Gate::new(Instant::now());
        gate.show(shown);
        gate
    }

    #[test]
    fn a_gate_counts_for_its_own_state_only() {
        let gate = gate(CLOSED);
        assert!(gate.count_success(7) && gate.count_success(7));
        assert!(!gate.count_success(6) && !gate.count_success(8));
        assert_eq!(gate.count_refusal(gate.created), None);
        assert_eq!(gate.close(), Some(Tally::Successes(2)));
    }

    #[test]
    fn a_closed_gate_counts_nothing_and_says_the_rest() {
        let gate = gate(CLOSED);
        assert_eq!(gate.close(), Some(Tally::Successes(0)));
        assert!(!gate.count_success(7));
        assert_eq!(gate.close(), None);
        let sight = gate.look();
        assert!(sight.passes_as(7) && !sight.passes_as(6) && sight.is_timed());
        gate.show(Shown { is_timed: false, ..CLOSED });
        assert!(!gate.look().is_timed());
    }

    #[test]
    fn a_full_count_is_left_to_the_core() {
        let gate = gate(CLOSED);
        gate.word.fetch_or(COUNT - 1, Ordering::Relaxed);
        assert!(gate.count_success(7));
        assert!(!gate.count_success(7));
        assert_eq!(gate.close(), Some(Tally::Successes(COUNT as u32)));
        assert_eq!(gate.look().generation(), 7);
    }

    #[test]
    fn refusals_are_counted_before_the_last_moment() {
        let nano = Duration::from_nanos(1);
        let start = Instant::now();
        let gate = Gate::new(start);
        let until = Some(start + nano * 2);
        gate.show(Shown { passes: false, tallies: false, refuses_until: until, ..CLOSED });
        assert_eq!(gate.count_refusal(start), Some(nano * 3));
        assert_eq!(gate.count_refusal(start + nano), Some(nano * 2));
        assert_eq!(gate.count_refusal(start + nano * 2), None);
        assert!(!gate.count_success(7));
        assert_eq!(gate.close(), Some(Tally::Refusals(2)));
        assert_eq!(gate.count_refusal(start), None);
    }
}
