//! A group whose instances may be of any type, as a registry and meters see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Counts, Group, own};
use crate::keyed::evict::give_up_all;
use crate::keyed::parts::Keyable;
use crate::keyed::stats::{KeyedStates, KeyedStats};
use crate::telemetry::meters::Families;
use crate::telemetry::{Observer, ObserverId};

/// What a group can do whatever it holds.
pub(crate) trait AnyGroup: Send + Sync + fmt::Debug {
    fn name(&self) -> &Arc<str>;
    fn stats(&self) -> KeyedStats;
    fn states(&self) -> KeyedStates;
    fn evict_idle(&self) -> usize;
    fn observe(&self, observer: Arc<dyn Observer>) -> ObserverId;
    fn unobserve(&self, id: ObserverId);
    /// From now on what instances have counted is kept when they go.
    fn meter(&self);
    /// What the meters of all instances say, there and gone.
    fn read(&self, families: &mut Families);
}

impl<T: Keyable> AnyGroup for Group<T> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn stats(&self) -> KeyedStats {
        let Counts { made, evicted_idle, evicted_for_room, overflowed, .. } = &self.counts;
        let Counts { without_key, long_keys, not_made, .. } = &self.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        KeyedStats {
            entries: self.shards.iter().map(|shard| shard.lock().len()).sum(),
            max_entries: self.max_entries,
            made: get(made),
            evicted_idle: get(evicted_idle),
            evicted_for_room: get(evicted_for_room),
            overflowed: get(overflowed),
            without_key: get(without_key),
            long_keys: get(long_keys),
            not_made: get(not_made),
            is_overflowing: self.overflowing.load(Ordering::Relaxed),
        }
    }

    fn states(&self) -> KeyedStates {
        let mut states = KeyedStates::default();
        // Asked for under no lock: a breaker that is looked at may have something to tell.
        for (_, value) in self.list() {
            states.count(value.state());
        }
        states
    }

    fn evict_idle(&self) -> usize {
        self.give_up(|| give_up_all(&self.shards, self.ages, self.now()))
    }

    fn observe(&self, observer: Arc<dyn Observer>) -> ObserverId {
        let id = self.observers.add_once(observer);
        let relay = self.relay();
        // Each instance gets one relay, whoever listens behind it.
        if !self.relayed.swap(true, Ordering::Relaxed) {
            self.overflow.attach(&relay);
        }
        for shard in &self.shards {
            let mut table = shard.lock();
            if !std::mem::replace(&mut table.relayed, true) {
                let own = table.slots().filter(|slot| !slot.born_held());
                own.for_each(|slot| slot.value().attach(&relay));
            }
        }
        id
    }

    fn unobserve(&self, id: ObserverId) {
        self.observers.remove(id);
    }

    fn meter(&self) {
        self.kept.want();
    }

    fn read(&self, families: &mut Families) {
        let there = || {
            let shards = self.shards.iter().flat_map(|shard| own(shard.lock().slots()));
            shards.chain([self.overflow.clone()]).collect()
        };
        self.kept.read(&self.name, families, there, T::read);
    }
}
