//! The gate's word against the core's lock, in every order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loom::thread;
use tokio::time::Instant;

use super::{Gate, Shown, Tally};
use crate::sync::model;
use crate::{Cause, CircuitBreaker, CircuitBreakerConfig, SlidingWindow, State};

fn breaker(window: SlidingWindow) -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(window)
        .minimum_number_of_calls(1)
        .permitted_calls_in_half_open(1);
    CircuitBreaker::new("model", config.build().unwrap())
}

/// Who asks the word is told what the core would say.
fn agree(breaker: &CircuitBreaker) {
    let (sight, core) = (breaker.shared.gate.look(), breaker.shared.core.lock());
    assert_eq!(sight.generation(), core.generation());
    assert_eq!(sight.passes(), core.lets_all_pass());
}

#[test]
fn the_word_is_that_of_the_last_transition() {
    model(|| {
        let breaker = breaker(SlidingWindow::Count(1));
        let other = thread::spawn({
            let breaker = breaker.clone();
            move || breaker.transition_to_forced_open()
        });
        breaker.reset();
        other.join().unwrap();
        agree(&breaker);
        assert_eq!(breaker.try_acquire().is_err(), breaker.state() == State::ForcedOpen);
    });
}

#[test]
fn whoever_knows_that_it_is_open_is_refused() {
    model(|| {
        let breaker = breaker(SlidingWindow::Count(1));
        let opened = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let other = thread::spawn({
            let (breaker, opened) = (breaker.clone(), opened.clone());
            move || {
                breaker.transition_to_forced_open();
                // The only ordering that there is comes from the breaker itself.
                opened.store(true, Ordering::Release);
            }
        });
        let knows = opened.load(Ordering::Acquire);
        let permit = breaker.try_acquire();
        assert!(!(knows && permit.is_ok()));
        drop(permit);
        other.join().unwrap();
        agree(&breaker);
    });
}

#[test]
fn a_report_from_before_the_transition_changes_nothing_after_it() {
    model(|| {
        let breaker = breaker(SlidingWindow::Count(1));
        let before = breaker.shared.gate.look().generation();
        let fail = {
            let breaker = breaker.clone();
            move || {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.failure(Cause::Other);
                }
            }
        };
        let other = thread::spawn(fail.clone());
        fail();
        other.join().unwrap();
        // The first report opened it; the second one came too late or was never let in.
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.shared.gate.look().generation(), before + 1);
        agree(&breaker);
    });
}

#[test]
fn no_success_is_lost_or_counted_twice() {
    model(|| {
        let breaker = breaker(SlidingWindow::Count(2));
        let succeed = {
            let breaker = breaker.clone();
            move || breaker.try_acquire().unwrap().success()
        };
        let other = thread::spawn(succeed.clone());
        succeed();
        // Whoever looks credits what was counted so far.
        drop(breaker.shared.lock());
        other.join().unwrap();
        assert_eq!(breaker.shared.lock().counters().successful, 2);
    });
}

/// The moment lies beside the word, so it is the word's orderings that bring the right one along.
#[test]
fn a_refusal_names_the_wait_of_the_opening_that_counts_it() {
    let start = Instant::now();
    model(move || {
        let gate = Arc::new(Gate::new(start));
        let open = move |gate: &Gate, generation: u64| {
            let until = start + Duration::from_secs(generation);
            gate.show(Shown {
                generation,
                passes: false,
                is_timed: false,
                tallies: false,
                refuses_until: Some(until),
            });
        };
        open(&gate, 1);
        let other = thread::spawn({
            let gate = gate.clone();
            move || {
                let first = gate.close();
                open(&gate, 2);
                first
            }
        });
        let wait = gate.count_refusal(start);
        let counted = [other.join().unwrap(), gate.close()];
        let expected = match wait.map(|wait| wait.as_secs()) {
            None => [0, 0],
            Some(1) => [1, 0],
            _ => [0, 1],
        };
        assert_eq!(counted, expected.map(|count| Some(Tally::Refusals(count))));
    });
}
