//! The `metrics` facade.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use seawall::CircuitBreaker;
use seawall::telemetry::Meters;
use seawall::telemetry::metrics::Publisher;

use crate::support::{Shop, broken};

/// Counters and histograms begin anew with each look.
fn look(snapshotter: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    all.map(|(key, _, _, value)| {
        let key = key.key();
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    })
    .collect()
}

fn gauge(values: &BTreeMap<String, DebugValue>, key: &str) -> f64 {
    match values.get(key) {
        Some(DebugValue::Gauge(value)) => value.0,
        other => panic!("{key}: {other:?}"),
    }
}

fn counter(values: &BTreeMap<String, DebugValue>, key: &str) -> u64 {
    match values.get(key) {
        Some(DebugValue::Counter(value)) => *value,
        other => panic!("{key}: {other:?}"),
    }
}

const STATE: &str = "resilience4j.circuitbreaker.state{name=orders,state=";
const REFUSED: &str =
    "resilience4j.circuitbreaker.not.permitted.calls{name=orders,kind=not_permitted}";

#[tokio::test]
async fn durations_are_told_at_once_and_the_rest_when_published() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let shop = Shop::new();
    let publisher = with_local_recorder(&recorder, || Publisher::new(&shop.meters));
    shop.breaker.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    shop.breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();

    let values = look(&snapshotter);
    for kind in ["successful", "failed"] {
        let key = format!("resilience4j.circuitbreaker.calls{{name=orders,kind={kind}}}");
        let Some(DebugValue::Histogram(durations)) = values.get(&key) else { panic!("{values:?}") };
        assert_eq!(durations.len(), 1, "{kind}");
    }
    assert!(!values.keys().any(|key| key.starts_with(STATE)), "not published yet");

    shop.breaker.transition_to_open().unwrap();
    shop.breaker.try_acquire().unwrap_err();
    with_local_recorder(&recorder, || publisher.publish());
    let values = look(&snapshotter);
    assert_eq!(gauge(&values, &format!("{STATE}open}}")), 1.0);
    assert_eq!(gauge(&values, &format!("{STATE}closed}}")), 0.0);
    assert_eq!(counter(&values, REFUSED), 1);
    assert_eq!(
        gauge(&values, "resilience4j.bulkhead.max.allowed.concurrent.calls{name=orders}"),
        25.0
    );

    // What was published is not published again.
    shop.breaker.try_acquire().unwrap_err();
    shop.breaker.try_acquire().unwrap_err();
    with_local_recorder(&recorder, || publisher.publish());
    assert_eq!(counter(&look(&snapshotter), REFUSED), 2);
    with_local_recorder(&recorder, || publisher.publish());
    assert_eq!(counter(&look(&snapshotter), REFUSED), 0);
}

#[tokio::test]
async fn rg08_gauges_of_what_is_gone_fall_to_zero_and_another_of_its_name_counts_on() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let meters = Meters::new();
    with_local_recorder(&recorder, || {
        let publisher = Publisher::new(&meters);
        let first = CircuitBreaker::with_defaults("orders");
        meters.watch(&first);
        first.transition_to_forced_open();
        for _ in 0..5 {
            first.try_acquire().unwrap_err();
        }
        publisher.publish();
        // Not looked at in between, since a look would set the gauges to zero by itself.
        assert!(meters.forget(&first));
        publisher.publish();
        let values = look(&snapshotter);
        assert_eq!(gauge(&values, &format!("{STATE}forced_open}}")), 0.0);
        assert_eq!(counter(&values, REFUSED), 5);

        let second = CircuitBreaker::with_defaults("orders");
        meters.watch(&second);
        second.transition_to_forced_open();
        second.try_acquire().unwrap_err();
        publisher.publish();
        let values = look(&snapshotter);
        assert_eq!(gauge(&values, &format!("{STATE}forced_open}}")), 1.0);
        assert_eq!(counter(&values, REFUSED), 1);

        // One that takes its place at once begins anew, and with less than was published before.
        second.try_acquire().unwrap_err();
        publisher.publish();
        meters.forget(&second);
        let third = CircuitBreaker::with_defaults("orders");
        meters.watch(&third);
        third.transition_to_forced_open();
        third.try_acquire().unwrap_err();
        look(&snapshotter);
        publisher.publish();
        assert_eq!(counter(&look(&snapshotter), REFUSED), 1);
    });
}

#[tokio::test]
async fn a_publisher_that_is_dropped_hears_no_more() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let Shop { breaker, meters, .. } = Shop::new();
    let publisher = with_local_recorder(&recorder, || Publisher::new(&meters));
    drop(publisher);
    breaker.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    let told = look(&snapshotter)
        .into_values()
        .any(|value| matches!(value, DebugValue::Histogram(durations) if !durations.is_empty()));
    assert!(!told);
}

#[tokio::test(start_paused = true)]
async fn it_publishes_every_so_often() {
    let recorder: &'static _ = Box::leak(Box::new(DebuggingRecorder::new()));
    let snapshotter = recorder.snapshotter();
    let _local = metrics::set_default_local_recorder(recorder);
    let Shop { breaker, meters, .. } = Shop::new();
    let run = Publisher::new(&meters).run(std::time::Duration::from_secs(10));
    let mut run = tokio_test::task::spawn(run);
    assert!(run.poll().is_pending());
    look(&snapshotter);
    breaker.transition_to_forced_open();
    breaker.try_acquire().unwrap_err();
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    assert!(run.is_woken());
    assert!(run.poll().is_pending());
    assert_eq!(counter(&look(&snapshotter), REFUSED), 1);
}

/// Of counters: how much they were told, and a moment at which they panic. All else is taken in and forgotten.
#[derive(Default)]
struct Told {
    sum: AtomicU64,
    breaks: AtomicBool,
}

impl CounterFn for Told {
    fn increment(&self, value: u64) {
        // Whoever else wants to publish has time for it.
        std::thread::yield_now();
        self.sum.fetch_add(value, Ordering::Relaxed);
        assert!(!self.breaks.swap(false, Ordering::Relaxed), "the recorder's own fault");
    }

    fn absolute(&self, _: u64) {}
}

struct Teller(Arc<Told>);

impl Recorder for Teller {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let wanted = key.name() == "resilience4j.circuitbreaker.not.permitted.calls";
        if wanted { Counter::from_arc(self.0.clone()) } else { Counter::noop() }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn a_recorder_that_panics_has_nothing_told_twice() {
    let told = Arc::new(Told::default());
    let meters = Meters::new();
    let breaker = CircuitBreaker::with_defaults("orders");
    meters.watch(&breaker);
    breaker.transition_to_forced_open();
    breaker.try_acquire().unwrap_err();
    with_local_recorder(&Teller(told.clone()), || {
        let publisher = Publisher::new(&meters);
        publisher.publish();
        breaker.try_acquire().unwrap_err();
        told.breaks.store(true, Ordering::Relaxed);
        catch_unwind(AssertUnwindSafe(|| publisher.publish())).unwrap_err();
        breaker.try_acquire().unwrap_err();
        publisher.publish();
    });
    assert_eq!(told.sum.load(Ordering::Relaxed), 3);
}

#[test]
fn publishing_at_the_same_time_tells_nothing_twice() {
    let told = Arc::new(Told::default());
    let meters = Meters::new();
    let breaker = CircuitBreaker::with_defaults("orders");
    meters.watch(&breaker);
    breaker.transition_to_forced_open();
    let publisher = with_local_recorder(&Teller(told.clone()), || Publisher::new(&meters));
    const EACH: u64 = 300;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                with_local_recorder(&Teller(told.clone()), || {
                    for _ in 0..EACH {
                        breaker.try_acquire().unwrap_err();
                        publisher.publish();
                    }
                });
            });
        }
    });
    with_local_recorder(&Teller(told.clone()), || publisher.publish());
    assert_eq!(told.sum.load(Ordering::Relaxed), 4 * EACH);
}
