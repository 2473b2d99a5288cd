//! Pipelines by name, composed of the registry's instances.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::store::Store;
use super::{Inner, InstanceKind, Registry, RegistryError};
use crate::patterns::Instance;
use crate::patterns::bulkhead::BulkheadConfig;
use crate::pipeline::{Pipeline, PipelineBuilder};
use crate::sync::Lock;

/// The settings `default` of a thread pool bulkhead.
pub(super) fn thread_pool() -> BulkheadConfig {
    BulkheadConfig::thread_pool().build().expect("Resilience4j's own settings are in range")
}

/// Which steps a named pipeline has: the deadline of the whole call, and instances of the registry by their names.
///
/// ```
/// use std::time::Duration;
/// use seawall::Registry;
/// use seawall::registry::PipelineSpec;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new();
/// registry.retries().get("patient")?;
/// registry.circuit_breakers().get("inventory")?;
///
/// let spec = PipelineSpec::new().deadline(Duration::from_secs(5)).retry("patient").circuit_breaker("inventory");
/// registry.pipelines().define("stock", spec)?;
/// let pipeline = registry.pipeline("stock")?;
/// assert_eq!(pipeline.retry().map(|retry| retry.name()), Some("patient"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a definition does nothing until it is given to `Pipelines::define`"]
pub struct PipelineSpec {
    deadline: Option<Duration>,
    retry: Option<Arc<str>>,
    circuit_breaker: Option<Arc<str>>,
    rate_limiter: Option<Arc<str>>,
    time_limiter: Option<Arc<str>>,
    bulkhead: Option<Arc<str>>,
    thread_pool_bulkhead: Option<Arc<str>>,
}

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident)*) => {
        $(
            $(#[$doc])*
            pub fn $step(mut self, name: impl Into<Arc<str>>) -> Self {
                self.$step = Some(name.into());
                self
            }
        )*
    };
}

impl PipelineSpec {
    /// No step at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole call must be over after this. Range: from 1 ms.
    pub const fn deadline(mut self, span: Duration) -> Self {
        self.deadline = Some(span);
        self
    }

    steps! {
        /// The retry of this name.
        retry
        /// The circuit breaker of this name.
        circuit_breaker
        /// The rate limiter of this name.
        rate_limiter
        /// The time limiter of this name.
        time_limiter
        /// The bulkhead of this name. A pipeline has one: this or a thread pool bulkhead.
        bulkhead
        /// The thread pool bulkhead of this name.
        thread_pool_bulkhead
    }
}

/// The pipelines of a [`Registry`], by name.
///
/// A name that is not [defined](Self::define) stands for the pipeline of all instances that have it; of a bulkhead and a thread pool
/// bulkhead that is the bulkhead.
#[derive(Clone)]
pub struct Pipelines {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Compositions {
    specs: Lock<BTreeMap<Arc<str>, PipelineSpec>>,
}

impl Compositions {
    pub(super) fn new() -> Self {
        Self { specs: Lock::new(BTreeMap::new()) }
    }
}

impl Pipelines {
    pub(super) const fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Says which steps the pipeline of this name has. The definition that it had is returned.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownInstance`] for a step that the registry does not have, [`RegistryError::Config`] for steps that
    /// contradict each other, as [`PipelineBuilder::build`] says.
    pub fn define(
        &self,
        name: &str,
        spec: PipelineSpec,
    ) -> Result<Option<PipelineSpec>, RegistryError> {
        self.inner.compose(name, &spec, Pipeline::builder(name))?;
        Ok(self.inner.pipelines.specs.lock().insert(name.into(), spec))
    }

    /// The definition of this name, if there is one.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<PipelineSpec> {
        self.inner.pipelines.specs.lock().get(name).cloned()
    }

    /// All definitions, in the order of their names.
    #[must_use]
    pub fn specs(&self) -> Vec<(Arc<str>, PipelineSpec)> {
        let specs = self.inner.pipelines.specs.lock();
        specs.iter().map(|(name, spec)| (name.clone(), spec.clone())).collect()
    }

    /// Removes a definition and returns it. Pipelines that were handed out go on.
    pub fn undefine(&self, name: &str) -> Option<PipelineSpec> {
        self.inner.pipelines.specs.lock().remove(name)
    }
}

impl fmt::Debug for Pipelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.pipelines.fmt(f)
    }
}

impl Registry {
    /// The pipeline of this name: as it was [defined](Pipelines::define), or else of all instances that have the name.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownInstance`] if there is neither a definition nor an instance of this name, or no instance for a step;
    /// [`RegistryError::Config`] for steps that contradict each other, as [`PipelineBuilder::build`] says.
    pub fn pipeline(&self, name: &str) -> Result<Pipeline, RegistryError> {
        self.inner.pipeline(name, Pipeline::builder(name))
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
        self.inner.pipeline(name, Pipeline::builder(name).http())
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
        self.inner.pipeline(name, Pipeline::builder(name).grpc())
    }
}

impl Inner {
    fn pipeline<C, N, R, K, L>(
        &self,
        name: &str,
        builder: PipelineBuilder<C, N, R, K, L>,
    ) -> Result<Pipeline<C, N, R, K, L>, RegistryError> {
        let spec = self.pipelines.specs.lock().get(name).cloned();
        let spec = match spec {
            Some(spec) => spec,
            None => self.spec_of_all(name)?,
        };
        self.compose(name, &spec, builder)
    }

    /// All steps of this name.
    fn spec_of_all(&self, name: &str) -> Result<PipelineSpec, RegistryError> {
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
        };
        if spec == PipelineSpec::default() {
            return Err(self.unknown_pipeline(name));
        }
        Ok(spec)
    }

    fn unknown_pipeline(&self, name: &str) -> RegistryError {
        let mut known: Vec<_> = self.pipelines.specs.lock().keys().cloned().collect();
        each_store!(*self, store => known.extend(store.list().iter().map(|it| it.shared_name().clone())));
        known.sort_unstable();
        known.dedup();
        let known = known.iter().map(|name| &**name);
        RegistryError::unknown_instance(InstanceKind::Pipeline, name, known)
    }

    fn compose<C, N, R, K, L>(
        &self,
        name: &str,
        spec: &PipelineSpec,
        mut builder: PipelineBuilder<C, N, R, K, L>,
    ) -> Result<Pipeline<C, N, R, K, L>, RegistryError> {
        fn step<H: Instance>(
            store: &Store<H>,
            name: Option<&Arc<str>>,
        ) -> Result<Option<H>, RegistryError> {
            name.map(|name| store.find(name).ok_or_else(|| store.unknown(name))).transpose()
        }
        if let Some(span) = spec.deadline {
            builder = builder.deadline(span);
        }
        if let Some(retry) = step(&self.retries, spec.retry.as_ref())? {
            builder = builder.retry(retry);
        }
        if let Some(breaker) = step(&self.circuit_breakers, spec.circuit_breaker.as_ref())? {
            builder = builder.circuit_breaker(breaker);
        }
        if let Some(limiter) = step(&self.rate_limiters, spec.rate_limiter.as_ref())? {
            builder = builder.rate_limiter(limiter);
        }
        if let Some(limiter) = step(&self.time_limiters, spec.time_limiter.as_ref())? {
            builder = builder.time_limiter(limiter);
        }
        if let Some(bulkhead) = step(&self.bulkheads, spec.bulkhead.as_ref())? {
            builder = builder.bulkhead(bulkhead);
        }
        // Given twice, it is an error of the builder's.
        if let Some(pool) = step(&self.thread_pool_bulkheads, spec.thread_pool_bulkhead.as_ref())? {
            builder = builder.bulkhead(pool);
        }
        builder.build().map_err(|error| RegistryError::Config {
            kind: InstanceKind::Pipeline,
            name: name.to_owned(),
            error,
        })
    }

    /// Which instances there are has changed.
    #[allow(clippy::unused_self, unused_variables)]
    pub(super) fn recompose(&self, kind: InstanceKind, name: &str) {}
}
