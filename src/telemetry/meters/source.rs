//! What is watched: an instance, or a group of them.

use std::sync::Arc;

use super::attached::Attached;
use super::families::{Families, Out};
use super::list::Meter;
use super::read::Metered;
use super::recorder::Recorder;
use crate::pipeline::Step;
use crate::registry::Tags;
use crate::settings::Live;
use crate::telemetry::snapshot::Snapshot;
use crate::telemetry::{Observer, ObserverId};

/// What an exporter wants to be told by an instance itself, at once.
pub(super) type Exporter = dyn Fn(&Watched<'_>) -> Option<Arc<dyn Observer>> + Send + Sync;

/// Which exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) struct ExporterId(pub(super) u64);

/// The instance that an exporter is asked about.
#[cfg_attr(not(any(feature = "metrics", feature = "otel")), allow(dead_code))]
pub(in crate::telemetry) struct Watched<'a> {
    pub(in crate::telemetry) step: Step,
    pub(in crate::telemetry) name: &'a str,
    /// As they stand, now and later.
    pub(in crate::telemetry) tags: &'a Arc<Live<Tags>>,
}

/// Whatever has meters.
pub(super) trait Source: Send + Sync {
    fn is_alive(&self) -> bool;
    /// Says `false` if the instance is gone.
    fn read(&self, families: &mut Families, only: Option<&'static Meter>) -> bool;
    fn describe(&self, snapshot: &mut Snapshot);
    fn tag(&self, tags: &Tags);

    /// What has to hear its events for the meters' sake.
    fn recorder(&self) -> Option<Arc<dyn Observer>>;
    /// What exporters are asked about.
    fn watched(&self) -> Watched<'_>;
    fn attached(&self) -> &Attached;
    /// Nothing if the instance is gone.
    fn observe(&self, observer: Arc<dyn Observer>) -> Option<ObserverId>;
    fn unobserve(&self, id: ObserverId);

    /// Begins to listen.
    fn open(&self) {
        if let Some(recorder) = self.recorder() {
            self.attach(None, recorder);
        }
    }

    fn offer(&self, id: ExporterId, exporter: &Exporter) {
        if let Some(observer) = exporter(&self.watched()) {
            self.attach(Some(id), observer);
        }
    }

    fn attach(&self, exporter: Option<ExporterId>, observer: Arc<dyn Observer>) {
        let Some(id) = self.observe(observer) else { return };
        if !self.attached().note(exporter, id) {
            self.unobserve(id);
        }
    }

    #[cfg(any(feature = "metrics", feature = "otel"))]
    fn detach(&self, id: ExporterId) {
        self.attached().take(id).into_iter().for_each(|id| self.unobserve(id));
    }

    /// Takes off all observers, for good.
    fn close(&self) {
        self.attached().close().into_iter().for_each(|id| self.unobserve(id));
    }
}

/// One instance.
pub(super) struct One<H: Metered> {
    instance: Box<dyn Fn() -> Option<H> + Send + Sync>,
    name: Arc<str>,
    tags: Arc<Live<Tags>>,
    /// Are its tags a registry's to change?
    is_followed: bool,
    recorder: Option<Arc<Recorder>>,
    attached: Attached,
}

impl<H: Metered> One<H> {
    pub(super) fn new(instance: &H, tags: Tags, is_followed: bool) -> Self {
        Self {
            instance: instance.weak(),
            name: instance.shared_name().clone(),
            tags: Arc::new(Live::new(tags)),
            is_followed,
            recorder: H::recorder().map(Arc::new),
            attached: Attached::new(),
        }
    }
}

impl<H: Metered> Source for One<H> {
    fn is_alive(&self) -> bool {
        (self.instance)().is_some()
    }

    fn read(&self, families: &mut Families, only: Option<&'static Meter>) -> bool {
        let Some(instance) = (self.instance)() else { return false };
        let tags = self.tags.get();
        let mut out = Out { families, only, name: Some(&self.name), tags: &tags };
        instance.read(&mut out);
        if let Some(recorder) = &self.recorder {
            H::read_recorded(recorder, &mut out);
        }
        true
    }

    fn describe(&self, snapshot: &mut Snapshot) {
        if let Some(instance) = (self.instance)() {
            instance.describe(&self.tags.get(), snapshot);
        }
    }

    fn tag(&self, tags: &Tags) {
        if self.is_followed && **self.tags.load() != *tags {
            self.tags.set(tags.clone());
        }
    }

    fn recorder(&self) -> Option<Arc<dyn Observer>> {
        Some(self.recorder.clone()?)
    }

    fn watched(&self) -> Watched<'_> {
        Watched { step: H::STEP, name: &self.name, tags: &self.tags }
    }

    fn attached(&self) -> &Attached {
        &self.attached
    }

    fn observe(&self, observer: Arc<dyn Observer>) -> Option<ObserverId> {
        Some((self.instance)()?.attach(observer))
    }

    fn unobserve(&self, id: ObserverId) {
        if let Some(instance) = (self.instance)() {
            instance.detach(id);
        }
    }
}
