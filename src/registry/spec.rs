//! What a named pipeline is composed of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::InstanceKind;
#[allow(unused_imports)] // for the links
use super::{Pipelines, Registry};
use crate::outcome::CauseRules;

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
/// assert!(pipeline.retry().is_some_and(|retry| retry.name() == "patient"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a definition does nothing until it is given to `Pipelines::define`"]
pub struct PipelineSpec {
    pub(super) deadline: Option<Duration>,
    pub(super) retry: Option<Arc<str>>,
    pub(super) circuit_breaker: Option<Arc<str>>,
    pub(super) rate_limiter: Option<Arc<str>>,
    pub(super) time_limiter: Option<Arc<str>>,
    pub(super) bulkhead: Option<Arc<str>>,
    pub(super) thread_pool_bulkhead: Option<Arc<str>>,
    pub(super) timer: Option<Arc<str>>,
    pub(super) protocol: Option<Protocol>,
    pub(super) rules: CauseRules,
}

/// What kind of calls a pipeline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Any future: [`Registry::pipeline`].
    Plain,
    /// HTTP requests: [`Registry::http_pipeline`].
    Http,
    /// gRPC calls: [`Registry::grpc_pipeline`].
    Grpc,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Http => "http",
            Self::Grpc => "grpc",
        })
    }
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

    /// It can be had for calls of this kind only. Default: for any.
    pub const fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// How calls count by status and kind of error, before the protocol's own classifier is asked. Has no effect on a plain
    /// pipeline, whose results have neither. Default: no rules.
    pub fn rules(mut self, rules: CauseRules) -> Self {
        self.rules = rules;
        self
    }

    /// The deadline of the whole call, if there is one.
    #[must_use]
    pub const fn whole_call(&self) -> Option<Duration> {
        self.deadline
    }

    /// The instances.
    pub fn steps(&self) -> impl Iterator<Item = (InstanceKind, &str)> {
        [
            (InstanceKind::Retry, &self.retry),
            (InstanceKind::CircuitBreaker, &self.circuit_breaker),
            (InstanceKind::RateLimiter, &self.rate_limiter),
            (InstanceKind::TimeLimiter, &self.time_limiter),
            (InstanceKind::Bulkhead, &self.bulkhead),
            (InstanceKind::ThreadPoolBulkhead, &self.thread_pool_bulkhead),
            (InstanceKind::Timer, &self.timer),
        ]
        .into_iter()
        .filter_map(|(kind, step)| Some((kind, step.as_deref()?)))
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
        /// The timer of this name.
        timer
    }
}
