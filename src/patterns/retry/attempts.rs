//! The decisions of one call: again or not, and when.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Share;
use super::handle::Shared;
use crate::backoff::{BackoffContext, Waits};
use crate::deadline::Deadline;
use crate::error::{FromRejected, Reason, Rejected};
use crate::outcome::{Cause, Outcome, Verdict};
use crate::telemetry::RetryEvent;

/// What to do after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The call is over; its caller gets the attempt's outcome as it is.
    Done,
    /// Wait for so long, then try again.
    Wait(Duration),
    /// The call is over; its caller gets this instead of the response.
    Fail(Rejected),
}

/// The attempts of one call, counted by hand.
///
/// ```
/// use seawall::{Cause, Retry, Verdict};
/// use seawall::patterns::retry::Next;
///
/// let retry = Retry::with_defaults("inventory");
/// let mut attempts = retry.start();
/// let next = attempts.record_error(&Verdict::failure(Cause::Reset));
/// assert!(matches!(next, Next::Wait(pause) if pause.as_millis() == 500));
/// assert_eq!(attempts.record_response(&Verdict::success()), Next::Done);
/// assert_eq!(retry.metrics().successful_with_retry, 1);
/// ```
#[derive(Debug)]
pub struct Attempts {
    shared: Arc<Shared>,
    /// Attempts that failed in a way that is retried.
    failed: u32,
    last_error: Option<Cause>,
    /// Was any attempt really made, and not refused inside?
    was_made: bool,
    started: Option<Instant>,
    deadline: Option<Deadline>,
    share: Option<Share>,
    waits: Waits,
}

impl Attempts {
    #[inline]
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let config = &shared.config;
        Self {
            failed: 0,
            last_error: None,
            was_made: false,
            started: config.is_timed().then(Instant::now),
            deadline: Deadline::current(),
            share: config.budget.as_ref().map(super::RetryBudget::enter),
            waits: Waits::default(),
            shared,
        }
    }

    /// An attempt ended with an error.
    pub fn record_error(&mut self, verdict: &Verdict) -> Next {
        self.judge(verdict, true, || true)
    }

    /// An attempt ended with a response.
    pub fn record_response(&mut self, verdict: &Verdict) -> Next {
        self.judge(verdict, false, || true)
    }

    /// Attempts that failed so far and were, or will be, retried.
    #[must_use]
    pub const fn failed(&self) -> u32 {
        self.failed
    }

    /// The questions in their order; see the module's text. `repeat` makes the next attempt ready.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        verdict: &Verdict,
        is_error: bool,
        repeat: impl FnOnce() -> bool,
    ) -> Next {
        // A response that is ignored is a response all the same.
        let ignored = !is_error && verdict.outcome() == Outcome::Ignored;
        if verdict.is_success() || ignored {
            self.succeed();
            self.leave();
            return Next::Done;
        }
        let next = self.fail(verdict, is_error, repeat);
        if !matches!(next, Next::Wait(_)) {
            self.leave();
        }
        next
    }

    /// The last outcome, for the caller. If the last attempt was refused but an earlier one was made,
    /// the call as a whole was made, and nobody may take it for unsent.
    #[inline]
    pub(crate) fn finish<T, E: FromRejected>(&self, result: Result<T, E>) -> Result<T, E> {
        let refused = |error: &E| error.as_rejected().filter(|it| it.is_refusal()).cloned();
        match result {
            Err(error) if self.was_made => Err(match refused(&error) {
                Some(rejected) => E::from_rejected(rejected.after_attempt()),
                None => error,
            }),
            result => result,
        }
    }

    /// A wait is over. It was to end before the deadline, but a timer is coarse and a task may be
    /// polled late, and no attempt begins after the deadline.
    pub(super) fn resume(&mut self) -> Result<(), Rejected> {
        if self.deadline.is_none_or(|deadline| Instant::now() < deadline.instant()) {
            return Ok(());
        }
        self.overtaken();
        Err(Rejected::new(self.shared.name.clone(), Reason::DeadlineExceeded))
    }

    /// The call's time is over during a wait.
    pub(crate) fn overtaken(&mut self) {
        self.give_up();
        self.leave();
    }

    /// The call is over, even if whoever counts it is not dropped yet.
    #[inline]
    fn leave(&mut self) {
        self.share = None;
    }

    #[inline]
    fn succeed(&mut self) {
        if self.failed == 0 {
            self.shared.counts.successful_without_retry();
        } else {
            self.succeed_late();
        }
    }

    #[cold]
    fn succeed_late(&mut self) {
        self.shared.counts.successful_with_retry();
        let (attempts, last_error) = (self.failed, self.last_error);
        self.shared.tell(|| RetryEvent::Success { attempts, last_error });
    }

    #[cold]
    fn fail(&mut self, verdict: &Verdict, is_error: bool, repeat: impl FnOnce() -> bool) -> Next {
        let shared = self.shared.clone();
        let config = &shared.config;
        let now = Instant::now();
        let cause = verdict.cause().unwrap_or(Cause::Other);
        let context = BackoffContext {
            attempt: NonZeroU32::MIN.saturating_add(self.failed),
            verdict: Some(*verdict),
            is_error,
            elapsed: self.started.map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
            remaining: self.deadline.map(|at| at.instant().saturating_duration_since(now)),
        };
        let retryable = match &config.retry_when {
            _ if cause == Cause::Refused => config.retry_refusals,
            Some(decide) => decide(&context),
            None => verdict.is_failure(),
        };
        if !retryable {
            shared.counts.failed_without_retry();
            shared.tell(|| RetryEvent::IgnoredError { cause });
            return Next::Done;
        }
        self.failed = context.attempt.get();
        self.was_made |= cause != Cause::Refused;
        if is_error {
            self.last_error = Some(cause);
        }
        if self.failed >= config.max_attempts {
            return self.exhausted(is_error);
        }
        if verdict.forbids_retry() || !repeat() {
            return self.give_up();
        }
        let wait = match (verdict.retry_after(), config.max_retry_after) {
            (Some(asked), Some(cap)) => Some(asked.min(cap)),
            _ => self.waits.next(&config.backoff, &context, &shared.random),
        };
        let Some(wait) = wait else { return self.give_up() };
        let too_long =
            config.max_duration.is_some_and(|most| context.elapsed.saturating_add(wait) > most)
                || context.remaining.is_some_and(|left| wait >= left);
        if too_long {
            return self.give_up();
        }
        if self.share.as_mut().is_some_and(|share| !share.try_retry()) {
            let attempts = self.failed;
            shared.counts.budget_refused();
            shared.tell(|| RetryEvent::BudgetRefused { attempts });
            return self.give_up();
        }
        if let Some(hook) = &config.before_retry {
            hook(&context);
        }
        shared.counts.retries();
        shared.tell(|| RetryEvent::Retry { attempt: self.failed, wait, cause, is_error });
        Next::Wait(wait)
    }

    fn exhausted(&mut self, is_error: bool) -> Next {
        if is_error || !self.shared.config.fail_after_max_attempts {
            return self.give_up();
        }
        // The caller's error is that the attempts are used up, whatever the attempts met with.
        self.last_error = None;
        self.give_up();
        let reason = Reason::AttemptsExhausted { attempts: self.failed };
        Next::Fail(Rejected::new(self.shared.name.clone(), reason))
    }

    fn give_up(&mut self) -> Next {
        if self.failed > 1 {
            self.shared.counts.failed_with_retry();
        } else {
            self.shared.counts.failed_without_retry();
        }
        let (attempts, last_error) = (self.failed, self.last_error);
        self.shared.tell(|| RetryEvent::Error { attempts, last_error });
        Next::Done
    }
}
