//! Many threads: CB49, and the counters that must add up.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use seawall::patterns::circuit_breaker::State;
use seawall::{
    Cause, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, SlidingWindow,
};

use crate::support::*;

#[test]
fn cb49_a_hundred_threads_at_the_threshold_open_once() {
    for _ in 0..20 {
        let (breaker, log) = breaker(last(100));
        let start = Barrier::new(100);
        thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    let permit = breaker.try_acquire().unwrap();
                    start.wait();
                    permit.failure(Cause::Other);
                });
            }
        });
        assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
        assert_eq!(log.failure_rates_exceeded(), [100.0]);
        assert_eq!(breaker.counters().transitions, 1);
    }
}

#[test]
fn cb49_beyond_the_threshold_all_further_results_are_late() {
    let (breaker, log) = breaker(last(10));
    let start = Barrier::new(100);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let permit = breaker.try_acquire().unwrap();
                start.wait();
                permit.failure(Cause::Other);
            });
        }
    });
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    let counters = breaker.counters();
    assert_eq!((counters.failed, counters.late), (100, 90));
}

#[test]
fn racing_callers_of_a_half_open_circuit_get_no_trial_too_many() {
    for _ in 0..50 {
        let (breaker, _) = breaker(|builder| last(100)(builder).permitted_calls_in_half_open(5));
        breaker.transition_to_open().unwrap();
        breaker.transition_to_half_open().unwrap();
        let (admitted, start) = (AtomicU32::new(0), Barrier::new(16));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    let permit = breaker.try_acquire();
                    admitted.fetch_add(u32::from(permit.is_ok()), Ordering::Relaxed);
                    start.wait();
                });
            }
        });
        assert_eq!(admitted.into_inner(), 5);
        assert_eq!(breaker.counters().not_permitted, 11);
    }
}

#[test]
fn counters_add_up_while_states_change_under_running_calls() {
    let (breaker, _log) = breaker(restless);
    counters_add_up(&breaker);
}

/// Nobody listens, so that calls are counted without a lock where that is enough.
#[test]
fn counters_add_up_while_states_change_under_running_calls_and_nobody_listens() {
    let config = restless(CircuitBreakerConfig::builder()).build().unwrap();
    counters_add_up(&CircuitBreaker::new("inventory", config));
}

fn restless(builder: CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder {
    builder
        .sliding_window(SlidingWindow::Count(20))
        .minimum_number_of_calls(5)
        .permitted_calls_in_half_open(3)
        .wait_duration_in_open_state(ms(1))
}

/// States fly about; every permission and every refusal must still be counted exactly once.
fn counters_add_up(breaker: &CircuitBreaker) {
    const EACH: u32 = 3000;
    let admitted = AtomicU32::new(0);
    thread::scope(|scope| {
        for seed in 0..4_u32 {
            let admitted = &admitted;
            scope.spawn(move || {
                for turn in 0..EACH {
                    let dice = (turn ^ seed).wrapping_mul(2_654_435_761) >> 16;
                    if dice % 97 == 0 {
                        breaker.reset();
                    }
                    if dice % 101 == 0 {
                        let _ = breaker.transition_to_half_open();
                    }
                    let Ok(permit) = breaker.try_acquire() else { continue };
                    admitted.fetch_add(1, Ordering::Relaxed);
                    match dice % 5 {
                        0 | 1 => permit.success(),
                        2 => permit.failure(Cause::Other),
                        3 => permit.record(&seawall::Verdict::ignored(Cause::Other)),
                        _ => drop(permit),
                    }
                }
            });
        }
    });
    let all = breaker.counters();
    assert_eq!(
        all.successful + all.failed + all.ignored + all.cancelled,
        u64::from(admitted.into_inner())
    );
    assert_eq!(
        all.successful + all.failed + all.ignored + all.cancelled + all.not_permitted,
        u64::from(4 * EACH)
    );
}

#[test]
fn no_success_is_lost_while_others_look() {
    const EACH: u32 = 20_000;
    let breaker = CircuitBreaker::with_defaults("inventory");
    let running = AtomicU32::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    ok(&breaker);
                }
                running.fetch_sub(1, Ordering::Release);
            });
        }
        while running.load(Ordering::Acquire) > 0 {
            let _ = breaker.counters();
        }
    });
    assert_eq!(breaker.counters().successful, u64::from(2 * EACH));
}
