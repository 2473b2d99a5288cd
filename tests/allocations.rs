//! The success path allocates nothing, and neither does a refusal.
//!
//! The cases are those of the benches: a new one there is held to this here.

#[path = "support/alloc.rs"]
mod alloc;
#[path = "../benches/cases/mod.rs"]
mod cases;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloc::allocations;
use cases::{Case, Immediate};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use seawall::telemetry::Meters;
use seawall::telemetry::metrics::Publisher;

const CALLS: u64 = 1000;

/// Allocations in [`CALLS`] calls, once everything lazy has come to be and the windows are full.
fn counted(case: &mut Case) -> u64 {
    case.run(CALLS);
    allocations(|| case.run(CALLS))
}

#[tokio::test]
async fn a_call_allocates_nothing() {
    let counts = cases::all().into_iter().map(|mut case| (case.name, counted(&mut case)));
    let guilty: Vec<_> = counts.filter(|&(_, count)| count > 0).collect();
    assert!(guilty.is_empty(), "allocations in {CALLS} calls: {guilty:?}");
}

/// A recorder of the `metrics` facade that adds up, as those of real exporters do, and takes no memory for that.
#[derive(Debug, Default)]
struct Sums {
    durations: Arc<Sum>,
}

#[derive(Debug, Default)]
struct Sum(AtomicU64);

impl HistogramFn for Sum {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Sums {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.durations.clone())
    }
}

#[tokio::test]
async fn a_call_that_the_facade_hears_of_allocates_nothing() {
    let recorder = Sums::default();
    let pipeline = seawall::Pipeline::builder("watched")
        .retry(seawall::RetryConfig::builder())
        .circuit_breaker(seawall::CircuitBreakerConfig::builder())
        .rate_limiter(seawall::RateLimiterConfig::builder())
        .time_limiter(seawall::TimeLimiterConfig::builder())
        .bulkhead(seawall::BulkheadConfig::builder())
        .timer(seawall::TimerConfig::builder())
        .build()
        .unwrap();
    let meters = Meters::new();
    meters.watch_pipeline(&pipeline);
    // A timer's series are resolved when they come up.
    let local = metrics::set_default_local_recorder(&recorder);
    let publisher = Publisher::new(&meters);
    let service = tower::Layer::layer(&pipeline.flat(), Immediate);
    assert_eq!(counted(&mut Case::service("facade", service)), 0);
    // The circuit breaker's and the timer's.
    assert_eq!(recorder.durations.0.load(Ordering::Relaxed), 2 * 2 * CALLS, "it did hear of them");
    drop((publisher, local));
}

#[tokio::test]
async fn the_counter_counts() {
    let mut boxed = Case::service("box", tower::util::BoxService::new(Immediate));
    assert_eq!(counted(&mut boxed), CALLS);
    assert_eq!(allocations(|| drop(black_box(Vec::<u8>::with_capacity(9)))), 1);
    let other_thread = || {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(black_box(vec![1; 9])));
        });
    };
    // Starting a thread allocates here; what the thread does is not counted.
    let idle_thread = || std::thread::scope(|scope| drop(scope.spawn(|| {})));
    assert_eq!(allocations(other_thread), allocations(idle_thread));
}
