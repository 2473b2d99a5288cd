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
    /// The age in seconds, if it can ever be told. A part of a second counts as a whole: sooner would be too soon.
    pub(super) fn seconds(span: Duration) -> Option<u32> {
        let seconds = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
        u32::try_from(seconds).ok().filter(|seconds| *seconds <= OLDEST)
    }
}

/// Where the walks have come to.
#[derive(Debug, Default)]
pub(super) struct Walks {
    room: Walk,
    idle: Walk,
    /// Shards through which the walk for room has gone since it found something.
    in_vain: usize,
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
    /// So many of the shard were looked at since the walk came to it.
    seen: usize,
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
        let walk = &mut self.room;
        let mut steps = ROOM_STEPS;
        while steps > 0 {
            let mut table = shards[walk.shard].lock();
            let len = table.len();
            // How much of this shard was seen before, and in vain.
            walk.seen = walk.seen.min(len);
            let most = STRIDE.min(steps).min(len - walk.seen);
            let mut oldest: Option<(usize, u32)> = None;
            let mut seen = 0;
            while seen < most && (oldest.is_none() || seen < SAMPLE) {
                let at = (walk.at + seen) % len;
                let slot = table.slot(at);
                let age = slot.age(now);
                if oldest.is_none_or(|(_, oldest)| age > oldest) && can_go(slot, ages, age) {
                    oldest = Some((at, age));
                }
                seen += 1;
            }
            walk.at = walk.at.wrapping_add(seen);
            walk.seen += seen;
            steps -= seen.max(1);
            if let Some((victim, _)) = oldest {
                // Each shard gives in its turn.
                walk.next(shards.len());
                self.in_vain = 0;
                return Some(table.remove(victim));
            }
            if walk.seen >= len {
                walk.next(shards.len());
                self.in_vain += 1;
                if self.in_vain >= shards.len() {
                    self.in_vain = 0;
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
        self.seen = 0;
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
        let mut left = shards.len();
        while steps > 0 && left > 0 {
            let mut table = shards[self.shard].lock();
            for _ in 0..STRIDE.min(steps) {
                if self.seen >= table.len() {
                    break;
                }
                steps -= 1;
                let slot = table.slot(self.seen);
                let age = slot.age(now);
                if ages.idle.is_some_and(|idle| age >= idle) && can_go(slot, ages, age) {
                    // The last comes to its place, and is next.
                    gone.push(table.remove(self.seen));
                } else {
                    self.seen += 1;
                }
            }
            if self.seen >= table.len() {
                self.next(shards.len());
                left -= 1;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;
    use crate::patterns::circuit_breaker::State;
    use crate::telemetry::meters::Out;
    use crate::telemetry::{Observer, ObserverId};

    thread_local! {
        /// How often anybody was asked whether it is in use.
        static ASKED: Cell<usize> = const { Cell::new(0) };
    }

    struct Entry {
        held: Cell<bool>,
    }

    impl Parts for Entry {
        fn is_held(&self) -> bool {
            ASKED.set(ASKED.get() + 1);
            self.held.get()
        }

        fn is_at_rest(&self) -> bool {
            true
        }

        fn attach(&self, _: ObserverId, _: &Arc<dyn Observer>) {}

        fn detach(&self, _: ObserverId) {}

        fn state(&self) -> Option<State> {
            None
        }

        fn read(&self, _: &mut Out<'_>) {}
    }

    const AGES: Ages = Ages { idle: Some(600), forget: None };

    fn full(shards: usize, each: usize) -> Vec<Lock<Table<Entry>>> {
        let shard = |_| {
            let mut table = Table::new();
            for n in 0..each {
                let entry = Entry { held: Cell::new(true) };
                table.insert(n as u32, n.to_string().into(), entry, false, 0);
            }
            Lock::new(table)
        };
        (0..shards).map(shard).collect()
    }

    #[test]
    fn nothing_is_too_old_before_its_time() {
        let seconds = |millis| Ages::seconds(Duration::from_millis(millis));
        assert_eq!([seconds(1000), seconds(1001), seconds(1999)], [Some(1), Some(2), Some(2)]);
        assert_eq!(Ages::seconds(Duration::from_secs(OLDEST.into())), Some(OLDEST));
        assert_eq!(Ages::seconds(Duration::from_secs(u64::from(OLDEST) + 1)), None);
        assert_eq!(Ages::seconds(Duration::MAX), None);
    }

    #[test]
    fn a_fruitless_search_is_remembered() {
        let shards = full(16, 500);
        let mut walks = Walks::default();
        for _ in 0..100_000 {
            assert!(walks.make_room(&shards, AGES, 7).is_none());
        }
        let asked = ASKED.take();
        assert!((8_000..=8_000 + ROOM_STEPS).contains(&asked), "asked {asked} times");
        // The next is after a while, and one that is free is then found wherever it is.
        shards[9].lock().slot(123).value().held.set(false);
        assert!(walks.make_room(&shards, AGES, 8).is_none());
        assert_eq!(ASKED.get(), 0);
        let calls = (0..20).position(|_| walks.make_room(&shards, AGES, 9).is_some());
        assert!(calls.is_some_and(|calls| calls <= 8_000 / ROOM_STEPS), "{calls:?}");
    }

    #[test]
    fn one_call_looks_at_no_more_than_it_may() {
        let shards = full(16, 500);
        let mut walks = Walks::default();
        for _ in 0..7 {
            ASKED.set(0);
            assert!(walks.make_room(&shards, AGES, 7).is_none());
            assert!(ASKED.get() <= ROOM_STEPS, "{}", ASKED.get());
        }
        for entry in shards.iter().flat_map(|shard| 0..shard.lock().len()) {
            shards[0].lock().slot(entry).value().held.set(false);
        }
        ASKED.set(0);
        let mut walks = Walks::default();
        assert!(walks.make_room(&shards, AGES, 7).is_some());
        assert!(ASKED.get() <= SAMPLE, "{}", ASKED.get());
    }

    #[test]
    fn a_sweep_looks_at_all_within_half_the_idle_time() {
        let shards = full(4, 500);
        let mut walks = Walks::default();
        for second in 600..900 {
            assert!(walks.sweep(&shards, AGES, second, 2_000).is_empty());
            assert!(walks.sweep(&shards, AGES, second, 2_000).is_empty(), "once a second");
        }
        let asked = ASKED.take();
        assert!((2_000..=3_000).contains(&asked), "asked {asked} times");
    }
}
