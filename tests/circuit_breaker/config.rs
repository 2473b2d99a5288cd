//! Settings: CB51, CB52.

use std::time::Duration;

use seawall::patterns::circuit_breaker::{SliceAlignment, State};
use seawall::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder as Builder,
    SlidingWindow,
};

use crate::support::*;

fn refused(settings: impl FnOnce(Builder) -> Builder) -> String {
    let error = settings(CircuitBreakerConfig::builder()).build().unwrap_err();
    assert!(error.to_string().contains(error.key()), "{error}");
    assert!(error.to_string().contains(error.value()), "{error}");
    error.key().to_owned()
}

#[test]
fn cb51_thresholds_out_of_range_are_refused() {
    for percent in [0.0, -0.0, -1.0, 100.001, 101.0, f32::NAN, f32::INFINITY] {
        assert_eq!(refused(|b| b.failure_rate_threshold(percent)), "failure_rate_threshold");
        assert_eq!(refused(|b| b.slow_call_rate_threshold(percent)), "slow_call_rate_threshold");
    }
    for percent in [f32::MIN_POSITIVE, 0.1, 50.0, 100.0] {
        CircuitBreakerConfig::builder()
            .failure_rate_threshold(percent)
            .slow_call_rate_threshold(percent)
            .build()
            .unwrap();
    }
}

#[test]
fn cb51_empty_windows_and_no_trials_are_refused() {
    use SlidingWindow::{Consecutive, Count, Time};
    for window in [Count(0), Count(10_000_001), Time { seconds: 0 }, Time { seconds: 86_401 }] {
        assert_eq!(refused(|b| b.sliding_window(window)), "sliding_window");
    }
    assert_eq!(refused(|b| b.sliding_window(Consecutive(0))), "sliding_window");
    assert_eq!(refused(|b| b.minimum_number_of_calls(0)), "minimum_number_of_calls");
    for trials in [0, 10_000_001] {
        assert_eq!(
            refused(|b| b.permitted_calls_in_half_open(trials)),
            "permitted_calls_in_half_open"
        );
    }
    assert_eq!(
        refused(|b| b.slow_call_duration_threshold(Duration::ZERO)),
        "slow_call_duration_threshold"
    );
}

#[test]
fn cb51_no_wait_and_impossible_waits_are_refused() {
    let short = Duration::from_nanos(999_999);
    for wait in [Duration::ZERO, short] {
        assert_eq!(refused(|b| b.wait_duration_in_open_state(wait)), "wait_duration_in_open_state");
        assert_eq!(refused(|b| b.open_wait(Backoff::fixed(wait))), "open_wait");
        assert_eq!(refused(|b| b.open_wait(Backoff::exponential(wait, 2.0))), "open_wait");
        assert_eq!(refused(|b| b.open_wait(Backoff::linear(wait, s(1)))), "open_wait");
        assert_eq!(refused(|b| b.open_wait(Backoff::fixed(s(1)).capped(wait))), "open_wait");
    }
    for factor in [-0.1, 1.1, f64::NAN] {
        let wait = Backoff::fixed(s(1)).randomized(factor);
        assert_eq!(refused(|b| b.open_wait(wait)), "open_wait");
    }
    for multiplier in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let wait = Backoff::exponential(s(1), multiplier);
        assert_eq!(refused(|b| b.open_wait(wait)), "open_wait");
    }
    for state in [State::HalfOpen, State::Disabled, State::MetricsOnly, State::ForcedOpen] {
        assert_eq!(refused(|b| b.after_half_open_wait(state)), "after_half_open_wait");
    }
}

#[test]
fn cb52_both_settings_of_the_wait_on_one_builder_are_refused() {
    let wait = || Backoff::fixed(s(1));
    let key = "wait_duration_in_open_state";
    assert_eq!(refused(|b| b.open_wait(wait()).wait_duration_in_open_state(s(1))), key);
    assert_eq!(refused(|b| b.wait_duration_in_open_state(s(1)).open_wait(wait())), key);
    let thrice = |b: Builder| {
        b.wait_duration_in_open_state(s(1)).open_wait(wait()).wait_duration_in_open_state(s(1))
    };
    assert_eq!(refused(thrice), key);
}

#[test]
fn cb52_one_setting_of_the_wait_twice_is_fine_and_the_last_one_holds() {
    let config = CircuitBreakerConfig::builder()
        .wait_duration_in_open_state(s(1))
        .wait_duration_in_open_state(s(2))
        .build()
        .unwrap();
    let breaker = CircuitBreaker::new("inventory", config);
    breaker.transition_to_open().unwrap();
    assert!(refusal(&breaker).retry_after().unwrap() > s(1));
    CircuitBreakerConfig::builder()
        .open_wait(Backoff::fixed(s(1)))
        .open_wait(Backoff::fixed(s(2)))
        .build()
        .unwrap();
}

#[test]
fn cb52_settings_taken_from_another_breaker_may_set_the_wait_anew() {
    let base = CircuitBreakerConfig::builder().wait_duration_in_open_state(s(1)).build().unwrap();
    let config = base.to_builder().open_wait(Backoff::fixed(s(100))).build().unwrap();
    let breaker = CircuitBreaker::new("inventory", config);
    breaker.transition_to_open().unwrap();
    assert!(refusal(&breaker).retry_after().unwrap() > s(90));
}

#[test]
fn the_largest_settings_build_and_run() {
    for window in [
        SlidingWindow::Count(10_000_000),
        SlidingWindow::Time { seconds: 86_400 },
        SlidingWindow::Consecutive(u32::MAX),
    ] {
        let (breaker, _) = breaker(|builder| {
            builder
                .sliding_window(window)
                .slice_alignment(SliceAlignment::WallClock)
                .minimum_number_of_calls(u32::MAX)
                .permitted_calls_in_half_open(10_000_000)
                .slow_call_duration_threshold(Duration::MAX)
                .cancelled_is_failure_after(Duration::MAX)
                .max_wait_in_half_open(Duration::MAX)
                .wait_duration_in_open_state(Duration::MAX)
                .automatic_transition_from_open_to_half_open(true)
        });
        ok(&breaker);
        fail(&breaker);
        drop(breaker.try_acquire().unwrap());
        assert_eq!(breaker.counters().cancelled, 1);
        breaker.transition_to_open().unwrap();
        assert!(refusal(&breaker).retry_after().unwrap() > s(1_000_000));
        breaker.transition_to_open_for(Duration::MAX).unwrap();
        assert!(refusal(&breaker).retry_after().unwrap() > s(1_000_000));
        breaker.transition_to_half_open().unwrap();
        ok(&breaker);
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}
