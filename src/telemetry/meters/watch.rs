//! Whose meters are read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;
#[cfg(any(feature = "metrics", feature = "otel"))]
use std::sync::atomic::{AtomicU64, Ordering};

use super::families::{Families, Out};
use super::list::{Meter, VIRTUAL_THREADS};
use super::read::Metered;
use super::registry::Followed;
#[cfg(any(feature = "metrics", feature = "otel"))]
use super::source::Watched;
use super::source::{Exporter, ExporterId, One, Source};
use crate::pipeline::Pipeline;
use crate::registry::Tags;
use crate::sync::Lock;
#[cfg(any(feature = "metrics", feature = "otel"))]
use crate::telemetry::Observer;
use crate::telemetry::snapshot::Snapshot;

/// The meters of the instances that it watches. Clones watch together.
///
/// See the [module](super) for what they say. An instance is observed from the moment on at which it is watched, and no more
/// once it is forgotten or the last clone is gone. It is not kept alive: with its last handle its meters go.
///
/// ```
/// use seawall::CircuitBreaker;
/// use seawall::telemetry::Meters;
///
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// let meters = Meters::new();
/// meters.watch(&breaker);
/// let text = meters.prometheus();
/// assert!(text.contains(r#"resilience4j_circuitbreaker_state{name="inventory",state="closed"} 1"#));
/// ```
#[derive(Clone, Default)]
pub struct Meters {
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    list: Lock<List>,
}

#[derive(Default)]
struct List {
    /// By address.
    sources: BTreeMap<usize, Arc<dyn Source>>,
    exporters: Vec<(ExporterId, Arc<Exporter>)>,
    /// What only grows, of members of groups that are gone.
    kept: Families,
    registries: Vec<Followed>,
}

impl Default for Lock<List> {
    fn default() -> Self {
        Self::new(List::default())
    }
}

impl Meters {
    /// Watches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches an instance. One that is watched already stays as it is.
    pub fn watch<H: Metered>(&self, instance: &H) {
        self.watch_with(instance, Tags::new());
    }

    /// Watches an instance, whose meters get these tags too.
    ///
    /// A tag that is called like one of a meter's own (`name`, `kind`, `state`, `failure`) is left out of that meter. Instances need not
    /// have the same tags.
    pub fn watch_with<H: Metered>(&self, instance: &H, tags: impl Into<Tags>) {
        self.watch_one(instance, tags.into(), false);
    }

    /// The same of a registry's instance, whose tags are the registry's to change.
    pub(super) fn watch_followed<H: Metered>(&self, instance: &H, tags: Tags) {
        self.watch_one(instance, tags, true);
    }

    fn watch_one<H: Metered>(&self, instance: &H, tags: Tags, is_followed: bool) {
        self.add(instance.address(), One::new(instance, tags, is_followed));
    }

    pub(super) fn add(&self, address: usize, source: impl Source + 'static) {
        let source: Arc<dyn Source> = Arc::new(source);
        let exporters = {
            let mut list = self.shared.list.lock();
            match list.sources.entry(address) {
                Entry::Occupied(_) => return,
                Entry::Vacant(place) => place.insert(source.clone()),
            };
            list.exporters.clone()
        };
        source.open();
        for (id, exporter) in exporters {
            source.offer(id, &*exporter);
        }
    }

    /// Watches all steps of a pipeline.
    pub fn watch_pipeline<C, N, R, K, L>(&self, pipeline: &Pipeline<C, N, R, K, L>) {
        pipeline.circuit_breaker().iter().for_each(|step| self.watch(step));
        pipeline.retry().iter().for_each(|step| self.watch(step));
        pipeline.bulkhead().iter().for_each(|step| self.watch(step));
        pipeline.rate_limiter().iter().for_each(|step| self.watch(step));
        pipeline.time_limiter().iter().for_each(|step| self.watch(step));
        pipeline.timer().iter().for_each(|step| self.watch(step));
    }

    /// Watches an instance no more, and says whether it did. All its meters go.
    pub fn forget<H: Metered>(&self, instance: &H) -> bool {
        let gone = self.shared.list.lock().sources.remove(&instance.address());
        gone.inspect(|source| source.close()).is_some()
    }

    /// Watches an instance no more whose name goes on without it, as that of a keyed group does: what it has counted stays.
    pub fn retire<H: Metered>(&self, instance: &H) -> bool {
        let address = instance.address();
        let source = self.shared.list.lock().sources.get(&address).cloned();
        let Some(source) = source else { return false };
        let mut last = Families::default();
        source.read(&mut last, None);
        let gone = {
            // In one step, so that no reader finds it in neither place or in both.
            let mut list = self.shared.list.lock();
            let gone = list.sources.remove(&address);
            if gone.is_some() {
                list.kept.keep(&last);
            }
            gone
        };
        gone.inspect(|source| source.close()).is_some()
    }

    /// What all meters say now.
    #[must_use]
    pub fn collect(&self) -> Families {
        self.follow_tags();
        self.shared.collect(None)
    }

    /// What one meter says now.
    #[cfg(feature = "otel")]
    pub(in crate::telemetry) fn collect_only(&self, meter: &'static Meter) -> Families {
        self.follow_tags();
        self.shared.collect(Some(meter))
    }

    /// Everything that the instances are and do now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.follow_tags();
        let (sources, registries) = {
            let list = self.shared.list.lock();
            (list.sources.clone(), list.registries.clone())
        };
        let mut snapshot = Snapshot::new();
        let registries = registries.iter().filter_map(|followed| (followed.found)());
        registries.for_each(|registry| snapshot.registry(&registry));
        sources.values().for_each(|source| source.describe(&mut snapshot));
        snapshot.sorted()
    }

    /// What all meters say now, in the text format that Prometheus reads (version 0.0.4).
    ///
    /// Names are Micrometer's, so that boards made for Resilience4j work.
    #[must_use]
    pub fn prometheus(&self) -> String {
        crate::telemetry::prometheus::text(&self.collect())
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) const fn with(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn follow_tags(&self) {
        let registries = self.shared.list.lock().registries.clone();
        for registry in registries.iter().filter_map(|followed| (followed.found)()) {
            self.retag(&registry);
        }
    }

    /// The instance, if it is a registry's, has these tags from now on.
    pub(super) fn tag(&self, address: usize, tags: &Tags) {
        let source = self.shared.list.lock().sources.get(&address).cloned();
        if let Some(source) = source {
            source.tag(tags);
        }
    }

    /// Has `exporter` asked about every instance that is watched, and will be, what it wants to be told at once.
    #[cfg(any(feature = "metrics", feature = "otel"))]
    pub(in crate::telemetry) fn export(
        &self,
        exporter: impl Fn(&Watched<'_>) -> Option<Arc<dyn Observer>> + Send + Sync + 'static,
    ) -> ExporterId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = ExporterId(NEXT.fetch_add(1, Ordering::Relaxed));
        let exporter: Arc<Exporter> = Arc::new(exporter);
        let sources = {
            let mut list = self.shared.list.lock();
            list.exporters.push((id, exporter.clone()));
            list.sources.clone()
        };
        sources.values().for_each(|source| source.offer(id, &*exporter));
        id
    }

    #[cfg(any(feature = "metrics", feature = "otel"))]
    pub(in crate::telemetry) fn end_export(&self, id: ExporterId) {
        let (sources, _exporter) = {
            let mut list = self.shared.list.lock();
            let at = list.exporters.iter().position(|(other, _)| *other == id);
            (list.sources.clone(), at.map(|at| list.exporters.remove(at)))
        };
        sources.values().for_each(|source| source.detach(id));
    }
}

impl Shared {
    pub(super) fn watches(&self, address: usize) -> bool {
        self.list.lock().sources.contains_key(&address)
    }

    pub(super) fn follows(&self, address: usize) -> bool {
        self.list.lock().registries.iter().any(|followed| followed.address == address)
    }

    /// Gives it back if it is followed already.
    pub(super) fn add_registry(&self, followed: Followed) -> Result<(), Followed> {
        let mut list = self.list.lock();
        if list.registries.iter().any(|other| other.address == followed.address) {
            return Err(followed);
        }
        list.registries.push(followed);
        Ok(())
    }

    /// No lock is held while instances are read: an open wait may be a user's function.
    fn collect(&self, only: Option<&'static Meter>) -> Families {
        let (sources, mut families) = {
            let list = self.list.lock();
            (list.sources.clone(), list.kept.clone())
        };
        let mut dead = false;
        for source in sources.values() {
            dead |= !source.read(&mut families, only);
        }
        Out { families: &mut families, only, name: None, tags: &Tags::new() }.gauge(
            &VIRTUAL_THREADS,
            &[],
            0,
        );
        if dead {
            self.list.lock().sources.retain(|_, source| source.is_alive());
        }
        families
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let list = std::mem::take(&mut *self.list.lock());
        list.sources.values().for_each(|source| source.close());
        list.registries.iter().for_each(Followed::end);
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched = self.shared.list.lock().sources.len();
        f.debug_struct("Meters").field("watched", &watched).finish()
    }
}
