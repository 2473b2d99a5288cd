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
use seawall::telemetry::Meters;
use seawall::telemetry::metrics::Publisher;
use seawall::{Cause, CircuitBreaker, Timer, TimerConfig};

use crate::support::{Shop, broken, ms};

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

#[tokio::test(start_paused = true)]
async fn a_timers_calls_are_told_under_its_own_name_with_what_they_failed_by() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _local = metrics::set_default_local_recorder(&recorder);
    let shop = Shop::new();
    let own = TimerConfig::builder().metric_names("timer.tests.facade").build().unwrap();
    let named = Timer::new("stock", own.clone());
    shop.meters.watch(&named);
    let _publisher = Publisher::new(&shop.meters);
    for timer in [&shop.timer, &named] {
        for took in [1, 2] {
            let measurement = timer.start();
            tokio::time::advance(ms(took)).await;
            measurement.success();
        }
        timer.start().failure(Cause::Grpc(14));
        drop(timer.start());
    }
    shop.timer.update(own);
    shop.timer.start().failure(Cause::Timeout);

    let all: Vec<_> = snapshotter.snapshot().into_vec();
    let of = |metric: &str, name: &str, kind: &str, failure: &str| {
        let labels = [("name", name), ("kind", kind), ("failure", failure)];
        let found = all.iter().find(|(key, ..)| {
            let found = key.key().labels().map(|label| (label.key(), label.value()));
            key.key().name() == metric && found.eq(labels)
        });
        found.map(|(_, unit, help, value)| {
            // Like every other that is in the list.
            assert_eq!(*unit, Some(metrics::Unit::Seconds), "{metric}");
            assert!(help.as_ref().is_some_and(|help| help.contains("how long they took")));
            let DebugValue::Histogram(durations) = value else { panic!("{metric}: {value:?}") };
            durations.iter().map(|it| it.0).collect::<Vec<_>>()
        })
    };
    for (metric, name) in [("resilience4j.timer.calls", "orders"), ("timer.tests.facade", "stock")]
    {
        assert_eq!(of(metric, name, "successful", ""), Some(vec![0.001, 0.002]));
        assert_eq!(of(metric, name, "failed", "grpc:unavailable"), Some(vec![0.0]));
        assert_eq!(of(metric, name, "failed", "cancelled"), Some(vec![0.0]));
    }
    assert_eq!(of("timer.tests.facade", "orders", "failed", "timeout"), Some(vec![0.0]));
    assert_eq!(of("resilience4j.timer.calls", "orders", "failed", "timeout"), None);
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
