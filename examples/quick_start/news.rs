//! The transitions of circuit breakers, as they happen.

use std::sync::Mutex;
use std::time::Duration;

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::{CircuitBreakerEvent, Event, EventKind};

use crate::scenario::Scenario;
use crate::traffic::Lane;

/// A circuit breaker has gone from one state to another.
pub(crate) struct Transition {
    pub(crate) at: Duration,
    pub(crate) server: String,
    pub(crate) from: State,
    pub(crate) to: State,
    /// Why, with a blank before it; empty where that goes without saying.
    pub(crate) reason: String,
}

/// Tells every transition of a lane's circuit breaker.
pub(crate) fn follow(
    lane: &Lane,
    scenario: Scenario,
    tell: impl Fn(Transition) + Send + Sync + 'static,
) {
    let breaker = lane.pipeline.as_ref().and_then(seawall::Pipeline::circuit_breaker);
    let Some(breaker) = breaker else { return };
    // The reason comes as an event of its own, just before.
    let reason = Mutex::new(String::new());
    breaker.observe(move |event: &Event<'_>| match event.kind {
        EventKind::CircuitBreaker(CircuitBreakerEvent::FailureRateExceeded { rate }) => {
            *reason.lock().unwrap() = format!(" (failure rate {rate:.0} %)");
        }
        EventKind::CircuitBreaker(CircuitBreakerEvent::StateTransition { from, to }) => {
            let at = event.at.saturating_duration_since(scenario.start);
            let reason = std::mem::take(&mut *reason.lock().unwrap());
            tell(Transition { at, server: event.name.to_string(), from, to, reason });
        }
        _ => {}
    });
}
