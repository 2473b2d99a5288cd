//! Trials: CB23 to CB33.

use std::sync::{Arc, Mutex};

use seawall::patterns::circuit_breaker::{Permit, State};
use seawall::telemetry::CircuitBreakerEvent as Event;
use seawall::{Backoff, Cause, CircuitBreaker, CircuitBreakerConfigBuilder as Builder, Reason};

use crate::support::*;

/// A breaker in the half-open state with so many trials, all of which must report.
fn half_open(trials: u32, settings: impl FnOnce(Builder) -> Builder) -> (CircuitBreaker, Log) {
    let (breaker, log) =
        breaker(|builder| settings(last(100)(builder).permitted_calls_in_half_open(trials)));
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    log.clear();
    (breaker, log)
}

#[tokio::test(start_paused = true)]
async fn cb23_the_call_after_the_last_trial_is_refused_and_told_once() {
    let (breaker, log) = half_open(4, |builder| builder);
    let trials: Vec<_> = (0..4).map(|_| breaker.try_acquire().unwrap()).collect();
    let rejected = refusal(&breaker);
    assert_eq!(rejected.reason(), Reason::CircuitHalfOpen);
    assert_eq!(rejected.retry_after(), None);
    assert_eq!(log.count(|event| matches!(event, Event::NotPermitted)), 1);
    assert_eq!(breaker.metrics().not_permitted_calls, 1);
    // A trial that reports does not make room for another.
    trials.into_iter().next().unwrap().success();
}

#[tokio::test(start_paused = true)]
async fn cb23_a_reported_trial_makes_no_room() {
    let (breaker, _) = half_open(4, |builder| builder);
    let mut trials: Vec<_> = (0..4).map(|_| breaker.try_acquire().unwrap()).collect();
    trials.pop().unwrap().success();
    assert_eq!(reason(&breaker), Reason::CircuitHalfOpen);
}

#[tokio::test(start_paused = true)]
async fn cb24_three_failures_of_four_open_again() {
    let (breaker, log) = half_open(4, |builder| builder.failure_rate_threshold(50.0));
    for _ in 0..3 {
        fail(&breaker);
    }
    assert_eq!(log.transitions(), []);
    ok(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
    assert_eq!(breaker.metrics().failure_rate, 75.0);
    assert_eq!(counts(&breaker.metrics()), [4, 3, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb25_one_failure_of_four_closes_with_an_empty_window() {
    let (breaker, log) = half_open(4, |builder| builder.failure_rate_threshold(50.0));
    fail(&breaker);
    for _ in 0..3 {
        ok(&breaker);
    }
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed)]);
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    assert_eq!(breaker.metrics().failure_rate, -1.0);
    assert_eq!(breaker.metrics().slow_call_rate, -1.0);
}

#[tokio::test(start_paused = true)]
async fn cb26_half_open_again_has_all_its_trials_again() {
    let (breaker, _) = half_open(4, |builder| builder.wait_duration_in_open_state(s(1)));
    for _ in 0..4 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Open);
    pass(ms(1001)).await;
    let trials: Vec<_> = (0..4).map(|_| breaker.try_acquire().unwrap()).collect();
    assert_eq!(reason(&breaker), Reason::CircuitHalfOpen);
    drop(trials);
}

#[tokio::test(start_paused = true)]
async fn cb27_the_minimum_decides_before_all_trials_are_used() {
    let (breaker, log) = half_open(10, |builder| builder.minimum_number_of_calls(2));
    ok(&breaker);
    assert_eq!(log.transitions(), []);
    ok(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn cb28_an_ignored_trial_gives_its_place_back() {
    let (breaker, log) = half_open(2, |builder| builder);
    for _ in 0..20 {
        ignored(&breaker);
    }
    let trials: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();
    assert_eq!(reason(&breaker), Reason::CircuitHalfOpen);
    trials.into_iter().for_each(Permit::success);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn cb29_a_dropped_trial_gives_its_place_back() {
    let (breaker, _) = half_open(1, |builder| builder);
    for _ in 0..5 {
        let mut call =
            tokio_test::task::spawn(breaker.call(std::future::pending::<Result<(), ()>>()));
        assert!(call.poll().is_pending());
        assert_eq!(reason(&breaker), Reason::CircuitHalfOpen);
        drop(call);
    }
    let mut unpolled = tokio_test::task::spawn(breaker.call(async { Ok::<(), ()>(()) }));
    // The permission is asked for at the first poll.
    breaker.try_acquire().unwrap().failure(Cause::Other);
    assert!(matches!(unpolled.poll(), std::task::Poll::Ready(Err(error)) if error.is_refusal()));
    assert_eq!(breaker.counters().cancelled, 5);
}

#[tokio::test(start_paused = true)]
async fn cb30_a_permission_of_the_closed_state_adds_no_trial() {
    let (breaker, log) = breaker(|builder| last(1)(builder).permitted_calls_in_half_open(2));
    let early: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker);
    breaker.transition_to_half_open().unwrap();
    log.clear();
    let trials: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();
    let mut early = early.into_iter();
    drop(early.next());
    early.next().unwrap().record(&seawall::Verdict::ignored(Cause::Other));
    early.next().unwrap().failure(Cause::Other);
    assert_eq!(reason(&breaker), Reason::CircuitHalfOpen);
    assert_eq!(log.transitions(), []);
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    trials.into_iter().for_each(Permit::success);
}

#[tokio::test(start_paused = true)]
async fn cb31_undecided_trials_open_again_after_the_longest_wait() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = asked.clone();
    let (breaker, log) = half_open(2, |builder| {
        builder.max_wait_in_half_open(s(1)).open_wait(Backoff::custom(move |context| {
            note.lock().unwrap().push(context.attempt.get());
            Some(s(10))
        }))
    });
    assert_eq!(*asked.lock().unwrap(), [1]);
    let _hanging = breaker.try_acquire().unwrap();
    ok(&breaker);
    pass(ms(998)).await;
    assert_eq!(log.transitions(), []);
    pass(ms(4)).await;
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
    assert_eq!(*asked.lock().unwrap(), [1, 2]);
    assert_eq!(reason(&breaker), Reason::CircuitOpen);
}

#[tokio::test(start_paused = true)]
async fn cb31_undecided_trials_close_after_the_longest_wait_if_set_so() {
    let (breaker, log) = half_open(2, |builder| {
        builder.max_wait_in_half_open(s(1)).after_half_open_wait(State::Closed)
    });
    let hanging = breaker.try_acquire().unwrap();
    pass(ms(1002)).await;
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed)]);
    hanging.failure(Cause::Other);
    assert_eq!(breaker.metrics().buffered_calls, 0);
}

#[tokio::test(start_paused = true)]
async fn cb31_the_timer_does_nothing_once_the_state_is_left() {
    let (breaker, log) = half_open(1, |builder| builder.max_wait_in_half_open(s(1)));
    ok(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed)]);
    log.clear();
    pass(s(5)).await;
    assert_eq!(log.transitions(), []);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn cb31_the_longest_wait_begins_anew_with_the_state() {
    let (breaker, log) = half_open(1, |builder| builder.max_wait_in_half_open(s(1)));
    pass(ms(900)).await;
    breaker.transition_to_half_open().unwrap();
    pass(ms(900)).await;
    assert_eq!(log.transitions(), []);
    pass(ms(102)).await;
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
}

#[tokio::test(start_paused = true)]
async fn cb32_slow_trials_open_again() {
    let (breaker, log) = half_open(4, |builder| builder.slow_call_rate_threshold(50.0));
    slow_ok(&breaker);
    ok(&breaker);
    ok(&breaker);
    slow_ok(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
    assert_eq!(breaker.metrics().slow_call_rate, 50.0);
}

#[tokio::test(start_paused = true)]
async fn cb33_no_exceeded_rate_is_told_of_trials() {
    let (breaker, log) = half_open(1, |builder| builder);
    slow_fail(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
    assert!(log.failure_rates_exceeded().is_empty());
    assert!(log.slow_rates_exceeded().is_empty());
}
