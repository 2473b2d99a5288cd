//! The meters through OpenTelemetry.
//!
//! | meter | instrument | when |
//! |---|---|---|
//! | counters | `u64` observable counter | at each collection |
//! | gauges | `f64` observable gauge | at each collection |
//! | durations | `f64` histogram, in seconds | when the call ends |
//!
//! Names are those with dots of [`meters`](super::meters); tags are attributes.

use std::fmt;
use std::sync::{Arc, Weak};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter as OtelMeter};

use super::meters::{
    BUCKETS, ExporterId, Family, Labels, METERS, Meter, MeterKind, Meters, Reading,
};
use super::meters::{Resolved, Series, Watched};
use super::{Event, Observer};

/// Says what meters say through OpenTelemetry, until it is dropped.
///
/// ```
/// use seawall::CircuitBreaker;
/// use seawall::telemetry::{Meters, otel::Instruments};
///
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// let meters = Meters::new();
/// meters.watch(&breaker);
/// let instruments = Instruments::new(&meters, &opentelemetry::global::meter("shop"));
/// # drop(instruments);
/// ```
///
/// OpenTelemetry itself cannot forget an instrument: after this is dropped its instruments stay, and say nothing more.
#[must_use = "it ends when it is dropped"]
pub struct Instruments {
    shared: Arc<Shared>,
}

struct Shared {
    meters: Meters,
    id: ExporterId,
}

impl Instruments {
    /// Makes instruments of `meter` for all that `meters` watches, now and later.
    pub fn new(meters: &Meters, meter: &OtelMeter) -> Self {
        let durations_of = meter.clone();
        let id =
            meters.export(move |watched| Some(Arc::new(Durations::of(watched, &durations_of)?)));
        let shared = Arc::new(Shared { meters: meters.clone(), id });
        METERS.iter().for_each(|of| observable(meter, of, Arc::downgrade(&shared)));
        Self { shared }
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instruments").field("meters", &self.shared.meters).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.meters.end_export(self.id);
    }
}

fn observable(meter: &OtelMeter, of: &'static Meter, shared: Weak<Shared>) {
    match of.kind {
        MeterKind::Counter => {
            let counter = meter.u64_observable_counter(of.name).with_description(of.help);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                each(&shared, of, |labels, reading| {
                    if let Reading::Counter(value) = reading {
                        observer.observe(*value, &attributes(labels));
                    }
                });
            };
            let _ = counter.with_callback(observe).build();
        }
        MeterKind::Gauge => {
            let gauge = meter.f64_observable_gauge(of.name).with_description(of.help);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
                each(&shared, of, |labels, reading| {
                    if let Reading::Gauge(value) = reading {
                        observer.observe(*value, &attributes(labels));
                    }
                });
            };
            let _ = gauge.with_callback(observe).build();
        }
        MeterKind::Timer => {}
    }
}

fn each(shared: &Weak<Shared>, of: &'static Meter, observe: impl Fn(&Labels, &Reading)) {
    let Some(shared) = shared.upgrade() else { return };
    let families = shared.meters.collect_only(of);
    for (labels, reading) in families.iter().flat_map(Family::series) {
        observe(labels, reading);
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned())).collect()
}

/// The durations of one instance.
struct Durations {
    meter: OtelMeter,
    resolved: Resolved<Handle>,
}

/// An instrument, and the attributes of one series of it.
type Handle = (Histogram<f64>, Vec<KeyValue>);

impl Durations {
    fn of(watched: &Watched<'_>, meter: &OtelMeter) -> Option<Self> {
        let resolved = Resolved::of(watched, |series, labels| resolve(meter, series, labels))?;
        Some(Self { meter: meter.clone(), resolved })
    }
}

/// An instrument that is there already is found by its name.
fn resolve(meter: &OtelMeter, series: Series, labels: &Labels) -> Handle {
    let boundaries = BUCKETS.iter().map(std::time::Duration::as_secs_f64).collect();
    let histogram = meter.f64_histogram(series.metric).with_description(series.meter.help);
    let histogram = histogram.with_unit("s").with_boundaries(boundaries).build();
    (histogram, attributes(labels))
}

impl Observer for Durations {
    fn on_event(&self, event: &Event<'_>) {
        let Some((series, elapsed)) = Series::timed(&event.kind) else { return };
        let resolve = |series, labels: &Labels| resolve(&self.meter, series, labels);
        self.resolved.with(series, resolve, |(histogram, attributes)| {
            histogram.record(elapsed.as_secs_f64(), attributes);
        });
    }
}
