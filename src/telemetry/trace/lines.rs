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
    use crate::telemetry::{
        CircuitBreakerEvent, EventKind, InstanceKind, KeyedEvent, RegistryEvent, ReloadEvent,
        RetryEvent,
    };

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
            EventKind::Registry(kind, event) => registry(name, kind, event),
            EventKind::Keyed(event) => keyed(name, event),
            EventKind::Reload(event) => reload(name, event),
            // Of these only refusals and timeouts are worth one.
            EventKind::Bulkhead(_)
            | EventKind::RateLimiter(_)
            | EventKind::TimeLimiter(_)
            | EventKind::Timer(_) => {}
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

    fn registry(name: &str, kind: InstanceKind, event: RegistryEvent) {
        const TARGET: &str = "seawall::registry";
        let kind = kind.key();
        if event == RegistryEvent::ConfigConflict {
            warn!(
                target: TARGET,
                { "seawall.name" = name, "seawall.kind" = kind },
                "{kind} `{name}` was asked for with other settings than it has"
            );
        } else {
            debug!(
                target: TARGET,
                { "seawall.name" = name, "seawall.kind" = kind },
                "{kind} `{name}`: {event:?}"
            );
        }
    }

    fn keyed(name: &str, event: KeyedEvent) {
        const TARGET: &str = "seawall::keyed";
        match event {
            KeyedEvent::Overflow => {
                warn!(
                    target: TARGET,
                    { "seawall.name" = name },
                    "`{name}` is full: new keys share one instance"
                );
            }
            KeyedEvent::NotMade => {
                warn!(
                    target: TARGET,
                    { "seawall.name" = name },
                    "`{name}`: no instance could be made for a key"
                );
            }
            KeyedEvent::Recovered => {
                info!(
                    target: TARGET,
                    { "seawall.name" = name },
                    "`{name}` is full no longer"
                );
            }
            KeyedEvent::Evicted { count, idle } => {
                debug!(
                    target: TARGET,
                    { "seawall.name" = name, "seawall.count" = count, "seawall.idle" = idle },
                    "`{name}`: {count} instances were given up"
                );
            }
        }
    }

    fn reload(name: &str, event: ReloadEvent) {
        const TARGET: &str = "seawall::reload";
        match event {
            ReloadEvent::Applied { created, updated } => {
                info!(
                    target: TARGET,
                    { "seawall.created" = created, "seawall.updated" = updated },
                    "settings of {name} applied"
                );
            }
            ReloadEvent::Refused { errors } => {
                error!(
                    target: TARGET,
                    { "seawall.errors" = errors },
                    "settings of {name} refused, the old ones stay"
                );
            }
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
