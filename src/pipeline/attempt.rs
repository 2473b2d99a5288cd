//! The gates that an attempt passes, and what it holds once it has passed them.

use tokio::time::Instant;

use super::steps::Steps;
use crate::deadline::{Deadline, later};
use crate::error::{Reason, Rejected};
use crate::outcome::Verdict;
use crate::patterns::bulkhead::{self, Begun, BulkheadPermit};
use crate::patterns::circuit_breaker::{Pending, Permit};
use crate::patterns::rate_limiter;
use crate::patterns::time_limiter::TimeLimitScope;

/// What one attempt holds. Dropped, it gives all back and counts a cancelled call.
#[derive(Debug, Default)]
pub(super) struct Permits {
    breaker: Option<Permit>,
    pub(super) bulkhead: Option<BulkheadPermit>,
    /// The limit of the attempt, once its time runs.
    pub(super) limit: Option<Instant>,
}

/// What an attempt finds at a gate.
pub(super) enum Gate {
    /// All are open: make the call.
    Open,
    /// The rate limiter lets it pass later.
    Limited(rate_limiter::Acquire),
    /// The bulkhead may have a place later.
    Queued(bulkhead::Acquire),
    /// One is shut.
    Shut(Rejected),
}

impl Steps {
    /// The first gates, up to where a wait may be needed.
    pub(super) fn enter(&self, permits: &mut Permits, deadline: Option<Deadline>) -> Gate {
        if deadline.is_some_and(|deadline| deadline.instant() <= Instant::now()) {
            return Gate::Shut(Rejected::new(self.name.clone(), Reason::DeadlinePassed));
        }
        if let Some(breaker) = &self.circuit_breaker {
            match breaker.try_acquire() {
                Ok(permit) => permits.breaker = Some(permit),
                Err(rejected) => return Gate::Shut(rejected),
            }
        }
        if let Some(limiter) = &self.rate_limiter {
            match limiter.begin(1, Instant::now(), deadline) {
                Ok(None) => {}
                Ok(Some(wait)) => return Gate::Limited(wait),
                Err(rejected) => return Gate::Shut(rejected),
            }
        }
        self.enter_limited(permits, deadline)
    }

    /// The gates behind the rate limiter.
    pub(super) fn enter_limited(&self, permits: &mut Permits, deadline: Option<Deadline>) -> Gate {
        if self.time_limiter.is_none() && self.bulkhead.is_none() {
            return Gate::Open;
        }
        if let Some(limiter) = &self.time_limiter {
            permits.limit = Some(later(Instant::now(), limiter.config().timeout()));
        }
        let Some(bulkhead) = &self.bulkhead else { return Gate::Open };
        if let Some(permit) = bulkhead.enter() {
            permits.bulkhead = Some(permit);
            return Gate::Open;
        }
        match bulkhead.begin(Instant::now(), permits.earliest(deadline)) {
            Ok(Begun::Permit(permit)) => {
                permits.bulkhead = Some(permit);
                Gate::Open
            }
            Ok(Begun::Wait(wait)) => Gate::Queued(wait),
            Err(rejected) => Gate::Shut(rejected),
        }
    }

    /// Tells every step how the attempt ended. What is still open is the breaker's until the body ends.
    pub(super) fn settle(
        &self,
        permits: &mut Permits,
        verdict: &Verdict,
        is_error: bool,
    ) -> Option<Pending> {
        if let (Some(limiter), Some(_)) = (&self.time_limiter, permits.limit) {
            limiter.ended(verdict, is_error);
        }
        if let Some(limiter) = &self.rate_limiter {
            limiter.on_verdict(verdict);
        }
        permits.breaker.take().and_then(|permit| permit.judge_head(verdict))
    }

    /// The limit of the attempt, as far as it holds beyond the response's head.
    pub(super) fn limit_of_body(&self, permits: &Permits) -> Option<Instant> {
        let limiter = self.time_limiter.as_ref()?;
        permits.limit.filter(|_| limiter.config().scope() == TimeLimitScope::WholeBody)
    }

    /// The time was over: whose time?
    pub(super) fn timed_out(&self, permits: &Permits, deadline: Option<Deadline>) -> Rejected {
        let whole = deadline.map(Deadline::instant);
        match (&self.time_limiter, permits.limit) {
            (Some(limiter), Some(limit)) if whole.is_none_or(|whole| limit < whole) => {
                limiter.rejection()
            }
            _ => Rejected::new(self.name.clone(), Reason::DeadlineExceeded),
        }
    }
}

impl Permits {
    /// When the attempt has to be given up.
    pub(super) fn earliest(&self, deadline: Option<Deadline>) -> Option<Instant> {
        Deadline::earlier(deadline, self.limit.map(Deadline::at)).map(Deadline::instant)
    }
}
