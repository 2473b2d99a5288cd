//! Instances of every pattern that have something to tell.

#![allow(unreachable_pub)]

use std::io;
use std::time::Duration;

use seawall::telemetry::Meters;
use seawall::telemetry::meters::{Families, Reading};
use seawall::{Bulkhead, BulkheadConfig, CircuitBreaker, RateLimiter, Retry, TimeLimiter, Timer};

/// One instance of each pattern, all called `orders`, and what looks at them.
pub struct Shop {
    pub breaker: CircuitBreaker,
    pub bulkhead: Bulkhead,
    pub pool: Bulkhead,
    pub limiter: RateLimiter,
    pub retry: Retry,
    pub time_limiter: TimeLimiter,
    pub timer: Timer,
    pub meters: Meters,
}

impl Shop {
    pub fn new() -> Self {
        let pool = BulkheadConfig::thread_pool().max_concurrent_calls(4).core_pool_size(2);
        let shop = Self {
            breaker: CircuitBreaker::with_defaults("orders"),
            bulkhead: Bulkhead::with_defaults("orders"),
            pool: Bulkhead::new("orders", pool.build().unwrap()),
            limiter: RateLimiter::with_defaults("orders"),
            retry: Retry::with_defaults("orders"),
            time_limiter: TimeLimiter::with_defaults("orders"),
            timer: Timer::with_defaults("orders"),
            meters: Meters::new(),
        };
        shop.meters.watch(&shop.breaker);
        shop.meters.watch(&shop.bulkhead);
        shop.meters.watch(&shop.pool);
        shop.meters.watch(&shop.limiter);
        shop.meters.watch(&shop.retry);
        shop.meters.watch(&shop.time_limiter);
        shop.meters.watch(&shop.timer);
        shop
    }
}

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// The series of a meter of Resilience4j's with these labels among its own.
pub fn reading(families: &Families, meter: &str, labels: &[(&str, &str)]) -> Option<Reading> {
    reading_of(families, &format!("resilience4j.{meter}"), labels)
}

/// The same of any meter.
pub fn reading_of(families: &Families, meter: &str, labels: &[(&str, &str)]) -> Option<Reading> {
    let family = families.get(meter)?;
    let mut series = family
        .series()
        .filter(|(series, _)| labels.iter().all(|(key, value)| series.get(key) == Some(*value)));
    let (_, reading) = series.next()?;
    assert!(series.next().is_none(), "{meter} {labels:?} is not one series");
    Some(*reading)
}

/// The number that a counter or a gauge says.
pub fn number(meters: &Meters, meter: &str, labels: &[(&str, &str)]) -> f64 {
    match reading(&meters.collect(), meter, labels) {
        Some(Reading::Counter(value)) => value as f64,
        Some(Reading::Gauge(value)) => value,
        other => panic!("{meter} {labels:?}: {other:?}"),
    }
}
