//! What every module here needs: a breaker with a log of its events, and calls that end as wished.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::patterns::circuit_breaker::{Metrics, State};
use seawall::telemetry::{CircuitBreakerEvent as Event, EventKind};
use seawall::{
    Cause, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder as Builder, Reason,
    Rejected, SlidingWindow, Verdict,
};

pub(crate) const SLOW: Duration = Duration::from_secs(61);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets time pass. Tasks that sleep meanwhile run at their own moments.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Everything that a breaker told.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn of(breaker: &CircuitBreaker) -> Self {
        let log = Self::default();
        let events = log.0.clone();
        breaker.observe(move |event: &seawall::telemetry::Event<'_>| {
            let EventKind::CircuitBreaker(kind) = event.kind else { panic!("a foreign event") };
            events.lock().unwrap().push(kind);
        });
        log
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| wanted(event)).count()
    }

    pub(crate) fn transitions(&self) -> Vec<(State, State)> {
        let transition = |event| match event {
            Event::StateTransition { from, to } => Some((from, to)),
            _ => None,
        };
        self.all().into_iter().filter_map(transition).collect()
    }

    pub(crate) fn failure_rates_exceeded(&self) -> Vec<f32> {
        let rate = |event| match event {
            Event::FailureRateExceeded { rate } => Some(rate),
            _ => None,
        };
        self.all().into_iter().filter_map(rate).collect()
    }

    pub(crate) fn slow_rates_exceeded(&self) -> Vec<f32> {
        let rate = |event| match event {
            Event::SlowCallRateExceeded { rate } => Some(rate),
            _ => None,
        };
        self.all().into_iter().filter_map(rate).collect()
    }
}

/// A breaker, and the log of all its events.
pub(crate) fn breaker(settings: impl FnOnce(Builder) -> Builder) -> (CircuitBreaker, Log) {
    let config = settings(CircuitBreakerConfig::builder()).build().unwrap();
    let breaker = CircuitBreaker::new("inventory", config);
    let log = Log::of(&breaker);
    (breaker, log)
}

/// Looks back on so many calls and judges when it has seen them all.
pub(crate) fn last(calls: u32) -> impl FnOnce(Builder) -> Builder {
    move |builder| {
        builder.sliding_window(SlidingWindow::Count(calls)).minimum_number_of_calls(calls)
    }
}

pub(crate) fn ok(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().success();
}

pub(crate) fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().failure(Cause::Other);
}

pub(crate) fn slow_ok(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().record_elapsed(&Verdict::success(), SLOW);
}

pub(crate) fn slow_fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().record_elapsed(&Verdict::failure(Cause::Other), SLOW);
}

pub(crate) fn ignored(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().record(&Verdict::ignored(Cause::Other));
}

pub(crate) fn refusal(breaker: &CircuitBreaker) -> Rejected {
    let rejected = breaker.try_acquire().expect_err("the call should have been refused");
    assert!(rejected.is_refusal());
    rejected
}

pub(crate) fn reason(breaker: &CircuitBreaker) -> Reason {
    refusal(breaker).reason()
}

/// Calls, failed, slow, slow and failed.
pub(crate) fn counts(metrics: &Metrics) -> [u32; 4] {
    let Metrics { buffered_calls, failed_calls, slow_calls, slow_failed_calls, .. } = *metrics;
    [buffered_calls, failed_calls, slow_calls, slow_failed_calls]
}
