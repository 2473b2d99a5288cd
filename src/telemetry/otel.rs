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

use super::meters::{BUCKETS, ENDS, ExporterId, Labels, METERS, Meter, MeterKind, Meters, Reading};
use super::meters::{Watched, labels_of_end, timed, timer_of};
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
        let histograms = METERS.iter().filter(|meter| meter.kind == MeterKind::Timer);
        let histograms: Vec<_> = histograms.map(|of| (*of, histogram(meter, of))).collect();
        let id = meters.export(move |watched| {
            let timer = timer_of(watched.step)?;
            let (_, histogram) = histograms.iter().find(|(of, _)| std::ptr::eq(*of, timer))?;
            Some(Arc::new(Durations::of(watched, histogram.clone())))
        });
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

fn histogram(meter: &OtelMeter, of: &'static Meter) -> Histogram<f64> {
    let boundaries = BUCKETS.iter().map(std::time::Duration::as_secs_f64).collect();
    let histogram = meter.f64_histogram(of.name).with_description(of.help).with_unit("s");
    histogram.with_boundaries(boundaries).build()
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
            drop(counter.with_callback(observe).build());
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
            drop(gauge.with_callback(observe).build());
        }
        MeterKind::Timer => {}
    }
}

fn each(shared: &Weak<Shared>, of: &'static Meter, observe: impl Fn(&Labels, &Reading)) {
    let Some(shared) = shared.upgrade() else { return };
    let families = shared.meters.collect_only(of);
    for (labels, reading) in families.iter().flat_map(|family| family.series()) {
        observe(labels, reading);
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned())).collect()
}

/// The durations of one instance, its attributes made.
struct Durations {
    histogram: Histogram<f64>,
    attributes: [Vec<KeyValue>; ENDS.len()],
}

impl Durations {
    fn of(watched: &Watched<'_>, histogram: Histogram<f64>) -> Self {
        let attributes = std::array::from_fn(|end| attributes(&labels_of_end(watched, end)));
        Self { histogram, attributes }
    }
}

impl Observer for Durations {
    fn on_event(&self, event: &Event<'_>) {
        if let Some((end, elapsed)) = timed(&event.kind) {
            self.histogram.record(elapsed.as_secs_f64(), &self.attributes[end]);
        }
    }
}
