//! Pipelines by name, composed of the registry's instances.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::spec::{PipelineSpec, Protocol};
use super::store::Store;
use super::{Inner, InstanceKind, Registry, RegistryError};
use crate::outcome::{CauseRules, LiveRules};
use crate::patterns::Instance;
use crate::patterns::bulkhead::BulkheadConfig;
#[allow(unused_imports)] // for the links
use crate::pipeline::PipelineBuilder;
use crate::pipeline::{LiveSteps, Pipeline, Steps};
use crate::settings::ConfigError;
use crate::sync::{Lock, MutexGuard};
use crate::telemetry::{EventKind, RegistryEvent};

/// The settings `default` of a thread pool bulkhead.
pub(crate) fn thread_pool() -> BulkheadConfig {
    BulkheadConfig::thread_pool().build().expect("Resilience4j's own settings are in range")
}

/// The pipelines of a [`Registry`], by name.
///
/// A name that is not [defined](Self::define) stands for the pipeline of all instances that have it; of a bulkhead and a thread pool
/// bulkhead that is the bulkhead.
///
/// Pipelines are live: what is defined anew, and instances that come or are replaced, count for calls from then on, in every pipeline of
/// the name that was handed out. Calls under way keep their steps; rules count for whatever is judged from then on. A pipeline that can
/// no longer be composed (an instance of its definition was removed, all instances of its name are gone, new ones contradict each
/// other) goes on with the steps and rules that it has, until it can. Whoever asks for it anew meanwhile is told why.
#[derive(Clone)]
pub struct Pipelines {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Compositions {
    book: Lock<Book>,
}

#[derive(Debug, Default)]
struct Book {
    specs: BTreeMap<Arc<str>, PipelineSpec>,
    /// Pipelines that somebody has asked for.
    live: BTreeMap<Arc<str>, LiveSteps>,
    /// The rules of those that have a protocol.
    rules: BTreeMap<Arc<str>, LiveRules>,
}

impl Compositions {
    pub(super) fn new() -> Self {
        Self { book: Lock::new(Book::default()) }
    }
}

impl Pipelines {
    pub(super) const fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.pipelines.book.lock()
    }

    /// Says which steps the pipeline of this name has, also where it was handed out already. The definition that it had is returned.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownInstance`] for a step that the registry does not have, [`RegistryError::Config`] for steps that
    /// contradict each other, as [`PipelineBuilder::build`] says. All is then as it was.
    pub fn define(
        &self,
        name: &str,
        spec: PipelineSpec,
    ) -> Result<Option<PipelineSpec>, RegistryError> {
        // Let go after the lock: with steps may end what the user wrote.
        let (steps, _replaced);
        let mut book = self.book();
        steps = self.inner.compose(name, &spec)?;
        if let Some(live) = book.rules.get(name) {
            live.set(spec.rules.clone());
        }
        let old = book.specs.insert(name.into(), spec);
        _replaced = book.live.get(name).and_then(|live| live.renew(&steps));
        drop(book);
        self.tell(name, if old.is_some() { RegistryEvent::Updated } else { RegistryEvent::Added });
        Ok(old)
    }

    /// The definition of this name, if there is one.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<PipelineSpec> {
        self.book().specs.get(name).cloned()
    }

    /// All definitions, in the order of their names.
    #[must_use]
    pub fn specs(&self) -> Vec<(Arc<str>, PipelineSpec)> {
        let book = self.book();
        book.specs.iter().map(|(name, spec)| (name.clone(), spec.clone())).collect()
    }

    /// The names of all pipelines that are defined or were asked for, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        let book = self.book();
        let mut names: Vec<_> = book.specs.keys().chain(book.live.keys()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Removes a definition and returns it. From now on the name stands for all instances that have it, if there are any; else
    /// pipelines that were handed out go on as they are.
    pub fn undefine(&self, name: &str) -> Option<PipelineSpec> {
        let old = self.book().specs.remove(name)?;
        self.inner.renew(|other, _| other == name);
        self.tell(name, RegistryEvent::Removed);
        Some(old)
    }

    fn tell(&self, name: &str, event: RegistryEvent) {
        self.inner.observers.tell_if_any(name, EventKind::Registry(InstanceKind::Pipeline, event));
    }
}

impl fmt::Debug for Pipelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.pipelines.fmt(f)
    }
}

impl Registry {
    /// The pipeline of this name: as it was [defined](Pipelines::define), or else of all instances that have the name. It is
    /// [live](Pipelines).
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownInstance`] if there is neither a definition nor an instance of this name, or no instance for a step;
    /// [`RegistryError::Config`] for steps that contradict each other, as [`PipelineBuilder::build`] says. Also if it could be composed before,
    /// and was handed out.
    pub fn pipeline(&self, name: &str) -> Result<Pipeline, RegistryError> {
        Ok(Pipeline::builder(name).build_live(self.inner.live(name, Protocol::Plain)?))
    }

    /// The same for HTTP: judged, repeated and ended as [`PipelineBuilder::http`] says.
    ///
    /// # Errors
    ///
    /// As [`pipeline`](Self::pipeline).
    #[cfg(feature = "http")]
    pub fn http_pipeline(
        &self,
        name: &str,
    ) -> Result<crate::pipeline::HttpPipeline, RegistryError> {
        let steps = self.inner.live(name, Protocol::Http)?;
        let classifier = crate::http::HttpClassifier::default().live_rules(self.inner.rules(name));
        Ok(Pipeline::builder(name).http().classifier(classifier).build_live(steps))
    }

    /// The same for gRPC over a tonic channel: judged, repeated and ended as [`PipelineBuilder::grpc`] says.
    ///
    /// # Errors
    ///
    /// As [`pipeline`](Self::pipeline).
    #[cfg(feature = "tonic")]
    pub fn grpc_pipeline(
        &self,
        name: &str,
    ) -> Result<crate::pipeline::GrpcPipeline, RegistryError> {
        let steps = self.inner.live(name, Protocol::Grpc)?;
        let classifier = crate::tonic::GrpcClassifier::default().live_rules(self.inner.rules(name));
        let ends = crate::tonic::AtTrailers(classifier.clone());
        let builder = Pipeline::builder(name).grpc().classifier(classifier).ends(ends);
        Ok(builder.build_live(steps))
    }
}

impl Inner {
    /// The steps of a name, as they stand and will stand.
    fn live(&self, name: &str, protocol: Protocol) -> Result<LiveSteps, RegistryError> {
        // Let go after the lock: with steps may end what the user wrote.
        let (steps, _replaced);
        let mut book = self.pipelines.book.lock();
        let only = book.specs.get(name).and_then(|spec| spec.protocol);
        if let Some(only) = only.filter(|only| *only != protocol) {
            let error = ConfigError::new("protocol", protocol, only);
            let (kind, name) = (InstanceKind::Pipeline, name.to_owned());
            return Err(RegistryError::Config { kind, name, error });
        }
        steps = self.steps_of(name, &book)?;
        if let Some(live) = book.live.get(name) {
            _replaced = live.renew(&steps);
            return Ok(live.clone());
        }
        let live = LiveSteps::new(steps.clone());
        book.live.insert(name.into(), live.clone());
        Ok(live)
    }

    /// The rules of a name, as they stand and will stand.
    #[cfg(feature = "http")]
    fn rules(&self, name: &str) -> LiveRules {
        let mut book = self.pipelines.book.lock();
        if let Some(live) = book.rules.get(name) {
            return live.clone();
        }
        let rules = book.specs.get(name).map(|spec| spec.rules.clone()).unwrap_or_default();
        let live = LiveRules::new(rules);
        book.rules.insert(name.into(), live.clone());
        live
    }

    fn steps_of(&self, name: &str, book: &Book) -> Result<Steps, RegistryError> {
        match book.specs.get(name) {
            Some(spec) => self.compose(name, spec),
            None => match self.spec_of_all(name) {
                Some(spec) => self.compose(name, &spec),
                None => Err(self.unknown_pipeline(name, book)),
            },
        }
    }

    /// All steps of this name, if there are any.
    fn spec_of_all(&self, name: &str) -> Option<PipelineSpec> {
        fn there<H: Instance>(store: &Store<H>, name: &str) -> Option<Arc<str>> {
            store.find(name).map(|instance| instance.shared_name().clone())
        }
        let bulkhead = there(&self.bulkheads, name);
        let pool = there(&self.thread_pool_bulkheads, name).filter(|_| bulkhead.is_none());
        let spec = PipelineSpec {
            deadline: None,
            retry: there(&self.retries, name),
            circuit_breaker: there(&self.circuit_breakers, name),
            rate_limiter: there(&self.rate_limiters, name),
            time_limiter: there(&self.time_limiters, name),
            bulkhead,
            thread_pool_bulkhead: pool,
            timer: there(&self.timers, name),
            protocol: None,
            rules: CauseRules::new(),
        };
        (spec != PipelineSpec::default()).then_some(spec)
    }

    fn unknown_pipeline(&self, name: &str, book: &Book) -> RegistryError {
        let mut known: Vec<_> = book.specs.keys().cloned().collect();
        each_store!(*self, store => known.extend(store.list().iter().map(|it| it.shared_name().clone())));
        known.sort_unstable();
        known.dedup();
        let known = known.iter().map(|name| &**name);
        RegistryError::unknown_instance(InstanceKind::Pipeline, name, known)
    }

    fn compose(&self, name: &str, spec: &PipelineSpec) -> Result<Steps, RegistryError> {
        fn step<H: Instance>(
            store: &Store<H>,
            name: Option<&Arc<str>>,
        ) -> Result<Option<H>, RegistryError> {
            name.map(|name| store.find(name).ok_or_else(|| store.unknown(name))).transpose()
        }
        let out_of_range = |error| {
            let (kind, name) = (InstanceKind::Pipeline, name.to_owned());
            RegistryError::Config { kind, name, error }
        };
        let mut steps = Steps::new(name.into());
        steps.deadline = spec.deadline;
        steps.retry = step(&self.retries, spec.retry.as_ref())?;
        steps.circuit_breaker = step(&self.circuit_breakers, spec.circuit_breaker.as_ref())?;
        steps.rate_limiter = step(&self.rate_limiters, spec.rate_limiter.as_ref())?;
        steps.time_limiter = step(&self.time_limiters, spec.time_limiter.as_ref())?;
        let bulkhead = step(&self.bulkheads, spec.bulkhead.as_ref())?;
        let pool = step(&self.thread_pool_bulkheads, spec.thread_pool_bulkhead.as_ref())?;
        if bulkhead.is_some() && pool.is_some() {
            let twice = ConfigError::new("bulkhead", "given twice", "given once");
            return Err(out_of_range(twice));
        }
        steps.bulkhead = bulkhead.or(pool);
        steps.timer = step(&self.timers, spec.timer.as_ref())?;
        steps.terms().check().map_err(out_of_range)?;
        Ok(steps)
    }

    /// Which instance has this name has changed, or its settings have.
    pub(super) fn recompose(&self, kind: InstanceKind, name: &str) {
        self.renew(|pipeline, spec| match spec {
            Some(spec) => spec.steps().any(|step| step == (kind, name)),
            None => pipeline == name,
        });
    }

    /// Composes anew what was handed out and is concerned. What cannot be composed stays as it is.
    fn renew(&self, is_concerned: impl Fn(&str, Option<&PipelineSpec>) -> bool) {
        // Let go after the lock: with steps may end what the user wrote.
        let mut gone = Vec::new();
        let book = self.pipelines.book.lock();
        for (name, live) in &book.live {
            let spec = book.specs.get(name);
            if is_concerned(name, spec)
                && let Ok(steps) = self.steps_of(name, &book)
            {
                if let Some(rules) = book.rules.get(name) {
                    rules.set(spec.map(|spec| spec.rules.clone()).unwrap_or_default());
                }
                gone.push((live.renew(&steps), steps));
            }
        }
    }
}
