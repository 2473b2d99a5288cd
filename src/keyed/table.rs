//! One part of the map: keys, what belongs to them, and what eviction wants to know. Knows neither clock nor lock.

use std::sync::Arc;

/// A word of the index: the number of the slot plus one in its lower bits, a piece of the hash above. 0 is a free place.
const SLOT_BITS: u32 = 20;
const SLOT: u32 = (1 << SLOT_BITS) - 1;

/// More keys than this can never be in one table.
pub(super) const MOST: usize = SLOT as usize;

/// Seconds go round after half a year, which is no matter: only differences count.
const STAMP: u32 = (1 << 24) - 1;

/// The longest age, in seconds, that can be told from another.
pub(super) const OLDEST: u32 = STAMP / 2;

#[derive(Debug)]
pub(super) struct Table<T> {
    /// Open addressing with linear probing; a power of two, or empty at first.
    index: Box<[u32]>,
    slots: Vec<Slot<T>>,
    /// How many keys were asked for that were there, going round.
    pub(super) hits: u32,
    /// Is whatever comes in told to speak?
    pub(super) relayed: bool,
}

/// 24 bytes beside the value.
#[derive(Debug)]
pub(super) struct Slot<T> {
    key: Arc<str>,
    hash: u32,
    /// The moment of the last look, in the lower bits; above them the two marks.
    stamp: u32,
    value: T,
}

/// Somebody has used it since the last look.
const USED: u32 = 1 << 24;

/// It was in other hands already when it came.
const BORN_HELD: u32 = 1 << 25;

impl<T> Slot<T> {
    pub(super) const fn key(&self) -> &Arc<str> {
        &self.key
    }

    pub(super) const fn value(&self) -> &T {
        &self.value
    }

    /// Was it in other hands already when it came?
    pub(super) const fn born_held(&self) -> bool {
        self.stamp & BORN_HELD != 0
    }

    /// How long nobody has used it, in seconds, as far as can be known: a use is noticed at the next look.
    pub(super) fn age(&mut self, now: u32) -> u32 {
        if self.stamp & USED != 0 {
            self.stamp = (self.stamp & !(USED | STAMP)) | (now & STAMP);
        }
        // Whoever looks may have read the clock before the one who put it in.
        let age = now.wrapping_sub(self.stamp) & STAMP;
        if age > OLDEST { 0 } else { age }
    }
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        Self { index: Box::default(), slots: Vec::new(), hits: 0, relayed: false }
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len()
    }

    /// The value of a key that is there, which is used now.
    #[inline]
    pub(super) fn touch(&mut self, hash: u32, key: &str) -> Option<&T> {
        let slot = self.find(hash, key)?;
        self.hits = self.hits.wrapping_add(1);
        let slot = &mut self.slots[slot];
        slot.stamp |= USED;
        Some(&slot.value)
    }

    /// The key must not be there yet.
    pub(super) fn insert(&mut self, hash: u32, key: Arc<str>, value: T, born_held: bool, now: u32) {
        let at = self.slots.len();
        debug_assert!(at < MOST, "the table is full");
        if (at + 1) * 8 > self.index.len() * 7 {
            self.rebuild((self.index.len() * 2).max(8));
        }
        if at == self.slots.capacity() {
            // Not twice as many: what is not used is memory too.
            self.slots.reserve_exact((at / 8).max(4));
        }
        let stamp = (now & STAMP) | if born_held { BORN_HELD } else { 0 };
        self.slots.push(Slot { key, hash, stamp, value });
        let place = self.free(hash);
        self.index[place] = word(hash, at);
    }

    pub(super) fn slot(&mut self, at: usize) -> &mut Slot<T> {
        &mut self.slots[at]
    }

    pub(super) fn at(&self, at: usize) -> &Slot<T> {
        &self.slots[at]
    }

    /// All slots, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot<T>> {
        self.slots.iter()
    }

    /// Takes a slot out; the last one takes its place.
    pub(super) fn remove(&mut self, at: usize) -> Slot<T> {
        let place = self.place_of(at);
        self.close_gap(place);
        let last = self.slots.len() - 1;
        if at != last {
            let place = self.place_of(last);
            self.index[place] = word(self.slots[last].hash, at);
        }
        let slot = self.slots.swap_remove(at);
        if self.slots.len() * 2 < self.slots.capacity() {
            self.slots.shrink_to(last + last / 8);
        }
        if self.index.len() > 8 && last * 8 < self.index.len() {
            self.rebuild(self.index.len() / 2);
        }
        slot
    }

    pub(super) fn find(&self, hash: u32, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        // There are always free places.
        loop {
            let there = self.index[place];
            if there == 0 {
                return None;
            }
            if (there ^ hash) & !SLOT == 0 {
                let at = (there & SLOT) as usize - 1;
                let slot = &self.slots[at];
                if slot.hash == hash && *slot.key == *key {
                    return Some(at);
                }
            }
            place = (place + 1) & mask;
        }
    }

    /// Where in the index a slot is noted.
    fn place_of(&self, at: usize) -> usize {
        let mask = self.index.len() - 1;
        let hash = self.slots[at].hash;
        let wanted = word(hash, at);
        let mut place = hash as usize & mask;
        while self.index[place] != wanted {
            place = (place + 1) & mask;
        }
        place
    }

    /// The place that a new word goes to.
    fn free(&self, hash: u32) -> usize {
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        while self.index[place] != 0 {
            place = (place + 1) & mask;
        }
        place
    }

    /// Empties a place, and moves up what would not be found any more across the gap.
    fn close_gap(&mut self, mut gap: usize) {
        let mask = self.index.len() - 1;
        let mut place = gap;
        loop {
            place = (place + 1) & mask;
            let there = self.index[place];
            if there == 0 {
                break;
            }
            let at = (there & SLOT) as usize - 1;
            let home = self.slots[at].hash as usize & mask;
            // Only what lies at or before the gap, seen from where it wants to be, may move there.
            if (place.wrapping_sub(home) & mask) >= (place.wrapping_sub(gap) & mask) {
                self.index[gap] = there;
                gap = place;
            }
        }
        self.index[gap] = 0;
    }

    fn rebuild(&mut self, places: usize) {
        self.index = vec![0; places].into();
        let mask = places - 1;
        for (at, slot) in self.slots.iter().enumerate() {
            let mut place = slot.hash as usize & mask;
            while self.index[place] != 0 {
                place = (place + 1) & mask;
            }
            self.index[place] = word(slot.hash, at);
        }
    }
}

/// The lower bits of the hash say where in the index, so the upper ones tell neighbours apart.
const fn word(hash: u32, at: usize) -> u32 {
    (hash & !SLOT) | (at as u32 + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Few hashes, so that they collide, and at the end of the index too.
    fn hash(key: u8) -> u32 {
        u32::from(key % 7).wrapping_mul(0x9e37_79b9) | 0b111
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8),
        Look(u8),
        Drop(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (0..3u8, any::<u8>()).prop_map(|(what, key)| match what {
            0 => Step::Put(key),
            1 => Step::Look(key),
            _ => Step::Drop(key),
        });
        prop::collection::vec(step, 0..600)
    }

    proptest! {
        #[test]
        fn as_a_hash_map(steps in steps()) {
            let mut table = Table::new();
            let mut model = HashMap::new();
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put(key) => {
                        let text = key.to_string();
                        if table.find(hash(key), &text).is_none() {
                            table.insert(hash(key), text.into(), n, false, 0);
                            prop_assert!(model.insert(key, n).is_none());
                        }
                    }
                    Step::Look(key) => {
                        let found = table.touch(hash(key), &key.to_string());
                        prop_assert_eq!(found, model.get(&key));
                    }
                    Step::Drop(key) => {
                        let at = table.find(hash(key), &key.to_string());
                        let removed = at.map(|at| table.remove(at).value);
                        prop_assert_eq!(removed, model.remove(&key));
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert!(table.index.len() <= (model.len() * 8).max(8));
            }
            for (key, value) in model {
                prop_assert_eq!(table.touch(hash(key), &key.to_string()), Some(&value));
            }
        }
    }

    #[test]
    fn a_use_makes_young_at_the_next_look() {
        let mut table = Table::new();
        table.insert(1, "a".into(), (), true, 100);
        assert_eq!(table.slot(0).age(130), 30);
        assert!(table.touch(1, "a").is_some());
        assert_eq!(table.slot(0).age(150), 0);
        assert_eq!(table.slot(0).age(155), 5);
        assert!(table.slot(0).born_held());
    }

    #[test]
    fn ages_survive_the_turn_of_the_clock() {
        let mut table = Table::new();
        table.insert(1, "a".into(), (), false, STAMP - 1);
        assert_eq!(table.slot(0).age(STAMP + 9), 10);
        assert!(!table.slot(0).born_held());
    }

    #[test]
    fn what_came_after_the_clock_was_read_is_not_old() {
        let mut table = Table::new();
        table.insert(1, "a".into(), (), false, 101);
        assert_eq!(table.slot(0).age(100), 0);
        assert_eq!(table.slot(0).age(101 + OLDEST), OLDEST);
        table.insert(2, "b".into(), (), false, STAMP + 1);
        assert_eq!(table.slot(1).age(STAMP), 0);
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot<()>>(), 24);
    }
}
