//! Named pipelines and classifiers: their references, and whether their steps fit together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::convert::matchers;
use super::document::Named;
use super::loaded::Entry;
use super::model::PipelineSettings;
use super::problem::Report;
use super::read::{Record, Set, model};
use super::tree::path::nearest;
use crate::outcome::CauseRules;
use crate::patterns::bulkhead::BulkheadConfig;
use crate::patterns::circuit_breaker::CircuitBreakerConfig;
use crate::patterns::rate_limiter::RateLimiterConfig;
use crate::patterns::retry::RetryConfig;
use crate::patterns::time_limiter::TimeLimiterConfig;
use crate::patterns::timer::TimerConfig;
use crate::registry::Protocol;

/// A named pipeline of a file: the names of its steps' instances.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipelinePlan {
    /// Its name.
    pub name: Arc<str>,
    /// What kind of calls it is for; nothing if for any.
    pub protocol: Option<Protocol>,
    /// After how long the whole call must be over.
    pub deadline: Option<Duration>,
    /// Its retry.
    pub retry: Option<Arc<str>>,
    /// Its circuit breaker.
    pub circuit_breaker: Option<Arc<str>>,
    /// Its rate limiter.
    pub rate_limiter: Option<Arc<str>>,
    /// Its time limiter.
    pub time_limiter: Option<Arc<str>>,
    /// Its bulkhead.
    pub bulkhead: Option<Arc<str>>,
    /// Its thread-pool bulkhead, in a bulkhead's place.
    pub thread_pool_bulkhead: Option<Arc<str>>,
    /// Its timer.
    pub timer: Option<Arc<str>>,
    /// The classifier that judges its calls; nothing if the protocol's own does.
    pub classifier: Option<ClassifierPlan>,
}

/// A named classifier of a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClassifierPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Its rules.
    pub rules: CauseRules,
}

pub(super) fn classifier(named: &Named) -> ClassifierPlan {
    let list = |name| matchers(&named.record, name).into_iter();
    let rules = list("ignore").fold(CauseRules::new(), CauseRules::ignore);
    let rules = list("failure").fold(rules, CauseRules::failure);
    let rules = list("success").fold(rules, CauseRules::success);
    ClassifierPlan { name: named.name.clone(), rules }
}

/// What pipelines can refer to.
pub(super) struct Known<'a> {
    pub(super) circuit_breakers: Index<'a, CircuitBreakerConfig>,
    pub(super) retries: Index<'a, RetryConfig>,
    pub(super) bulkheads: Index<'a, BulkheadConfig>,
    pub(super) thread_pool_bulkheads: Index<'a, BulkheadConfig>,
    pub(super) rate_limiters: Index<'a, RateLimiterConfig>,
    pub(super) time_limiters: Index<'a, TimeLimiterConfig>,
    pub(super) timers: Index<'a, TimerConfig>,
    pub(super) classifiers: Index<'a, ClassifierPlan>,
}

/// Named things, found by their names: a file may have many, and as many pipelines that name them.
pub(super) struct Index<'a, C> {
    entries: &'a [Entry<C>],
    places: HashMap<&'a str, usize>,
}

impl<'a, C> Index<'a, C> {
    pub(super) fn new(entries: &'a [Entry<C>]) -> Self {
        let places = entries.iter().enumerate().map(|(place, entry)| (&*entry.name, place));
        Self { entries, places: places.collect() }
    }

    fn find(&self, name: &str) -> Option<&'a Entry<C>> {
        Some(&self.entries[*self.places.get(name)?])
    }
}

const STEPS: [&str; 7] = [
    "retry",
    "circuit_breaker",
    "rate_limiter",
    "time_limiter",
    "bulkhead",
    "thread_pool_bulkhead",
    "timer",
];

impl Known<'_> {
    pub(super) fn pipeline(&self, report: &mut Report, named: &Named) -> PipelinePlan {
        let record = &named.record;
        let set: PipelineSettings = model(record);
        let implicit = STEPS.iter().all(|step| record.get(step).is_none());
        let own = implicit.then_some(&*named.name);
        let mut to = Steps { report: &mut *report, record, own };
        let retry = to.find("retry", set.retry, &self.retries);
        let circuit_breaker =
            to.find("circuit_breaker", set.circuit_breaker, &self.circuit_breakers);
        let rate_limiter = to.find("rate_limiter", set.rate_limiter, &self.rate_limiters);
        let time_limiter = to.find("time_limiter", set.time_limiter, &self.time_limiters);
        let bulkhead = to.find("bulkhead", set.bulkhead, &self.bulkheads);
        let (key, pools) = ("thread_pool_bulkhead", &self.thread_pool_bulkheads);
        let mut pools = to.find(key, set.thread_pool_bulkhead, pools);
        let timer = to.find("timer", set.timer, &self.timers);
        let classifier = set.classifier.as_ref().and_then(|said| {
            let found = reference(report, record.get("classifier")?, said, &self.classifiers)?;
            Some(found.config.clone())
        });
        let protocol = match set.protocol.as_deref() {
            Some("http") => Some(Protocol::Http),
            Some("grpc") => Some(Protocol::Grpc),
            Some(_) => Some(Protocol::Plain),
            None => None,
        };
        if protocol == Some(Protocol::Plain)
            && let Some(set) = record.get("classifier")
        {
            let message = "a plain pipeline has none: its results have no status; set `protocol` to http or grpc";
            report.error(&set.origin, &set.path, message);
        }
        if bulkhead.is_some() && pools.is_some() {
            if let Some(set) = record.get("thread_pool_bulkhead") {
                let message = "a pipeline has one bulkhead, of either kind";
                report.error(&set.origin, &set.path, message);
            }
            pools = None;
        }
        let plan = PipelinePlan {
            name: named.name.clone(),
            protocol,
            deadline: set.deadline,
            retry,
            circuit_breaker,
            rate_limiter,
            time_limiter,
            bulkhead,
            thread_pool_bulkhead: pools,
            timer,
            classifier,
        };
        self.fits(report, named, record, &plan);
        plan
    }

    /// Steps whose times contradict each other; the same that a pipeline's builder refuses.
    fn fits(&self, report: &mut Report, named: &Named, record: &Record, plan: &PipelinePlan) {
        let has_steps = STEPS.iter().any(|step| record.get(step).is_some())
            || plan.retry.is_some()
            || plan.circuit_breaker.is_some()
            || plan.rate_limiter.is_some()
            || plan.time_limiter.is_some()
            || plan.bulkhead.is_some()
            || plan.thread_pool_bulkhead.is_some()
            || plan.timer.is_some()
            || plan.deadline.is_some();
        if !has_steps {
            report.error(
                &named.at,
                &named.path,
                "names no step, and there is no instance of its name",
            );
        }
        let limiter = plan.time_limiter.as_ref().and_then(|name| self.time_limiters.find(name));
        let Some(limiter) = limiter.map(|entry| &entry.config) else { return };
        let at = |step: &str| {
            let set = record.get(step);
            let path = set.map_or(&*named.path, |set| &*set.path).to_owned();
            (set.map_or_else(|| named.at.clone(), |set| set.origin.clone()), path)
        };
        if !limiter.cancel_running_future() {
            let (origin, path) = at("time_limiter");
            let message = "its time limiter must not have cancelRunningFuture: false, which no pipeline can keep";
            report.error(origin, &path, message);
        }
        let timeout = limiter.timeout();
        if let Some(deadline) = plan.deadline.filter(|deadline| *deadline < timeout) {
            let (origin, path) = at("deadline");
            let message = format!(
                "{deadline:?} is not allowed, must be at least {timeout:?}, its time limiter's timeout"
            );
            report.error(origin, &path, message);
        }
        let pools = plan.thread_pool_bulkhead.as_ref();
        let bulkhead = plan
            .bulkhead
            .as_ref()
            .and_then(|name| self.bulkheads.find(name))
            .or_else(|| self.thread_pool_bulkheads.find(pools?));
        let wait = bulkhead.map(|entry| entry.config.max_wait());
        if let Some(wait) = wait.filter(|wait| *wait > timeout && *wait < Duration::MAX) {
            let (origin, path) = at("bulkhead");
            let message = format!(
                "its bulkhead's maxWaitDuration {wait:?} is not allowed, must be at most {timeout:?}, its time limiter's timeout"
            );
            report.error(origin, &path, message);
        }
    }
}

/// Finds the steps of one pipeline.
struct Steps<'r> {
    report: &'r mut Report,
    record: &'r Record,
    /// Where no step is named: the name whose instances are the steps.
    own: Option<&'r str>,
}

impl Steps<'_> {
    fn find<C>(&mut self, key: &str, said: Option<String>, all: &Index<'_, C>) -> Option<Arc<str>> {
        let found = match said {
            Some(said) => reference(self.report, self.record.get(key)?, &said, all)?,
            None => all.find(self.own?)?,
        };
        Some(found.name.clone())
    }
}

fn reference<'a, C>(
    report: &mut Report,
    set: &Set,
    said: &str,
    all: &Index<'a, C>,
) -> Option<&'a Entry<C>> {
    if let Some(found) = all.find(said) {
        return Some(found);
    }
    let known = || all.entries.iter().map(|entry| &*entry.name);
    let what = format!("there is no `{}`", super::problem::shown(said));
    let hint = if report.is_full() { None } else { nearest(said, known().take(500)) };
    report.unknown(&set.origin, &set.path, &what, hint, known().take(20), false);
    None
}
