//! What one call holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::shared::{Shared, Ticket};
use crate::ends::Guard;
use crate::outcome::{Cause, Verdict};

/// The permission for one call.
///
/// Tell it how the call ended. Dropped untold, it counts a cancelled call and gives its place back;
/// if the call had run for long by then (see
/// [`cancelled_is_failure_after`](super::CircuitBreakerConfigBuilder::cancelled_is_failure_after)), it
/// counts as failed. Told after the state has changed, it only counts in the lifetime counters.
#[derive(Debug)]
#[must_use = "a permit that is dropped counts a cancelled call"]
pub struct Permit {
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) ticket: Ticket,
}

impl Permit {
    /// The call succeeded.
    #[inline]
    pub fn success(self) {
        self.record(&Verdict::success());
    }

    /// The call failed.
    pub fn failure(self, cause: Cause) {
        self.record(&Verdict::failure(cause));
    }

    /// The call ended so.
    #[inline]
    pub fn record(mut self, verdict: &Verdict) {
        self.settle(verdict);
    }

    /// The call ended so, after so much time by the caller's own measure.
    pub fn record_elapsed(mut self, verdict: &Verdict, elapsed: Duration) {
        self.finish(verdict, Instant::now(), elapsed);
    }

    #[inline]
    pub(crate) fn settle(&mut self, verdict: &Verdict) {
        let Some(shared) = &self.shared else { return };
        let counted =
            if verdict.is_success() { shared.count_success(&self.ticket) } else { Err(None) };
        match counted {
            Ok(()) => self.shared = None,
            Err(now) => self.settle_in_full(*verdict, now),
        }
    }

    #[cold]
    fn settle_in_full(&mut self, verdict: Verdict, now: Option<Instant>) {
        let now = now.unwrap_or_else(Instant::now);
        self.finish(&verdict, now, self.ticket.elapsed(now));
    }

    fn finish(&mut self, verdict: &Verdict, now: Instant, elapsed: Duration) {
        let Some(shared) = &self.shared else { return };
        // The user's functions come first: if one panics, the permit is still whole and is released.
        let verdict = &shared.filtered(verdict);
        let open = shared.transition_on_result(verdict);
        if let Some(shared) = self.shared.take() {
            shared.record(self.ticket.generation, verdict, now, elapsed, open);
        }
    }

    /// The head of the response is there and decides the call, unless it is not over with that and
    /// its body may still fail it. The permit is used up by that, and judges nothing a second time.
    #[inline]
    pub(crate) fn judge_head(&mut self, verdict: &Verdict, over: bool) -> Option<Pending> {
        if !over && let Some(pending) = self.wait_for_body(verdict) {
            return Some(pending);
        }
        self.settle(verdict);
        None
    }

    fn wait_for_body(&mut self, verdict: &Verdict) -> Option<Pending> {
        let waits = |shared: &mut Arc<Shared>| shared.waits_for_body(&self.ticket, verdict);
        let shared = self.shared.take_if(waits)?;
        let timed = self.ticket.is_timed();
        let elapsed = if timed { self.ticket.elapsed(Instant::now()) } else { Duration::ZERO };
        Some(Pending { shared: Some(shared), generation: self.ticket.generation, elapsed })
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            Shared::cancel(shared, &self.ticket);
        }
    }
}

/// A call with a good head whose body is still under way. Dropped, it counts the success.
#[derive(Debug)]
pub struct Pending {
    shared: Option<Arc<Shared>>,
    generation: u64,
    elapsed: Duration,
}

impl Guard for Pending {
    fn fail(mut self, cause: Cause) {
        if let Some(shared) = self.shared.take() {
            let verdict = shared.filtered(&Verdict::failure(cause));
            shared.record(self.generation, &verdict, Instant::now(), self.elapsed, None);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.record_success(self.generation, self.elapsed);
        }
    }
}
