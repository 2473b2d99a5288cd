//! The events of every pattern.

use std::fmt;
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
    /// Of a timer.
    Timer(TimerEvent),
    /// Of a [registry](crate::registry); the name is the instance's.
    Registry(InstanceKind, RegistryEvent),
    /// Of a [keyed group](crate::keyed); the name is the group's.
    Keyed(KeyedEvent),
    /// Of a file of settings that is watched; the name is the file's.
    Reload(ReloadEvent),
}

/// What a registry keeps by name, each in a name space of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum InstanceKind {
    /// Circuit breakers.
    CircuitBreaker,
    /// Retries.
    Retry,
    /// Bulkheads.
    Bulkhead,
    /// Bulkheads that stand for Resilience4j's pools of threads.
    ThreadPoolBulkhead,
    /// Rate limiters.
    RateLimiter,
    /// Time limiters.
    TimeLimiter,
    /// Timers.
    Timer,
    /// Pipelines.
    Pipeline,
}

impl InstanceKind {
    /// The kind as a key of a file, and a label of a meter, would spell it: `circuit_breaker`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::CircuitBreaker => "circuit_breaker",
            Self::Retry => "retry",
            Self::Bulkhead => "bulkhead",
            Self::ThreadPoolBulkhead => "thread_pool_bulkhead",
            Self::RateLimiter => "rate_limiter",
            Self::TimeLimiter => "time_limiter",
            Self::Timer => "timer",
            Self::Pipeline => "pipeline",
        }
    }
}

/// In words: `circuit breaker`.
impl fmt::Display for InstanceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CircuitBreaker => "circuit breaker",
            Self::Retry => "retry",
            Self::Bulkhead => "bulkhead",
            Self::ThreadPoolBulkhead => "thread pool bulkhead",
            Self::RateLimiter => "rate limiter",
            Self::TimeLimiter => "time limiter",
            Self::Timer => "timer",
            Self::Pipeline => "pipeline",
        })
    }
}

/// What a registry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegistryEvent {
    /// An instance was made, or added.
    Added,
    /// An instance was removed. Its holders go on.
    Removed,
    /// Another instance has taken its name.
    Replaced,
    /// Its settings were replaced in place.
    Updated,
    /// It was asked for with other settings than it has, which counted for nothing.
    ConfigConflict,
}

/// What comes of a changed file of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReloadEvent {
    /// Its settings hold now.
    Applied {
        /// Instances that were made.
        created: usize,
        /// Instances whose settings are others now.
        updated: usize,
    },
    /// It is wrong, and all is as it was.
    Refused {
        /// How much is wrong with it.
        errors: usize,
    },
}

/// What a keyed group does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyedEvent {
    /// There are as many instances as there may be, and none can be given up: from here on new keys share one.
    Overflow,
    /// A new key has got an instance of its own again.
    Recovered,
    /// Instances were given up.
    Evicted {
        /// How many.
        count: usize,
        /// Because nobody had used them for long enough? Else to make room.
        idle: bool,
    },
    /// No instance could be made for a key, which shares the one for overflow.
    NotMade,
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

/// What a timer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimerEvent {
    /// A call began.
    Start,
    /// A call succeeded.
    Success {
        /// From its beginning to its end.
        elapsed: Duration,
        /// The meter that counts it, by name.
        metric: &'static str,
    },
    /// A call failed, or was given up.
    Failure {
        /// From its beginning to its end.
        elapsed: Duration,
        /// The meter that counts it, by name.
        metric: &'static str,
        /// Why.
        cause: Cause,
        /// What the meter's tag `failure` says of that.
        tag: &'static str,
    },
}
