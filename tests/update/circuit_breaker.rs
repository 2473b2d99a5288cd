//! Of the circuit breaker.

use std::time::Duration;

use seawall::patterns::circuit_breaker::{State, TransitionReason};
use seawall::{
    Backoff, Cause, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder as Builder,
    OpenFor, Reason, SliceAlignment, SlidingWindow,
};
use tokio::time::{Instant, advance};

use crate::support::*;

fn config(settings: impl FnOnce(Builder) -> Builder) -> CircuitBreakerConfig {
    let base = CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(10))
        .minimum_number_of_calls(10)
        .permitted_calls_in_half_open(2)
        .wait_duration_in_open_state(s(10));
    settings(base).build().unwrap()
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::new("inventory", config(|it| it))
}

fn change(breaker: &CircuitBreaker, settings: impl FnOnce(Builder) -> Builder) {
    breaker.update(settings(breaker.config().to_builder()).build().unwrap());
}

fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().failure(Cause::Reset);
}

fn succeed(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().success();
}

#[tokio::test(start_paused = true)]
async fn rg9_a_breaker_keeps_its_window_counters_observers_and_permits() {
    let breaker = breaker();
    let heard = Heard::default();
    succeed(&breaker);
    breaker.observe(heard.observer());
    succeed(&breaker);
    fail(&breaker);
    let under_way = breaker.try_acquire().unwrap();
    let (before, counters, told) = (breaker.metrics(), breaker.counters(), heard.events());
    change(&breaker, |it| it.failure_rate_threshold(30.0).slow_call_duration_threshold(s(1)));
    assert_eq!((breaker.metrics(), breaker.counters()), (before, counters));
    assert_eq!(heard.events(), told, "an update is no event of the breaker");
    under_way.failure(Cause::Reset);
    assert_eq!(breaker.metrics().failed_calls, 2);
    assert_eq!((breaker.counters().late, heard.events()), (0, told + 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_threshold_counts_with_the_next_outcome() {
    let breaker = breaker();
    (0..6).for_each(|_| succeed(&breaker));
    (0..4).for_each(|_| fail(&breaker));
    assert_eq!(breaker.metrics().failure_rate, 40.0);
    change(&breaker, |it| it.failure_rate_threshold(40.0));
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    let last = *breaker.transitions().last().unwrap();
    assert_eq!(last.reason, TransitionReason::FailureRate { rate: 50.0 });
}

#[tokio::test(start_paused = true)]
async fn a_new_minimum_counts_at_once_and_is_cut_to_the_window() {
    let breaker = breaker();
    (0..3).for_each(|_| fail(&breaker));
    assert_eq!(breaker.metrics().failure_rate, -1.0);
    change(&breaker, |it| it.minimum_number_of_calls(3));
    assert_eq!(breaker.metrics().failure_rate, 100.0);
    change(&breaker, |it| it.minimum_number_of_calls(1000));
    (0..6).for_each(|_| fail(&breaker));
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn another_window_starts_empty_and_only_that_starts_anew() {
    let windows = [
        SlidingWindow::Count(11),
        SlidingWindow::Time { seconds: 10 },
        SlidingWindow::Time { seconds: 11 },
        SlidingWindow::Consecutive(4),
        SlidingWindow::Consecutive(5),
        SlidingWindow::Count(10),
    ];
    let breaker = breaker();
    let mut failed = 0;
    for window in windows {
        fail(&breaker);
        let under_way = breaker.try_acquire().unwrap();
        change(&breaker, |it| it.sliding_window(window));
        assert_eq!(breaker.metrics().buffered_calls, 0, "{window:?}");
        under_way.failure(Cause::Reset);
        failed += 2;
        assert_eq!(breaker.metrics().buffered_calls, 1, "{window:?} counts who was under way");
        assert_eq!(breaker.counters().failed, failed);
        // The same once more changes nothing.
        change(&breaker, |it| it.sliding_window(window));
        assert_eq!(breaker.metrics().buffered_calls, 1, "{window:?}");
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn slices_that_begin_elsewhere_are_another_window_over_time_only() {
    let breaker = breaker();
    fail(&breaker);
    change(&breaker, |it| it.slice_alignment(SliceAlignment::WallClock));
    assert_eq!(breaker.metrics().buffered_calls, 1);
    change(&breaker, |it| it.sliding_window(SlidingWindow::Time { seconds: 10 }));
    fail(&breaker);
    change(&breaker, |it| it.slice_alignment(SliceAlignment::FromStart));
    assert_eq!(breaker.metrics().buffered_calls, 0);
}

#[tokio::test(start_paused = true)]
async fn an_opening_keeps_its_end_and_the_next_one_has_the_new_wait() {
    let breaker = breaker();
    let wait = |breaker: &CircuitBreaker| breaker.try_acquire().unwrap_err().retry_after().unwrap();
    let nano = Duration::from_nanos(1);
    breaker.transition_to_open().unwrap();
    assert_eq!(wait(&breaker), s(10) + nano);
    change(&breaker, |it| it.open_wait(Backoff::linear(s(1), s(1))));
    assert_eq!(wait(&breaker), s(10) + nano);
    advance(s(10) + nano).await;
    (0..2).for_each(|_| fail(&breaker));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(wait(&breaker), s(2) + nano, "it is the second opening in a row all the same");
}

#[tokio::test(start_paused = true)]
async fn trials_under_way_keep_their_number_and_their_time() {
    let breaker = breaker();
    change(&breaker, |it| it.max_wait_in_half_open(s(5)));
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    let trial = breaker.try_acquire().unwrap();
    change(&breaker, |it| {
        it.permitted_calls_in_half_open(1).max_wait_in_half_open(s(1)).failure_rate_threshold(60.0)
    });
    let other = breaker.try_acquire().unwrap();
    let full = breaker.try_acquire().unwrap_err();
    assert_eq!(full.reason(), Reason::CircuitHalfOpen);
    advance(s(2)).await;
    trial.failure(Cause::Reset);
    assert_eq!(breaker.state(), State::HalfOpen, "two trials decide");
    other.success();
    assert_eq!(breaker.state(), State::Closed, "by the threshold of now");
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    let _one = breaker.try_acquire().unwrap();
    assert!(breaker.try_acquire().is_err(), "one trial decides from now on");
    advance(s(1)).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_learns_to_come_back_by_itself_and_to_leave_that() {
    let breaker = breaker();
    let heard = Heard::default();
    let start = Instant::now();
    breaker.transition_to_open().unwrap();
    breaker.observe(heard.observer());
    change(&breaker, |it| it.automatic_transition_from_open_to_half_open(true));
    tokio::time::sleep_until(start + s(11)).await;
    assert_eq!(heard.events(), 1, "nobody looked, and it was told");
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.transition_to_open().unwrap();
    change(&breaker, |it| it.automatic_transition_from_open_to_half_open(false));
    tokio::time::sleep(s(30)).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_or_hung_is_judged_by_the_settings_of_the_end() {
    let breaker = breaker();
    let (slow, hung, quick) = (
        breaker.try_acquire().unwrap(),
        breaker.try_acquire().unwrap(),
        breaker.try_acquire().unwrap(),
    );
    advance(s(2)).await;
    quick.success();
    change(&breaker, |it| {
        it.slow_call_duration_threshold(s(1)).cancelled_is_failure_after(ms(1999))
    });
    slow.success();
    drop(hung);
    let metrics = breaker.metrics();
    assert_eq!((metrics.buffered_calls, metrics.slow_calls, metrics.failed_calls), (3, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn durations_count_for_calls_that_begin_after_they_were_switched_on() {
    let breaker = breaker();
    change(&breaker, |it| it.slow_call_duration_threshold(Duration::MAX));
    let early = breaker.try_acquire().unwrap();
    change(&breaker, |it| it.slow_call_duration_threshold(s(1)));
    let late = breaker.try_acquire().unwrap();
    advance(s(2)).await;
    early.success();
    assert_eq!(breaker.metrics().slow_calls, 0);
    late.success();
    assert_eq!(breaker.metrics().slow_calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_rule_about_results_counts_at_once_and_goes_at_once() {
    let breaker = breaker();
    let under_way = breaker.try_acquire().unwrap();
    change(&breaker, |it| it.transition_on_result(|_| Some(OpenFor::Span(s(3)))));
    under_way.success();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.transitions().last().unwrap().reason, TransitionReason::Result);
    breaker.reset();
    breaker.update(config(|it| it));
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_initial_state_is_for_the_start_only() {
    let breaker = breaker();
    change(&breaker, |it| it.initial_state(State::ForcedOpen));
    assert_eq!(breaker.state(), State::Closed);
    breaker.reset();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_last_eight_changes_of_state_are_remembered_with_their_reasons() {
    use TransitionReason as Why;
    let breaker = breaker();
    change(&breaker, |it| it.max_wait_in_half_open(s(1)).slow_call_duration_threshold(s(1)));
    let reasons = || breaker.transitions().iter().map(|it| it.reason).collect::<Vec<_>>();
    assert_eq!(reasons(), []);
    for _ in 0..10 {
        let slow = breaker.try_acquire().unwrap();
        advance(s(2)).await;
        slow.success();
    }
    advance(s(11)).await;
    let trial = breaker.try_acquire().unwrap();
    advance(s(1)).await;
    assert_eq!(breaker.state(), State::Open);
    drop(trial);
    advance(s(11)).await;
    (0..2).for_each(|_| fail(&breaker));
    advance(s(11)).await;
    (0..2).for_each(|_| succeed(&breaker));
    let failed = Why::TrialsFailed { failure_rate: 100.0, slow_rate: 0.0 };
    let all = [
        Why::SlowCallRate { rate: 100.0 },
        Why::WaitOver,
        Why::HalfOpenWaitOver,
        Why::WaitOver,
        failed,
        Why::WaitOver,
        Why::TrialsPassed,
    ];
    assert_eq!(reasons(), all);
    let before = Instant::now();
    breaker.transition_to_forced_open();
    breaker.transition_to_forced_open();
    breaker.reset();
    assert_eq!(reasons()[..6], all[1..]);
    assert_eq!(reasons()[6..], [Why::Hand, Why::Reset]);
    let last = *breaker.transitions().last().unwrap();
    assert_eq!((last.from, last.to, last.at), (State::ForcedOpen, State::Closed, before));
    assert_eq!(breaker.counters().transitions, 9);
}
