//! What the meters count.

use seawall::telemetry::meters::Reading;
use seawall::{BulkheadConfig, Cause, CircuitBreaker, RetryBudget, RetryConfig, Verdict};

use crate::support::{Shop, broken, ms, number, reading};

#[tokio::test(start_paused = true)]
async fn a_breaker_times_its_calls_by_outcome() {
    let Shop { breaker, meters, .. } = Shop::new();
    for took in [3, 40] {
        let call = breaker.call(async {
            tokio::time::sleep(ms(took)).await;
            Ok::<_, std::io::Error>(())
        });
        call.await.unwrap();
    }
    breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    breaker.try_acquire().unwrap().record(&Verdict::ignored(Cause::Other));

    let of = |kind| match reading(&meters.collect(), "circuitbreaker.calls", &[("kind", kind)]) {
        Some(Reading::Timer(timing)) => timing,
        other => panic!("{kind}: {other:?}"),
    };
    assert_eq!((of("successful").count(), of("failed").count(), of("ignored").count()), (2, 1, 1));
    assert_eq!((of("successful").sum(), of("successful").max()), (ms(43), ms(40)));
    let within = |end| of("successful").cumulative().find(|(is, _)| *is == Some(end)).unwrap().1;
    assert_eq!(
        (within(ms(2) + ms(1) / 2), within(ms(5)), within(ms(25)), within(ms(50))),
        (0, 1, 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_breaker_shows_state_window_and_refusals() {
    let Shop { breaker, meters, .. } = Shop::new();
    breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    breaker.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    let gauge = |meter, labels: &[_]| number(&meters, &format!("circuitbreaker.{meter}"), labels);
    assert_eq!(gauge("buffered.calls", &[("kind", "failed")]), 1.0);
    assert_eq!(gauge("buffered.calls", &[("kind", "successful")]), 1.0);
    assert_eq!(gauge("failure.rate", &[]), -1.0, "below the minimum number of calls");

    breaker.transition_to_open().unwrap();
    breaker.try_acquire().unwrap_err();
    breaker.try_acquire().unwrap_err();
    assert_eq!(gauge("not.permitted.calls", &[("kind", "not_permitted")]), 2.0);
    for state in ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"] {
        let expected = if state == "open" { 1.0 } else { 0.0 };
        assert_eq!(gauge("state", &[("state", state)]), expected, "{state}");
    }
    breaker.transition_to_half_open().unwrap();
    assert_eq!(gauge("state", &[("state", "half_open")]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_counts_who_is_let_in_and_who_is_not() {
    let Shop { bulkhead, pool, meters, .. } = Shop::new();
    bulkhead.change_max_concurrent_calls(1).unwrap();
    let permit = bulkhead.try_acquire().unwrap();
    bulkhead.try_acquire().unwrap_err();
    bulkhead.try_acquire().unwrap_err();
    let _place = pool.try_acquire().unwrap();
    let of = |meter, labels: &[_]| number(&meters, &format!("bulkhead.{meter}"), labels);
    assert_eq!(of("available.concurrent.calls", &[]), 0.0);
    assert_eq!(of("max.allowed.concurrent.calls", &[]), 1.0);
    // The pool of the same name counts in the same series.
    assert_eq!(of("calls", &[("kind", "permitted")]), 2.0);
    assert_eq!(of("calls", &[("kind", "rejected")]), 2.0);
    assert_eq!(of("queue.depth", &[]), 0.0);
    assert_eq!(of("queue.capacity", &[]), 100.0);
    assert_eq!(of("core.thread.pool.size", &[]), 2.0);
    assert_eq!(of("max.thread.pool.size", &[]), 4.0);
    assert_eq!((of("active.thread.count", &[]), of("thread.pool.size", &[])), (1.0, 1.0));
    assert_eq!(of("available.thread.count", &[]), 3.0);
    drop(permit);
    assert_eq!(of("available.concurrent.calls", &[]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_limiter_counts_what_it_grants_refuses_and_drains() {
    let Shop { limiter, meters, .. } = Shop::new();
    limiter.try_acquire(3).unwrap();
    limiter.try_acquire(1000).unwrap_err();
    let of = |meter, labels: &[_]| number(&meters, &format!("ratelimiter.{meter}"), labels);
    assert_eq!(of("calls", &[("kind", "successful")]), 1.0);
    assert_eq!(of("calls", &[("kind", "failed")]), 1.0);
    let left = of("available.permissions", &[]);
    assert_eq!(f64::from(limiter.drain()), left);
    assert_eq!(of("drained.permissions", &[]), left);
    assert_eq!(of("waiting_threads", &[]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_retry_counts_calls_by_their_attempts() {
    let shop = Shop::new();
    let calls = |retry: &seawall::Retry, fails: u32| {
        let (retry, mut left) = (retry.clone(), fails);
        async move {
            let call = retry.call(|| {
                left = left.saturating_sub(1);
                let result = if left > 0 { Err(broken()) } else { Ok(()) };
                async { result }
            });
            call.await.is_ok()
        }
    };
    assert!(calls(&shop.retry, 0).await);
    assert!(calls(&shop.retry, 2).await);
    assert!(calls(&shop.retry, 3).await);
    assert!(!calls(&shop.retry, 9).await);
    let many = RetryConfig::builder().max_attempts(9).build().unwrap();
    let many = seawall::Retry::new("orders", many);
    shop.meters.watch(&many);
    assert!(calls(&many, 5).await);
    assert!(calls(&many, 8).await);

    let of = |labels: &[_]| number(&shop.meters, "retry.calls.by.attempts", labels);
    let counts = ["1", "2", "3", "4", "5", "more"].map(|attempts| of(&[("attempts", attempts)]));
    assert_eq!(counts, [1.0, 1.0, 2.0, 0.0, 1.0, 1.0]);
    assert_eq!(number(&shop.meters, "retry.retries", &[]), f64::from(1 + 2 + 2 + 4 + 7));
    let of = |kind| number(&shop.meters, "retry.calls", &[("kind", kind)]);
    assert_eq!((of("successful_with_retry"), of("failed_with_retry")), (4.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_retried_after_a_retry_has_its_attempts_too() {
    let config = RetryConfig::builder().retry_when(|context| context.attempt.get() < 2);
    let retry = seawall::Retry::new("orders", config.build().unwrap());
    retry.call(|| async { Err::<(), _>(broken()) }).await.unwrap_err();
    assert_eq!(retry.metrics().by_attempts, [0, 1, 0, 0, 0, 0]);
    assert_eq!(retry.metrics().failed_without_retry, 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_refuses_is_counted() {
    let budget = RetryBudget::tokens().capacity(10).retry_cost(10).build().unwrap();
    let config = RetryConfig::builder().budget(budget).build().unwrap();
    let retry = seawall::Retry::new("orders", config);
    let meters = seawall::telemetry::Meters::new();
    meters.watch(&retry);
    retry.call(|| async { Err::<(), _>(broken()) }).await.unwrap_err();
    assert_eq!(number(&meters, "retry.budget.refused.calls", &[]), 1.0);
    assert_eq!(number(&meters, "retry.calls.by.attempts", &[("attempts", "2")]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_time_limiter_counts_by_how_calls_end() {
    let Shop { time_limiter, meters, .. } = Shop::new();
    time_limiter.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    time_limiter.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    let hangs = std::future::pending::<Result<(), std::io::Error>>();
    time_limiter.call(hangs).await.unwrap_err();
    let of = |kind| number(&meters, "timelimiter.calls", &[("kind", kind)]);
    assert_eq!((of("successful"), of("failed"), of("timeout")), (1.0, 1.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn settings_changed_by_hand_show_at_once() {
    let Shop { bulkhead, meters, .. } = Shop::new();
    bulkhead.change_max_concurrent_calls(7).unwrap();
    assert_eq!(number(&meters, "bulkhead.max.allowed.concurrent.calls", &[]), 7.0);
    assert_eq!(BulkheadConfig::default().max_concurrent_calls(), 25);
}

#[tokio::test(start_paused = true)]
async fn instances_of_one_name_are_one_series() {
    let meters = seawall::telemetry::Meters::new();
    let both = [CircuitBreaker::with_defaults("host"), CircuitBreaker::with_defaults("host")];
    both.iter().for_each(|breaker| meters.watch(breaker));
    both[0].transition_to_open().unwrap();
    for breaker in &both {
        let _ = breaker.call(async { Ok::<_, std::io::Error>(()) }).await;
    }
    let of = |state| number(&meters, "circuitbreaker.state", &[("state", state)]);
    assert_eq!((of("open"), of("closed"), of("half_open")), (1.0, 1.0, 0.0));
    assert_eq!(number(&meters, "circuitbreaker.buffered.calls", &[("kind", "successful")]), 1.0);
    assert_eq!(number(&meters, "circuitbreaker.failure.rate", &[]), -1.0, "a rate is no sum");
    crate::strict::parse(&meters.prometheus());
}
