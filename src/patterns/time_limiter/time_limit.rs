//! What a call holds on to where its limit counts for the body too.

use tokio::time::Instant;

use super::handle::TimeLimiter;
use crate::ends::Guard;
use crate::error::Rejected;
use crate::outcome::Cause;
use crate::telemetry::TimeLimiterEvent;

/// What is left of the limit once the response is there. Dropped, it counts the success.
#[derive(Debug)]
#[must_use = "dropped, it counts a success"]
pub struct TimeLimit {
    pub(super) limiter: Option<TimeLimiter>,
    pub(super) at: Instant,
}

impl Guard for TimeLimit {
    fn fail(mut self, _: Cause) {
        self.end(TimeLimiterEvent::Error);
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.at)
    }

    fn expire(mut self) -> Option<Rejected> {
        self.limiter.take().map(|limiter| limiter.time_out())
    }
}

impl TimeLimit {
    fn end(&mut self, event: TimeLimiterEvent) {
        if let Some(limiter) = self.limiter.take() {
            limiter.tell(event);
        }
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        self.end(TimeLimiterEvent::Success);
    }
}
