//! The instances of one pattern, as users see them.

use std::fmt;
use std::sync::Arc;

use super::change::{Change, Subscriber};
use super::settings::Settings;
use super::store::{Print, Store};
use super::{DEFAULT, Inner, RegistryError, Tags};
use crate::patterns::Instance;
use crate::telemetry::{InstanceKind, ObserverId};

/// The instances of one pattern in a [`Registry`](super::Registry), with their named settings.
///
/// Cheap to clone. All views of a registry onto one pattern are the same.
pub struct View<H: Instance> {
    inner: Arc<Inner>,
    store: fn(&Inner) -> &Store<H>,
}

impl<H: Instance> View<H> {
    pub(super) const fn new(inner: Arc<Inner>, store: fn(&Inner) -> &Store<H>) -> Self {
        Self { inner, store }
    }

    fn store(&self) -> &Store<H> {
        (self.store)(&self.inner)
    }

    /// What is in it.
    #[must_use]
    pub fn kind(&self) -> InstanceKind {
        self.store().kind
    }

    // ## Get or create

    /// The instance of this name, made with the settings `default` if there is none.
    ///
    /// It is made once, however many ask for it at the same time. Whoever asks while it is being made waits, blocking the thread,
    /// for the factory to end.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Circular`] when called by what makes this very instance.
    pub fn get(&self, name: &str) -> Result<H, RegistryError> {
        self.get_with(name, DEFAULT)
    }

    /// As [`get`](Self::get), made with `settings`: the pattern's settings, their builder, the name of settings that the
    /// registry knows, or a function.
    ///
    /// If the instance exists it stays as it is. Other settings than those that it was made with, and than those that it was last
    /// given by this registry, are reported as [`Change::ConfigConflict`]. (Settings are compared as they are printed: of a
    /// function in them counts only whether there is one. A function that gives settings is not asked.)
    ///
    /// ```
    /// use seawall::{BulkheadConfig, Registry};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = Registry::new();
    /// registry.bulkheads().add_config("narrow", BulkheadConfig::builder().max_concurrent_calls(5).build()?)?;
    ///
    /// let orders = registry.bulkheads().get_with("orders", "narrow")?;
    /// let stock = registry.bulkheads().get_with("stock", BulkheadConfig::builder().max_concurrent_calls(50))?;
    ///
    /// let error = registry.bulkheads().get_with("users", "narow").unwrap_err();
    /// assert_eq!(error.to_string(), "no settings of a bulkhead are named `narow`; did you mean `narrow`?");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownConfig`], [`RegistryError::Config`], or [`RegistryError::Circular`] when called by what makes
    /// this very instance. Nothing is made then, and the next call tries again.
    pub fn get_with<S: Settings<H>>(&self, name: &str, settings: S) -> Result<H, RegistryError> {
        self.get_tagged(name, settings, Tags::new())
    }

    /// As [`get_with`](Self::get_with), with tags of the instance's own. Like the settings they count only if it has to be made.
    ///
    /// # Errors
    ///
    /// As [`get_with`](Self::get_with).
    pub fn get_tagged<S: Settings<H>>(
        &self,
        name: &str,
        settings: S,
        tags: impl Into<Tags>,
    ) -> Result<H, RegistryError> {
        if let Some(instance) = self.find(name) {
            self.check(&instance, settings)?;
            return Ok(instance);
        }
        let mut settings = Some(settings);
        let (instance, _) = self.make(name, |name| {
            let settings = settings.take().expect("made once");
            let settings = settings.settings(self).map_err(|error| named(error, &name))?;
            Ok::<_, RegistryError>((settings, tags.into()))
        })?;
        if let Some(settings) = settings {
            // Somebody else was faster.
            self.check(&instance, settings)?;
        }
        Ok(instance)
    }

    /// As [`get_with`](Self::get_with), with a function that may fail. If it does, or panics, there is no instance, and the next
    /// call tries again.
    ///
    /// # Errors
    ///
    /// The function's own, or [`RegistryError::Circular`] when called by what makes this very instance.
    pub fn try_get_with<E: From<RegistryError>>(
        &self,
        name: &str,
        settings: impl FnOnce() -> Result<H::Config, E>,
    ) -> Result<H, E> {
        self.make(name, |_| Ok((settings()?, Tags::new()))).map(|(instance, _)| instance)
    }

    fn make<E: From<RegistryError>>(
        &self,
        name: &str,
        settings: impl FnOnce(Arc<str>) -> Result<(H::Config, Tags), E>,
    ) -> Result<(H, bool), E> {
        let made = self.store().get_or_make(name, &self.inner.observers, |name| {
            let (config, tags) = settings(name.clone())?;
            // Before it is used: some of what is printed may change with the use.
            let print = Print::of(&config);
            Ok::<_, E>((H::create(name, config), print, tags))
        })?;
        if made.1 {
            self.changed(name);
        }
        Ok(made)
    }

    /// Reports settings that count for nothing, if anybody listens.
    fn check<S: Settings<H>>(&self, instance: &H, settings: S) -> Result<(), RegistryError> {
        if S::ONLY_TO_MAKE {
            return Ok(());
        }
        let settings =
            settings.settings(self).map_err(|error| named(error, instance.shared_name()))?;
        if self.store().news.any() || self.inner.observers.any_for_rare() {
            self.store().compare(instance, settings);
            self.tell();
        }
        Ok(())
    }

    // ## Look

    /// The instance of this name, if there is one. Creates none.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<H> {
        self.store().find(name)
    }

    /// All instances, in the order of their names.
    #[must_use]
    pub fn list(&self) -> Vec<H> {
        self.store().list()
    }

    /// All instances with their [tags](Self::tags), in the order of their names.
    #[must_use]
    pub fn list_tagged(&self) -> Vec<(H, Tags)> {
        self.store().tagged(&self.inner.tags())
    }

    // ## Change

    /// Takes in an instance that was made elsewhere, under its own name.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Exists`] if there is one of this name; see [`replace`](Self::replace).
    pub fn add(&self, instance: H) -> Result<(), RegistryError> {
        let name = instance.shared_name().clone();
        let made = self.store().get_or_make(&name, &self.inner.observers, |_| {
            let print = Print::of(&*instance.settings());
            Ok::<_, RegistryError>((instance, print, Tags::new()))
        })?;
        if !made.1 {
            return Err(RegistryError::Exists { kind: self.kind(), name: name.as_ref().into() });
        }
        self.changed(&name);
        Ok(())
    }

    /// Puts `instance` in the place of the one that has its name, and returns that one; its holders go on with it. If there is
    /// none of this name nothing happens.
    pub fn replace(&self, instance: H) -> Option<H> {
        let name = instance.shared_name().clone();
        let old = self.store().replace(instance, &self.inner.observers)?;
        self.changed(&name);
        Some(old)
    }

    /// Removes an instance and returns it; its holders go on with it. The registry's observers are taken off.
    pub fn remove(&self, name: &str) -> Option<H> {
        let removed = self.store().remove(name)?;
        self.changed(name);
        Some(removed)
    }

    /// Replaces the settings of an instance in place: its state, its counters and its observers stay. What restarts is said on the
    /// page of each pattern.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownInstance`], [`RegistryError::UnknownConfig`], [`RegistryError::Config`].
    pub fn update<S: Settings<H>>(&self, name: &str, settings: S) -> Result<H, RegistryError> {
        let instance = self.find(name).ok_or_else(|| self.store().unknown(name))?;
        let settings = settings.settings(self).map_err(|error| named(error, name))?;
        self.apply(&instance, settings);
        Ok(instance)
    }

    /// Makes an instance with these settings, or [updates](Self::update) the one that there is.
    ///
    /// # Errors
    ///
    /// As [`get_with`](Self::get_with).
    pub fn put<S: Settings<H>>(&self, name: &str, settings: S) -> Result<H, RegistryError> {
        let mut settings = Some(settings.settings(self).map_err(|error| named(error, name))?);
        let (instance, _) = self.make(name, |_| {
            Ok::<_, RegistryError>((settings.take().expect("made once"), Tags::new()))
        })?;
        if let Some(settings) = settings {
            self.apply(&instance, settings);
        }
        Ok(instance)
    }

    fn apply(&self, instance: &H, settings: H::Config) {
        instance.update(settings);
        self.store().updated(instance);
        // Steps that contradicted each other may fit now.
        self.changed(instance.shared_name());
    }

    // ## Named settings

    /// Settings by name. `default` is always there.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownConfig`].
    pub fn config(&self, name: &str) -> Result<Arc<H::Config>, RegistryError> {
        self.store().config(name)
    }

    /// All named settings, in the order of their names.
    #[must_use]
    pub fn configs(&self) -> Vec<(Arc<str>, Arc<H::Config>)> {
        self.store().configs()
    }

    /// Names settings, for instances that are made from now on. Those that had the name are returned.
    ///
    /// # Errors
    ///
    /// [`RegistryError::DefaultConfig`] for the name `default`.
    pub fn add_config(
        &self,
        name: &str,
        config: H::Config,
    ) -> Result<Option<Arc<H::Config>>, RegistryError> {
        self.not_default(name)?;
        Ok(self.store().set_config(name, config))
    }

    /// Removes named settings and returns them. Instances made with them stay as they are.
    ///
    /// # Errors
    ///
    /// [`RegistryError::DefaultConfig`] for the name `default`.
    pub fn remove_config(&self, name: &str) -> Result<Option<Arc<H::Config>>, RegistryError> {
        self.not_default(name)?;
        Ok(self.store().remove_config(name))
    }

    /// Exchanges the settings `default`, for instances that are made from now on. At first they are the pattern's own defaults.
    pub fn set_default_config(&self, config: H::Config) {
        self.store().set_config(DEFAULT, config);
    }

    fn not_default(&self, name: &str) -> Result<(), RegistryError> {
        if name == DEFAULT {
            return Err(RegistryError::DefaultConfig { kind: self.kind() });
        }
        Ok(())
    }

    // ## Tags

    /// The tags of an instance, with those of its pattern and of the registry; where several have a key, the instance's own win,
    /// and then its pattern's.
    #[must_use]
    pub fn tags(&self, name: &str) -> Option<Tags> {
        self.store().tags(&self.inner.tags(), name)
    }

    /// Replaces the tags that an instance has of its own. Says whether there is such an instance.
    pub fn set_tags(&self, name: &str, tags: impl Into<Tags>) -> bool {
        self.store().set_tags(name, tags.into())
    }

    /// Replaces the tags that all instances of this pattern have.
    pub fn set_common_tags(&self, tags: impl Into<Tags>) {
        self.store().set_common_tags(tags.into());
    }

    // ## Subscribe

    /// Tells `subscriber` of every change from now on, in order, outside every lock. A panic in it is caught and forgotten.
    ///
    /// When changes are made at the same time, one of the callers tells them all. What a subscriber changes itself is told after
    /// the change that it is being told.
    ///
    /// ```
    /// use seawall::Registry;
    /// use seawall::registry::Change;
    ///
    /// let registry = Registry::new();
    /// registry.retries().subscribe(|change| {
    ///     if let Change::Added(retry) = change {
    ///         println!("{} is there", retry.name());
    ///     }
    /// });
    /// ```
    pub fn subscribe(&self, subscriber: impl Fn(&Change<H>) + Send + Sync + 'static) -> ObserverId {
        self.subscribe_shared(Arc::new(subscriber))
    }

    /// As [`subscribe`](Self::subscribe). The same subscriber a second time counts once.
    pub fn subscribe_shared(&self, subscriber: Arc<Subscriber<H>>) -> ObserverId {
        self.store().news.subscribe(subscriber)
    }

    /// Takes a subscriber off. Nothing happens if it is gone already.
    pub fn unsubscribe(&self, id: ObserverId) {
        self.store().news.unsubscribe(id);
    }

    /// Which instance has this name has changed, or its settings have.
    fn changed(&self, name: &str) {
        self.inner.recompose(self.kind(), name);
        self.tell();
    }

    fn tell(&self) {
        self.store().news.tell(self.kind(), &self.inner.observers);
    }
}

/// Says of which instance a setting is out of range.
fn named(mut error: RegistryError, instance: &str) -> RegistryError {
    if let RegistryError::Config { name, .. } = &mut error
        && name.is_empty()
    {
        instance.clone_into(name);
    }
    error
}

impl<H: Instance> Clone for View<H> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), store: self.store }
    }
}

impl<H: Instance> fmt::Debug for View<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store().fmt(f)
    }
}
