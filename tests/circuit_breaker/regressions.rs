//! Defects that other circuit breakers have shipped.

use std::time::Duration;

use seawall::patterns::circuit_breaker::State;
use seawall::{
    Cause, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Deadline, ErrorLayer, Reason,
    SlidingWindow, Verdict,
};
use tokio::time::timeout;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn regression_a_count_window_slides_on_after_millions_of_calls() {
    let (breaker, log) = silent(|builder| {
        builder.sliding_window(SlidingWindow::Count(10)).minimum_number_of_calls(10)
    });
    for _ in 0..2_000_000 {
        ok(&breaker);
    }
    assert_eq!(counts(&breaker.metrics()), [10, 0, 0, 0]);
    let log = log(&breaker);
    for failed in 1..=4 {
        fail(&breaker);
        assert_eq!(counts(&breaker.metrics()), [10, failed, 0, 0]);
    }
    fail(&breaker);
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    assert_eq!(log.failure_rates_exceeded(), [50.0]);
}

/// A breaker that nobody listens to yet.
fn silent(
    settings: impl FnOnce(seawall::CircuitBreakerConfigBuilder) -> seawall::CircuitBreakerConfigBuilder,
) -> (CircuitBreaker, fn(&CircuitBreaker) -> Log) {
    let config = settings(CircuitBreakerConfig::builder()).build().unwrap();
    (CircuitBreaker::new("inventory", config), Log::of)
}

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[tokio::test(start_paused = true)]
async fn regression_the_memory_of_a_window_does_not_grow_with_the_rate_of_calls() {
    for window in [
        SlidingWindow::Time { seconds: 60 },
        SlidingWindow::Count(100),
        SlidingWindow::Consecutive(1000),
    ] {
        let (breaker, _) = silent(|builder| {
            builder.sliding_window(window).failure_rate_threshold(100.0).minimum_number_of_calls(50)
        });
        ok(&breaker);
        let allocations = allocations(|| {
            for call in 0..100_000 {
                if call % 3 == 0 { fail(&breaker) } else { ok(&breaker) }
            }
            ignored(&breaker);
            drop(breaker.try_acquire().unwrap());
            let _ = breaker.metrics();
        });
        assert_eq!(allocations, 0, "{window:?}");
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn regression_passing_time_costs_no_memory() {
    let (breaker, _) = silent(|builder| {
        builder.sliding_window(SlidingWindow::Time { seconds: 60 }).failure_rate_threshold(100.0)
    });
    for _ in 0..200 {
        tokio::time::advance(ms(700)).await;
        assert_eq!(allocations(|| ok(&breaker)), 0);
        assert_eq!(allocations(|| fail(&breaker)), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn regression_a_refusal_costs_no_memory() {
    let (breaker, _) = silent(|builder| builder);
    breaker.transition_to_open().unwrap();
    assert_eq!(allocations(|| drop(breaker.try_acquire().unwrap_err())), 0);
}

#[tokio::test(start_paused = true)]
async fn regression_a_call_through_the_layer_costs_no_memory() {
    let (breaker, _) = silent(|builder| builder);
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(ErrorLayer)
        .service(service_fn(|()| std::future::ready(Ok::<(), ()>(()))));
    let counted = allocations(|| {
        for _ in 0..1000 {
            let ready = service.ready();
            let call = futures_util::FutureExt::now_or_never(ready).unwrap().unwrap().call(());
            futures_util::FutureExt::now_or_never(call).unwrap().unwrap();
            let call = breaker.call(std::future::ready(Ok::<(), ()>(())));
            futures_util::FutureExt::now_or_never(call).unwrap().unwrap();
        }
    });
    assert_eq!(counted, 0);
    assert_eq!(breaker.counters().successful, 2000);
}

fn trial(settings: impl FnOnce(&mut Duration)) -> (CircuitBreaker, Log) {
    let mut longest = Duration::ZERO;
    settings(&mut longest);
    let (breaker, log) = breaker(|builder| {
        last(1)(builder)
            .permitted_calls_in_half_open(1)
            .wait_duration_in_open_state(s(1))
            .max_wait_in_half_open(longest)
            .cancelled_is_failure_after(s(5))
    });
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    log.clear();
    (breaker, log)
}

#[tokio::test(start_paused = true)]
async fn regression_dropped_trials_do_not_hold_the_circuit_half_open_for_ever() {
    let (breaker, log) = trial(|_| {});
    for _ in 0..100 {
        let call = breaker.call(std::future::pending::<Result<(), ()>>());
        timeout(s(1), call).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    ok(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn regression_a_hanging_trial_that_is_given_up_opens_again() {
    let (breaker, log) = trial(|_| {});
    let call = breaker.call(std::future::pending::<Result<(), ()>>());
    timeout(ms(5001), call).await.unwrap_err();
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
    pass(ms(1001)).await;
    ok(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn regression_a_trial_that_nobody_gives_up_is_ended_by_the_longest_wait() {
    let (breaker, log) = trial(|longest| *longest = s(10));
    let hanging = breaker.try_acquire().unwrap();
    pass(ms(10_002)).await;
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
    pass(ms(1001)).await;
    let second = breaker.try_acquire().unwrap();
    log.clear();
    // The old trial's end neither decides nor makes room.
    hanging.success();
    assert_eq!(log.transitions(), []);
    assert_eq!(reason(&breaker), Reason::CircuitHalfOpen);
    second.failure(Cause::Other);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
}

#[tokio::test(start_paused = true)]
async fn regression_a_late_result_neither_closes_nor_opens() {
    let (breaker, log) = breaker(|builder| {
        last(1)(builder).permitted_calls_in_half_open(1).wait_duration_in_open_state(s(1))
    });
    let of_closed: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker);
    pass(ms(1001)).await;
    let of_half_open = breaker.try_acquire().unwrap();
    log.clear();
    let mut of_closed = of_closed.into_iter();
    of_closed.next().unwrap().success();
    assert_eq!(breaker.state(), State::HalfOpen, "a late success must not close");
    breaker.reset();
    log.clear();
    of_closed.next().unwrap().failure(Cause::Other);
    of_half_open.failure(Cause::Other);
    assert_eq!(breaker.state(), State::Closed, "a late failure must not open");
    assert_eq!(log.transitions(), []);
    assert_eq!(breaker.metrics().buffered_calls, 0);
}

#[tokio::test(start_paused = true)]
async fn regression_a_hung_backend_opens_the_circuit_below_an_outer_timeout() {
    let (breaker, log) = breaker(|builder| last(5)(builder).cancelled_is_failure_after(ms(999)));
    for _ in 0..5 {
        assert_eq!(log.transitions(), []);
        let call = breaker.call(std::future::pending::<Result<(), ()>>());
        timeout(s(1), call).await.unwrap_err();
    }
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    assert_eq!((breaker.counters().failed, breaker.counters().cancelled), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn regression_a_hung_backend_opens_the_circuit_below_an_outer_timeout_layer() {
    let (breaker, log) = breaker(|builder| last(5)(builder).cancelled_is_failure_after(ms(999)));
    let mut service = ServiceBuilder::new()
        .timeout(s(1))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(ErrorLayer)
        .service(service_fn(|()| std::future::pending::<Result<(), std::io::Error>>()));
    for _ in 0..5 {
        service.ready().await.unwrap().call(()).await.unwrap_err();
    }
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
}

#[tokio::test(start_paused = true)]
async fn regression_a_call_given_up_early_counts_for_nothing() {
    let (breaker, _) = breaker(|builder| last(5)(builder).cancelled_is_failure_after(s(1)));
    for _ in 0..5 {
        let call = breaker.call(std::future::pending::<Result<(), ()>>());
        timeout(s(1), call).await.unwrap_err();
    }
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    assert_eq!((breaker.counters().failed, breaker.counters().cancelled), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn regression_a_call_given_up_at_its_deadline_is_a_failure_however_short_it_was() {
    let (breaker, log) = breaker(last(5));
    for _ in 0..5 {
        assert_eq!(log.transitions(), []);
        let call = breaker.call(std::future::pending::<Result<(), ()>>());
        let scoped = Deadline::after(ms(20)).scope(call);
        timeout(ms(20), scoped).await.unwrap_err();
    }
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);

    let (breaker, _) = crate::support::breaker(last(5));
    let call = breaker.call(std::future::pending::<Result<(), ()>>());
    timeout(ms(19), Deadline::after(ms(20)).scope(call)).await.unwrap_err();
    assert_eq!((breaker.counters().failed, breaker.counters().cancelled), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn regression_the_paused_clock_moves_durations_windows_and_waits() {
    let (breaker, _) = breaker(|builder| {
        builder
            .sliding_window(SlidingWindow::Time { seconds: 10 })
            .minimum_number_of_calls(2)
            .slow_call_duration_threshold(s(1))
            .wait_duration_in_open_state(s(3600))
    });
    let slow = breaker.try_acquire().unwrap();
    pass(s(2)).await;
    slow.success();
    assert_eq!(counts(&breaker.metrics()), [1, 0, 1, 0]);
    pass(s(10)).await;
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    pass(s(3601)).await;
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn regression_one_record_a_permission_even_if_the_permit_is_used_up_late() {
    let (breaker, _) = breaker(|builder| builder);
    let permit = breaker.try_acquire().unwrap();
    permit.record_elapsed(&Verdict::success(), Duration::MAX);
    let counters = breaker.counters();
    assert_eq!((counters.successful, counters.slow, counters.cancelled), (1, 1, 0));
}

/// A listing of a breaker is for a log line: it must not spill the window's slots into it.
#[test]
fn regression_debug_output_is_short_whatever_the_window() {
    for window in [SlidingWindow::Count(1_000_000), SlidingWindow::Time { seconds: 86_400 }] {
        let (breaker, _) = silent(|builder| builder.sliding_window(window));
        let permit = breaker.try_acquire().unwrap();
        for text in [format!("{breaker:?}"), format!("{permit:?}")] {
            assert!(text.contains("inventory"), "{text}");
            assert!(text.contains("Closed"), "{text}");
            assert!(text.len() < 1000, "{} characters", text.len());
        }
    }
}
