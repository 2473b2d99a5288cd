//! What a pipeline holds on to until a call is over.

use std::sync::Arc;

use tokio::time::Instant;

use super::steps::Steps;
use crate::deadline::Deadline;
use crate::ends::Guard;
use crate::error::{Reason, Rejected};
use crate::outcome::Cause;
use crate::patterns::bulkhead::BulkheadPermit;
use crate::patterns::circuit_breaker::Pending;
use crate::patterns::time_limiter::TimeLimit;
use crate::patterns::timer;
use crate::telemetry::Trace;

/// The places and limits of one call, until its body ends. Dropped, it gives all back.
#[derive(Debug)]
pub struct Held {
    pub(super) steps: Arc<Steps>,
    // Of the guards the first to end, as the innermost step.
    pub(super) measurement: Option<timer::Pending>,
    pub(super) pending: Option<Pending>,
    pub(super) bulkhead: Option<BulkheadPermit>,
    pub(super) deadline: Option<Deadline>,
    /// The limit of the attempt, if it holds to the body's end.
    pub(super) time_limit: Option<TimeLimit>,
    // Ends last.
    pub(super) trace: Trace,
}

impl Held {
    /// Is there nothing to hold on to?
    pub(super) fn is_empty(&self) -> bool {
        self.measurement.is_none()
            && self.pending.is_none()
            && self.bulkhead.is_none()
            && self.deadline.is_none()
            && self.time_limit.is_none()
            && !self.trace.lasts()
    }
}

impl Guard for Held {
    fn fail(mut self, cause: Cause) {
        self.trace.fail(cause);
        let _call = self.trace.enter_call();
        if let Some(measurement) = self.measurement {
            measurement.fail(cause);
        }
        if let Some(pending) = self.pending {
            pending.fail(cause);
        }
        if let Some(time_limit) = self.time_limit {
            time_limit.fail(cause);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let attempt = self.time_limit.as_ref().and_then(Guard::deadline).map(Deadline::at);
        Deadline::earlier(self.deadline, attempt).map(Deadline::instant)
    }

    fn expire(mut self) -> Option<Rejected> {
        let mut trace = std::mem::take(&mut self.trace);
        let _call = trace.enter_call();
        let rejected = self.expire_limits();
        rejected.iter().for_each(|rejected| trace.reject(rejected));
        rejected
    }
}

impl Held {
    fn expire_limits(self) -> Option<Rejected> {
        let whole = self.deadline.map(Deadline::instant);
        let attempt = self.time_limit.as_ref().and_then(Guard::deadline);
        if let Some(measurement) = self.measurement {
            measurement.fail(Cause::Timeout);
        }
        if let Some(pending) = self.pending {
            pending.fail(Cause::Timeout);
        }
        match self.time_limit {
            Some(limit) if whole.is_none_or(|whole| attempt < Some(whole)) => {
                return limit.expire();
            }
            // Within its own limit, and yet no success.
            Some(limit) => limit.fail(Cause::Timeout),
            None => {}
        }
        Some(Rejected::new(self.steps.name.clone(), Reason::DeadlineExceeded))
    }
}
