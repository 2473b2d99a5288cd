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
    /// Begins to listen.
    fn open(&self);
    /// Says `false` if the instance is gone.
    fn read(&self, families: &mut Families, only: Option<&'static Meter>) -> bool;
    fn describe(&self, snapshot: &mut Snapshot);
    fn tag(&self, tags: &Tags);
    fn offer(&self, id: ExporterId, exporter: &Exporter);
    #[cfg(any(feature = "metrics", feature = "otel"))]
    fn detach(&self, id: ExporterId);
    /// Takes off all observers, for good.
    fn close(&self);
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

    fn attach(&self, exporter: Option<ExporterId>, observer: Arc<dyn Observer>) {
        let Some(instance) = (self.instance)() else { return };
        let id = instance.attach(observer);
        if !self.attached.note(exporter, id) {
            instance.detach(id);
        }
    }

    fn take_off(&self, ids: Vec<ObserverId>) {
        if let Some(instance) = (self.instance)() {
            ids.into_iter().for_each(|id| instance.detach(id));
        }
    }
}

impl<H: Metered> Source for One<H> {
    fn is_alive(&self) -> bool {
        (self.instance)().is_some()
    }

    fn open(&self) {
        if let Some(recorder) = self.recorder.clone() {
            self.attach(None, recorder);
        }
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

    fn offer(&self, id: ExporterId, exporter: &Exporter) {
        let watched = Watched { step: H::STEP, name: &self.name, tags: &self.tags };
        if let Some(observer) = exporter(&watched) {
            self.attach(Some(id), observer);
        }
    }

    #[cfg(any(feature = "metrics", feature = "otel"))]
    fn detach(&self, id: ExporterId) {
        self.take_off(self.attached.take(id));
    }

    fn close(&self) {
        self.take_off(self.attached.close());
    }
}
