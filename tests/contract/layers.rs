//! Each layer alone.

use std::borrow::Cow;
use std::time::Duration;

use seawall::keyed::{Key, Keyable, Keyed, KeyedLayer};
use seawall::testing::contract::Contract;
use seawall::*;

use super::support::*;

#[tokio::test(start_paused = true)]
async fn error_layer() {
    Contract::new(|| (ErrorLayer, || true)).check().await;
}

#[tokio::test(start_paused = true)]
async fn circuit_breaker_closed() {
    Contract::new(|| (CircuitBreakerLayer::new(breaker()), || true)).check().await;
}

#[tokio::test(start_paused = true)]
async fn circuit_breaker_half_open() {
    // Each trial that is given back can be taken again.
    Contract::new(|| {
        let config = CircuitBreakerConfig::builder()
            .permitted_calls_in_half_open(4)
            .minimum_number_of_calls(4)
            .failure_rate_threshold(100.0)
            .wait_duration_in_open_state(ms(1_000))
            .build();
        let breaker = CircuitBreaker::new("breaker", config.unwrap());
        breaker.transition_to_open().unwrap();
        breaker.transition_to_half_open().unwrap();
        let look = breaker.clone();
        let is_free = move || {
            use seawall::patterns::circuit_breaker::State;
            if look.state() != State::HalfOpen {
                return true;
            }
            // As many trials are left as have not been recorded.
            let left = 4 - look.metrics().buffered_calls;
            let taken: Vec<_> = std::iter::from_fn(|| look.try_acquire().ok()).take(10).collect();
            taken.len() as u64 == u64::from(left)
        };
        (CircuitBreakerLayer::new(breaker), is_free)
    })
    .recovers_after(ms(2_000))
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn circuit_breaker_open() {
    Contract::new(|| {
        let breaker = breaker();
        breaker.transition_to_forced_open();
        (CircuitBreakerLayer::new(breaker), || true)
    })
    .refuses()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn retry_with_pauses() {
    Contract::new(|| {
        let (retry, budget) = retry(3, ms(50));
        (RetryLayer::new(retry), move || budget.in_flight() == (0, 0))
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn retry_at_once() {
    Contract::new(|| {
        let (retry, budget) = retry(4, Duration::ZERO);
        (RetryLayer::new(retry), move || budget.in_flight() == (0, 0))
    })
    .check()
    .await;
}

async fn check_bulkhead(make: impl Fn() -> Bulkhead) {
    Contract::new(|| {
        let bulkhead = make();
        (BulkheadLayer::new(bulkhead.clone()), move || is_empty(&bulkhead))
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn bulkhead_that_refuses() {
    check_bulkhead(|| bulkhead(1, Duration::ZERO)).await;
}

#[tokio::test(start_paused = true)]
async fn bulkhead_with_a_short_wait() {
    check_bulkhead(|| bulkhead(1, ms(50))).await;
}

#[tokio::test(start_paused = true)]
async fn bulkhead_with_an_endless_wait() {
    check_bulkhead(|| bulkhead(1, Duration::MAX)).await;
}

#[tokio::test(start_paused = true)]
async fn bulkhead_that_is_not_fair() {
    check_bulkhead(|| {
        let config = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(ms(500));
        Bulkhead::new("bulkhead", config.fair(false).build().unwrap())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bulkhead_without_places() {
    for wait in [Duration::ZERO, ms(50)] {
        Contract::new(|| {
            let bulkhead = bulkhead(0, wait);
            (BulkheadLayer::new(bulkhead.clone()), move || is_empty(&bulkhead))
        })
        .refuses()
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn time_limiter_over_calls_that_hang() {
    Contract::new(|| (TimeLimiterLayer::new(time_limiter(ms(30_000))), || true))
        .limits_time()
        .check()
        .await;
}

#[tokio::test(start_paused = true)]
async fn time_limiter_of_zero() {
    Contract::new(|| (TimeLimiterLayer::new(time_limiter(Duration::ZERO)), || true))
        .limits_time()
        .check()
        .await;
}

#[derive(Clone, Copy)]
struct Limits {
    permits: u32,
    timeout: Duration,
    algorithm: RateLimiterAlgorithm,
}

async fn check_rate_limiter(limits: Limits) {
    Contract::new(|| {
        let config = RateLimiterConfig::builder()
            .limit_for_period(limits.permits)
            .limit_refresh_period(ms(100))
            .timeout(limits.timeout)
            .algorithm(limits.algorithm);
        let limiter = RateLimiter::new("limiter", config.build().unwrap());
        (RateLimiterLayer::new(limiter.clone()), move || is_idle(&limiter))
    })
    .recovers_after(ms(100))
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn rate_limiter_of_cycles() {
    check_rate_limiters(RateLimiterAlgorithm::Cycles).await;
}

#[tokio::test(start_paused = true)]
async fn rate_limiter_as_a_semaphore() {
    check_rate_limiters(RateLimiterAlgorithm::Semaphore).await;
}

/// Refusing, waiting for the next cycle and for one after it, and hardly ever waiting.
async fn check_rate_limiters(algorithm: RateLimiterAlgorithm) {
    for (permits, timeout) in [(1, Duration::ZERO), (1, ms(1_000)), (2, ms(100)), (50, ms(1_000))] {
        check_rate_limiter(Limits { permits, timeout, algorithm }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn timer_alone() {
    Contract::new(|| {
        let (timer, is_balanced) = timer();
        (TimerLayer::new(timer), is_balanced)
    })
    .check()
    .await;
}

// ## By key

/// The keyed layer over `layer`, with one key for whatever request.
fn keyed<T: Keyable>(layer: T) -> KeyedLayer<T, OneKey> {
    KeyedLayer::new(Keyed::new("keyed", move |_| Ok(layer.clone())).unwrap(), OneKey)
}

#[derive(Clone)]
struct OneKey;

impl<Req> Key<Req> for OneKey {
    fn key<'a>(&'a self, _: &'a Req) -> Option<Cow<'a, str>> {
        Some(Cow::Borrowed("key"))
    }
}

#[tokio::test(start_paused = true)]
async fn keyed_bulkhead_with_a_short_wait() {
    Contract::new(|| {
        let bulkhead = bulkhead(1, ms(50));
        (keyed(BulkheadLayer::new(bulkhead.clone())), move || is_empty(&bulkhead))
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn keyed_rate_limiter_that_waits() {
    Contract::new(|| {
        let limiter = rate_limiter(1, ms(1_000));
        (keyed(RateLimiterLayer::new(limiter.clone())), move || is_idle(&limiter))
    })
    .recovers_after(ms(100))
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn keyed_breaker_half_open_and_open() {
    Contract::new(|| {
        let breaker = half_open_breaker();
        (keyed(CircuitBreakerLayer::new(breaker)), || true)
    })
    .check()
    .await;
    Contract::new(|| {
        let breaker = breaker();
        breaker.transition_to_forced_open();
        (keyed(CircuitBreakerLayer::new(breaker)), || true)
    })
    .refuses()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn keyed_retry() {
    Contract::new(|| {
        let (retry, budget) = retry(3, ms(10));
        (keyed(RetryLayer::new(retry)), move || budget.in_flight() == (0, 0))
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn keyed_time_limiter() {
    Contract::new(|| (keyed(TimeLimiterLayer::new(time_limiter(ms(30_000)))), || true))
        .limits_time()
        .check()
        .await;
}

#[tokio::test(start_paused = true)]
async fn keyed_timer() {
    Contract::new(|| {
        let (timer, is_balanced) = timer();
        (keyed(TimerLayer::new(timer)), is_balanced)
    })
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn keyed_pipeline() {
    Contract::new(|| {
        let (bulkhead, (retry, budget)) = (bulkhead(1, ms(500)), retry(3, ms(20)));
        let pipeline = Pipeline::builder("all").retry(retry).bulkhead(bulkhead.clone()).build();
        let is_free = move || is_empty(&bulkhead) && budget.in_flight() == (0, 0);
        (keyed(pipeline.unwrap().flat()), is_free)
    })
    .check()
    .await;
}
