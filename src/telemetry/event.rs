//! The events of every pattern.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Cause;
use crate::patterns::circuit_breaker::State;

/// One thing that an instance did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The instance's name.
    pub name: &'a str,
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub kind: EventKind,
}

impl<'a> Event<'a> {
    pub(crate) const fn new(name: &'a str, at: Instant, kind: EventKind) -> Self {
        Self { name, at, kind }
    }
}

/// The pattern that an event belongs to, and what it did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// Of a circuit breaker.
    CircuitBreaker(CircuitBreakerEvent),
    /// Of a retry.
    Retry(RetryEvent),
    /// Of a bulkhead.
    Bulkhead(BulkheadEvent),
    /// Of a rate limiter.
    RateLimiter(RateLimiterEvent),
    /// Of a time limiter.
    TimeLimiter(TimeLimiterEvent),
}

/// What a circuit breaker does.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum CircuitBreakerEvent {
    /// A call succeeded.
    Success {
        /// From the permission to the outcome.
        elapsed: Duration,
    },
    /// A call failed.
    Error {
        /// From the permission to the outcome.
        elapsed: Duration,
        /// Why.
        cause: Cause,
    },
    /// A call ended in a way that counts nowhere.
    IgnoredError {
        /// From the permission to the outcome.
        elapsed: Duration,
        /// Why.
        cause: Cause,
    },
    /// A call was refused.
    NotPermitted,
    /// The state changed.
    StateTransition {
        /// The state left.
        from: State,
        /// The state entered.
        to: State,
    },
    /// The breaker was reset by hand.
    Reset,
    /// The failure rate reached its threshold.
    FailureRateExceeded {
        /// In percent.
        rate: f32,
    },
    /// The rate of slow calls reached its threshold.
    SlowCallRateExceeded {
        /// In percent.
        rate: f32,
    },
}

/// What a retry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryEvent {
    /// An attempt failed, and there will be another.
    Retry {
        /// Attempts that failed so far.
        attempt: u32,
        /// The pause before the next one.
        wait: Duration,
        /// Why it failed.
        cause: Cause,
        /// Did it fail with an error (and not with a response that is judged a failure)?
        is_error: bool,
    },
    /// The call succeeded after at least one retry.
    Success {
        /// Attempts that failed before.
        attempts: u32,
        /// The last error among them, if there was one.
        last_error: Option<Cause>,
    },
    /// The call failed for good after its attempts were used up, or because the wait did not fit.
    Error {
        /// Attempts that failed.
        attempts: u32,
        /// The last error among them; none if all failed with a response.
        last_error: Option<Cause>,
    },
    /// The call failed in a way that is not retried.
    IgnoredError {
        /// Why.
        cause: Cause,
    },
    /// The retry budget was spent, so there was no further attempt.
    BudgetRefused {
        /// Attempts that failed.
        attempts: u32,
    },
}

/// What a bulkhead does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkheadEvent {
    /// A call was let in.
    CallPermitted,
    /// A call was refused.
    CallRejected,
    /// A call that was let in is over.
    CallFinished,
}

/// What a rate limiter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateLimiterEvent {
    /// Permissions were granted, now or ahead of time.
    SuccessfulAcquire {
        /// How many.
        permits: u32,
    },
    /// Permissions were refused.
    FailedAcquire {
        /// How many.
        permits: u32,
    },
    /// The rest of the current cycle was given up.
    Drained {
        /// How many permissions were there.
        permits: u32,
    },
}

/// What a time limiter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimiterEvent {
    /// The call ended in time, without an error.
    Success,
    /// The call ended in time, with an error.
    Error,
    /// The call was given up.
    Timeout,
}
