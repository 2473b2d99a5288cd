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

/// The places and limits of one call, until its body ends. Dropped, it gives all back.
#[derive(Debug)]
pub struct Held {
    pub(super) steps: Arc<Steps>,
    pub(super) pending: Option<Pending>,
    pub(super) bulkhead: Option<BulkheadPermit>,
    pub(super) deadline: Option<Deadline>,
    /// The limit of the attempt, if it holds to the body's end.
    pub(super) attempt: Option<Instant>,
}

impl Held {
    /// Is there nothing to hold on to?
    pub(super) const fn is_empty(&self) -> bool {
        self.pending.is_none()
            && self.bulkhead.is_none()
            && self.deadline.is_none()
            && self.attempt.is_none()
    }
}

impl Guard for Held {
    fn fail(mut self, cause: Cause) {
        if let Some(pending) = self.pending.take() {
            pending.fail(cause);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let whole = self.deadline.map(Deadline::instant);
        match (whole, self.attempt) {
            (Some(whole), Some(attempt)) => Some(whole.min(attempt)),
            (whole, attempt) => whole.or(attempt),
        }
    }

    fn expire(self) -> Option<Rejected> {
        let whole = self.deadline.map(Deadline::instant);
        let rejected = match (&self.steps.time_limiter, self.attempt) {
            (Some(limiter), Some(attempt)) if whole.is_none_or(|whole| attempt < whole) => {
                limiter.timed_out()
            }
            _ => Rejected::new(self.steps.name.clone(), Reason::DeadlineExceeded),
        };
        self.fail(Cause::Timeout);
        Some(rejected)
    }
}
