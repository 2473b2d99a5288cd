//! The instances of one pattern, by name.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write};
use std::hash::Hasher;
use std::sync::Arc;

use super::change::{Change, News};
use super::race::Making;
use super::{DEFAULT, RegistryError, Tags};
use crate::patterns::Instance;
use crate::sync::Lock;
use crate::telemetry::{InstanceKind, ObserverId, Observers};

#[derive(Debug)]
pub(super) struct Store<H: Instance> {
    pub(super) kind: InstanceKind,
    book: Lock<Book<H>>,
    pub(super) news: News<H>,
}

#[derive(Debug)]
struct Book<H: Instance> {
    slots: BTreeMap<Arc<str>, Slot<H>>,
    configs: BTreeMap<Arc<str>, Arc<H::Config>>,
    tags: Tags,
}

#[derive(Debug)]
enum Slot<H> {
    /// Somebody makes it at this moment.
    Making(Making),
    Ready(Entry<H>),
}

#[derive(Debug)]
struct Entry<H> {
    instance: H,
    tags: Tags,
    /// What the registry gave it last.
    given: Print,
    /// What it was made with.
    made_with: Print,
    /// The registry's observers, and what they are called here.
    observers: Vec<(ObserverId, ObserverId)>,
}

impl<H: Instance> Entry<H> {
    /// Under the lock of the book: whoever comes to observe the registry later finds the entry there.
    fn new(instance: H, tags: Tags, with: Print, observers: &Observers) -> Self {
        let mut entry =
            Self { instance, tags, given: with, made_with: with, observers: Vec::new() };
        entry.observe(observers);
        entry
    }

    /// Attaches whoever observes the registry and not yet this.
    fn observe(&mut self, observers: &Observers) {
        for (id, observer) in observers.list().iter() {
            if self.observers.iter().all(|(known, _)| known != id) {
                self.observers.push((*id, self.instance.attach(observer.clone())));
            }
        }
    }

    /// Takes the observers for which `off` holds off.
    fn unobserve(&mut self, off: impl Fn(ObserverId) -> bool) {
        let instance = &self.instance;
        self.observers.retain(|(id, here)| {
            let off = off(*id);
            if off {
                instance.detach(*here);
            }
            !off
        });
    }
}

impl<H> Slot<H> {
    const fn entry(&self) -> Option<&Entry<H>> {
        match self {
            Self::Making(_) => None,
            Self::Ready(entry) => Some(entry),
        }
    }

    const fn entry_mut(&mut self) -> Option<&mut Entry<H>> {
        match self {
            Self::Making(_) => None,
            Self::Ready(entry) => Some(entry),
        }
    }
}

impl<H: Instance> Book<H> {
    fn entry(&self, name: &str) -> Option<&Entry<H>> {
        self.slots.get(name)?.entry()
    }

    fn entry_mut(&mut self, name: &str) -> Option<&mut Entry<H>> {
        self.slots.get_mut(name)?.entry_mut()
    }

    /// That of this very instance, unless it was removed or replaced.
    fn entry_of(&mut self, instance: &H) -> Option<&mut Entry<H>> {
        let entry = self.entry_mut(instance.shared_name())?;
        (entry.instance.address() == instance.address()).then_some(entry)
    }

    fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Entry<H>)> {
        self.slots.iter().filter_map(|(name, slot)| Some((name, slot.entry()?)))
    }
}

impl<H: Instance> Store<H> {
    pub(super) fn new(kind: InstanceKind, default: H::Config) -> Self {
        let configs = BTreeMap::from([(DEFAULT.into(), Arc::new(default))]);
        let book = Book { slots: BTreeMap::new(), configs, tags: Tags::new() };
        Self { kind, book: Lock::new(book), news: News::new() }
    }

    // ## Instances

    pub(super) fn find(&self, name: &str) -> Option<H> {
        Some(self.book.lock().entry(name)?.instance.clone())
    }

    /// All, in the order of their names.
    pub(super) fn list(&self) -> Vec<H> {
        self.book.lock().entries().map(|(_, entry)| entry.instance.clone()).collect()
    }

    /// All with their tags, in the order of their names.
    pub(super) fn tagged(&self, outer: &Tags) -> Vec<(H, Tags)> {
        let book = self.book.lock();
        let common = outer.merged(&book.tags);
        book.entries()
            .map(|(_, entry)| (entry.instance.clone(), common.merged(&entry.tags)))
            .collect()
    }

    /// The instance of this name, and whether `make` made it: that runs under no lock, once for all who ask at the same time.
    pub(super) fn get_or_make<E: From<RegistryError>>(
        &self,
        name: &str,
        observers: &Observers,
        make: impl FnOnce(Arc<str>) -> Result<(H, Print, Tags), E>,
    ) -> Result<(H, bool), E> {
        let slot = loop {
            let mut book = self.book.lock();
            match book.slots.get(name) {
                Some(Slot::Ready(entry)) => return Ok((entry.instance.clone(), false)),
                Some(Slot::Making(making)) => {
                    let making = *making;
                    drop(book);
                    let circular =
                        |_| RegistryError::Circular { kind: self.kind, name: name.into() };
                    making.wait().map_err(circular)?;
                }
                None => {
                    let (name, making) = (Arc::<str>::from(name), Making::begin());
                    book.slots.insert(name.clone(), Slot::Making(making));
                    break Reserved { store: self, name, making };
                }
            }
        };
        let (instance, print, tags) = make(slot.name.clone())?;
        Ok((slot.fill(instance, print, tags, observers), true))
    }

    /// Puts `instance` in the place of the one that has its name, if there is one.
    pub(super) fn replace(&self, instance: H, observers: &Observers) -> Option<H> {
        let mut book = self.book.lock();
        let entry = book.entry_mut(instance.shared_name())?;
        let old = std::mem::replace(&mut entry.instance, instance.clone());
        let there = std::mem::take(&mut entry.observers);
        there.iter().for_each(|(_, here)| old.detach(*here));
        entry.observe(observers);
        entry.given = Print::of(&*instance.settings());
        entry.made_with = entry.given;
        self.news.push(Change::Replaced { old: old.clone(), new: instance });
        Some(old)
    }

    pub(super) fn remove(&self, name: &str) -> Option<H> {
        let mut book = self.book.lock();
        book.entry(name)?;
        let Some(Slot::Ready(mut entry)) = book.slots.remove(name) else { return None };
        entry.unobserve(|_| true);
        self.news.push(Change::Removed(entry.instance.clone()));
        drop(book);
        Some(entry.instance)
    }

    /// Notes that `instance` got other settings, if it is still there.
    pub(super) fn updated(&self, instance: &H) {
        // Let go after the lock: with them may end a user's function.
        let settings;
        let mut book = self.book.lock();
        let Some(entry) = book.entry_of(instance) else { return };
        // As they stand now: of two who update at the same time either may come here last.
        settings = instance.settings();
        entry.given = Print::of(&*settings);
        self.news.push(Change::Updated(instance.clone()));
    }

    /// Reports that `ignored` is not what the instance has.
    pub(super) fn compare(&self, instance: &H, ignored: H::Config) {
        let print = Print::of(&ignored);
        let mut book = self.book.lock();
        let Some(entry) = book.entry_of(instance) else { return };
        if entry.given != print && entry.made_with != print {
            let ignored = Arc::new(ignored);
            self.news.push(Change::ConfigConflict { instance: instance.clone(), ignored });
        }
    }

    pub(super) fn unknown(&self, name: &str) -> RegistryError {
        let book = self.book.lock();
        let known = book.entries().map(|(name, _)| &**name);
        RegistryError::unknown_instance(self.kind, name, known)
    }

    // ## Observers

    pub(super) fn observe(&self, observers: &Observers) {
        let mut book = self.book.lock();
        let entries = book.slots.values_mut().filter_map(Slot::entry_mut);
        entries.for_each(|entry| entry.observe(observers));
    }

    pub(super) fn unobserve(&self, id: ObserverId) {
        let mut book = self.book.lock();
        let entries = book.slots.values_mut().filter_map(Slot::entry_mut);
        entries.for_each(|entry| entry.unobserve(|other| other == id));
    }

    // ## Settings

    pub(super) fn config(&self, name: &str) -> Result<Arc<H::Config>, RegistryError> {
        let book = self.book.lock();
        book.configs.get(name).cloned().ok_or_else(|| {
            let known = book.configs.keys().map(|name| &**name);
            RegistryError::unknown_config(self.kind, name, known)
        })
    }

    pub(super) fn configs(&self) -> Vec<(Arc<str>, Arc<H::Config>)> {
        let book = self.book.lock();
        book.configs.iter().map(|(name, config)| (name.clone(), config.clone())).collect()
    }

    /// The settings that had the name, if any.
    pub(super) fn set_config(&self, name: &str, config: H::Config) -> Option<Arc<H::Config>> {
        self.book.lock().configs.insert(name.into(), Arc::new(config))
    }

    pub(super) fn remove_config(&self, name: &str) -> Option<Arc<H::Config>> {
        self.book.lock().configs.remove(name)
    }

    // ## Tags

    pub(super) fn tags(&self, outer: &Tags, name: &str) -> Option<Tags> {
        let book = self.book.lock();
        Some(outer.merged(&book.tags).merged(&book.entry(name)?.tags))
    }

    pub(super) fn set_common_tags(&self, tags: Tags) {
        self.book.lock().tags = tags;
    }

    pub(super) fn set_tags(&self, name: &str, tags: Tags) -> bool {
        self.book.lock().entry_mut(name).map(|entry| entry.tags = tags).is_some()
    }
}

/// The place of an instance that is being made. Dropped, it is free again.
struct Reserved<'a, H: Instance> {
    store: &'a Store<H>,
    name: Arc<str>,
    making: Making,
}

impl<H: Instance> Reserved<'_, H> {
    fn fill(self, instance: H, print: Print, tags: Tags, observers: &Observers) -> H {
        let mut book = self.store.book.lock();
        let entry = Entry::new(instance.clone(), tags, print, observers);
        book.slots.insert(self.name.clone(), Slot::Ready(entry));
        self.store.news.push(Change::Added(instance.clone()));
        instance
    }
}

impl<H: Instance> Drop for Reserved<'_, H> {
    fn drop(&mut self) {
        let mut book = self.store.book.lock();
        if matches!(book.slots.get(&self.name), Some(Slot::Making(making)) if *making == self.making)
        {
            book.slots.remove(&self.name);
        }
        drop(book);
        self.making.end();
    }
}

/// Tells settings apart, as far as they can be shown: a function in them is only there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print(u64);

impl Print {
    pub(super) fn of(settings: &impl fmt::Debug) -> Self {
        let mut hash = Hash(DefaultHasher::new());
        let _ = write!(hash, "{settings:?}");
        Self(hash.0.finish())
    }
}

struct Hash(DefaultHasher);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
