//! Keyed groups: one series, however many keys.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seawall::keyed::Keyed;
use seawall::telemetry::Meters;
use seawall::telemetry::meters::Reading;
use seawall::{
    Cause, CircuitBreaker, CircuitBreakerConfig, Pipeline, Registry, RetryConfig,
    TimeLimiterConfig, Timer, TimerConfig,
};
use tokio::time::advance;

use crate::strict;
use crate::support::{number, reading, reading_of};

fn hosts(most: usize) -> Keyed<CircuitBreaker> {
    Keyed::<CircuitBreaker>::builder("hosts")
        .max_entries(most)
        .build(|host| Ok(CircuitBreaker::new(host, CircuitBreakerConfig::default())))
        .unwrap()
}

fn successes(meters: &Meters) -> u64 {
    match reading(&meters.collect(), "circuitbreaker.calls", &[("kind", "successful")]) {
        Some(Reading::Timer(timing)) => timing.count(),
        other => panic!("{other:?}"),
    }
}

fn refused(meters: &Meters) -> f64 {
    number(meters, "circuitbreaker.not.permitted.calls", &[])
}

#[tokio::test(start_paused = true)]
async fn rg10_a_group_is_one_series_whose_counts_survive_evictions() {
    let hosts = hosts(64);
    let meters = Meters::new();
    meters.watch_group(&hosts.group());
    for key in 0..500 {
        let breaker = hosts.get(&format!("host-{key}"));
        breaker.try_acquire().unwrap().success();
        breaker.transition_to_forced_open();
        breaker.try_acquire().unwrap_err();
        breaker.transition_to_closed().unwrap();
        drop(breaker);
        assert_eq!(refused(&meters), f64::from(key + 1));
    }
    assert!(hosts.stats().evicted_for_room > 400, "{:?}", hosts.stats());
    assert_eq!((successes(&meters), refused(&meters)), (500, 500.0));
    let samples = strict::parse(&meters.prometheus());
    assert!(
        samples.iter().filter_map(|sample| sample.labels.get("name")).all(|name| name == "hosts")
    );
    assert!(samples.len() < 80, "{} series", samples.len());

    let open = || number(&meters, "circuitbreaker.state", &[("state", "forced_open")]);
    hosts.get("host-1").transition_to_forced_open();
    hosts.get("host-2").transition_to_forced_open();
    assert_eq!(open(), 2.0);
    advance(Duration::from_secs(3600)).await;
    hosts.get("host-1").transition_to_closed().unwrap();
    hosts.evict_idle();
    assert_eq!((open(), refused(&meters)), (1.0, 500.0));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_per_key_counts_in_all_its_patterns() {
    let pipelines = Keyed::<Pipeline>::builder("hosts").max_entries(4).build(|host| {
        Pipeline::builder(host)
            .retry(RetryConfig::builder())
            .time_limiter(TimeLimiterConfig::builder())
            .timer(TimerConfig::builder())
            .build()
    });
    let pipelines = pipelines.unwrap();
    let registry = Registry::new();
    let meters = Meters::of(&registry);
    registry.add_keyed(&pipelines);
    for key in 0..20 {
        let pipeline = pipelines.get(&format!("host-{key}"));
        pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    }
    let once = [("kind", "successful_without_retry")];
    assert_eq!(number(&meters, "retry.calls", &once), 20.0);
    assert_eq!(number(&meters, "retry.calls.by.attempts", &[("attempts", "1")]), 20.0);
    assert_eq!(number(&meters, "timelimiter.calls", &[("kind", "successful")]), 20.0);
    let timed = reading(&meters.collect(), "timer.calls", &[("kind", "successful")]);
    assert!(matches!(timed, Some(Reading::Timer(timing)) if timing.count() == 20), "{timed:?}");
    assert!(!meters.prometheus().contains("circuitbreaker"), "there is none");
    drop(pipelines);
    assert!(!meters.prometheus().contains("hosts"));
}

#[tokio::test(start_paused = true)]
async fn rg10_of_timers_that_are_evicted_the_sums_stay() {
    let own = TimerConfig::builder().metric_names("timer.tests.keyed").build().unwrap();
    let timers = Keyed::<Timer>::builder("hosts")
        .max_entries(16)
        .build(move |host| Ok(Timer::new(host, own.clone())))
        .unwrap();
    let meters = Meters::new();
    meters.watch_group(&timers.group());
    let of = |labels: &[_]| match reading_of(&meters.collect(), "timer.tests.keyed", labels) {
        Some(Reading::Timer(timing)) => (timing.count(), timing.sum()),
        other => panic!("{labels:?}: {other:?}"),
    };
    for key in 1..=200_u32 {
        let timer = timers.get(&format!("host-{key}"));
        let (good, bad) = (timer.start(), timer.start());
        advance(Duration::from_millis(3)).await;
        good.success();
        bad.failure(if key % 2 == 0 { Cause::Timeout } else { Cause::Reset });
        drop(timer);
        assert_eq!(of(&[("kind", "successful")]), (key.into(), Duration::from_millis(3) * key));
    }
    assert!(timers.stats().evicted_for_room > 100, "{:?}", timers.stats());
    for failure in ["timeout", "reset"] {
        let of = of(&[("kind", "failed"), ("failure", failure)]);
        assert_eq!(of, (100, Duration::from_millis(300)));
    }
    let samples = strict::parse(&meters.prometheus());
    let names: Vec<_> = samples.iter().filter_map(|sample| sample.labels.get("name")).collect();
    assert!(names.iter().all(|name| *name == "hosts"));
    assert!(samples.len() < 80, "{} series", samples.len());
    assert!(!meters.prometheus().contains("circuitbreaker"), "there is none");
}

#[tokio::test(start_paused = true)]
async fn what_all_keys_share_is_not_counted_with_each() {
    let shared = seawall::Retry::with_defaults("all");
    let pipelines = {
        let shared = shared.clone();
        Keyed::new("hosts", move |host| Pipeline::builder(host).retry(shared.clone()).build())
    };
    let pipelines = pipelines.unwrap();
    let meters = Meters::new();
    meters.watch_group(&pipelines.group());
    meters.watch(&shared);
    for key in ["a", "b", "c"] {
        let pipeline = pipelines.get(key);
        pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    }
    let once = [("kind", "successful_without_retry")];
    assert_eq!(number(&meters, "retry.calls", &once), 3.0);
}

#[test]
fn counts_never_fall_while_keys_come_and_go() {
    let hosts = hosts(8);
    let meters = Meters::new();
    meters.watch_group(&hosts.group());
    let done = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let (hosts, done) = (&hosts, &done);
                scope.spawn(move || {
                    let mut made = 0_u32;
                    while !done.load(Ordering::Relaxed) {
                        let breaker = hosts.get(&format!("{worker}-{}", made % 50));
                        breaker.transition_to_forced_open();
                        // The other may have closed it, if both share the one for overflow.
                        made += u32::from(breaker.try_acquire().is_err());
                        breaker.transition_to_closed().unwrap();
                    }
                    made
                })
            })
            .collect();
        let mut last = 0.0;
        for _ in 0..300 {
            let now = refused(&meters);
            assert!(now >= last, "{last} and then {now}");
            last = now;
        }
        done.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u32>()
    });
    assert_eq!(refused(&meters), f64::from(made));
}
