//! The pipeline, and layers over layers.

use std::time::Duration;

use seawall::testing::contract::Contract;
use seawall::*;
use tower::ServiceBuilder;

use super::support::*;

/// All steps, and a look at all of them.
fn pipeline(wait: Duration) -> (Pipeline, impl Fn() -> bool + Clone) {
    let (retry, budget) = retry(3, ms(20));
    let (bulkhead, limiter) = (bulkhead(1, wait), rate_limiter(1, ms(60_000)));
    let (timer, is_balanced) = timer();
    let pipeline = Pipeline::builder("all")
        .deadline(ms(600_000))
        .retry(retry)
        .circuit_breaker(breaker())
        .rate_limiter(limiter.clone())
        .time_limiter(time_limiter(ms(60_000)))
        .bulkhead(bulkhead.clone())
        .timer(timer)
        .build();
    let is_free = move || {
        is_empty(&bulkhead) && is_idle(&limiter) && budget.in_flight() == (0, 0) && is_balanced()
    };
    (pipeline.unwrap(), is_free)
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_all_steps() {
    for wait in [Duration::ZERO, ms(50), ms(60_000)] {
        Contract::new(|| pipeline(wait)).limits_time().check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn flat_pipeline() {
    Contract::new(|| {
        let (pipeline, is_free) = pipeline(ms(1_000));
        (pipeline.flat(), is_free)
    })
    .limits_time()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipeline_without_steps() {
    Contract::new(|| (Pipeline::builder("none").build().unwrap(), || true)).check().await;
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_retry() {
    for pause in [Duration::ZERO, ms(50)] {
        Contract::new(|| {
            let (retry, budget) = retry(3, pause);
            let pipeline = Pipeline::builder("one").retry(retry).build().unwrap();
            (pipeline, move || budget.in_flight() == (0, 0))
        })
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_circuit_breaker() {
    Contract::new(|| {
        let pipeline = Pipeline::builder("one").circuit_breaker(breaker()).build().unwrap();
        (pipeline, || true)
    })
    .check()
    .await;
    Contract::new(|| {
        let breaker = breaker();
        breaker.transition_to_forced_open();
        (Pipeline::builder("one").circuit_breaker(breaker).build().unwrap(), || true)
    })
    .refuses()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_time_limiter() {
    for timeout in [Duration::ZERO, ms(30_000)] {
        Contract::new(|| {
            let limiter = time_limiter(timeout);
            (Pipeline::builder("one").time_limiter(limiter).build().unwrap(), || true)
        })
        .limits_time()
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_deadline() {
    Contract::new(|| (Pipeline::builder("one").deadline(ms(30_000)).build().unwrap(), || true))
        .limits_time()
        .check()
        .await;
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_rate_limiter() {
    for timeout in [Duration::ZERO, ms(100), ms(1_000)] {
        Contract::new(|| {
            let limiter = rate_limiter(1, timeout);
            let pipeline = Pipeline::builder("one").rate_limiter(limiter.clone()).build().unwrap();
            (pipeline, move || is_idle(&limiter))
        })
        .recovers_after(ms(100))
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_bulkhead() {
    for wait in [Duration::ZERO, ms(50), Duration::MAX] {
        Contract::new(|| {
            let bulkhead = bulkhead(1, wait);
            let pipeline = Pipeline::builder("one").bulkhead(bulkhead.clone()).build().unwrap();
            (pipeline, move || is_empty(&bulkhead))
        })
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn pipeline_with_a_timer() {
    Contract::new(|| {
        let (timer, is_balanced) = timer();
        (Pipeline::builder("one").timer(timer).build().unwrap(), is_balanced)
    })
    .check()
    .await;
}

/// Attempts that fail with a response: the pipeline makes an error of that, and must let go of all.
#[tokio::test(start_paused = true)]
async fn pipeline_that_makes_exhaustion_an_error() {
    Contract::new(|| {
        let budget = RetryBudget::new(1.0, 100).unwrap();
        let config = RetryConfig::builder()
            .max_attempts(2)
            .backoff(Backoff::fixed(Duration::ZERO))
            .fail_after_max_attempts(true)
            .budget(budget.clone());
        let bulkhead = bulkhead(1, Duration::MAX);
        let pipeline = Pipeline::builder("all")
            .retry(config)
            .bulkhead(bulkhead.clone())
            .classifier(|_: &Result<u32, Error<_>>| Verdict::failure(Cause::Other))
            .build();
        (pipeline.unwrap(), move || is_empty(&bulkhead) && budget.in_flight() == (0, 0))
    })
    // The backend answers, and every answer is bad.
    .may_panic()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn stack_of_all() {
    for wait in [Duration::ZERO, ms(50), Duration::MAX] {
        Contract::new(|| {
            let (retry, budget) = retry(3, ms(20));
            let (bulkhead, limiter) = (bulkhead(1, wait), rate_limiter(1, ms(60_000)));
            let (timer, is_balanced) = timer();
            let layer = ServiceBuilder::new()
                .layer(RetryLayer::new(retry))
                .layer(CircuitBreakerLayer::new(half_open_breaker()))
                .layer(RateLimiterLayer::new(limiter.clone()))
                .layer(TimeLimiterLayer::new(time_limiter(ms(60_000))))
                .layer(BulkheadLayer::new(bulkhead.clone()))
                .layer(TimerLayer::new(timer))
                .layer(ErrorLayer);
            let is_free = move || {
                is_empty(&bulkhead)
                    && is_idle(&limiter)
                    && budget.in_flight() == (0, 0)
                    && is_balanced()
            };
            (layer, is_free)
        })
        .limits_time()
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn bulkhead_over_bulkhead() {
    Contract::new(|| {
        let (outer, inner) = (bulkhead(2, ms(500)), bulkhead(1, ms(300)));
        let layer = ServiceBuilder::new()
            .layer(BulkheadLayer::new(outer.clone()))
            .layer(BulkheadLayer::new(inner.clone()));
        (layer, move || is_empty(&outer) && is_empty(&inner))
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn retry_in_retry() {
    Contract::new(|| {
        let ((outer, all), (inner, some)) = (retry(2, ms(30)), retry(2, Duration::ZERO));
        let layer =
            ServiceBuilder::new().layer(RetryLayer::new(outer)).layer(RetryLayer::new(inner));
        (layer, move || all.in_flight() == (0, 0) && some.in_flight() == (0, 0))
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipeline_in_pipeline() {
    Contract::new(|| {
        let ((outer, is_free), (inner, inner_is_free)) = (pipeline(ms(100)), pipeline(ms(200)));
        let layer = ServiceBuilder::new().layer(outer.flat()).layer(inner);
        (layer, move || is_free() && inner_is_free())
    })
    .limits_time()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn open_circuit_in_a_retry() {
    Contract::new(|| {
        let breaker = breaker();
        breaker.transition_to_forced_open();
        let (retry, budget) = retry(3, ms(20));
        let layer = ServiceBuilder::new()
            .layer(RetryLayer::new(retry))
            .layer(CircuitBreakerLayer::new(breaker));
        (layer, move || budget.in_flight() == (0, 0))
    })
    .refuses()
    .check()
    .await;
}
