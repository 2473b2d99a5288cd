//! Limiters to try, and what they tell.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::telemetry::{Event, EventKind, RateLimiterEvent};
use seawall::{RateLimiter, RateLimiterAlgorithm, RateLimiterConfig};
use tokio::time::Instant;

pub(crate) const fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn limiter(limit: u32, period: Duration, timeout: Duration) -> RateLimiter {
    of(RateLimiterAlgorithm::Cycles, limit, period, timeout)
}

pub(crate) fn queue(limit: u32, period: Duration, timeout: Duration) -> RateLimiter {
    of(RateLimiterAlgorithm::Semaphore, limit, period, timeout)
}

pub(crate) fn of(
    algorithm: RateLimiterAlgorithm,
    limit: u32,
    period: Duration,
    timeout: Duration,
) -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(limit)
        .limit_refresh_period(period)
        .timeout(timeout)
        .algorithm(algorithm)
        .build()
        .unwrap();
    RateLimiter::new("inventory", config)
}

pub(crate) const BOTH: [RateLimiterAlgorithm; 2] =
    [RateLimiterAlgorithm::Cycles, RateLimiterAlgorithm::Semaphore];

pub(crate) fn available(limiter: &RateLimiter) -> i64 {
    limiter.metrics().available_permissions
}

pub(crate) fn events(limiter: &RateLimiter) -> Arc<Mutex<Vec<RateLimiterEvent>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    limiter.observe(move |event: &Event<'_>| match event.kind {
        EventKind::RateLimiter(event) => seen.lock().unwrap().push(event),
        other => panic!("{other:?}"),
    });
    events
}

pub(crate) fn granted(permits: u32) -> RateLimiterEvent {
    RateLimiterEvent::SuccessfulAcquire { permits }
}

pub(crate) fn failed(permits: u32) -> RateLimiterEvent {
    RateLimiterEvent::FailedAcquire { permits }
}

/// How long the future takes on the paused clock.
pub(crate) async fn timed<F: Future>(future: F) -> (Duration, F::Output) {
    let start = Instant::now();
    let output = future.await;
    (start.elapsed(), output)
}
