//! States entered by hand: CB34 to CB40, CB50.

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::CircuitBreakerEvent as Event;
use seawall::{CircuitBreaker, Reason};
use tokio::time::Instant;

use crate::support::*;

const STATES: [State; 6] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::Disabled,
    State::MetricsOnly,
    State::ForcedOpen,
];

const ILLEGAL: [(State, State); 3] = [
    (State::Closed, State::HalfOpen),
    (State::MetricsOnly, State::Open),
    (State::MetricsOnly, State::HalfOpen),
];

fn starting(state: State) -> (CircuitBreaker, Log) {
    breaker(|builder| last(10)(builder).permitted_calls_in_half_open(10).initial_state(state))
}

fn always(breaker: &CircuitBreaker, to: State) {
    match to {
        State::Disabled => breaker.transition_to_disabled(),
        State::MetricsOnly => breaker.transition_to_metrics_only(),
        _ => breaker.transition_to_forced_open(),
    }
}

/// Goes there by hand; says why not.
fn go(breaker: &CircuitBreaker, to: State) -> Result<(), String> {
    match to {
        State::Closed => breaker.transition_to_closed(),
        State::Open => breaker.transition_to_open(),
        State::HalfOpen => breaker.transition_to_half_open(),
        State::Disabled | State::MetricsOnly | State::ForcedOpen => {
            always(breaker, to);
            Ok(())
        }
    }
    .map_err(|error| {
        assert_eq!((error.from(), error.to()), (breaker.state(), to));
        error.to_string()
    })
}

#[tokio::test(start_paused = true)]
async fn cb34_illegal_ways_are_errors_and_all_others_are_not() {
    for from in STATES {
        for to in STATES {
            let (breaker, log) = starting(from);
            let gone = go(&breaker, to);
            assert_eq!(from.can_go_to(to), !ILLEGAL.contains(&(from, to)));
            if ILLEGAL.contains(&(from, to)) {
                let error = gone.unwrap_err();
                assert_eq!(
                    error,
                    format!("circuit breaker `inventory` cannot go from {from} to {to}")
                );
                assert_eq!(breaker.state(), from);
                assert!(log.all().is_empty());
                assert_eq!(breaker.counters().transitions, 0);
            } else {
                gone.unwrap();
                assert_eq!(breaker.state(), to);
                let told: &[_] = if from == to { &[] } else { &[(from, to)] };
                assert_eq!(log.transitions(), told);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cb34_an_illegal_way_keeps_window_and_permissions() {
    let (breaker, _) = starting(State::MetricsOnly);
    let running = breaker.try_acquire().unwrap();
    fail(&breaker);
    breaker.transition_to_open_for(s(1)).unwrap_err();
    breaker.transition_to_open_until(Instant::now()).unwrap_err();
    breaker.transition_to_half_open().unwrap_err();
    running.success();
    assert_eq!(counts(&breaker.metrics()), [2, 1, 0, 0]);
    assert_eq!(breaker.counters().late, 0);
}

#[tokio::test(start_paused = true)]
async fn cb35_entering_the_same_state_tells_nothing_and_begins_anew() {
    for state in [State::Closed, State::MetricsOnly, State::HalfOpen] {
        let (breaker, log) = starting(state);
        let running = breaker.try_acquire().unwrap();
        fail(&breaker);
        ok(&breaker);
        assert_eq!(counts(&breaker.metrics()), [2, 1, 0, 0]);
        log.clear();
        go(&breaker, state).unwrap();
        assert!(log.all().is_empty());
        assert_eq!(breaker.counters().transitions, 0);
        assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0], "{state}");
        running.failure(seawall::Cause::Other);
        assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0], "{state}: a call of the old stay");
    }
    let (breaker, log) = starting(State::ForcedOpen);
    refusal(&breaker);
    assert_eq!(breaker.metrics().not_permitted_calls, 1);
    breaker.transition_to_forced_open();
    assert_eq!(breaker.metrics().not_permitted_calls, 0);
    assert!(log.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn cb36_disabled_counts_nothing_and_tells_nothing_of_calls() {
    let (breaker, log) = breaker(last(10));
    breaker.transition_to_disabled();
    log.clear();
    for _ in 0..1000 {
        fail(&breaker);
    }
    slow_ok(&breaker);
    ignored(&breaker);
    assert_eq!(breaker.state(), State::Disabled);
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    assert!(log.all().is_empty());
    assert_eq!(breaker.counters().failed, 1000, "the lifetime counters go on");
}

#[tokio::test(start_paused = true)]
async fn cb37_forced_open_is_left_only_by_hand() {
    let (breaker, log) = breaker(|builder| {
        builder
            .wait_duration_in_open_state(ms(1))
            .automatic_transition_from_open_to_half_open(true)
            .max_wait_in_half_open(ms(1))
    });
    breaker.transition_to_forced_open();
    log.clear();
    for _ in 0..5 {
        pass(s(1_000_000)).await;
        let rejected = refusal(&breaker);
        assert_eq!(rejected.reason(), Reason::CircuitForcedOpen);
        assert_eq!(rejected.retry_after(), None);
    }
    assert!(log.all().is_empty(), "ordinary events are not told in this state");
    assert_eq!(breaker.metrics().not_permitted_calls, 5);
    breaker.transition_to_closed().unwrap();
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn cb38_metrics_only_tells_each_exceeded_rate_once_a_stay_and_never_opens() {
    let (breaker, log) = breaker(|builder| {
        last(2)(builder).failure_rate_threshold(50.0).slow_call_rate_threshold(50.0)
    });
    for stay in 1..=2 {
        breaker.transition_to_metrics_only();
        for _ in 0..3 {
            fail(&breaker);
        }
        assert_eq!(log.failure_rates_exceeded().len(), stay);
        assert_eq!(log.slow_rates_exceeded().len(), stay - 1);
        for _ in 0..3 {
            slow_fail(&breaker);
        }
        assert_eq!(log.failure_rates_exceeded().len(), stay);
        assert_eq!(log.slow_rates_exceeded().len(), stay);
        assert_eq!(breaker.state(), State::MetricsOnly);
        assert_eq!(breaker.metrics().failure_rate, 100.0);
        breaker.transition_to_closed().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn cb39_reset_tells_the_transition_if_there_is_one_and_the_reset_always() {
    for state in STATES {
        let (breaker, log) = starting(state);
        breaker.reset();
        let events = log.all();
        if state == State::Closed {
            assert_eq!(events, [Event::Reset]);
        } else {
            let transition = Event::StateTransition { from: state, to: State::Closed };
            assert_eq!(events, [transition, Event::Reset], "{state}");
        }
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn cb39_reset_empties_the_window_and_spares_the_lifetime_counters() {
    let (breaker, _) = breaker(last(10));
    let running = breaker.try_acquire().unwrap();
    fail(&breaker);
    breaker.reset();
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    running.failure(seawall::Cause::Other);
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
    assert_eq!((breaker.counters().failed, breaker.counters().late), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn cb40_transitions_into_and_out_of_silent_states_are_told() {
    let (breaker, log) = breaker(|builder| builder);
    breaker.transition_to_disabled();
    breaker.transition_to_forced_open();
    breaker.transition_to_disabled();
    breaker.reset();
    assert_eq!(
        log.all(),
        [
            Event::StateTransition { from: State::Closed, to: State::Disabled },
            Event::StateTransition { from: State::Disabled, to: State::ForcedOpen },
            Event::StateTransition { from: State::ForcedOpen, to: State::Disabled },
            Event::StateTransition { from: State::Disabled, to: State::Closed },
            Event::Reset,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn cb50_the_initial_state_is_honoured() {
    for state in STATES {
        let (breaker, log) = starting(state);
        assert_eq!(breaker.state(), state);
        assert!(log.all().is_empty());
        assert_eq!(breaker.counters(), Default::default());
        match state {
            State::Open => {
                assert!(refusal(&breaker).retry_after().unwrap() > s(59));
                pass(ms(60_001)).await;
                ok(&breaker);
                assert_eq!(breaker.state(), State::HalfOpen);
            }
            State::ForcedOpen => assert_eq!(reason(&breaker), Reason::CircuitForcedOpen),
            State::Disabled => {
                (0..20).for_each(|_| fail(&breaker));
                assert_eq!(breaker.metrics().buffered_calls, 0);
            }
            State::MetricsOnly => {
                (0..20).for_each(|_| fail(&breaker));
                assert_eq!(breaker.metrics().buffered_calls, 10);
            }
            State::HalfOpen => {
                (0..10).for_each(|_| ok(&breaker));
                assert_eq!(breaker.state(), State::Closed);
            }
            State::Closed => ok(&breaker),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cb50_an_open_start_becomes_half_open_by_itself_if_set_so() {
    let (_breaker, log) = breaker(|builder| {
        builder
            .initial_state(State::Open)
            .wait_duration_in_open_state(s(5))
            .automatic_transition_from_open_to_half_open(true)
    });
    pass(ms(4990)).await;
    assert_eq!(log.transitions(), []);
    pass(ms(12)).await;
    assert_eq!(log.transitions(), [(State::Open, State::HalfOpen)]);
}
