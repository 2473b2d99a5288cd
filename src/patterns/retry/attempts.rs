//! The decisions of one call: again or not, and when.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::budget::{RetryBudget, Share};
use super::config::RetryConfig;
use super::handle::Shared;
use crate::backoff::{BackoffContext, Waits};
use crate::deadline::{Deadline, later};
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
    /// A further attempt was decided on and is not known to have begun.
    is_due: bool,
}

/// After so many attempts without a pause, others on the same thread have their turn.
const AT_ONCE: u32 = 32;

impl Attempts {
    #[inline]
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (started, share) = shared.begin();
        Self {
            failed: 0,
            last_error: None,
            was_made: false,
            started,
            deadline: Deadline::current(),
            share,
            waits: Waits::default(),
            is_due: false,
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

    /// Has the first attempt succeeded? Then the call is over, and there is nothing to ask.
    #[inline]
    pub(crate) fn succeeds_at_once(&mut self, verdict: &Verdict) -> bool {
        let at_once = self.failed == 0 && verdict.is_success();
        if at_once {
            self.shared.counts.successful_without_retry();
            if self.share.is_some() {
                self.succeed_in_budget();
            }
        }
        at_once
    }

    /// The questions in their order; see the module's text. `repeat` makes the next attempt ready.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        verdict: &Verdict,
        is_error: bool,
        repeat: impl FnOnce() -> bool,
    ) -> Next {
        if self.succeeds_at_once(verdict) {
            return Next::Done;
        }
        self.judge_further(verdict, is_error, repeat)
    }

    #[cold]
    fn judge_further(
        &mut self,
        verdict: &Verdict,
        is_error: bool,
        repeat: impl FnOnce() -> bool,
    ) -> Next {
        self.begin();
        // A response that is ignored is a response all the same.
        let ignored = !is_error && verdict.outcome() == Outcome::Ignored;
        if verdict.is_success() || ignored {
            self.succeed();
            if verdict.is_success() {
                self.succeed_in_budget();
            }
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

    /// The wait is over: may the next attempt begin?
    ///
    /// The wait was to end in time, but a timer is coarse and a task may be polled late, and no attempt begins
    /// after the call's [`Deadline`] or after `max_duration`. Whoever counts by hand may leave it out.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with [`Reason::DeadlineExceeded`]; the call is over then.
    pub fn resume(&mut self) -> Result<(), Rejected> {
        let most = self.shared.config.load().max_duration;
        let limit = self.started.zip(most).map(|(at, most)| later(at, most));
        let is_late = self.deadline.is_some() || limit.is_some();
        let is_late = is_late && {
            let now = Instant::now();
            self.deadline.is_some_and(|deadline| deadline.has_passed(now))
                || limit.is_some_and(|limit| now > limit)
        };
        if is_late {
            self.overtaken();
            return Err(Rejected::new(self.shared.name.clone(), Reason::DeadlineExceeded));
        }
        self.begin();
        Ok(())
    }

    /// Shall others have a turn before the next attempt, although there is no pause? Attempts that fail at once
    /// and are made again at once would keep the thread for themselves.
    pub(crate) const fn has_hurried(&self) -> bool {
        self.failed.is_multiple_of(AT_ONCE)
    }

    /// An attempt has begun. If it is a further one, it counts now.
    fn begin(&mut self) {
        if std::mem::take(&mut self.is_due) {
            self.shared.counts.retries();
        }
    }

    /// The call's time is over during a wait.
    pub(crate) fn overtaken(&mut self) {
        self.is_due = false;
        self.give_up();
        self.leave();
    }

    /// The call is over, even if whoever counts it is not dropped yet.
    fn leave(&mut self) {
        self.share = None;
    }

    /// The call's part in the budget ends with a success.
    fn succeed_in_budget(&mut self) {
        if let Some(mut share) = self.share.take() {
            share.succeed();
        }
    }

    fn succeed(&self) {
        if self.failed == 0 {
            self.shared.counts.successful_without_retry();
            return;
        }
        self.shared.counts.ended_after(self.failed.saturating_add(1));
        self.shared.counts.successful_with_retry();
        let (attempts, last_error) = (self.failed, self.last_error);
        self.shared.tell(|| RetryEvent::Success { attempts, last_error });
    }

    fn fail(&mut self, verdict: &Verdict, is_error: bool, repeat: impl FnOnce() -> bool) -> Next {
        let shared = self.shared.clone();
        let config = &*shared.config.get();
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
            shared.counts.ended_after(context.attempt.get());
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
            return self.exhausted(config, is_error);
        }
        if verdict.forbids_retry() || !repeat() {
            return self.give_up();
        }
        let wait = match verdict.retry_after().zip(config.max_retry_after) {
            Some((asked, cap)) => self.asked_wait(config, asked, cap, &context),
            None => self.waits.next(&config.backoff, &context, &shared.random),
        };
        let Some(wait) = wait else { return self.give_up() };
        let too_long =
            config.max_duration.is_some_and(|most| context.elapsed.saturating_add(wait) > most)
                || context.remaining.is_some_and(|left| wait >= left);
        if too_long {
            return self.give_up();
        }
        self.join_budget(config.budget.as_ref());
        if self.share.as_mut().is_some_and(|share| !share.try_retry(cause, now)) {
            return self.unpaid(config);
        }
        if let Some(hook) = &config.before_retry {
            hook(&context);
        }
        self.is_due = true;
        shared.tell(|| RetryEvent::Retry { attempt: self.failed, wait, cause, is_error });
        Next::Wait(wait)
    }

    /// The wait that the server asks for, softened where that is set.
    fn asked_wait(
        &mut self,
        config: &RetryConfig,
        asked: Duration,
        cap: Duration,
        context: &BackoffContext,
    ) -> Option<Duration> {
        let random = &self.shared.random;
        let spread = config.retry_after_spread;
        if spread == 0.0 {
            return Some(asked.min(cap));
        }
        let own = self.waits.next(&config.backoff, context, random)?;
        // What is beyond the cap is cut anyway, and must not overflow before.
        let more = random.up_to(asked.min(cap)).mul_f64(spread);
        Some(asked.saturating_add(more).min(cap).max(own))
    }

    /// The call's part is in the budget that there is now, if that is another than when it began.
    fn join_budget(&mut self, budget: Option<&RetryBudget>) {
        let stays = match (&self.share, budget) {
            (Some(share), Some(budget)) => share.is_of(budget),
            (None, None) => true,
            _ => false,
        };
        if !stays {
            self.share = budget.map(RetryBudget::enter);
        }
    }

    /// The budget does not pay for another attempt.
    fn unpaid(&mut self, config: &RetryConfig) -> Next {
        let attempts = self.failed;
        self.shared.counts.budget_refused();
        self.shared.tell(|| RetryEvent::BudgetRefused { attempts });
        let end = self.give_up();
        if !config.fail_when_budget_spent {
            return end;
        }
        let reason = Reason::RetryBudgetSpent { attempts };
        Next::Fail(Rejected::new(self.shared.name.clone(), reason))
    }

    fn exhausted(&mut self, config: &RetryConfig, is_error: bool) -> Next {
        if is_error || !config.fail_after_max_attempts {
            return self.give_up();
        }
        // The caller's error is that the attempts are used up, whatever the attempts met with.
        self.last_error = None;
        self.give_up();
        let reason = Reason::AttemptsExhausted { attempts: self.failed };
        Next::Fail(Rejected::new(self.shared.name.clone(), reason))
    }

    fn give_up(&mut self) -> Next {
        self.shared.counts.ended_after(self.failed);
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
