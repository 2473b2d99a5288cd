//! Transitions, retries and rejections, as lines inside the right span.

use std::io;
use std::time::Duration;

use seawall::{
    Backoff, BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, Pipeline, Retry, RetryConfig,
};
use tracing::Level;

use crate::support::*;

type Brief = (Level, &'static str, String, Option<&'static str>);

fn brief(told: &Collector) -> Vec<Brief> {
    let lines = told.lines().into_iter();
    lines.map(|it| (it.level, it.target, it.fields["message"].clone(), it.span)).collect()
}

fn broken() -> Result<(), io::Error> {
    Err(io::Error::other("broken"))
}

#[tokio::test(start_paused = true)]
async fn a_call_tells_its_retries_and_what_they_did_to_the_breaker() {
    let breaker = CircuitBreakerConfig::builder()
        .minimum_number_of_calls(2)
        .wait_duration_in_open_state(Duration::from_secs(60));
    let retry = RetryConfig::builder().backoff(Backoff::fixed(MS)).max_attempts(5);
    let pipeline = Pipeline::builder("work").retry(retry).circuit_breaker(breaker).build().unwrap();
    let told = Collector::new();
    pipeline.call(|| async { broken() }).await.unwrap_err();
    let call = Some("call");
    let (breaker, retry, rejected) =
        ("seawall::circuit_breaker", "seawall::retry", "seawall::rejected");
    let expected = [
        (Level::WARN, retry, "retry `work`: attempt 1 failed, the next follows in 1ms", call),
        (Level::WARN, breaker, "circuit breaker `work`: 100 % of calls failed", call),
        (Level::ERROR, breaker, "circuit breaker `work` is now Open", call),
        (Level::WARN, retry, "retry `work`: attempt 2 failed, the next follows in 1ms", call),
        (Level::WARN, rejected, "circuit breaker `work` is open, try again in 60.0s", call),
        (Level::DEBUG, retry, "retry `work`: failed in a way that is not retried", call),
    ];
    let expected =
        expected.map(|(level, target, text, span)| (level, target, text.to_owned(), span));
    let is = |it: &&Brief| !it.2.contains("try again");
    assert_eq!(
        brief(&told).iter().filter(is).collect::<Vec<_>>(),
        expected.iter().filter(is).collect::<Vec<_>>()
    );
    let lines = told.lines();
    let refusal = lines.iter().find(|it| it.target == rejected).unwrap();
    assert_eq!(refusal.fields["seawall.reason"], "circuit_open");
    assert_eq!(refusal.fields["seawall.name"], "work");
    assert_eq!(refusal.fields["seawall.retry_after_ms"], "59999");
    assert_eq!((refusal.level, refusal.span), (Level::WARN, call));
}

#[tokio::test(start_paused = true)]
async fn handles_alone_tell_too() {
    let told = Collector::new();
    let breaker = CircuitBreaker::with_defaults("it");
    breaker.transition_to_forced_open();
    breaker.transition_to_half_open().unwrap();
    breaker.transition_to_closed().unwrap();
    breaker.reset();
    let full = BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap();
    seawall::Bulkhead::new("full", full).try_acquire().unwrap_err();
    let retry = Retry::new(
        "again",
        RetryConfig::builder().max_attempts(2).backoff(Backoff::fixed(MS)).build().unwrap(),
    );
    retry.call(|| async { broken() }).await.unwrap_err();
    let levels: Vec<_> =
        brief(&told).into_iter().map(|(level, _, text, span)| (level, text, span)).collect();
    let line = |level, text: &str| (level, text.to_owned(), None);
    assert_eq!(
        levels,
        [
            line(Level::ERROR, "circuit breaker `it` is now ForcedOpen"),
            line(Level::WARN, "circuit breaker `it` is now HalfOpen"),
            line(Level::INFO, "circuit breaker `it` is now Closed"),
            line(Level::INFO, "circuit breaker `it` was reset"),
            line(Level::ERROR, "bulkhead `full` is full"),
            line(Level::WARN, "retry `again`: attempt 1 failed, the next follows in 1ms"),
            line(Level::ERROR, "retry `again`: given up after attempt 2"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_says_nothing() {
    let told = Collector::new();
    let pipeline = Pipeline::builder("work")
        .retry(RetryConfig::safe())
        .circuit_breaker(CircuitBreakerConfig::safe())
        .bulkhead(BulkheadConfig::builder())
        .build()
        .unwrap();
    pipeline.call(|| async { Ok::<_, io::Error>(()) }).await.unwrap();
    assert!(told.lines().is_empty(), "{:?}", told.lines());
}
