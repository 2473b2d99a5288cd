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
        let mut relayed = self.relayed.lock();
        let id = self.observers.add_once(observer);
        // Each instance has one relay, whoever listens behind it.
        if !std::mem::replace(&mut *relayed, true) {
            let (id, relay) = &self.relay;
            self.overflow.attach(*id, relay);
            self.each_own(true, |value| value.attach(*id, relay));
        }
        id
    }

    fn unobserve(&self, id: ObserverId) {
        let mut relayed = self.relayed.lock();
        let gone = self.observers.remove(id);
        if !self.observers.any() && std::mem::take(&mut *relayed) {
            let (id, _) = &self.relay;
            self.overflow.detach(*id);
            self.each_own(false, |value| value.detach(*id));
        }
        drop(relayed);
        // The observer's end is the user's code.
        drop(gone);
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

impl<T: Keyable> Group<T> {
    /// Notes whether instances that come get the relay, and does what that means for those that there are.
    fn each_own(&self, relayed: bool, work: impl Fn(&T)) {
        for shard in &self.shards {
            let mut table = shard.lock();
            table.relayed = relayed;
            table.slots().filter(|slot| !slot.born_held()).for_each(|slot| work(slot.value()));
        }
    }
}
