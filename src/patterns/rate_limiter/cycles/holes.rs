//! Slots that were taken and given back, by cycle.

use std::collections::BTreeMap;

/// Free slots before the end of the line.
///
/// Each was once taken by a caller that waited, so there are never more of them than callers once
/// waited at the same time; they are gone when their cycle is.
#[derive(Debug, Default)]
pub(super) struct Holes {
    by_cycle: BTreeMap<u64, u32>,
    total: i64,
}

impl Holes {
    pub(super) fn is_empty(&self) -> bool {
        self.by_cycle.is_empty()
    }

    pub(super) const fn total(&self) -> i64 {
        self.total
    }

    pub(super) fn at(&self, cycle: u64) -> i64 {
        self.by_cycle.get(&cycle).copied().unwrap_or(0).into()
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.by_cycle.keys().next_back().copied()
    }

    pub(super) fn add(&mut self, cycle: u64, slots: u32) {
        if slots != 0 {
            *self.by_cycle.entry(cycle).or_default() += slots;
            self.total += i64::from(slots);
        }
    }

    /// The earliest holes, up to so many slots: the last one's cycle, and how many slots there are.
    pub(super) fn reach(&self, slots: u32) -> (Option<u64>, u32) {
        let (mut last, mut found) = (None, 0);
        for (&cycle, &free) in &self.by_cycle {
            if found == slots {
                break;
            }
            last = Some(cycle);
            found += free.min(slots - found);
        }
        (last, found)
    }

    /// Takes the earliest, so many as there must be.
    pub(super) fn take(&mut self, slots: u32) -> Vec<(u64, u32)> {
        let mut taken = Vec::new();
        let mut left = slots;
        while left > 0
            && let Some(mut first) = self.by_cycle.first_entry()
        {
            let part = left.min(*first.get());
            *first.get_mut() -= part;
            taken.push((*first.key(), part));
            left -= part;
            self.total -= i64::from(part);
            if *first.get() == 0 {
                first.remove();
            }
        }
        taken
    }

    pub(super) fn take_last(&mut self) -> i64 {
        let slots = self.by_cycle.pop_last().map_or(0, |(_, slots)| slots.into());
        self.total -= slots;
        slots
    }

    /// Forgets those of cycles before this one.
    pub(super) fn before(&mut self, cycle: u64) {
        while let Some(first) = self.by_cycle.first_entry()
            && *first.key() < cycle
        {
            self.total -= i64::from(first.remove());
        }
    }

    /// Forgets all, and says how many there were.
    pub(super) fn clear(&mut self) -> i64 {
        self.by_cycle.clear();
        std::mem::take(&mut self.total)
    }
}
