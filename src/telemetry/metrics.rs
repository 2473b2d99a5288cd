//! The meters through the `metrics` facade.
//!
//! Install a recorder first (`metrics-exporter-prometheus`, `metrics-exporter-dogstatsd`, …): handles are resolved with the
//! recorder that stands when an instance is watched or first published, those of a timer when a call first ends so, and without
//! one they do nothing.
//!
//! | meter | kind in the facade | when |
//! |---|---|---|
//! | counters | counter | at [`publish`](Publisher::publish), by how much it grew |
//! | gauges | gauge | at [`publish`](Publisher::publish) |
//! | durations | histogram, in seconds | when the call ends |
//!
//! Names are those with dots of [`meters`](super::meters). The facade has no way to take a series back: the gauges of an
//! instance that is gone are set to 0.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
    with_recorder,
};
use tokio::time::{MissedTickBehavior, interval};

use super::meters::{ExporterId, Families, Labels, METERS, Meter, MeterKind, Meters, Reading};
use super::meters::{Resolved, Series, Watched};
use super::{Event, Observer};
use crate::sync::Lock;

/// Publishes meters through the facade, until it is dropped.
///
/// ```
/// use std::time::Duration;
/// use seawall::CircuitBreaker;
/// use seawall::telemetry::{Meters, metrics::Publisher};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// let meters = Meters::new();
/// meters.watch(&breaker);
/// let publisher = Publisher::new(&meters);
/// publisher.publish();
/// tokio::spawn(publisher.run(Duration::from_secs(10)));
/// # }
/// ```
pub struct Publisher {
    meters: Meters,
    id: ExporterId,
    books: Lock<Books>,
}

/// What was published, and through which handles.
struct Books {
    /// Nothing while somebody publishes: a recorder is the user's, and no lock is held while it works.
    handles: Option<Handles>,
    /// Somebody came meanwhile.
    again: bool,
}

type Handles = HashMap<&'static str, BTreeMap<Labels, Handle>>;

enum Handle {
    /// With what was published last.
    Counter(Counter, u64),
    Gauge(Gauge),
}

impl Publisher {
    /// Publishes what `meters` watches, now and later.
    #[must_use = "it ends when it is dropped"]
    pub fn new(meters: &Meters) -> Self {
        with_recorder(|recorder| {
            METERS.iter().for_each(|meter| describe(recorder, meter.name, meter));
        });
        let id = meters.export(|watched| Some(std::sync::Arc::new(Durations::of(watched)?)));
        let books = Books { handles: Some(Handles::new()), again: false };
        Self { meters: meters.clone(), id, books: Lock::new(books) }
    }

    /// Publishes counters and gauges as they stand now. Where another thread is about to, that one does it once more in the
    /// place of this.
    pub fn publish(&self) {
        while let Some(mut round) = Round::begin(&self.books) {
            round.publish(&self.meters.collect());
            drop(round);
            if !self.books.lock().again {
                return;
            }
        }
    }

    /// Publishes every so often, until the future is dropped. Once more when it begins.
    ///
    /// Less than a millisecond counts as that.
    pub async fn run(self, every: Duration) {
        let mut ticks = interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.publish();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.meters.end_export(self.id);
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("meters", &self.meters).finish_non_exhaustive()
    }
}

/// One publishing. Its end gives the handles back, even if a recorder panics: without them all would be told anew.
struct Round<'a> {
    books: &'a Lock<Books>,
    handles: Handles,
}

impl<'a> Round<'a> {
    /// Nothing if somebody else is at it, who then goes on for another round.
    fn begin(books: &'a Lock<Books>) -> Option<Self> {
        let mut open = books.lock();
        let handles = open.handles.take();
        open.again = handles.is_none();
        drop(open);
        handles.map(|handles| Self { books, handles })
    }

    fn publish(&mut self, families: &Families) {
        let mut present = HashSet::new();
        with_recorder(|recorder| {
            for family in families.iter().filter(|family| family.meter().kind != MeterKind::Timer) {
                let meter = family.meter();
                let known = self.handles.entry(meter.name).or_default();
                for (labels, reading) in family.series() {
                    if !known.contains_key(labels) {
                        known.insert(labels.clone(), Handle::new(recorder, meter, labels));
                    }
                    if let Some(handle) = known.get_mut(labels) {
                        handle.publish(reading);
                    }
                    present.insert((meter.name, labels));
                }
            }
        });
        for (name, known) in &mut self.handles {
            known.retain(|labels, handle| {
                let stays = present.contains(&(*name, labels));
                if !stays {
                    handle.end();
                }
                stays
            });
        }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.books.lock().handles = Some(std::mem::take(&mut self.handles));
    }
}

impl Handle {
    fn new(recorder: &dyn Recorder, meter: &Meter, labels: &Labels) -> Self {
        let key = key(meter.name, labels);
        match meter.kind {
            MeterKind::Counter => Self::Counter(recorder.register_counter(&key, &METADATA), 0),
            MeterKind::Gauge | MeterKind::Timer => {
                Self::Gauge(recorder.register_gauge(&key, &METADATA))
            }
        }
    }

    fn publish(&mut self, reading: &Reading) {
        match (self, reading) {
            (Self::Counter(counter, last), Reading::Counter(now)) => {
                // Less than before is another instance of the same name, which began anew.
                let more = now.checked_sub(*last).unwrap_or(*now);
                // First, for what panics has been told at most once.
                *last = *now;
                counter.increment(more);
            }
            (Self::Gauge(gauge), Reading::Gauge(now)) => gauge.set(*now),
            _ => debug_assert!(false, "one meter, one kind"),
        }
    }

    fn end(&self) {
        if let Self::Gauge(gauge) = self {
            gauge.set(0.0);
        }
    }
}

static METADATA: Metadata<'static> =
    Metadata::new("seawall", Level::INFO, Some("seawall::telemetry"));

fn key(name: &'static str, labels: &Labels) -> Key {
    let labels = labels.iter().map(|(key, value)| Label::new(key.to_owned(), value.to_owned()));
    Key::from_parts(name, labels.collect::<Vec<_>>())
}

fn describe(recorder: &dyn Recorder, name: &'static str, meter: &Meter) {
    let (name, help) = (KeyName::from_const_str(name), SharedString::from(meter.help));
    match meter.kind {
        MeterKind::Counter => recorder.describe_counter(name, None, help),
        MeterKind::Gauge => recorder.describe_gauge(name, None, help),
        MeterKind::Timer => recorder.describe_histogram(name, Some(Unit::Seconds), help),
    }
}

/// The durations of one instance.
struct Durations(Resolved<Histogram>);

impl Durations {
    fn of(watched: &Watched<'_>) -> Option<Self> {
        Resolved::of(watched, resolve).map(Self)
    }
}

fn resolve(series: Series, labels: &Labels) -> Histogram {
    let key = key(series.metric, labels);
    with_recorder(|recorder| {
        if series.metric != series.meter.name {
            // Of users' choice, so not in the list that was described in the beginning.
            describe(recorder, series.metric, series.meter);
        }
        recorder.register_histogram(&key, &METADATA)
    })
}

impl Observer for Durations {
    fn on_event(&self, event: &Event<'_>) {
        if let Some((series, elapsed)) = Series::timed(&event.kind) {
            self.0.with(series, resolve, |histogram| histogram.record(elapsed.as_secs_f64()));
        }
    }
}
