//! The decision: one word that says how many are in, how many may be, and whether somebody waits.
//!
//! The word is a plain value, and its transitions are functions from word to word. Whoever holds it
//! in an atomic applies them with compare-and-swap.

/// Bits 0 to 31: calls that are in. Bits 32 to 61: the limit. Bit 62: it is fair. Bit 63: somebody stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

const ONE: u64 = 1;
const LIMIT: u32 = 32;
const FAIR: u64 = 1 << 62;
const QUEUED: u64 = 1 << 63;

impl Word {
    /// Nobody is in, and it is not fair. The limit is below 2³⁰.
    pub(super) const fn new(limit: u32) -> Self {
        Self((limit as u64) << LIMIT)
    }

    pub(super) const fn in_flight(self) -> u32 {
        self.0 as u32
    }

    pub(super) const fn limit(self) -> u32 {
        ((self.0 & !(QUEUED | FAIR)) >> LIMIT) as u32
    }

    /// Does somebody stand in the queue?
    pub(super) const fn is_queued(self) -> bool {
        self.0 & QUEUED != 0
    }

    /// May no newcomer pass those in the queue?
    pub(super) const fn is_fair(self) -> bool {
        self.0 & FAIR != 0
    }

    /// Free places; none while more are in than a lowered limit allows.
    pub(super) const fn available(self) -> u32 {
        self.limit().saturating_sub(self.in_flight())
    }

    // ## Coming and going

    /// A newcomer comes in, if there is a place and, where it is fair, nobody who came before.
    pub(super) const fn enter(self) -> Option<Self> {
        if self.0 >> FAIR.trailing_zeros() == 0b11 { None } else { self.take() }
    }

    /// Takes a free place, if there is one.
    pub(super) const fn take(self) -> Option<Self> {
        if self.available() == 0 { None } else { Some(Self(self.0 + ONE)) }
    }

    /// Leaves, if nobody has to be told.
    pub(super) const fn leave(self) -> Option<Self> {
        if self.is_queued() { None } else { Some(self.give_back()) }
    }

    /// Leaves. Somebody may have to be told.
    pub(super) const fn give_back(self) -> Self {
        debug_assert!(self.in_flight() > 0, "only a call that is in can leave");
        Self(self.0 - ONE)
    }

    // ## What is changed from outside

    pub(super) const fn with_queued(self, queued: bool) -> Self {
        if queued { Self(self.0 | QUEUED) } else { Self(self.0 & !QUEUED) }
    }

    pub(super) const fn with_limit(self, limit: u32) -> Self {
        Self((self.0 & (QUEUED | FAIR | u32::MAX as u64)) | (limit as u64) << LIMIT)
    }

    pub(super) const fn with_fair(self, fair: bool) -> Self {
        if fair { Self(self.0 | FAIR) } else { Self(self.0 & !FAIR) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Word;

    #[test]
    fn a_fair_bulkhead_lets_no_newcomer_pass_the_queue() {
        let queued = Word::new(1).with_queued(true);
        assert_eq!(queued.with_fair(true).enter(), None);
        assert_eq!(queued.enter().map(Word::in_flight), Some(1));
    }

    #[test]
    fn whoever_leaves_a_queue_behind_has_to_tell() {
        let one = Word::new(1).take().unwrap();
        assert_eq!(one.leave(), Some(Word::new(1)));
        assert_eq!(one.with_queued(true).leave(), None);
    }

    proptest! {
        #[test]
        fn the_three_parts_do_not_touch_each_other(
            limit in 0..=1_000_000_u32,
            other in 0..=1_000_000_u32,
            entered in 0..50_u32,
            queued: bool,
            fair: bool,
        ) {
            let mut word = Word::new(limit).with_queued(queued).with_fair(!fair);
            let mut inside = 0;
            for _ in 0..entered {
                match word.take() {
                    Some(next) => (word, inside) = (next, inside + 1),
                    None => prop_assert_eq!(inside, limit),
                }
            }
            word = word.with_limit(other).with_fair(fair);
            prop_assert_eq!(word.limit(), other);
            prop_assert_eq!(word.is_fair(), fair);
            prop_assert_eq!(word.in_flight(), inside);
            prop_assert_eq!(word.is_queued(), queued);
            prop_assert_eq!(word.available(), other.saturating_sub(inside));
            prop_assert_eq!(word.take().is_some(), inside < other);
            for _ in 0..inside {
                word = word.give_back();
            }
            prop_assert_eq!(word, Word::new(other).with_queued(queued).with_fair(fair));
        }
    }
}
