//! Instances come and go.

use seawall::telemetry::{Event, Meters};
use seawall::{CircuitBreaker, Pipeline, Retry, RetryConfig, TimeLimiterConfig, TimerConfig};

use crate::strict;
use crate::support::{number, reading};

fn calls(breaker: &CircuitBreaker, count: u32) {
    for _ in 0..count {
        breaker.try_acquire().unwrap().success();
    }
}

#[tokio::test]
async fn rg08_a_forgotten_instances_meters_vanish() {
    let meters = Meters::new();
    let (orders, stock) =
        (CircuitBreaker::with_defaults("orders"), CircuitBreaker::with_defaults("stock"));
    meters.watch(&orders);
    meters.watch(&stock);
    assert!(meters.prometheus().contains("orders"));
    assert!(meters.forget(&orders));
    assert!(!meters.forget(&orders));
    let text = meters.prometheus();
    assert!(!text.contains("orders") && text.contains("stock"));
    // Whoever holds it goes on.
    calls(&orders, 1);
    assert_eq!(orders.counters().successful, 1);
}

#[tokio::test]
async fn meters_end_with_the_last_handle() {
    let meters = Meters::new();
    let breaker = CircuitBreaker::with_defaults("orders");
    meters.watch(&breaker);
    let clone = breaker.clone();
    drop(breaker);
    assert!(meters.prometheus().contains("orders"));
    drop(clone);
    assert!(!meters.prometheus().contains("orders"));
    assert_eq!(format!("{meters:?}"), "Meters { watched: 0 }");
}

#[tokio::test]
async fn watched_twice_counts_once() {
    let meters = Meters::new();
    let breaker = CircuitBreaker::with_defaults("orders");
    meters.watch(&breaker);
    meters.watch(&breaker.clone());
    calls(&breaker, 2);
    let Some(seawall::telemetry::meters::Reading::Timer(timing)) =
        reading(&meters.collect(), "circuitbreaker.calls", &[("kind", "successful")])
    else {
        panic!("no timer")
    };
    assert_eq!(timing.count(), 2);
}

#[tokio::test]
async fn nobody_listens_once_it_is_forgotten_or_the_meters_are_gone() {
    let breaker = CircuitBreaker::with_defaults("orders");
    let listens = || format!("{breaker:?}").contains("orders") && breaker.counters().successful > 0;
    let meters = Meters::new();
    meters.watch(&breaker);
    calls(&breaker, 3);
    assert!(listens());
    meters.forget(&breaker);
    calls(&breaker, 3);
    // Anew: what it counts begins at zero, so it was not counted in between.
    meters.watch(&breaker);
    let count = |meters: &Meters| match reading(
        &meters.collect(),
        "circuitbreaker.calls",
        &[("kind", "successful")],
    ) {
        Some(seawall::telemetry::meters::Reading::Timer(timing)) => timing.count(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(&meters), 0);
    calls(&breaker, 1);
    let clone = meters.clone();
    drop(meters);
    assert_eq!(count(&clone), 1);
}

#[tokio::test]
async fn rg10_what_a_group_has_counted_stays_when_a_member_goes() {
    let meters = Meters::new();
    let member = || {
        let breaker = CircuitBreaker::with_defaults("hosts");
        meters.watch(&breaker);
        breaker
    };
    let (one, other) = (member(), member());
    one.transition_to_forced_open();
    for _ in 0..3 {
        one.try_acquire().unwrap_err();
    }
    calls(&other, 2);
    let refused = || number(&meters, "circuitbreaker.not.permitted.calls", &[]);
    let open = || number(&meters, "circuitbreaker.state", &[("state", "forced_open")]);
    assert_eq!((refused(), open()), (3.0, 1.0));
    assert!(meters.retire(&one));
    assert!(!meters.retire(&one));
    assert_eq!((refused(), open()), (3.0, 0.0), "what only grows stays, a state does not");
    let third = member();
    third.transition_to_forced_open();
    third.try_acquire().unwrap_err();
    assert_eq!((refused(), open()), (4.0, 1.0));
}

#[tokio::test]
async fn tags_may_differ_between_instances() {
    let meters = Meters::new();
    let names = ["orders", "stock", "users"].map(CircuitBreaker::with_defaults);
    meters.watch_with(&names[0], [("team", "shop"), ("zone", "a")]);
    meters.watch_with(&names[1], [("owner", "bob")]);
    meters.watch(&names[2]);
    let samples = strict::parse(&meters.prometheus());
    let of = |name: &str| {
        let series = samples.iter().find(|sample| {
            sample.name == "resilience4j_circuitbreaker_failure_rate"
                && sample.labels.get("name").is_some_and(|is| is == name)
        });
        series.map(|sample| sample.labels.len())
    };
    assert_eq!((of("orders"), of("stock"), of("users")), (Some(3), Some(2), Some(1)));
}

#[tokio::test]
async fn a_pipelines_steps_are_watched_at_once() {
    let pipeline = Pipeline::builder("orders")
        .retry(RetryConfig::builder())
        .time_limiter(TimeLimiterConfig::builder())
        .timer(TimerConfig::builder())
        .build()
        .unwrap();
    let meters = Meters::new();
    meters.watch_pipeline(&pipeline);
    pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    let kind = [("kind", "successful")];
    assert_eq!(number(&meters, "timelimiter.calls", &kind), 1.0);
    assert!(reading(&meters.collect(), "timer.calls", &kind).is_some());
    let kind = [("kind", "successful_without_retry")];
    assert_eq!(number(&meters, "retry.calls", &kind), 1.0);
}

/// An observer may come back to the meters while they are read, and an open wait may be a user's function.
#[tokio::test]
async fn a_users_function_may_look_at_the_meters() {
    let meters = Meters::new();
    let breaker = CircuitBreaker::with_defaults("orders");
    meters.watch(&breaker);
    let (seen, again) =
        (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), meters.clone());
    let count = seen.clone();
    breaker.observe(move |_: &Event<'_>| {
        count.fetch_add(again.prometheus().len(), std::sync::atomic::Ordering::Relaxed);
    });
    calls(&breaker, 1);
    assert!(seen.load(std::sync::atomic::Ordering::Relaxed) > 0);
    drop(Retry::with_defaults("orders"));
}
