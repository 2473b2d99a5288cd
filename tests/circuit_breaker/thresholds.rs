//! When a closed circuit opens: CB1 to CB5, CB12 to CB15.

use std::time::Duration;

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::CircuitBreakerEvent as Event;
use seawall::{SlidingWindow, Verdict};

use crate::support::*;

const OPENED: (State, State) = (State::Closed, State::Open);

#[tokio::test(start_paused = true)]
async fn cb01_no_rate_below_the_minimum_and_an_exact_one_from_there() {
    let (breaker, _) = breaker(|builder| {
        builder
            .sliding_window(SlidingWindow::Count(10))
            .minimum_number_of_calls(4)
            .failure_rate_threshold(90.0)
    });
    assert_eq!(breaker.metrics().failure_rate, -1.0);
    let first = breaker.try_acquire().expect("the first call is let through");
    first.success();
    fail(&breaker);
    ok(&breaker);
    assert_eq!(breaker.metrics().failure_rate, -1.0);
    assert_eq!(breaker.metrics().slow_call_rate, -1.0);
    ok(&breaker);
    assert_eq!(breaker.metrics().failure_rate, 25.0);
    assert_eq!(breaker.metrics().slow_call_rate, 0.0);
    fail(&breaker);
    assert_eq!(breaker.metrics().failure_rate, 40.0);
    fail(&breaker);
    assert_eq!(breaker.metrics().failure_rate, 50.0);
}

#[tokio::test(start_paused = true)]
async fn cb02_a_success_can_be_the_call_that_opens() {
    let (breaker, log) = breaker(|builder| last(5)(builder).failure_rate_threshold(50.0));
    for _ in 0..3 {
        fail(&breaker);
    }
    ok(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    ok(&breaker);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.metrics().failure_rate, 60.0);
    assert_eq!(log.failure_rates_exceeded(), [60.0]);
    assert_eq!(log.transitions(), [OPENED]);
    // The events of one call, in order: its outcome, why, and what followed.
    let events = log.all();
    assert!(matches!(
        events[4..],
        [Event::Success { .. }, Event::FailureRateExceeded { .. }, Event::StateTransition { .. }]
    ));
}

#[tokio::test(start_paused = true)]
async fn cb03_a_rate_equal_to_the_threshold_opens_and_one_just_below_does_not() {
    let (breaker, log) = breaker(|builder| last(4)(builder).failure_rate_threshold(50.0));
    for _ in 0..2 {
        fail(&breaker);
        ok(&breaker);
    }
    assert_eq!(log.transitions(), [OPENED]);

    let (breaker, log) =
        crate::support::breaker(|builder| last(4)(builder).failure_rate_threshold(50.000_004));
    for _ in 0..2 {
        fail(&breaker);
        ok(&breaker);
    }
    assert_eq!(log.transitions(), []);
    assert_eq!(breaker.metrics().failure_rate, 50.0);
}

#[tokio::test(start_paused = true)]
async fn cb04_the_minimum_is_never_more_than_a_count_window_holds() {
    let (breaker, log) = breaker(|builder| {
        builder.sliding_window(SlidingWindow::Count(10)).minimum_number_of_calls(100)
    });
    for _ in 0..9 {
        fail(&breaker);
    }
    assert_eq!(log.transitions(), []);
    fail(&breaker);
    assert_eq!(log.transitions(), [OPENED]);
}

#[tokio::test(start_paused = true)]
async fn cb05_the_minimum_of_a_time_window_is_not_capped_by_its_length() {
    let (breaker, log) = breaker(|builder| {
        builder.sliding_window(SlidingWindow::Time { seconds: 10 }).minimum_number_of_calls(100)
    });
    for _ in 0..99 {
        fail(&breaker);
    }
    assert_eq!(log.transitions(), []);
    assert_eq!(breaker.metrics().failure_rate, -1.0);
    fail(&breaker);
    assert_eq!(log.transitions(), [OPENED]);
}

#[tokio::test(start_paused = true)]
async fn cb12_a_call_of_exactly_the_threshold_is_not_slow_and_a_nanosecond_more_is() {
    let (breaker, _) = breaker(|builder| builder.slow_call_duration_threshold(ms(100)));
    let record = |elapsed| {
        breaker.try_acquire().unwrap().record_elapsed(&Verdict::success(), elapsed);
        breaker.metrics().slow_calls
    };
    assert_eq!(record(ms(100)), 0);
    assert_eq!(record(ms(100) + Duration::from_nanos(1)), 1);
}

#[tokio::test(start_paused = true)]
async fn cb12_the_clock_measures_from_the_permission_to_the_end() {
    let (breaker, _) = breaker(|builder| builder.slow_call_duration_threshold(ms(100)));
    let call = |span| {
        breaker.call(async move {
            pass(span).await;
            Ok::<(), ()>(())
        })
    };
    call(ms(100)).await.unwrap();
    assert_eq!(breaker.metrics().slow_calls, 0);
    call(ms(101)).await.unwrap();
    assert_eq!(breaker.metrics().slow_calls, 1);
}

#[tokio::test(start_paused = true)]
async fn cb13_slow_successes_alone_open() {
    let (breaker, log) = breaker(|builder| last(4)(builder).slow_call_rate_threshold(75.0));
    slow_ok(&breaker);
    ok(&breaker);
    slow_ok(&breaker);
    assert_eq!(log.transitions(), []);
    slow_ok(&breaker);
    assert_eq!(log.transitions(), [OPENED]);
    assert_eq!(log.slow_rates_exceeded(), [75.0]);
    assert!(log.failure_rates_exceeded().is_empty());
    assert_eq!(breaker.metrics().failure_rate, 0.0);
    assert_eq!(breaker.metrics().slow_call_rate, 75.0);
}

#[tokio::test(start_paused = true)]
async fn cb14_a_slow_failure_counts_as_failed_as_slow_and_once_in_all() {
    let (breaker, _) = breaker(|builder| builder);
    slow_fail(&breaker);
    assert_eq!(counts(&breaker.metrics()), [1, 1, 1, 1]);
    slow_ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [2, 1, 2, 1]);
    fail(&breaker);
    assert_eq!(counts(&breaker.metrics()), [3, 2, 2, 1]);
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [4, 2, 2, 1]);
    let counters = breaker.counters();
    assert_eq!((counters.failed, counters.successful, counters.slow), (2, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn cb15_both_thresholds_crossed_by_one_call_are_told_and_open_once() {
    let (breaker, log) = breaker(|builder| {
        last(2)(builder).failure_rate_threshold(50.0).slow_call_rate_threshold(50.0)
    });
    slow_fail(&breaker);
    ok(&breaker);
    assert_eq!(log.failure_rates_exceeded(), [50.0]);
    assert_eq!(log.slow_rates_exceeded(), [50.0]);
    assert_eq!(log.transitions(), [OPENED]);
    assert_eq!(breaker.counters().transitions, 1);
}
