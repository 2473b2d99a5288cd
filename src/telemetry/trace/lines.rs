//! Single lines (`tracing`'s events) for what operators want to hear of, in whatever span is entered.

pub(crate) use self::imp::{is_wanted, note, rejected};

#[cfg(feature = "tracing")]
mod imp {
    use std::time::Duration;

    use tracing::level_filters::LevelFilter;
    use tracing::{debug, error, info, warn};

    use super::super::words::{ErrorType, reason};
    use crate::error::{Reason, Rejected};
    use crate::outcome::Cause;
    use crate::patterns::circuit_breaker::State;
    use crate::telemetry::{CircuitBreakerEvent, EventKind, RetryEvent};

    /// Is there a subscriber that may want lines?
    #[inline]
    pub(crate) fn is_wanted() -> bool {
        LevelFilter::current() != LevelFilter::OFF
    }

    /// A line for an event that is worth one. Refusals and timeouts have theirs from [`rejected`].
    pub(crate) fn note(name: &str, kind: &EventKind) {
        match *kind {
            EventKind::CircuitBreaker(event) => breaker(name, event),
            EventKind::Retry(event) => retry(name, event),
            _ => {}
        }
    }

    fn breaker(name: &str, event: CircuitBreakerEvent) {
        const TARGET: &str = "seawall::circuit_breaker";
        match event {
            CircuitBreakerEvent::StateTransition { from, to } => {
                macro_rules! line {
                    ($level:ident) => {
                        $level!(
                            target: TARGET,
                            { "seawall.name" = name, "seawall.from" = ?from, "seawall.to" = ?to },
                            "circuit breaker `{name}` is now {to:?}"
                        )
                    };
                }
                match to {
                    State::Open | State::ForcedOpen => line!(error),
                    State::HalfOpen => line!(warn),
                    _ => line!(info),
                }
            }
            CircuitBreakerEvent::Reset => {
                info!(
                    target: TARGET,
                    { "seawall.name" = name },
                    "circuit breaker `{name}` was reset"
                );
            }
            CircuitBreakerEvent::FailureRateExceeded { rate } => {
                warn!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.rate" = rate },
                    "circuit breaker `{name}`: {rate} % of calls failed"
                );
            }
            CircuitBreakerEvent::SlowCallRateExceeded { rate } => {
                warn!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.rate" = rate },
                    "circuit breaker `{name}`: {rate} % of calls were slow"
                );
            }
            _ => {}
        }
    }

    fn retry(name: &str, event: RetryEvent) {
        const TARGET: &str = "seawall::retry";
        let word = |cause: Option<Cause>| cause.map(|cause| ErrorType::from(cause).to_string());
        match event {
            RetryEvent::Retry { attempt, wait, cause, .. } => {
                warn!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.attempt" = attempt, "seawall.wait_ms" = millis(wait), "seawall.cause" = word(Some(cause)) },
                    "retry `{name}`: attempt {attempt} failed, the next follows in {wait:?}"
                );
            }
            RetryEvent::Success { attempts, .. } => {
                info!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.failed" = attempts },
                    "retry `{name}`: success after {attempts} failed"
                );
            }
            RetryEvent::Error { attempts, last_error } => {
                error!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.failed" = attempts, "seawall.cause" = word(last_error) },
                    "retry `{name}`: given up after attempt {attempts}"
                );
            }
            RetryEvent::BudgetRefused { attempts } => {
                warn!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.failed" = attempts },
                    "retry `{name}`: the budget is spent"
                );
            }
            RetryEvent::IgnoredError { cause } => {
                debug!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.cause" = word(Some(cause)) },
                    "retry `{name}`: failed in a way that is not retried"
                );
            }
        }
    }

    /// A line for a refusal or a timeout. Given back, so that one without a line stays where it is made.
    #[cold]
    pub(crate) fn rejected(rejected: Rejected) -> Rejected {
        line(&rejected);
        rejected
    }

    fn line(rejected: &Rejected) {
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    target: "seawall::rejected",
                    { "seawall.name" = rejected.name(), "seawall.reason" = reason(rejected.reason()), "seawall.retry_after_ms" = rejected.retry_after().map(millis) },
                    "{rejected}"
                )
            };
        }
        match rejected.reason() {
            Reason::BulkheadFull
            | Reason::RateLimited
            | Reason::AttemptTimedOut
            | Reason::DeadlineExceeded
            | Reason::RuntimeShutDown
            | Reason::CannotDetach
            | Reason::AttemptsExhausted { .. } => line!(error),
            _ => line!(warn),
        }
    }

    fn millis(span: Duration) -> u64 {
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use crate::error::Rejected;
    use crate::telemetry::EventKind;

    #[inline]
    pub(crate) const fn is_wanted() -> bool {
        false
    }

    #[inline]
    pub(crate) const fn note(_: &str, _: &EventKind) {}

    #[inline]
    pub(crate) const fn rejected(rejected: Rejected) -> Rejected {
        rejected
    }
}
