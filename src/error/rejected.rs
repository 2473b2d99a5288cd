//! What seawall itself says of a call.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::outcome::{Cause, Verdict};
use crate::telemetry::trace;

/// Why seawall has no answer to give: which instance, which reason, and when to come back.
///
/// Found at any depth of an error's sources with [`Rejected::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    name: Arc<str>,
    reason: Reason,
    retry_after: Option<Duration>,
    /// An earlier attempt of the same call was made, so this is no refusal of the call.
    after_attempt: bool,
}

/// What exactly happened.
///
/// The first group are *refusals*: the call was not made, and nothing was sent. The second group
/// are calls that *were* made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Refusal: the circuit breaker is open and waits for the backend to recover.
    CircuitOpen,
    /// Refusal: the circuit breaker is half-open and all of its trial calls are taken.
    CircuitHalfOpen,
    /// Refusal: the circuit breaker was opened by hand.
    CircuitForcedOpen,
    /// Refusal: as many calls as allowed are running, and the wait for a slot was over or too long.
    BulkheadFull,
    /// Refusal: the rate limiter has no permission in time.
    RateLimited,
    /// Refusal: the deadline of the whole call had already passed.
    DeadlinePassed,
    /// Refusal: the time limiter is told not to cancel its calls
    /// ([`cancel_running_future`](crate::TimeLimiterConfigBuilder::cancel_running_future)), and was given one in a form
    /// that could do nothing else.
    CannotDetach,
    /// Timeout: one attempt took longer than its time limiter allows.
    AttemptTimedOut,
    /// Timeout: the whole call, retries and body included, took longer than its deadline.
    DeadlineExceeded,
    /// The runtime in which a detached call ran was shut down before the call had ended.
    RuntimeShutDown,
    /// The retry's budget was spent, so a failed call was not tried again, and the retry was told to make an error
    /// of that.
    RetryBudgetSpent {
        /// Calls made.
        attempts: u32,
    },
    /// Every attempt brought a result that had to be retried, and the retry was told to make an
    /// error of that.
    AttemptsExhausted {
        /// Calls made, the first included.
        attempts: u32,
    },
}

impl Rejected {
    /// For something that happens now: whoever reads traces hears of it.
    #[inline]
    pub(crate) fn new(name: Arc<str>, reason: Reason) -> Self {
        Self::new_with(name, reason, None)
    }

    /// The same, where it is known when a call can succeed again.
    #[inline]
    pub(crate) fn new_with(name: Arc<str>, reason: Reason, retry_after: Option<Duration>) -> Self {
        let rejected = Self { name, reason, retry_after, after_attempt: false };
        if trace::is_wanted() { trace::rejected(rejected) } else { rejected }
    }

    /// The same, of a call that had an attempt made before.
    pub(crate) const fn after_attempt(mut self) -> Self {
        self.after_attempt = true;
        self
    }

    /// The name of the instance that spoke.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What happened.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How long to wait before a call can succeed, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Was the call never made?
    ///
    /// A retry whose later attempt is refused has made the call: that is no refusal, whatever its
    /// [`reason`](Self::reason).
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        !self.after_attempt
            && !matches!(
                self.reason,
                Reason::AttemptTimedOut
                    | Reason::DeadlineExceeded
                    | Reason::RuntimeShutDown
                    | Reason::RetryBudgetSpent { .. }
                    | Reason::AttemptsExhausted { .. }
            )
    }

    /// Was the call made, and given up when its time was over?
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self.reason, Reason::AttemptTimedOut | Reason::DeadlineExceeded)
    }

    /// Looks for a `Rejected` in `error` and its sources.
    #[must_use]
    pub fn find<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(rejected) = error.downcast_ref() {
                return Some(rejected);
            }
            next = below(error);
        }
        None
    }

    /// How an outer layer judges this: a refusal says nothing about the backend.
    pub(crate) const fn verdict(&self) -> Verdict {
        if self.is_refusal() {
            Verdict::ignored(Cause::Refused)
        } else if self.is_timeout() {
            Verdict::failure(Cause::Timeout)
        } else {
            Verdict::failure(Cause::Other)
        }
        .with_retry_after(self.retry_after)
    }
}

/// The next error down. An [`io::Error`] names as its source only what lies below the error that it wraps.
pub(crate) fn below<'e>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.reason {
            Reason::CircuitOpen => write!(f, "circuit breaker `{name}` is open")?,
            Reason::CircuitHalfOpen => {
                write!(f, "circuit breaker `{name}` is half-open and all its trials are taken")?;
            }
            Reason::CircuitForcedOpen => write!(f, "circuit breaker `{name}` is forced open")?,
            Reason::BulkheadFull => write!(f, "bulkhead `{name}` is full")?,
            Reason::RateLimited => write!(f, "rate limiter `{name}` permits no further call")?,
            Reason::DeadlinePassed => write!(f, "the deadline of `{name}` had passed already")?,
            Reason::AttemptTimedOut => write!(f, "time limiter `{name}` gave the attempt up")?,
            Reason::DeadlineExceeded => write!(f, "the deadline of `{name}` has passed")?,
            Reason::CannotDetach => write!(
                f,
                "time limiter `{name}` must not cancel calls, and can let only detached ones go on"
            )?,
            Reason::RuntimeShutDown => {
                write!(f, "the runtime shut down under a call of time limiter `{name}`")?;
            }
            Reason::RetryBudgetSpent { attempts } => {
                write!(f, "the retry budget of `{name}` was spent after attempt {attempts}")?;
            }
            Reason::AttemptsExhausted { attempts } => {
                write!(f, "retry `{name}` has used up all of its {attempts} attempts")?;
            }
        }
        match self.retry_after {
            Some(wait) => write!(f, ", try again in {wait:.1?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Rejected {
    /// A timeout has an [`io::ErrorKind::TimedOut`] below it, which is what clients look for in order
    /// to tell a timeout, such as `reqwest::Error::is_timeout`.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        static TIMED_OUT: LazyLock<io::Error> =
            LazyLock::new(|| io::Error::from(io::ErrorKind::TimedOut));
        self.is_timeout().then(|| &*TIMED_OUT as _)
    }
}
