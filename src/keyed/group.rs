//! The map from keys to instances.

mod any;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::time::Instant;

pub(crate) use any::AnyGroup;

use super::evict::{Ages, Gone, Walks};
use super::parts::Keyable;
use super::stats::KeyedStats;
use super::table::{Slot, Table};
use super::{KeyedBuilder, KeyedGroup};
use crate::settings::ConfigError;
use crate::sync::Lock;
use crate::telemetry::meters::Kept;
use crate::telemetry::{Event, EventKind, KeyedEvent, Observer, ObserverId, Observers};

/// So often nothing but keys that are there are asked for before a part of the map looks at the clock.
const HITS_A_LOOK: u32 = 256;

/// One instance per key, of bounded number.
///
/// Cheap to clone; clones are the same map. See the [module](super).
pub struct Keyed<T: Keyable> {
    group: Arc<Group<T>>,
}

pub(super) type Template<T> = dyn Fn(Arc<str>) -> Result<T, ConfigError> + Send + Sync;

pub(super) struct Group<T> {
    name: Arc<str>,
    template: Box<Template<T>>,
    overflow: T,
    shards: Box<[Lock<Table<T>>]>,
    hasher: RandomState,
    max_entries: usize,
    max_key_length: usize,
    ages: Ages,
    start: Instant,
    /// Instances there are, and those for which room is kept while they are made.
    len: AtomicUsize,
    walks: Lock<Walks>,
    overflowing: AtomicBool,
    counts: Counts,
    kept: Kept<T>,
    observers: Arc<Observers>,
    /// Passes on to them what an instance says. It is attached under one id, and only while anybody listens.
    relay: (ObserverId, Arc<dyn Observer>),
    /// Is it attached to the instance for overflow? Each part of the map knows it of its own.
    relayed: Lock<bool>,
}

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    evicted_idle: AtomicU64,
    evicted_for_room: AtomicU64,
    overflowed: AtomicU64,
    without_key: AtomicU64,
    long_keys: AtomicU64,
    not_made: AtomicU64,
}

fn add(count: &AtomicU64, n: usize) {
    count.fetch_add(n as u64, Ordering::Relaxed);
}

impl<T: Keyable> Keyed<T> {
    /// One instance per key, each made by `template`, which is given the key for a name, with the
    /// [default](KeyedBuilder) bounds.
    ///
    /// ```
    /// use seawall::{CircuitBreaker, CircuitBreakerConfig};
    /// use seawall::keyed::Keyed;
    ///
    /// # fn main() -> Result<(), seawall::ConfigError> {
    /// let breakers = Keyed::new("hosts", |host| {
    ///     Ok(CircuitBreaker::new(host, CircuitBreakerConfig::safe().build()?))
    /// })?;
    /// let one = breakers.get("one.example");
    /// let two = breakers.get("two.example");
    /// one.transition_to_forced_open();
    /// assert!(breakers.get("one.example").try_acquire().is_err());
    /// assert!(two.try_acquire().is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The template's own, for the instance that stands for overflow.
    pub fn new(
        name: impl Into<Arc<str>>,
        template: impl Fn(Arc<str>) -> Result<T, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        Self::builder(name).build(template)
    }

    pub(super) fn with(
        settings: KeyedBuilder,
        ages: Ages,
        template: Box<Template<T>>,
    ) -> Result<Self, ConfigError> {
        let KeyedBuilder { name, max_entries, max_key_length, .. } = settings;
        let overflow = template("overflow".into())?;
        // Small maps have one, so that the oldest of all is the oldest in it.
        let shards = (max_entries / 64).next_power_of_two().clamp(1, 64);
        let observers = Arc::new(Observers::default());
        let group = Group {
            name,
            template,
            overflow,
            shards: (0..shards).map(|_| Lock::new(Table::new())).collect(),
            hasher: RandomState::new(),
            max_entries,
            max_key_length,
            ages,
            start: Instant::now(),
            len: AtomicUsize::new(0),
            walks: Lock::new(Walks::default()),
            overflowing: AtomicBool::new(false),
            counts: Counts::default(),
            kept: Kept::new(),
            relay: (ObserverId::next(), Arc::new(relay_to(observers.clone()))),
            observers,
            relayed: Lock::new(false),
        };
        Ok(Self { group: Arc::new(group) })
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.group.name
    }

    /// The instance for this key, made if there is none; the one for [overflow](Self::overflow) where none can be made.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &str) -> T {
        let group = &*self.group;
        if key.len() > group.max_key_length {
            add(&group.counts.long_keys, 1);
            return group.overflow.clone();
        }
        let hash = group.hasher.hash_one(key);
        let shard = group.shard(hash);
        let mut table = shard.lock();
        let Some(found) = table.touch(hash as u32, key).cloned() else {
            drop(table);
            return group.make(hash, key);
        };
        let look = table.hits.is_multiple_of(HITS_A_LOOK);
        drop(table);
        if look {
            group.sweep(group.now());
        }
        found
    }

    /// The instance for what a request's key is; a request without one shares that for [overflow](Self::overflow).
    #[must_use]
    #[inline]
    pub fn get_or_shared(&self, key: Option<&str>) -> T {
        match key {
            Some(key) => self.get(key),
            None => {
                add(&self.group.counts.without_key, 1);
                self.group.overflow.clone()
            }
        }
    }

    /// The instance for this key, if there is one. Makes none, and is no use that keeps it from being idle.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<T> {
        let group = &*self.group;
        let hash = group.hasher.hash_one(key);
        let table = group.shard(hash).lock();
        let at = table.find(hash as u32, key)?;
        Some(table.at(at).value().clone())
    }

    /// What is shared by keys that have no instance of their own.
    #[must_use]
    pub fn overflow(&self) -> &T {
        &self.group.overflow
    }

    /// Keys and instances, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<(Arc<str>, T)> {
        self.group.list()
    }

    /// Gives up all instances that nobody has used for the idle expiry, and says how many. This happens by and by without being
    /// asked, but only as calls come.
    ///
    /// A use is noticed by the next look at the instance, and counts from then: calls do not look at the clock for this.
    pub fn evict_idle(&self) -> usize {
        self.group.evict_idle()
    }

    /// Numbers of this moment.
    #[must_use]
    pub fn stats(&self) -> KeyedStats {
        self.group.stats()
    }

    /// Tells `observer` whatever an instance does that there is or will be, and what the group itself does.
    ///
    /// The events of an instance bear its name, which is its key.
    pub fn observe(&self, observer: impl Observer) -> ObserverId {
        self.group.observe(Arc::new(observer))
    }

    /// Takes an observer off.
    pub fn unobserve(&self, id: ObserverId) {
        self.group.unobserve(id);
    }

    /// The group without the type of what it holds: for a [`Registry`](crate::Registry), and to look at.
    #[must_use]
    pub fn group(&self) -> KeyedGroup {
        KeyedGroup::new(self.group.clone())
    }
}

impl<T> Group<T> {
    #[inline]
    fn shard(&self, hash: u64) -> &Lock<Table<T>> {
        // The table goes by the lower half.
        &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
    }

    fn now(&self) -> u32 {
        Instant::now().saturating_duration_since(self.start).as_secs() as u32
    }

    fn tell(&self, event: KeyedEvent) {
        self.observers.tell_if_any(&self.name, EventKind::Keyed(event));
    }
}

impl<T: Keyable> Group<T> {
    /// For a key that is not there.
    #[cold]
    fn make(&self, hash: u64, key: &str) -> T {
        let now = self.now();
        self.sweep(now);
        let Some(room) = self.room(now) else {
            add(&self.counts.overflowed, 1);
            if !self.overflowing.swap(true, Ordering::Relaxed) {
                self.tell(KeyedEvent::Overflow);
            }
            return self.overflow.clone();
        };
        let key = Arc::<str>::from(key);
        // Under no lock: it is the user's. Should it panic, the room is free again.
        let Ok(value) = (self.template)(key.clone()) else {
            drop(room);
            add(&self.counts.not_made, 1);
            self.tell(KeyedEvent::NotMade);
            return self.overflow.clone();
        };
        let born_held = value.is_held();
        let kept = value.clone();
        let mut table = self.shard(hash).lock();
        if let Some(other) = table.touch(hash as u32, &key) {
            // Somebody else was faster.
            let other = other.clone();
            drop(table);
            return other;
        }
        if table.relayed && !born_held {
            value.attach(self.relay.0, &self.relay.1);
        }
        table.insert(hash as u32, key, kept, born_held, now);
        drop(table);
        std::mem::forget(room);
        add(&self.counts.made, 1);
        if self.overflowing.load(Ordering::Relaxed)
            && self.overflowing.swap(false, Ordering::Relaxed)
        {
            self.tell(KeyedEvent::Recovered);
        }
        value
    }

    /// Room for one more, made if need be.
    fn room(&self, now: u32) -> Option<Room<'_>> {
        let one_more = |len| (len < self.max_entries).then_some(len + 1);
        loop {
            if self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
                return Some(Room(&self.len));
            }
            let make_room = || self.walks.lock().make_room(&self.shards, self.ages, now);
            let gone = self.kept.evict(&self.name, make_room, |gone| own(gone), T::read)?;
            self.len.fetch_sub(1, Ordering::Relaxed);
            add(&self.counts.evicted_for_room, 1);
            drop(gone);
            self.tell(KeyedEvent::Evicted { count: 1, idle: false });
        }
    }

    fn sweep(&self, now: u32) {
        let len = self.len.load(Ordering::Relaxed);
        self.give_up(|| self.walks.lock().sweep(&self.shards, self.ages, now, len));
    }

    /// Idle ones are given up.
    fn give_up(&self, evict: impl FnOnce() -> Gone<T>) -> usize {
        let gone = self.kept.evict(&self.name, evict, |gone| own(gone), T::read);
        let count = gone.len();
        if count > 0 {
            self.len.fetch_sub(count, Ordering::Relaxed);
            add(&self.counts.evicted_idle, count);
            drop(gone);
            self.tell(KeyedEvent::Evicted { count, idle: true });
        }
        count
    }

    fn list(&self) -> Vec<(Arc<str>, T)> {
        let mut list = Vec::with_capacity(self.len.load(Ordering::Relaxed));
        for shard in &self.shards {
            let table = shard.lock();
            list.extend(table.slots().map(|slot| (slot.key().clone(), slot.value().clone())));
        }
        list
    }
}

/// Holds no more than the observers: an instance that somebody goes on with keeps no group alive.
fn relay_to(observers: Arc<Observers>) -> impl Observer {
    move |event: &Event<'_>| observers.pass_on(event)
}

/// Those of whose calls nobody else is told.
fn own<'a, T: Clone + 'a>(slots: impl IntoIterator<Item = &'a Slot<T>>) -> Vec<T> {
    let own = slots.into_iter().filter(|slot| !slot.born_held());
    own.map(|slot| slot.value().clone()).collect()
}

/// Room that is kept for one instance. Dropped, it is free again.
struct Room<'a>(&'a AtomicUsize);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T: Keyable> Clone for Keyed<T> {
    fn clone(&self) -> Self {
        Self { group: self.group.clone() }
    }
}

impl<T: Keyable> fmt::Debug for Keyed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("name", &self.name()).field("stats", &self.stats()).finish()
    }
}
