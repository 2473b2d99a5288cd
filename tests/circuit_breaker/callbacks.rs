//! Users' functions run outside every lock: they may call back, panic, or hang.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::{CircuitBreakerEvent, EventKind};
use seawall::{Backoff, CircuitBreaker, CircuitBreakerConfig, Reason};

use crate::support::*;

/// A place for the breaker that a callback wants to call.
type Cell = Arc<OnceLock<CircuitBreaker>>;

/// A touchy breaker whose open wait is this function of the breaker itself.
fn with_wait(
    wait: impl Fn(&CircuitBreaker) -> Option<std::time::Duration> + Send + Sync + 'static,
) -> (CircuitBreaker, Log) {
    let cell = Cell::default();
    let inside = cell.clone();
    let (breaker, log) = breaker(|builder| {
        last(1)(builder)
            .permitted_calls_in_half_open(1)
            .open_wait(Backoff::custom(move |_| wait(inside.get().unwrap())))
    });
    cell.set(breaker.clone()).unwrap();
    (breaker, log)
}

#[tokio::test(start_paused = true)]
async fn regression_an_open_wait_may_look_at_its_breaker() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    let (breaker, _) = with_wait(move |breaker| {
        let rejected = breaker.try_acquire().unwrap_err();
        let metrics = breaker.metrics();
        note.lock().unwrap().push((breaker.state(), rejected.reason(), metrics.failed_calls));
        assert_eq!(breaker.counters().transitions % 2, 1);
        Some(s(10))
    });
    fail(&breaker);
    assert_eq!(*seen.lock().unwrap(), [(State::Open, Reason::CircuitOpen, 1)]);
    pass(ms(10_001)).await;
    ok(&breaker);
    fail(&breaker);
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn regression_an_open_wait_may_change_its_breaker() {
    let (breaker, log) = with_wait(|breaker| {
        breaker.reset();
        Some(s(10))
    });
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(log.transitions(), [(State::Closed, State::Open), (State::Open, State::Closed)]);
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn regression_an_open_wait_that_panics_leaves_a_circuit_that_comes_back() {
    let (breaker, _) = with_wait(|_| panic!("no wait"));
    fail(&breaker);
    let wait = refusal(&breaker).retry_after().expect("there is a wait all the same");
    assert!(wait <= s(61), "{wait:?}");
    pass(wait).await;
    ok(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn regression_an_open_wait_of_none_is_as_long_as_can_be() {
    let (breaker, _) = with_wait(|_| None);
    fail(&breaker);
    assert!(refusal(&breaker).retry_after().unwrap() > s(365 * 24 * 3600));
    tokio::time::advance(s(365 * 24 * 3600)).await;
    assert_eq!(reason(&breaker), Reason::CircuitOpen);
    breaker.transition_to_half_open().unwrap();
    ok(&breaker);
}

#[test]
fn regression_an_open_wait_is_asked_once_while_others_look() {
    let asked = Arc::new(AtomicU32::new(0));
    let (inside, entered) = channel();
    let (go, gate) = channel();
    let (inside, gate) = (Mutex::new(inside), Mutex::new(gate));
    let count = asked.clone();
    let (breaker, _) = with_wait(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            inside.lock().unwrap().send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        Some(s(10))
    });
    thread::scope(|scope| {
        // Dropped if anything fails below, so that the function is let go in any case.
        let go = go;
        scope.spawn(|| fail(&breaker));
        entered.recv().unwrap();
        assert_eq!(breaker.state(), State::Open);
        let rejected = refusal(&breaker);
        assert_eq!((rejected.reason(), rejected.retry_after()), (Reason::CircuitOpen, None));
        let _ = breaker.metrics();
        go.send(()).unwrap();
    });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(refusal(&breaker).retry_after().is_some());
}

#[tokio::test(start_paused = true)]
async fn regression_an_observer_may_call_back() {
    let cell = Cell::default();
    let inside = cell.clone();
    let config = last(1)(CircuitBreakerConfig::builder()).build().unwrap();
    let breaker = CircuitBreaker::new("inventory", config);
    cell.set(breaker.clone()).unwrap();
    breaker.observe(move |event: &seawall::telemetry::Event<'_>| {
        let breaker = inside.get().unwrap();
        let _ = breaker.metrics();
        let _ = breaker.counters();
        let EventKind::CircuitBreaker(kind) = event.kind else { return };
        if let CircuitBreakerEvent::StateTransition { to: State::Open, .. } = kind {
            assert_eq!(breaker.state(), State::Open);
            refusal(breaker);
            breaker.observe(|_: &seawall::telemetry::Event<'_>| {});
            breaker.transition_to_half_open().unwrap();
            ok(breaker);
        }
    });
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.counters().transitions, 3);
}

#[tokio::test(start_paused = true)]
async fn regression_the_circuit_refuses_before_anybody_hears_that_it_is_open() {
    let cell = Cell::default();
    let inside = cell.clone();
    let config = last(1)(CircuitBreakerConfig::builder()).build().unwrap();
    let breaker = CircuitBreaker::new("inventory", config);
    cell.set(breaker.clone()).unwrap();
    let admitted = Arc::new(AtomicU32::new(0));
    let count = admitted.clone();
    breaker.observe(move |event: &seawall::telemetry::Event<'_>| {
        let EventKind::CircuitBreaker(kind) = event.kind else { return };
        if let CircuitBreakerEvent::StateTransition { to: State::Open, .. } = kind {
            // The first thing that this observer does: nobody has looked at the state since.
            let permit = inside.get().unwrap().try_acquire();
            count.fetch_add(u32::from(permit.is_ok()), Ordering::Relaxed);
        }
    });
    fail(&breaker);
    breaker.reset();
    breaker.transition_to_open().unwrap();
    assert_eq!(breaker.counters().not_permitted, 2);
    assert_eq!(admitted.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn regression_observers_that_panic_on_everything_do_not_stop_the_timers() {
    let (breaker, log) = breaker(|builder| {
        last(1)(builder)
            .wait_duration_in_open_state(s(1))
            .max_wait_in_half_open(s(1))
            .automatic_transition_from_open_to_half_open(true)
    });
    breaker.observe(|_: &seawall::telemetry::Event<'_>| panic!("an observer's panic"));
    fail(&breaker);
    pass(ms(3500)).await;
    let (open, half_open) = (State::Open, State::HalfOpen);
    assert_eq!(log.transitions()[1..], [(open, half_open), (half_open, open), (open, half_open)]);
}

#[tokio::test(start_paused = true)]
async fn regression_a_look_at_results_may_call_back() {
    let cell = Cell::default();
    let inside = cell.clone();
    let (breaker, _) = breaker(|builder| {
        builder.transition_on_result(move |_| {
            let breaker = inside.get().unwrap();
            breaker.transition_to_forced_open();
            None
        })
    });
    cell.set(breaker.clone()).unwrap();
    ok(&breaker);
    assert_eq!(breaker.state(), State::ForcedOpen);
    assert_eq!(breaker.counters().late, 1);
}

/// A writer is the user's code as well.
#[test]
fn regression_debug_output_is_written_outside_the_lock() {
    struct Writer(CircuitBreaker);
    impl Write for Writer {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            let _ = self.0.metrics();
            Ok(())
        }
    }
    let (breaker, _) = breaker(|builder| builder);
    let mut writer = Writer(breaker.clone());
    write!(writer, "{breaker:?}").unwrap();
}

/// Waits of a second each, whose end opens the circuit once more.
struct Last(Cell, Arc<AtomicU32>);

impl Iterator for Last {
    type Item = std::time::Duration;

    fn next(&mut self) -> Option<std::time::Duration> {
        Some(s(1))
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.get().unwrap().transition_to_open().unwrap();
        }
    }
}

#[test]
fn a_sequence_of_open_waits_that_ends_may_use_its_breaker() {
    let (done, ended) = channel();
    thread::spawn(move || {
        let (cell, made, ends) = (Cell::default(), AtomicU32::new(0), Arc::default());
        let inside = cell.clone();
        let sequence = Backoff::sequence(move || {
            // While the first is asked for, the circuit opens anew, and another takes its place.
            if made.fetch_add(1, Ordering::Relaxed) == 0 {
                inside.get().unwrap().transition_to_open().unwrap();
            }
            Last(inside.clone(), Arc::clone(&ends))
        });
        let config = CircuitBreakerConfig::builder().open_wait(sequence).build().unwrap();
        let breaker = CircuitBreaker::new("inventory", config);
        cell.set(breaker.clone()).unwrap();
        breaker.transition_to_open().unwrap();
        done.send(breaker.state()).unwrap();
    });
    let state = ended.recv_timeout(s(20)).expect("it hangs");
    assert_eq!(state, State::Open);
}
