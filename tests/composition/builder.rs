//! What the builder refuses.

use std::time::Duration;

use seawall::pipeline::Step;
use seawall::*;

use super::support::*;

fn refused<C, N, R>(builder: PipelineBuilder<C, N, R>) -> ConfigError
where
    Pipeline<C, N, R>: std::fmt::Debug,
{
    builder.build().unwrap_err()
}

#[test]
fn a_step_given_twice() {
    let builder = || Pipeline::builder("p");
    let twice = [
        ("deadline", refused(builder().deadline(ms(9)).deadline(ms(9)))),
        ("retry", refused(builder().retry(attempts(2, ms(1))).retry(attempts(2, ms(1))))),
        (
            "circuit_breaker",
            refused(
                builder()
                    .circuit_breaker(CircuitBreakerConfig::default())
                    .circuit_breaker(CircuitBreaker::with_defaults("other")),
            ),
        ),
        (
            "rate_limiter",
            refused(
                builder()
                    .rate_limiter(RateLimiterConfig::default())
                    .rate_limiter(RateLimiterConfig::builder()),
            ),
        ),
        (
            "time_limiter",
            refused(builder().time_limiter(time_limiter(ms(1))).time_limiter(time_limiter(ms(1)))),
        ),
        (
            "bulkhead",
            refused(
                builder()
                    .bulkhead(BulkheadConfig::default())
                    .bulkhead(Bulkhead::with_defaults("other")),
            ),
        ),
        (
            "timer",
            refused(builder().timer(TimerConfig::default()).timer(Timer::with_defaults("other"))),
        ),
    ];
    for (key, error) in twice {
        assert_eq!(error.to_string(), format!("`{key}` is given twice, but must be given once"));
    }
}

#[test]
fn a_presets_step_may_be_replaced_once_and_left_out() {
    let replaced = Pipeline::http("p").retry(attempts(7, ms(1))).build().unwrap();
    assert_eq!(replaced.retry().unwrap().config().max_attempts(), 7);
    let twice = Pipeline::http("p").retry(attempts(7, ms(1))).retry(attempts(8, ms(1)));
    assert_eq!(refused(twice).key(), "retry");
    let without = Pipeline::http("p").without(Step::Retry).build().unwrap();
    assert!(without.retry().is_none() && without.circuit_breaker().is_some());

    // No preset measures by itself.
    assert!(Pipeline::http("p").build().unwrap().timer().is_none());
    let timed = || Pipeline::http("p").timer(TimerConfig::builder());
    assert!(timed().build().unwrap().timer().is_some());
    assert!(timed().without(Step::Timer).build().unwrap().timer().is_none());
}

#[test]
fn an_attempt_longer_than_the_whole_call() {
    let builder = Pipeline::builder("p").deadline(ms(100)).time_limiter(time_limiter(ms(101)));
    let error = refused(builder);
    assert_eq!(error.key(), "time_limiter.timeout");
    assert_eq!(
        error.to_string(),
        "`time_limiter.timeout` is 101ms, but must be at most 100ms, as `deadline` is"
    );
    let equal = Pipeline::builder("p").deadline(ms(100)).time_limiter(time_limiter(ms(100)));
    assert!(equal.build().is_ok());
}

#[test]
fn a_wait_for_a_place_longer_than_the_attempt() {
    let bulkhead = |wait| BulkheadConfig::builder().max_wait(wait);
    let builder =
        |wait| Pipeline::builder("p").bulkhead(bulkhead(wait)).time_limiter(time_limiter(ms(100)));
    let error = refused(builder(ms(101)));
    assert_eq!(error.key(), "bulkhead.max_wait");
    assert_eq!(error.expected(), "at most 100ms, as `time_limiter.timeout` is");
    assert!(builder(ms(100)).build().is_ok());
}

#[test]
fn a_setting_out_of_range_by_its_full_name() {
    let builder = || Pipeline::builder("p");
    let failure_rate = CircuitBreakerConfig::builder().failure_rate_threshold(0.0);
    let many = BulkheadConfig::builder().max_concurrent_calls(u32::MAX);
    let errors = [
        ("deadline", refused(builder().deadline(Duration::ZERO))),
        ("retry.max_attempts", refused(builder().retry(attempts(0, ms(1))))),
        (
            "circuit_breaker.failure_rate_threshold",
            refused(builder().circuit_breaker(failure_rate)),
        ),
        (
            "rate_limiter.limit_for_period",
            refused(builder().rate_limiter(RateLimiterConfig::builder().limit_for_period(0))),
        ),
        ("bulkhead.max_concurrent_calls", refused(builder().bulkhead(many))),
        (
            "timer.metric_names",
            refused(builder().timer(TimerConfig::builder().metric_names("7 days"))),
        ),
    ];
    for (key, error) in errors {
        assert_eq!(error.key(), key);
    }
    // The first one counts.
    let several = builder().retry(attempts(0, ms(1))).deadline(Duration::ZERO);
    assert_eq!(refused(several).key(), "retry.max_attempts");
}

#[test]
fn steps_without_a_name_get_that_of_the_pipeline() {
    let pipeline = Pipeline::builder("inventory")
        .retry(attempts(2, ms(1)))
        .circuit_breaker(CircuitBreaker::with_defaults("own"))
        .timer(TimerConfig::default())
        .build()
        .unwrap();
    assert_eq!(pipeline.retry().unwrap().name(), "inventory");
    assert_eq!(pipeline.timer().unwrap().name(), "inventory");
    assert_eq!(pipeline.circuit_breaker().unwrap().name(), "own");
}

#[test]
fn a_presets_attempt_is_fitted_to_the_deadline_that_is_given() {
    let pipeline = Pipeline::http("shop").deadline(Duration::from_secs(3)).build().unwrap();
    let limiter = pipeline.time_limiter().unwrap();
    assert_eq!(limiter.config().timeout(), Duration::from_secs(1));
    assert_eq!(limiter.name(), "shop");
}
