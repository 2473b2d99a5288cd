//! Instances that a check can look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall::*;

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A breaker that no failure of a scene opens.
pub fn breaker() -> CircuitBreaker {
    CircuitBreaker::with_defaults("breaker")
}

/// Half-open, with one trial: whatever is not given back is missed at once. Failures count, but the
/// verdict is never spoken.
pub fn half_open_breaker() -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .permitted_calls_in_half_open(1_000)
        .minimum_number_of_calls(1_000)
        .initial_state(patterns::circuit_breaker::State::HalfOpen)
        .build();
    CircuitBreaker::new("breaker", config.unwrap())
}

pub fn bulkhead(places: u32, wait: Duration) -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(places).max_wait(wait).build();
    Bulkhead::new("bulkhead", config.unwrap())
}

/// Is nobody in it and nobody in line?
pub fn is_empty(bulkhead: &Bulkhead) -> bool {
    let metrics = bulkhead.metrics();
    metrics.in_flight == 0
        && metrics.waiting == 0
        && metrics.available == metrics.max_concurrent_calls
}

pub fn time_limiter(timeout: Duration) -> TimeLimiter {
    let config = TimeLimiterConfig::builder().timeout(timeout).build();
    TimeLimiter::new("time limiter", config.unwrap())
}

/// A retry with a budget that can be looked at.
pub fn retry(attempts: u32, pause: Duration) -> (Retry, RetryBudget) {
    let budget = RetryBudget::new(1.0, 100).unwrap();
    let config = RetryConfig::builder()
        .max_attempts(attempts)
        .backoff(Backoff::fixed(pause))
        .retry_refusals(true)
        .budget(budget.clone())
        .build();
    (Retry::new("retry", config.unwrap()), budget)
}

/// A timer, and whether each call that began has ended, once.
pub fn timer() -> (Timer, impl Fn() -> bool + Clone) {
    let timer = Timer::with_defaults("timer");
    let begun = Arc::new(AtomicU64::new(0));
    let count = begun.clone();
    timer.observe(move |event: &telemetry::Event<'_>| {
        if matches!(event.kind, telemetry::EventKind::Timer(telemetry::TimerEvent::Start)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let look = timer.clone();
    let is_balanced = move || {
        let metrics = look.metrics();
        metrics.successful.count() + metrics.failed.count() == begun.load(Ordering::Relaxed)
    };
    (timer, is_balanced)
}

pub fn rate_limiter(permits: u32, timeout: Duration) -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(permits)
        .limit_refresh_period(ms(100))
        .timeout(timeout)
        .build();
    RateLimiter::new("rate limiter", config.unwrap())
}

/// Is nothing taken ahead of time, and does nobody wait?
pub fn is_idle(limiter: &RateLimiter) -> bool {
    let metrics = limiter.metrics();
    metrics.waiting == 0 && metrics.available_permissions >= 0
}
