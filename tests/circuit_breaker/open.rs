//! The open circuit: CB16 to CB22.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::CircuitBreakerEvent as Event;
use seawall::{Backoff, CircuitBreaker, CircuitBreakerLayer, ErrorLayer, Reason};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

/// Opens at the first failure, for as long as `wait` says; closes after one good trial.
fn touchy(wait: Backoff) -> (CircuitBreaker, Log) {
    breaker(|builder| last(1)(builder).permitted_calls_in_half_open(1).open_wait(wait))
}

/// A wait of 10 s each time, which notes with which attempts it was asked.
fn noted() -> (Backoff, Arc<Mutex<Vec<u32>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = asked.clone();
    let wait = Backoff::custom(move |context| {
        note.lock().unwrap().push(context.attempt.get());
        Some(s(10))
    });
    (wait, asked)
}

#[tokio::test(start_paused = true)]
async fn cb16_open_at_the_exact_deadline_still_rejects() {
    let (breaker, _) = touchy(Backoff::fixed(s(10)));
    fail(&breaker);
    assert_eq!(refusal(&breaker).retry_after(), Some(s(10) + Duration::from_nanos(1)));
    pass(ms(9999)).await;
    assert_eq!(refusal(&breaker).retry_after(), Some(ms(1) + Duration::from_nanos(1)));
    pass(ms(1)).await;
    let rejected = refusal(&breaker);
    assert_eq!(rejected.reason(), Reason::CircuitOpen);
    assert_eq!(rejected.retry_after(), Some(Duration::from_nanos(1)));
    assert_eq!(rejected.name(), "inventory");
    tokio::time::advance(Duration::from_nanos(1)).await;
    breaker.try_acquire().expect("one nanosecond later it is let through").success();
}

#[tokio::test(start_paused = true)]
async fn cb17_refusals_are_counted_and_the_service_is_not_called() {
    let (breaker, log) = touchy(Backoff::fixed(s(10)));
    let calls = Arc::new(Mutex::new(0));
    let count = calls.clone();
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(ErrorLayer)
        .service(service_fn(move |()| {
            *count.lock().unwrap() += 1;
            async { Err::<(), _>("down") }
        }));
    assert_eq!(
        service.ready().await.unwrap().call(()).await.unwrap_err().into_service(),
        Some("down")
    );
    for refused in 1..=3 {
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert_eq!(error.rejected().unwrap().reason(), Reason::CircuitOpen);
        assert_eq!(breaker.metrics().not_permitted_calls, refused);
        assert_eq!(breaker.counters().not_permitted, refused);
    }
    // Neither is a plain future polled.
    let error = breaker.call(async { panic!("polled") as Result<(), ()> }).await.unwrap_err();
    assert!(error.is_refusal());
    assert_eq!(*calls.lock().unwrap(), 1);
    assert_eq!(log.count(|event| matches!(event, Event::NotPermitted)), 4);
}

#[tokio::test(start_paused = true)]
async fn cb18_without_automatic_transition_it_stays_open_until_a_call_comes() {
    let (breaker, log) = touchy(Backoff::fixed(s(10)));
    fail(&breaker);
    tokio::time::advance(s(10 * 365 * 24 * 3600)).await;
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(log.transitions().len(), 1);
    let trial = breaker.try_acquire().unwrap();
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(log.transitions()[1..], [(State::Open, State::HalfOpen)]);
    trial.success();
}

fn automatic() -> (CircuitBreaker, Log) {
    breaker(|builder| {
        last(1)(builder)
            .permitted_calls_in_half_open(1)
            .wait_duration_in_open_state(s(10))
            .automatic_transition_from_open_to_half_open(true)
    })
}

#[tokio::test(start_paused = true)]
async fn cb19_with_automatic_transition_it_becomes_half_open_with_no_call() {
    let (breaker, log) = automatic();
    fail(&breaker);
    log.clear();
    // Only the log is looked at: the breaker itself is asked nothing.
    pass(ms(9998)).await;
    assert_eq!(log.transitions(), []);
    pass(ms(4)).await;
    assert_eq!(log.transitions(), [(State::Open, State::HalfOpen)]);
}

#[tokio::test(start_paused = true)]
async fn cb19_leaving_before_makes_the_timer_harmless() {
    type Leave = fn(&CircuitBreaker);
    let ways: [(Leave, State); 5] = [
        (CircuitBreaker::reset, State::Closed),
        (CircuitBreaker::transition_to_forced_open, State::ForcedOpen),
        (|breaker| breaker.transition_to_closed().unwrap(), State::Closed),
        (CircuitBreaker::transition_to_disabled, State::Disabled),
        (CircuitBreaker::transition_to_metrics_only, State::MetricsOnly),
    ];
    for (leave, state) in ways {
        let (breaker, log) = automatic();
        fail(&breaker);
        pass(s(5)).await;
        leave(&breaker);
        log.clear();
        pass(s(20)).await;
        assert_eq!(log.transitions(), [], "after leaving for {state}");
        assert_eq!(breaker.state(), state);
    }
}

#[tokio::test(start_paused = true)]
async fn cb19_opening_again_begins_a_new_wait() {
    let (breaker, log) = automatic();
    fail(&breaker);
    pass(s(5)).await;
    breaker.reset();
    fail(&breaker);
    log.clear();
    pass(s(9)).await;
    assert_eq!(log.transitions(), [], "the timer of the first opening would have fired");
    pass(s(2)).await;
    assert_eq!(log.transitions(), [(State::Open, State::HalfOpen)]);
}

#[tokio::test(start_paused = true)]
async fn cb20_the_wait_knows_how_many_times_in_a_row_it_opened() {
    let (wait, asked) = noted();
    let (breaker, _) = touchy(wait);
    fail(&breaker);
    for _ in 0..2 {
        pass(ms(10_001)).await;
        fail(&breaker);
    }
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3]);
    pass(ms(10_001)).await;
    ok(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn cb20_an_exponential_wait_grows_from_opening_to_opening() {
    let (breaker, _) = touchy(Backoff::exponential(s(5), 1.5));
    for wait in [ms(5000), ms(7500), ms(11_250)] {
        fail(&breaker);
        assert_eq!(refusal(&breaker).retry_after(), Some(wait + Duration::from_nanos(1)));
        pass(wait).await;
        assert_eq!(reason(&breaker), Reason::CircuitOpen);
        pass(ms(1)).await;
    }
    ok(&breaker);
    fail(&breaker);
    assert_eq!(refusal(&breaker).retry_after(), Some(ms(5000) + Duration::from_nanos(1)));
}

#[tokio::test(start_paused = true)]
async fn cb21_open_for_does_not_ask_and_does_not_count() {
    let (wait, asked) = noted();
    let (breaker, _) = touchy(wait);
    fail(&breaker);
    pass(ms(10_001)).await;
    fail(&breaker);
    assert_eq!(*asked.lock().unwrap(), [1, 2]);

    breaker.transition_to_open_for(s(20)).unwrap();
    assert_eq!(refusal(&breaker).retry_after(), Some(s(20) + Duration::from_nanos(1)));
    pass(s(20)).await;
    assert_eq!(reason(&breaker), Reason::CircuitOpen);
    assert_eq!(*asked.lock().unwrap(), [1, 2]);

    pass(ms(1)).await;
    fail(&breaker);
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn cb21_open_until_an_instant_and_until_one_that_has_passed() {
    let (breaker, _) = touchy(Backoff::fixed(s(10)));
    breaker.transition_to_open_until(Instant::now() + s(20)).unwrap();
    pass(s(20)).await;
    assert_eq!(reason(&breaker), Reason::CircuitOpen);
    pass(ms(1)).await;
    ok(&breaker);

    breaker.transition_to_open_until(Instant::now() - s(1)).unwrap();
    assert_eq!(breaker.state(), State::Open);
    tokio::time::advance(Duration::from_nanos(1)).await;
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn cb22_a_late_outcome_changes_nothing_in_the_open_state() {
    let (breaker, log) = breaker(last(2));
    let early: Vec<_> = (0..6).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker);
    fail(&breaker);
    let before = breaker.metrics();
    log.clear();
    for (index, permit) in early.into_iter().enumerate() {
        match index % 3 {
            0 => permit.success(),
            1 => permit.failure(seawall::Cause::Other),
            _ => drop(permit),
        }
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.metrics(), before);
    assert_eq!(log.transitions(), []);
    let counters = breaker.counters();
    assert_eq!((counters.late, counters.successful, counters.failed), (4, 2, 4));
    assert_eq!(counters.cancelled, 2);
}

#[tokio::test(start_paused = true)]
async fn the_window_that_opened_the_circuit_can_be_read_while_it_is_open() {
    let (breaker, _) = breaker(last(4));
    for _ in 0..3 {
        fail(&breaker);
    }
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [4, 3, 0, 0]);
    assert_eq!(breaker.metrics().failure_rate, 75.0);
    assert_eq!(breaker.metrics().not_permitted_calls, 0);
}
