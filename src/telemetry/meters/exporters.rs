//! What exporters need that are told durations at once.

use std::sync::Arc;
use std::time::Duration;

use super::families::Labels;
use super::list::{BREAKER_CALLS, Meter, TIMER_CALLS};
use super::recorder::{ENDS, breaker_end};
use super::source::Watched;
use crate::pipeline::Step;
use crate::registry::Tags;
use crate::settings::Live;
use crate::telemetry::{EventKind, TimerEvent};

/// One series of an instance's timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) struct Series {
    /// Of the meter's own tags. First, since a series is looked for by comparing, and these differ soonest.
    values: [&'static str; 2],
    /// What the timer is called.
    pub(in crate::telemetry) metric: &'static str,
    /// What it is like, but for its name.
    pub(in crate::telemetry) meter: &'static Meter,
}

impl Series {
    const fn of_breaker(end: usize) -> Self {
        Self { metric: BREAKER_CALLS.name, meter: &BREAKER_CALLS, values: [ENDS[end], ""] }
    }

    const fn of_timer(metric: &'static str, kind: &'static str, failure: &'static str) -> Self {
        Self { metric, meter: &TIMER_CALLS, values: [kind, failure] }
    }

    /// All that instances of a pattern are known to have before they do anything; none if they have no durations.
    pub(in crate::telemetry) fn from_the_start(step: Step) -> Option<Vec<Self>> {
        match step {
            Step::CircuitBreaker => Some((0..ENDS.len()).map(Self::of_breaker).collect()),
            Step::Timer => Some(Vec::new()),
            _ => None,
        }
    }

    /// Which one an event belongs to, and how long the call took.
    pub(in crate::telemetry) fn timed(event: &EventKind) -> Option<(Self, Duration)> {
        match *event {
            EventKind::CircuitBreaker(ref event) => {
                let (end, elapsed) = breaker_end(event)?;
                Some((Self::of_breaker(end), elapsed))
            }
            EventKind::Timer(TimerEvent::Success { elapsed, metric }) => {
                Some((Self::of_timer(metric, "successful", ""), elapsed))
            }
            EventKind::Timer(TimerEvent::Failure { elapsed, metric, tag, .. }) => {
                Some((Self::of_timer(metric, "failed", tag), elapsed))
            }
            _ => None,
        }
    }
}

/// An exporter's handles for the series of one instance, each resolved once, and once more when the tags are others.
pub(in crate::telemetry) struct Resolved<H> {
    name: String,
    tags: Arc<Live<Tags>>,
    known: Live<Known<H>>,
}

struct Known<H> {
    /// Those that the handles were resolved with.
    tags: Arc<Tags>,
    handles: Vec<(Series, H)>,
}

impl<H: Clone> Resolved<H> {
    pub(in crate::telemetry) fn of(
        watched: &Watched<'_>,
        resolve: impl Fn(Series, &Labels) -> H,
    ) -> Option<Self> {
        let series = Series::from_the_start(watched.step)?.into_iter();
        let tags = watched.tags.get();
        let handle = |series| (series, resolve(series, &labels(series, watched.name, &tags)));
        let handles = series.map(handle).collect();
        let known = Live::new(Known { tags, handles });
        Some(Self { name: watched.name.to_owned(), tags: watched.tags.clone(), known })
    }

    /// Has the handle of this series used. Takes no lock and no memory but for the first use.
    pub(in crate::telemetry) fn with(
        &self,
        series: Series,
        resolve: impl FnOnce(Series, &Labels) -> H,
        use_it: impl FnOnce(&H),
    ) {
        let (known, tags) = (self.known.get(), self.tags.get());
        let there: &[_] = if Arc::ptr_eq(&known.tags, &tags) { &known.handles } else { &[] };
        if let Some((_, handle)) = there.iter().find(|(known, _)| *known == series) {
            return use_it(handle);
        }
        let handle = resolve(series, &labels(series, &self.name, &tags));
        use_it(&handle);
        // Of two that come at once one is forgotten, and resolved again when it is needed again.
        let handles = [there, &[(series, handle)]].concat();
        self.known.set(Known { tags, handles });
    }
}

fn labels(series: Series, name: &str, tags: &Tags) -> Labels {
    Labels::new(Some(name), series.meter, &series.values, tags)
}
