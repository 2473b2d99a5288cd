//! Keyed groups that the registry knows.

use std::fmt;
use std::sync::{Arc, Weak};

use super::Registry;
use crate::keyed::{AnyGroup, Keyable, Keyed, KeyedGroup};
use crate::sync::Lock;
use crate::telemetry::{ObserverId, Observers};

/// Groups live as long as somebody uses them; the registry only knows of them.
#[derive(Debug)]
pub(super) struct Groups {
    list: Lock<Vec<Known>>,
    newcomers: Newcomers,
}

/// Who wants to be told of groups that come.
struct Newcomers(Lock<Vec<(ObserverId, Arc<Newcomer>)>>);

type Newcomer = dyn Fn(&KeyedGroup) + Send + Sync;

impl fmt::Debug for Newcomers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Newcomers").field(&self.0.lock().len()).finish()
    }
}

#[derive(Debug)]
struct Known {
    group: Weak<dyn AnyGroup>,
    /// The registry's observers, and what they are called there.
    observers: Vec<(ObserverId, ObserverId)>,
}

impl Known {
    fn observe(&mut self, group: &dyn AnyGroup, observers: &Observers) {
        for (id, observer) in observers.list().iter() {
            if self.observers.iter().all(|(known, _)| known != id) {
                self.observers.push((*id, group.observe(observer.clone())));
            }
        }
    }

    fn unobserve(&mut self, group: &dyn AnyGroup, id: ObserverId) {
        self.observers.retain(|(known, there)| {
            if known == &id {
                group.unobserve(*there);
            }
            known != &id
        });
    }
}

impl Groups {
    pub(super) fn new() -> Self {
        Self { list: Lock::new(Vec::new()), newcomers: Newcomers(Lock::new(Vec::new())) }
    }

    fn add(&self, group: &Arc<dyn AnyGroup>, observers: &Observers) {
        let mut list = self.list.lock();
        list.retain(|known| known.group.strong_count() > 0);
        let there = |known: &Known| Weak::ptr_eq(&known.group, &Arc::downgrade(group));
        if !list.iter().any(there) {
            let mut known = Known { group: Arc::downgrade(group), observers: Vec::new() };
            known.observe(&**group, observers);
            list.push(known);
        }
    }

    /// Tells who wants to know of groups, under no lock.
    fn tell(&self, group: &KeyedGroup) {
        let told = self.newcomers.0.lock().clone();
        told.iter().for_each(|(_, told)| told(group));
    }

    fn list(&self) -> Vec<KeyedGroup> {
        let list = self.list.lock();
        let groups = list.iter().filter_map(|known| known.group.upgrade());
        let mut groups: Vec<_> = groups.map(KeyedGroup::new).collect();
        groups.sort_by(|a, b| a.name().cmp(b.name()));
        groups
    }

    pub(super) fn observe(&self, observers: &Observers) {
        self.each(|known, group| known.observe(group, observers));
    }

    pub(super) fn unobserve(&self, id: ObserverId) {
        self.each(|known, group| known.unobserve(group, id));
    }

    /// Does the same for all that are in use.
    fn each(&self, work: impl Fn(&mut Known, &dyn AnyGroup)) {
        // A group whose last user leaves meanwhile ends here, and with it what the user wrote: after the lock.
        let mut groups = Vec::new();
        let mut list = self.list.lock();
        for known in &mut *list {
            if let Some(group) = known.group.upgrade() {
                work(known, &*group);
                groups.push(group);
            }
        }
    }
}

impl Registry {
    /// Makes a keyed group known, with the registry's observers, for as long as somebody uses it.
    ///
    /// ```
    /// use seawall::{CircuitBreaker, Registry};
    /// use seawall::keyed::Keyed;
    ///
    /// # fn main() -> Result<(), seawall::ConfigError> {
    /// let registry = Registry::new();
    /// let hosts = Keyed::new("hosts", |host| Ok(CircuitBreaker::with_defaults(host)))?;
    /// registry.add_keyed(&hosts);
    /// let _ = hosts.get("inventory");
    /// assert_eq!(registry.keyed()[0].stats().entries, 1);
    /// # Ok(()) }
    /// ```
    pub fn add_keyed<T: Keyable>(&self, keyed: &Keyed<T>) {
        let group = keyed.group();
        self.inner.groups.add(&group.group, &self.inner.observers);
        self.inner.groups.tell(&group);
    }

    /// Tells `told` of every group that is made known from now on.
    pub(crate) fn on_keyed(
        &self,
        told: impl Fn(&KeyedGroup) + Send + Sync + 'static,
    ) -> ObserverId {
        let id = ObserverId::next();
        self.inner.groups.newcomers.0.lock().push((id, Arc::new(told)));
        id
    }

    pub(crate) fn off_keyed(&self, id: ObserverId) {
        self.inner.groups.newcomers.0.lock().retain(|(other, _)| *other != id);
    }

    /// The keyed groups that were [made known](Self::add_keyed) and are in use, in the order of their names.
    #[must_use]
    pub fn keyed(&self) -> Vec<KeyedGroup> {
        self.inner.groups.list()
    }
}
