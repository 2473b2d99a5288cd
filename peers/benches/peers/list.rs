//! What stands beside what.

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use failsafe::CircuitBreaker as _;
use futures_util::FutureExt;
use recloser::{AsyncRecloser, Recloser};
use seawall::{
    Bulkhead, BulkheadConfig, BulkheadLayer, CircuitBreaker, CircuitBreakerConfig,
    CircuitBreakerLayer, Pipeline, RateLimiter, RateLimiterConfig, RateLimiterLayer, Retry,
    RetryLayer, SlidingWindow, TimeLimiter, TimeLimiterConfig, TimeLimiterLayer,
};
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::retry::Retry as TowerRetry;
use tower::timeout::Timeout;
use tower_resilience_bulkhead as tr_bulkhead;
use tower_resilience_circuitbreaker as tr_breaker;
use tower_resilience_ratelimiter as tr_limiter;
use tower_resilience_retry as tr_retry;
use tower_resilience_timelimiter as tr_time;

use crate::cases::{Case, Immediate};
use crate::glue::{Breaking, Governed, Thrice};

/// Cases that do the same, seawall's first.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) cases: Vec<Case>,
}

pub(crate) fn groups() -> Vec<Group> {
    let group = |name, cases| Group { name, cases };
    vec![
        group("circuit breaker: the last 100 calls, all good", breakers()),
        group("circuit breaker: by hand", breakers_by_hand()),
        group("circuit breaker: open", open_breakers()),
        group("bulkhead: a free place", bulkheads()),
        group("bulkhead: full", full_bulkheads()),
        group("rate limiter: a permission is there", limiters()),
        group("rate limiter: by hand", limiters_by_hand()),
        group("time limiter: ready at once", time_limiters()),
        group("retry: none needed", retries()),
        group("all five", fives()),
    ]
}

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
const MANY: u32 = 1_000_000_000;

// ## Circuit breakers

fn breaker() -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(100))
        .slow_call_duration_threshold(Duration::MAX);
    CircuitBreaker::new("bench", config.build().expect("valid settings"))
}

fn tr_breaker() -> tr_breaker::CircuitBreakerConfigBuilder<tr_breaker::DefaultClassifier> {
    tr_breaker::CircuitBreakerLayer::builder().sliding_window_size(100).wait_duration_in_open(HOUR)
}

fn breakers() -> Vec<Case> {
    vec![
        Case::layer("breaker: seawall", CircuitBreakerLayer::new(breaker())),
        Case::layer("breaker: tower-resilience", tr_breaker().build().expect("valid settings")),
        Case::service(
            "breaker: recloser, as a service",
            Breaking(Immediate, Recloser::custom().closed_len(100).build().into()),
        ),
    ]
}

fn breakers_by_hand() -> Vec<Case> {
    let ours = breaker();
    let recloser = Recloser::custom().closed_len(100).build();
    let failsafe = failsafe::Config::new().build();
    let good = || Ok::<u32, Infallible>(black_box(1));
    vec![
        Case::by_hand("permit: seawall", move || {
            ours.try_acquire().expect("a closed circuit").success();
        }),
        Case::by_hand("permit: recloser", move || {
            black_box(recloser.call(good).is_ok());
        }),
        Case::by_hand("permit: failsafe (a moving average)", move || {
            black_box(failsafe.call(good).is_ok());
        }),
    ]
}

fn open_breakers() -> Vec<Case> {
    let ours = breaker();
    ours.transition_to_open_for(HOUR).expect("closed circuits open");
    let (theirs, handle) = tr_breaker().build_with_handle().expect("valid settings");
    handle.force_open().now_or_never().expect("nobody holds its lock");
    // After two failures of two.
    let recloser = Recloser::custom().closed_len(2).open_wait(HOUR).build();
    for _ in 0..3 {
        let _ = recloser.call(|| Err::<u32, _>("down"));
    }
    let recloser: AsyncRecloser = recloser.into();
    vec![
        Case::layer("open: seawall", CircuitBreakerLayer::new(ours)).refuses(),
        Case::layer("open: tower-resilience", theirs).refuses(),
        Case::service("open: recloser, as a service", Breaking(Immediate, recloser)).refuses(),
    ]
}

// ## Bulkheads

fn bulkhead() -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(100);
    Bulkhead::new("bench", config.build().expect("valid settings"))
}

fn tr_bulkhead() -> tr_bulkhead::BulkheadLayer {
    let builder = tr_bulkhead::BulkheadLayer::builder().max_concurrent_calls(100);
    builder.reject_when_full().build().expect("valid settings")
}

fn bulkheads() -> Vec<Case> {
    vec![
        Case::layer("bulkhead: seawall", BulkheadLayer::new(bulkhead())),
        Case::layer("bulkhead: tower-resilience", tr_bulkhead()),
        Case::service("bulkhead: tower", ConcurrencyLimit::new(Immediate, 100)),
    ]
}

fn full_bulkheads() -> Vec<Case> {
    let none = BulkheadConfig::builder().max_concurrent_calls(0).build().expect("valid settings");
    vec![
        Case::layer("full: seawall", BulkheadLayer::new(Bulkhead::new("bench", none))).refuses(),
        Case::service("full: tower, load shed", LoadShed::new(ConcurrencyLimit::new(Immediate, 0)))
            .refuses(),
    ]
}

// ## Rate limiters

fn limiter() -> RateLimiter {
    let config = RateLimiterConfig::builder().limit_for_period(MANY).limit_refresh_period(SECOND);
    RateLimiter::new("bench", config.build().expect("valid settings"))
}

fn tr_limiter() -> tr_limiter::RateLimiterLayer {
    let builder = tr_limiter::RateLimiterLayer::builder().limit_for_period(MANY as usize);
    builder.refresh_period(SECOND).build().expect("valid settings")
}

fn governor() -> Arc<governor::DefaultDirectRateLimiter> {
    let many = NonZeroU32::new(MANY).expect("not zero");
    Arc::new(governor::RateLimiter::direct(governor::Quota::per_second(many)))
}

fn limiters() -> Vec<Case> {
    vec![
        Case::layer("limiter: seawall", RateLimiterLayer::new(limiter())),
        Case::layer("limiter: tower-resilience", tr_limiter()),
    ]
}

fn limiters_by_hand() -> Vec<Case> {
    let (ours, governor) = (limiter(), governor());
    vec![
        Case::by_hand("permission: seawall", move || {
            black_box(ours.try_acquire(1).is_ok());
        }),
        Case::by_hand("permission: governor", move || {
            black_box(governor.check().is_ok());
        }),
    ]
}

// ## Time limiters

fn time_limiter() -> TimeLimiter {
    let config = TimeLimiterConfig::builder().timeout(60 * SECOND);
    TimeLimiter::new("bench", config.build().expect("valid settings"))
}

fn tr_time() -> tr_time::TimeLimiterLayer<tr_time::FixedTimeout> {
    tr_time::TimeLimiterLayer::builder().timeout_duration(60 * SECOND).build()
}

fn time_limiters() -> Vec<Case> {
    vec![
        Case::layer("time: seawall", TimeLimiterLayer::new(time_limiter())),
        Case::layer("time: tower-resilience", tr_time()),
        Case::service("time: tower", Timeout::new(Immediate, 60 * SECOND)),
        Case::handle("time: tokio, around a future", || {
            let call = async { Ok::<u32, Infallible>(black_box(1)) };
            async { tokio::time::timeout(60 * SECOND, call).await }
        }),
    ]
}

// ## Retries

fn tr_retry<E: Send + Sync + 'static>() -> tr_retry::RetryLayer<u32, u32, E> {
    tr_retry::RetryLayer::builder().max_attempts(3).fixed_backoff(SECOND).build()
}

fn retries() -> Vec<Case> {
    vec![
        Case::layer("retry: seawall", RetryLayer::new(Retry::with_defaults("bench"))),
        Case::layer("retry: tower-resilience", tr_retry()),
        Case::service("retry: tower", TowerRetry::new(Thrice(3), Immediate)),
        Case::handle("retry: backon, around a future", || {
            (|| ready(Ok::<u32, Infallible>(black_box(1))))
                .retry(ExponentialBuilder::default())
                .into_future()
        }),
    ]
}

// ## All five

fn fives() -> Vec<Case> {
    let pipeline = Pipeline::builder("bench")
        .retry(Retry::with_defaults("bench"))
        .circuit_breaker(breaker())
        .rate_limiter(limiter())
        .time_limiter(time_limiter())
        .bulkhead(bulkhead())
        .build()
        .expect("a sound pipeline");
    let layers = (
        RetryLayer::new(Retry::with_defaults("bench")),
        CircuitBreakerLayer::new(breaker()),
        RateLimiterLayer::new(limiter()),
        TimeLimiterLayer::new(time_limiter()),
        BulkheadLayer::new(bulkhead()),
    );
    let theirs = (
        tr_retry(),
        tr_breaker().build().expect("valid settings"),
        tr_limiter(),
        tr_time(),
        tr_bulkhead(),
    );
    let limited = Timeout::new(ConcurrencyLimit::new(Immediate, 100), 60 * SECOND);
    let recloser: AsyncRecloser = Recloser::custom().closed_len(100).build().into();
    let best = Breaking(Governed(limited, governor()), recloser);
    vec![
        Case::layer("five: seawall, pipeline", pipeline.flat()),
        Case::layer("five: seawall, layers", layers),
        Case::layer("five: tower-resilience", theirs),
        Case::service("five: tower, recloser, governor", TowerRetry::new(Thrice(3), best)),
    ]
}
