//! Who has to go. Walks along the keys, a bounded way at a time, and remembers where it walked in vain.

use std::time::Duration;

use super::parts::private::Parts;
use super::table::{OLDEST, Slot, Table};
use crate::sync::Lock;

/// Among so many the one is given up that nobody has used for longest.
const SAMPLE: usize = 8;

/// A call that needs room looks at so many at most.
const ROOM_STEPS: usize = 1024;

/// A look for idle ones goes so far at most.
const IDLE_STEPS: usize = 1024;

/// Nobody holds the lock of a part of the map for more steps than this.
const STRIDE: usize = 64;

/// How old is too old, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ages {
    /// Nothing for never.
    pub(super) idle: Option<u32>,
    /// Even if its state is lost by that.
    pub(super) forget: Option<u32>,
}

impl Ages {
    /// The age in seconds, if it can ever be told.
    pub(super) fn seconds(span: Duration) -> Option<u32> {
        u32::try_from(span.as_secs()).ok().filter(|seconds| *seconds <= OLDEST)
    }
}

/// Where the walks have come to.
#[derive(Debug, Default)]
pub(super) struct Walks {
    room: Walk,
    idle: Walk,
    /// All were found busy in this second: nobody looks again before the next but one.
    busy_at: Option<u32>,
    /// The last look for idle ones.
    swept_at: Option<u32>,
}

/// A place in the map.
#[derive(Debug, Default)]
struct Walk {
    shard: usize,
    at: usize,
    /// Shards that were walked through since something was found.
    in_vain: usize,
}

/// What has to go, with its key. Dropped where no lock is held.
pub(super) type Gone<T> = Vec<Slot<T>>;

impl Walks {
    /// Gives up one that is not in use, of several the one that was used least lately.
    pub(super) fn make_room<T: Parts>(
        &mut self,
        shards: &[Lock<Table<T>>],
        ages: Ages,
        now: u32,
    ) -> Option<Slot<T>> {
        if self.busy_at.is_some_and(|then| now.wrapping_sub(then) < 2) {
            return None;
        }
        self.busy_at = None;
        let mut left = ROOM_STEPS;
        while left > 0 {
            let mut table = shards[self.room.shard].lock();
            let steps = STRIDE.min(left);
            let from = self.room.at;
            let until = table.len().min(from + steps);
            let mut oldest: Option<(usize, u32)> = None;
            let mut at = from;
            while at < until && (oldest.is_none() || at < from + SAMPLE) {
                let slot = table.slot(at);
                let age = slot.age(now);
                if oldest.is_none_or(|(_, oldest)| age > oldest) && can_go(slot, ages, age) {
                    oldest = Some((at, age));
                }
                at += 1;
            }
            left -= (at - from).max(1).min(left);
            self.room.at = at;
            if let Some((victim, _)) = oldest {
                self.room.in_vain = 0;
                let gone = table.remove(victim);
                // The last has come to its place, and shall not be passed over.
                self.room.at = self.room.at.min(table.len());
                return Some(gone);
            }
            if at >= table.len() {
                self.room.next(shards.len());
                if self.room.in_vain > shards.len() {
                    self.room.in_vain = 0;
                    self.busy_at = Some(now);
                    return None;
                }
            }
        }
        None
    }

    /// Gives up some of those that nobody has used for long enough; once a second, and so many that all are looked at twice in
    /// that time.
    pub(super) fn sweep<T: Parts>(
        &mut self,
        shards: &[Lock<Table<T>>],
        ages: Ages,
        now: u32,
        len: usize,
    ) -> Gone<T> {
        let Some(idle) = ages.idle else { return Gone::new() };
        let since = match self.swept_at {
            Some(then) if then == now => return Gone::new(),
            Some(then) => now.wrapping_sub(then),
            None => 1,
        };
        self.swept_at = Some(now);
        let share = (len as u64 * u64::from(since)).div_ceil(u64::from(idle / 2).max(1));
        let steps = usize::try_from(share).unwrap_or(usize::MAX).clamp(SAMPLE, IDLE_STEPS);
        self.idle.give_up(shards, ages, now, steps)
    }
}

impl Walk {
    fn next(&mut self, shards: usize) {
        self.shard = (self.shard + 1) % shards;
        self.at = 0;
        self.in_vain += 1;
    }

    /// Gives up what is too old, within so many steps or a whole round.
    fn give_up<T: Parts>(
        &mut self,
        shards: &[Lock<Table<T>>],
        ages: Ages,
        now: u32,
        mut steps: usize,
    ) -> Gone<T> {
        let mut gone = Gone::new();
        self.in_vain = 0;
        while steps > 0 && self.in_vain <= shards.len() {
            let mut table = shards[self.shard].lock();
            for _ in 0..STRIDE.min(steps) {
                if self.at >= table.len() {
                    break;
                }
                steps -= 1;
                let slot = table.slot(self.at);
                let age = slot.age(now);
                if ages.idle.is_some_and(|idle| age >= idle) && can_go(slot, ages, age) {
                    // The last comes to its place, and is next.
                    gone.push(table.remove(self.at));
                } else {
                    self.at += 1;
                }
            }
            if self.at >= table.len() {
                self.next(shards.len());
            }
        }
        gone
    }
}

/// Gives up all that are too old now.
pub(super) fn give_up_all<T: Parts>(shards: &[Lock<Table<T>>], ages: Ages, now: u32) -> Gone<T> {
    Walk::default().give_up(shards, ages, now, usize::MAX)
}

/// Is it in nobody's hands but those that it was born into, and is no state lost with it?
fn can_go<T: Parts>(slot: &Slot<T>, ages: Ages, age: u32) -> bool {
    let value = slot.value();
    (slot.born_held() || !value.is_held())
        && (value.is_at_rest() || ages.forget.is_some_and(|forget| age >= forget))
}
