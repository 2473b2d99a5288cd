//! Settings that were read and are valid.

use std::collections::HashMap;
use std::sync::Arc;

use super::convert::{self, Converter};
use super::document::{Document, Named, Section};
use super::inherit::resolve;
use super::model::{
    BulkheadSettings, CircuitBreakerSettings, RateLimiterSettings, RetrySettings,
    ThreadPoolBulkheadSettings, TimeLimiterSettings, TimerSettings,
};
use super::pipelines::{ClassifierPlan, Index, Known, PipelinePlan, classifier};
use super::problem::{ConfigErrors, Problem, Report};
use super::read::{Record, model};
use super::{ClassMap, Loader};
use crate::patterns::bulkhead::BulkheadConfig;
use crate::patterns::circuit_breaker::CircuitBreakerConfig;
use crate::patterns::rate_limiter::RateLimiterConfig;
use crate::patterns::retry::RetryConfig;
use crate::patterns::time_limiter::TimeLimiterConfig;
use crate::patterns::timer::TimerConfig;

/// The settings of one pattern in a file: shared configs, instances and tags, in the order of the file.
#[derive(Clone, Debug)]
pub struct Patterns<C> {
    pub(super) configs: Vec<Entry<C>>,
    pub(super) instances: Vec<Entry<C>>,
    /// Where an instance is among them.
    places: HashMap<Arc<str>, usize>,
    pub(super) tags: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry<C> {
    pub(super) name: Arc<str>,
    pub(super) record: Record,
    pub(super) config: C,
}

impl<C> Patterns<C> {
    /// The settings of the instance of this name, with all that it inherits.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&C> {
        self.entry(name).map(|entry| &entry.config)
    }

    /// All instances.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &C)> {
        self.instances.iter().map(|entry| (&*entry.name, &entry.config))
    }

    /// All shared configs, each with what it inherits itself.
    pub fn configs(&self) -> impl Iterator<Item = (&str, &C)> {
        self.configs.iter().map(|entry| (&*entry.name, &entry.config))
    }

    /// The tags of all instances.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn entry(&self, name: &str) -> Option<&Entry<C>> {
        self.places.get(name).map(|place| &self.instances[*place])
    }

    fn record(&self, name: &str) -> Option<&Record> {
        self.entry(name).map(|entry| &entry.record)
    }
}

/// The settings of a file, read and found valid.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) file: Arc<str>,
    pub(super) circuit_breakers: Patterns<CircuitBreakerConfig>,
    pub(super) retries: Patterns<RetryConfig>,
    pub(super) bulkheads: Patterns<BulkheadConfig>,
    pub(super) thread_pool_bulkheads: Patterns<BulkheadConfig>,
    pub(super) rate_limiters: Patterns<RateLimiterConfig>,
    pub(super) time_limiters: Patterns<TimeLimiterConfig>,
    pub(super) timers: Patterns<TimerConfig>,
    pub(super) classifiers: Vec<Entry<ClassifierPlan>>,
    pub(super) pipelines: Vec<Entry<PipelinePlan>>,
    warnings: Vec<Problem>,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $method:ident: $patterns:ident, $settings:ident;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $method(&self, name: &str) -> Option<$settings> {
                self.$patterns.record(name).map(model)
            }
        )*
    };
}

impl Config {
    /// Reads a file, whose format its name tells. The environment is not looked at; [`Loader::from_env`] does.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn load(path: impl AsRef<std::path::Path>) -> Result<Self, ConfigErrors> {
        Loader::new().load(path)
    }

    /// Reads a text. `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_text(format: super::Format, name: &str, text: &str) -> Result<Self, ConfigErrors> {
        Loader::new().read(format, name, text.as_bytes())
    }

    /// What was read but has no effect, and whatever else should be known.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The circuit breakers.
    #[must_use]
    pub const fn circuit_breakers(&self) -> &Patterns<CircuitBreakerConfig> {
        &self.circuit_breakers
    }

    /// The retries.
    #[must_use]
    pub const fn retries(&self) -> &Patterns<RetryConfig> {
        &self.retries
    }

    /// The bulkheads.
    #[must_use]
    pub const fn bulkheads(&self) -> &Patterns<BulkheadConfig> {
        &self.bulkheads
    }

    /// The thread-pool bulkheads.
    #[must_use]
    pub const fn thread_pool_bulkheads(&self) -> &Patterns<BulkheadConfig> {
        &self.thread_pool_bulkheads
    }

    /// The rate limiters.
    #[must_use]
    pub const fn rate_limiters(&self) -> &Patterns<RateLimiterConfig> {
        &self.rate_limiters
    }

    /// The time limiters.
    #[must_use]
    pub const fn time_limiters(&self) -> &Patterns<TimeLimiterConfig> {
        &self.time_limiters
    }

    /// The timers.
    #[must_use]
    pub const fn timers(&self) -> &Patterns<TimerConfig> {
        &self.timers
    }

    settings! {
        /// What the file sets of a circuit breaker, inherited settings included; nothing if it does not name it.
        circuit_breaker_settings: circuit_breakers, CircuitBreakerSettings;
        /// What the file sets of a retry, inherited settings included; nothing if it does not name it.
        retry_settings: retries, RetrySettings;
        /// What the file sets of a bulkhead, inherited settings included; nothing if it does not name it.
        bulkhead_settings: bulkheads, BulkheadSettings;
        /// What the file sets of a thread-pool bulkhead, inherited settings included; nothing if it does not name it.
        thread_pool_bulkhead_settings: thread_pool_bulkheads, ThreadPoolBulkheadSettings;
        /// What the file sets of a rate limiter, inherited settings included; nothing if it does not name it.
        rate_limiter_settings: rate_limiters, RateLimiterSettings;
        /// What the file sets of a time limiter, inherited settings included; nothing if it does not name it.
        time_limiter_settings: time_limiters, TimeLimiterSettings;
        /// What the file sets of a timer, inherited settings included; nothing if it does not name it.
        timer_settings: timers, TimerSettings;
    }

    /// The named pipelines.
    pub fn pipelines(&self) -> impl Iterator<Item = &PipelinePlan> {
        self.pipelines.iter().map(|entry| &entry.config)
    }

    pub(super) fn build(
        document: Document,
        classes: &ClassMap,
        mut report: Report,
    ) -> Result<Self, ConfigErrors> {
        let Document { sections, classifiers, pipelines } = document;
        let [breakers, retries, bulkheads, pools, rates, times, timers] =
            sections.map(|section| resolve(section, &mut report));
        let mut to = Converter { report: &mut report, classes };
        let circuit_breakers = patterns(&mut to, breakers, convert::circuit_breaker);
        let retries = patterns(&mut to, retries, convert::retry);
        let bulkheads = patterns(&mut to, bulkheads, convert::bulkhead);
        let thread_pool_bulkheads = patterns(&mut to, pools, convert::thread_pool_bulkhead);
        let rate_limiters = patterns(&mut to, rates, convert::rate_limiter);
        let time_limiters = patterns(&mut to, times, convert::time_limiter);
        let timers = patterns(&mut to, timers, convert::timer);
        let entry = |named: Named| {
            let config = classifier(&named);
            Entry { name: named.name, record: named.record, config }
        };
        let classifiers: Vec<_> = classifiers.into_iter().map(entry).collect();
        let known = Known {
            circuit_breakers: Index::new(&circuit_breakers.instances),
            retries: Index::new(&retries.instances),
            bulkheads: Index::new(&bulkheads.instances),
            thread_pool_bulkheads: Index::new(&thread_pool_bulkheads.instances),
            rate_limiters: Index::new(&rate_limiters.instances),
            time_limiters: Index::new(&time_limiters.instances),
            timers: Index::new(&timers.instances),
            classifiers: Index::new(&classifiers),
        };
        let pipelines = pipelines.into_iter().map(|named| {
            let config = known.pipeline(&mut report, &named);
            Entry { name: named.name, record: named.record, config }
        });
        let pipelines = pipelines.collect();
        let file = report.file.clone();
        let warnings = report.finish()?;
        Ok(Self {
            file,
            circuit_breakers,
            retries,
            bulkheads,
            thread_pool_bulkheads,
            rate_limiters,
            time_limiters,
            timers,
            classifiers,
            pipelines,
            warnings,
        })
    }
}

fn patterns<C>(
    to: &mut Converter<'_>,
    section: Section,
    convert: fn(&mut Converter<'_>, &Named) -> Option<C>,
) -> Patterns<C> {
    let mut entries = |all: Vec<Named>| {
        let entries = all.into_iter().filter_map(|named| {
            let config = convert(to, &named)?;
            Some(Entry { name: named.name, record: named.record, config })
        });
        entries.collect::<Vec<_>>()
    };
    let configs = entries(section.configs);
    let instances = entries(section.instances);
    let places = instances.iter().enumerate();
    let places = places.map(|(place, entry)| (entry.name.clone(), place)).collect();
    Patterns { configs, instances, places, tags: section.tags }
}
