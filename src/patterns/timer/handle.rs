//! What people hold.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use super::config::{OTHER, TimerConfig};
use super::measurement::Measurement;
use crate::error::{Error, FromRejected};
use crate::outcome::{Cause, Classify, ResultClassifier, judge};
use crate::settings::Live;
use crate::sync::Lock;
use crate::telemetry::meters::{self, Histogram, Meter, Timing};
use crate::telemetry::{EventKind, Observer, ObserverId, Observers, TimerEvent};

/// Tags of failures that are kept apart, `other` not counted.
const TAGS: usize = 32;

/// A named timer. Clones share one state.
///
/// See the [module](super) for what it does and when to use it.
#[derive(Clone, Debug)]
pub struct Timer {
    pub(in crate::patterns) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(in crate::patterns) struct Shared {
    pub(in crate::patterns) name: Arc<str>,
    terms: Live<Terms>,
    observers: Observers,
    successful: Histogram,
    /// By tag.
    failed: Lock<Vec<(&'static str, Arc<Histogram>)>>,
}

/// The settings, and the meter that they name.
#[derive(Debug)]
struct Terms {
    config: Arc<TimerConfig>,
    meter: &'static Meter,
}

impl From<TimerConfig> for Terms {
    fn from(config: TimerConfig) -> Self {
        Self { meter: meters::timer(config.metric_names()), config: Arc::new(config) }
    }
}

impl Shared {
    pub(in crate::patterns) fn settings(&self) -> Arc<TimerConfig> {
        self.terms.load().config.clone()
    }

    pub(in crate::patterns) fn attach(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        self.observers.add_as(id, observer);
    }

    pub(in crate::patterns) fn detach(&self, id: ObserverId) {
        self.observers.remove(id);
    }

    /// A call that began at `started` succeeds at this moment.
    #[inline]
    pub(super) fn succeed(&self, started: Instant) {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(started);
        self.successful.record(now, elapsed);
        if self.observers.any() {
            let metric = self.terms.load().meter.name;
            self.tell(now, TimerEvent::Success { elapsed, metric });
        }
    }

    /// A call that began at `started` fails, at `now`.
    #[cold]
    pub(super) fn fail(&self, started: Instant, now: Instant, cause: Cause) {
        let elapsed = now.saturating_duration_since(started);
        // To be kept, for the tag may come from a user's function, and that out of every lock.
        let terms = self.terms.get();
        let (tag, histogram) = self.failed_as(terms.config.failure_tag(cause), now);
        histogram.record(now, elapsed);
        if self.observers.any() {
            let metric = terms.meter.name;
            self.tell(now, TimerEvent::Failure { elapsed, metric, cause, tag });
        }
    }

    /// Where failures with this tag are counted, and which tag that is.
    fn failed_as(&self, tag: &'static str, now: Instant) -> (&'static str, Arc<Histogram>) {
        let mut failed = self.failed.lock();
        let known = |tag: &str| failed.iter().position(|(known, _)| *known == tag);
        let is_full = || failed.iter().filter(|(known, _)| *known != OTHER).count() >= TAGS;
        let (tag, place) = match known(tag) {
            None if is_full() => (OTHER, known(OTHER)),
            place => (tag, place),
        };
        let place = place.unwrap_or_else(|| {
            failed.push((tag, Arc::new(Histogram::new(now))));
            failed.len() - 1
        });
        (tag, failed[place].1.clone())
    }

    fn tell(&self, now: Instant, event: TimerEvent) {
        self.observers.tell(&self.name, now, EventKind::Timer(event));
    }
}

impl Timer {
    /// A timer with these settings.
    ///
    /// Needs no runtime: it may live in a `static`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: TimerConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                terms: Live::new(Terms::from(config)),
                observers: Observers::default(),
                successful: Histogram::new(Instant::now()),
                failed: Lock::new(Vec::new()),
            }),
        }
    }

    /// A timer with Resilience4j's settings.
    #[must_use]
    pub fn with_defaults(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, TimerConfig::default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings as they stand now.
    #[must_use]
    pub fn config(&self) -> Arc<TimerConfig> {
        self.shared.settings()
    }

    /// Replaces the settings while calls run; see [the table](super#updates).
    pub fn update(&self, config: TimerConfig) {
        self.shared.terms.set(Terms::from(config));
    }

    // ## Calls

    /// Runs `future` and measures it: `Err` is a failure.
    ///
    /// The time runs from the first poll.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let timer = seawall::Timer::with_defaults("inventory");
    /// let stock = timer.call(async { Ok::<u32, std::io::Error>(42) }).await;
    /// assert_eq!(stock.unwrap(), 42);
    /// # }
    /// ```
    ///
    /// A future that is another handle's call already has the right error: give it to
    /// [`call_flat`](Self::call_flat).
    ///
    /// # Errors
    ///
    /// [`Error::Service`] with the future's own error. Never [`Error::Rejected`]: the type is that of the other handles, so that they
    /// can be exchanged.
    pub fn call<F, T, E>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, Error<E>>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_with(ResultClassifier, async { future.await.map_err(Error::Service) })
    }

    /// As [`call`](Self::call), for a future whose error can hold a rejection already: another handle's, or a boxed error. So handles
    /// nest, and the error stays flat.
    ///
    /// # Errors
    ///
    /// The future's own.
    pub fn call_flat<F, T, E>(&self, future: F) -> impl Future<Output = Result<T, E>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        self.call_with(ResultClassifier, future)
    }

    /// As [`call_flat`](Self::call_flat), judged by `classifier`, which says why a call failed.
    ///
    /// # Errors
    ///
    /// The future's own.
    pub fn call_with<C, F, T, E>(
        &self,
        classifier: C,
        future: F,
    ) -> impl Future<Output = Result<T, E>> + use<C, F, T, E>
    where
        C: Classify<Result<T, E>>,
        F: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        let this = self.clone();
        async move {
            let measurement = this.start();
            let result = future.await;
            measurement.record(&judge(&classifier, &result));
            result
        }
    }

    /// Begins to measure one call, by hand. The measurement must be told how the call ended.
    #[inline]
    pub fn start(&self) -> Measurement {
        self.start_at(Instant::now())
    }

    #[inline]
    pub(crate) fn start_at(&self, now: Instant) -> Measurement {
        if self.shared.observers.any() {
            self.shared.tell(now, TimerEvent::Start);
        }
        Measurement::new(self.shared.clone(), now)
    }

    // ## Looking

    /// How its calls ended and how long they took, from the start on.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let failed = self.failures();
        let sum = |mut sum: Timing, (_, timing): &(_, Timing)| {
            sum.add(timing);
            sum
        };
        Metrics { successful: self.successes(), failed: failed.iter().fold(Timing::default(), sum) }
    }

    /// The successful ones, for whoever has the others from [`failures`](Self::failures).
    pub(crate) fn successes(&self) -> Timing {
        self.shared.successful.read(Instant::now())
    }

    /// The failed ones by their tags, in the order in which those came up.
    #[must_use]
    pub fn failures(&self) -> Vec<(&'static str, Timing)> {
        let now = Instant::now();
        let failed = self.shared.failed.lock();
        failed.iter().map(|(tag, histogram)| (*tag, histogram.read(now))).collect()
    }

    /// Tells `observer` whatever this timer does from now on.
    pub fn observe(&self, observer: impl Observer) {
        self.shared.observers.add(Arc::new(observer));
    }

    /// The meter that counts its calls.
    pub(crate) fn meter(&self) -> &'static Meter {
        self.shared.terms.load().meter
    }
}

/// How the calls of a [`Timer`] ended, and how long they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Those that succeeded.
    pub successful: Timing,
    /// Those that failed, whatever their tag.
    pub failed: Timing,
}
