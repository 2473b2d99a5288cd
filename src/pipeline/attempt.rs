//! The gates that an attempt passes, and what it holds once it has passed them.

use tokio::time::Instant;

use super::steps::Steps;
use crate::deadline::Deadline;
use crate::error::{FromRejected, Reason, Rejected};
use crate::outcome::Verdict;
use crate::patterns::bulkhead::{self, Begun, Bulkhead, BulkheadPermit};
use crate::patterns::circuit_breaker::{Pending, Permit};
use crate::patterns::rate_limiter;
use crate::patterns::time_limiter::TimeLimit;
use crate::patterns::timer::{self, Measurement};

/// What one attempt holds. Dropped, it gives all back and counts a cancelled call.
#[derive(Debug, Default)]
pub(super) struct Permits {
    breaker: Option<Permit>,
    /// Has the rate limiter let it pass? Only then does it learn how the attempt ended.
    is_limited: bool,
    pub(super) bulkhead: Option<BulkheadPermit>,
    /// The limit of the attempt, once its time runs.
    pub(super) limit: Option<Deadline>,
    /// Once it has passed all gates.
    measurement: Option<Measurement>,
}

/// The clock, read at most once for all the gates that are passed in one go.
#[derive(Debug, Default)]
pub(super) struct Moment(Option<Instant>);

impl Moment {
    #[inline]
    pub(super) fn now(&mut self) -> Instant {
        *self.0.get_or_insert_with(Instant::now)
    }
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
    #[inline]
    pub(super) fn enter(
        &self,
        permits: &mut Permits,
        cost: u32,
        deadline: Option<Deadline>,
        again: bool,
        mut moment: Moment,
    ) -> Gate {
        if deadline.is_some_and(|deadline| deadline.has_passed(moment.now())) {
            return Gate::Shut(self.overtaken(again));
        }
        if let Some(breaker) = &self.circuit_breaker {
            match breaker.admit(|| moment.now()) {
                Ok(permit) => permits.breaker = Some(permit),
                Err(rejected) => return Gate::Shut(rejected),
            }
        }
        if let Some(limiter) = self.rate_limiter.as_ref().filter(|_| cost > 0) {
            match limiter.begin(cost, moment.now(), deadline) {
                Ok(None) => {}
                Ok(Some(wait)) => return Gate::Limited(wait),
                Err(rejected) => return Gate::Shut(rejected),
            }
        }
        self.enter_limited(permits, deadline, moment)
    }

    /// Why no attempt may begin after the deadline.
    pub(super) fn passed(&self, deadline: Option<Deadline>, again: bool) -> Option<Rejected> {
        deadline
            .is_some_and(|deadline| deadline.has_passed(Instant::now()))
            .then(|| self.overtaken(again))
    }

    /// The deadline has passed. If it is an attempt made again that it stops, a call was made.
    #[cold]
    fn overtaken(&self, again: bool) -> Rejected {
        let reason = if again { Reason::DeadlineExceeded } else { Reason::DeadlinePassed };
        Rejected::new(self.name.clone(), reason)
    }

    /// The gates behind the rate limiter, after a wait there that may have ended late.
    pub(super) fn enter_late(
        &self,
        permits: &mut Permits,
        deadline: Option<Deadline>,
        again: bool,
    ) -> Gate {
        match self.passed(deadline, again) {
            Some(rejected) => Gate::Shut(rejected),
            None => self.enter_limited(permits, deadline, Moment::default()),
        }
    }

    /// The gates behind the rate limiter.
    #[inline]
    fn enter_limited(
        &self,
        permits: &mut Permits,
        deadline: Option<Deadline>,
        mut moment: Moment,
    ) -> Gate {
        permits.is_limited = self.rate_limiter.is_some();
        if let Some(limiter) = &self.time_limiter {
            permits.limit = Some(limiter.deadline(moment.now()));
        }
        let Some(bulkhead) = &self.bulkhead else { return self.open(permits, moment) };
        if let Some(permit) = bulkhead.enter() {
            permits.bulkhead = Some(permit);
            return self.open(permits, moment);
        }
        self.queue(bulkhead, permits, deadline)
    }

    /// All gates are passed.
    #[inline]
    pub(super) fn open(&self, permits: &mut Permits, mut moment: Moment) -> Gate {
        if let Some(timer) = &self.timer {
            permits.measurement = Some(timer.start_at(moment.now()));
        }
        Gate::Open
    }

    /// The bulkhead is full.
    #[cold]
    fn queue(
        &self,
        bulkhead: &Bulkhead,
        permits: &mut Permits,
        deadline: Option<Deadline>,
    ) -> Gate {
        let latest = permits.earliest(deadline).map(Deadline::instant);
        match bulkhead.begin(latest) {
            Ok(Begun::Permit(permit)) => {
                permits.bulkhead = Some(permit);
                self.open(permits, Moment::default())
            }
            Ok(Begun::Wait(wait)) => Gate::Queued(wait),
            Err(rejected) => Gate::Shut(rejected),
        }
    }

    /// Tells every step how an attempt ended that is over.
    #[inline]
    pub(super) fn settle<T, E: FromRejected>(
        &self,
        permits: &mut Permits,
        result: &Result<T, E>,
        verdict: &Verdict,
    ) {
        if let Some(measurement) = &mut permits.measurement {
            measurement.settle(verdict);
        }
        if let (Some(limiter), Some(_)) = (&self.time_limiter, permits.limit.take()) {
            limiter.record(result);
        }
        self.drain(permits, verdict);
        if let Some(permit) = &mut permits.breaker {
            permit.settle(verdict);
        }
    }

    /// The same for one whose body is still to come. What comes back lasts until the body's end.
    pub(super) fn settle_head<T, E: FromRejected>(
        &self,
        permits: &mut Permits,
        result: &Result<T, E>,
        verdict: &Verdict,
    ) -> (Option<timer::Pending>, Option<Pending>, Option<TimeLimit>) {
        let measurement = permits.measurement.as_mut();
        let measurement = measurement.and_then(|it| it.judge_head(verdict, false));
        let time_limit = match (&self.time_limiter, permits.limit.take()) {
            (Some(limiter), Some(limit)) => limiter.record_head(result, limit),
            _ => None,
        };
        self.drain(permits, verdict);
        let permit = permits.breaker.as_mut();
        let pending = permit.and_then(|permit| permit.judge_head(verdict, false));
        (measurement, pending, time_limit)
    }

    /// Lets the rate limiter that let the attempt pass know how it ended.
    #[inline]
    fn drain(&self, permits: &Permits, verdict: &Verdict) {
        if let (Some(limiter), true) = (&self.rate_limiter, permits.is_limited) {
            limiter.on_verdict(verdict);
        }
    }

    /// The time is over: whose time?
    pub(super) fn time_out(&self, permits: &mut Permits, deadline: Option<Deadline>) -> Rejected {
        match (&self.time_limiter, permits.limit.take()) {
            (Some(limiter), Some(limit)) if deadline.is_none_or(|whole| limit < whole) => {
                limiter.time_out()
            }
            // To the time limiter this is a caller who stopped waiting.
            _ => Rejected::new(self.name.clone(), Reason::DeadlineExceeded),
        }
    }
}

impl Permits {
    /// When the attempt has to be given up.
    #[inline]
    pub(super) fn earliest(&self, deadline: Option<Deadline>) -> Option<Deadline> {
        Deadline::earlier(deadline, self.limit)
    }
}
