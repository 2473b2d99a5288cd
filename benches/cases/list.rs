//! The list.

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::time::Duration;

use seawall::telemetry::Meters;
use seawall::{
    Bulkhead, BulkheadConfig, BulkheadLayer, CircuitBreaker, CircuitBreakerConfig,
    CircuitBreakerLayer, Pipeline, PipelineBuilder, RateLimiter, RateLimiterAlgorithm,
    RateLimiterConfig, RateLimiterLayer, Retry, RetryBudget, RetryConfig, RetryLayer,
    SlidingWindow, TimeLimiter, TimeLimiterConfig, TimeLimiterLayer, Timer, TimerLayer,
};

use super::{BARE, BARE_PENDING, Case, Immediate, PendingOnce};

/// All cases. They need a runtime with a timer to be entered.
pub fn all() -> Vec<Case> {
    [
        vec![
            Case::service(BARE, Immediate),
            Case::service(BARE_PENDING, PendingOnce).over(BARE_PENDING),
        ],
        circuit_breakers(),
        others(),
        stacks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn circuit_breakers() -> Vec<Case> {
    let count = |calls| breaker(SlidingWindow::Count(calls), Duration::MAX);
    let time = |seconds| breaker(SlidingWindow::Time { seconds }, Duration::MAX);
    let slow = |window| breaker(window, SECOND);
    let layer = CircuitBreakerLayer::new;
    vec![
        Case::layer("breaker, last 100", layer(count(100))).at_most(130),
        Case::layer("breaker, last 100 000", layer(count(100_000))).at_most(133),
        Case::layer("breaker, last 60 s", layer(time(60))).at_most(220),
        Case::layer("breaker, last 100, slow calls", layer(slow(SlidingWindow::Count(100))))
            .at_most(210),
        Case::layer("breaker, last 60 s, slow", layer(slow(SlidingWindow::Time { seconds: 60 })))
            .at_most(300),
        Case::layer("breaker, 5 in a row", layer(breaker(SlidingWindow::Consecutive(5), SECOND))),
        Case::layer("breaker, defaults", layer(CircuitBreaker::with_defaults("bench"))),
        Case::layer("breaker, disabled", layer(set(CircuitBreaker::transition_to_disabled))),
        Case::layer("breaker, refuses", layer(set(open))).refuses().at_most(70),
        Case::handle("breaker, call", {
            let breaker = count(100);
            move || breaker.call(ready(Ok::<_, Infallible>(black_box(1))))
        }),
        Case::by_hand("breaker, permit", {
            let breaker = count(100);
            move || breaker.try_acquire().expect("a closed circuit").success()
        }),
        Case::by_hand("breaker, permit refused", {
            let breaker = set(open);
            move || drop(black_box(breaker.try_acquire().expect_err("an open circuit")))
        }),
    ]
}

fn others() -> Vec<Case> {
    let budgeted = RetryConfig::builder().budget(RetryBudget::default());
    let budgeted = Retry::new("bench", budgeted.build().expect("valid settings"));
    let full = BulkheadConfig::builder().max_concurrent_calls(0);
    let full = Bulkhead::new("bench", full.build().expect("valid settings"));
    vec![
        Case::layer("bulkhead", BulkheadLayer::new(bulkhead())).at_most(60),
        Case::layer("bulkhead, bounded queue", BulkheadLayer::new(queued())),
        Case::layer("bulkhead, refuses", BulkheadLayer::new(full)).refuses().at_most(40),
        Case::layer("rate limiter", RateLimiterLayer::new(limiter(RateLimiterAlgorithm::Cycles)))
            .at_most(120),
        Case::layer(
            "rate limiter, semaphore",
            RateLimiterLayer::new(limiter(RateLimiterAlgorithm::Semaphore)),
        ),
        Case::layer(
            "rate limiter, token bucket",
            RateLimiterLayer::new(limiter(RateLimiterAlgorithm::TokenBucket { burst: 1_000_000 })),
        ),
        Case::layer("rate limiter, sliding window", RateLimiterLayer::new(sliding_window())),
        Case::layer(
            "rate limiter, cost",
            RateLimiterLayer::new(limiter(RateLimiterAlgorithm::Cycles)).cost(|rows: &u32| *rows),
        ),
        Case::layer("rate limiter, refuses", RateLimiterLayer::new(used_up())).refuses(),
        Case::layer("time limiter", TimeLimiterLayer::new(time_limiter())).at_most(80),
        Case::pending_layer("time limiter, pending once", TimeLimiterLayer::new(time_limiter()))
            .at_most(700),
        Case::layer("timer", TimerLayer::new(timer())),
        Case::layer("timer, meters", TimerLayer::new(metered(timer()))),
        Case::handle("timer, call", {
            let timer = timer();
            move || timer.call(ready(Ok::<_, Infallible>(black_box(1))))
        }),
        Case::by_hand("timer, measurement", {
            let timer = timer();
            move || timer.start().success()
        }),
        Case::layer("retry", RetryLayer::new(Retry::with_defaults("bench"))).at_most(40),
        Case::layer("retry, budget", RetryLayer::new(budgeted)),
    ]
}

fn stacks() -> Vec<Case> {
    vec![
        Case::layer("five layers", five_layers()).at_most(550),
        Case::pending_layer("five layers, pending once", five_layers()),
        Case::layer("pipeline of five", pipeline().flat()).at_most(330),
        Case::pending_layer("pipeline of five, pending once", pipeline().flat()).at_most(1000),
        Case::layer("pipeline of five, error type", pipeline()),
        Case::layer("pipeline of five, meters", watched(pipeline()).flat()),
        Case::layer("pipeline of six", pipeline_of_six().flat()),
        Case::layer("pipeline of six, meters", watched(pipeline_of_six()).flat()),
    ]
}

// ## Instances

const SECOND: Duration = Duration::from_secs(1);

fn breaker(window: SlidingWindow, slow: Duration) -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(window)
        .slow_call_duration_threshold(slow)
        .build()
        .expect("valid settings");
    CircuitBreaker::new("bench", config)
}

fn set(to: impl FnOnce(&CircuitBreaker)) -> CircuitBreaker {
    let breaker = CircuitBreaker::with_defaults("bench");
    to(&breaker);
    breaker
}

fn open(breaker: &CircuitBreaker) {
    breaker.transition_to_open_for(3600 * SECOND).expect("closed circuits open");
}

fn bulkhead() -> Bulkhead {
    Bulkhead::with_defaults("bench")
}

fn queued() -> Bulkhead {
    Bulkhead::new("bench", BulkheadConfig::thread_pool().build().expect("valid settings"))
}

fn limiter(algorithm: RateLimiterAlgorithm) -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(1_000_000_000)
        .limit_refresh_period(SECOND)
        .algorithm(algorithm)
        .build()
        .expect("valid settings");
    RateLimiter::new("bench", config)
}

/// Short, so that what is in the log comes and goes.
fn sliding_window() -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(1000)
        .limit_refresh_period(Duration::from_nanos(500))
        .algorithm(RateLimiterAlgorithm::SlidingWindow)
        .build()
        .expect("valid settings");
    RateLimiter::new("bench", config)
}

fn used_up() -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(3600 * SECOND)
        .timeout(Duration::ZERO)
        .build()
        .expect("valid settings");
    let limiter = RateLimiter::new("bench", config);
    limiter.try_acquire(1).expect("the first");
    limiter
}

fn time_limiter() -> TimeLimiter {
    let config = TimeLimiterConfig::builder().timeout(60 * SECOND);
    TimeLimiter::new("bench", config.build().expect("valid settings"))
}

fn timer() -> Timer {
    Timer::with_defaults("bench")
}

fn metered(timer: Timer) -> Timer {
    let meters = Meters::new();
    meters.watch(&timer);
    std::mem::forget(meters);
    timer
}

type FiveLayers =
    (RetryLayer, CircuitBreakerLayer, RateLimiterLayer, TimeLimiterLayer, BulkheadLayer);

fn five_layers() -> FiveLayers {
    (
        RetryLayer::new(Retry::with_defaults("bench")),
        CircuitBreakerLayer::new(breaker(SlidingWindow::Count(100), Duration::MAX)),
        RateLimiterLayer::new(limiter(RateLimiterAlgorithm::Cycles)),
        TimeLimiterLayer::new(time_limiter()),
        BulkheadLayer::new(bulkhead()),
    )
}

/// With everything counted that meters count, for as long as the process lives.
fn watched(pipeline: Pipeline) -> Pipeline {
    let meters = Meters::new();
    meters.watch_pipeline(&pipeline);
    std::mem::forget(meters);
    pipeline
}

/// The same five.
fn pipeline() -> Pipeline {
    five_steps().build().expect("a sound pipeline")
}

/// And a timer.
fn pipeline_of_six() -> Pipeline {
    five_steps().timer(timer()).build().expect("a sound pipeline")
}

fn five_steps() -> PipelineBuilder {
    Pipeline::builder("bench")
        .retry(Retry::with_defaults("bench"))
        .circuit_breaker(breaker(SlidingWindow::Count(100), Duration::MAX))
        .rate_limiter(limiter(RateLimiterAlgorithm::Cycles))
        .time_limiter(time_limiter())
        .bulkhead(bulkhead())
}
