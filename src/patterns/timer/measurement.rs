//! One call that is measured.

use std::sync::Arc;

use tokio::time::Instant;

use super::handle::Shared;
use crate::deadline::Deadline;
use crate::ends::Guard;
use crate::outcome::{Cause, Verdict};

/// One call that is under way.
///
/// Tell it how the call ended. Dropped untold, it counts a failure: by `timeout` if the call's [`Deadline`] has passed, by `other` in a
/// panic, else by `cancelled`.
#[derive(Debug)]
#[must_use = "a measurement that is dropped counts a cancelled call"]
pub struct Measurement {
    shared: Option<Arc<Shared>>,
    started: Instant,
}

impl Measurement {
    #[inline]
    pub(super) const fn new(shared: Arc<Shared>, started: Instant) -> Self {
        Self { shared: Some(shared), started }
    }

    /// The call succeeded.
    #[inline]
    pub fn success(mut self) {
        self.succeed();
    }

    /// The call failed.
    pub fn failure(mut self, cause: Cause) {
        self.fail(cause);
    }

    /// The call ended so. What is no success counts as failed, by its cause.
    #[inline]
    pub fn record(mut self, verdict: &Verdict) {
        self.settle(verdict);
    }

    #[inline]
    pub(crate) fn settle(&mut self, verdict: &Verdict) {
        if verdict.is_success() {
            self.succeed();
        } else {
            self.fail(verdict.cause().unwrap_or(Cause::Other));
        }
    }

    /// The head of the response is there. A bad one ends the call; after a good one it goes on to the end of the body, unless it
    /// is `over` already.
    #[inline]
    pub(crate) fn judge_head(&mut self, verdict: &Verdict, over: bool) -> Option<Pending> {
        if over || !verdict.is_success() {
            self.settle(verdict);
            return None;
        }
        let (shared, started) = (self.shared.take(), self.started);
        shared.map(|shared| Pending(Self { shared: Some(shared), started }))
    }

    #[inline]
    fn succeed(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.succeed(self.started);
        }
    }

    fn fail(&mut self, cause: Cause) {
        if let Some(shared) = self.shared.take() {
            shared.fail(self.started, Instant::now(), cause);
        }
    }

    #[cold]
    fn give_up(&self, shared: &Shared) {
        let now = Instant::now();
        let is_late = Deadline::current().is_some_and(|deadline| deadline.has_passed(now));
        let cause = match () {
            () if std::thread::panicking() => Cause::Other,
            () if is_late => Cause::Timeout,
            () => Cause::Cancelled,
        };
        shared.fail(self.started, now, cause);
    }
}

impl Drop for Measurement {
    #[inline]
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            self.give_up(&shared);
        }
    }
}

/// A call with a good head whose body is still under way. Dropped, it counts the success.
#[derive(Debug)]
pub struct Pending(Measurement);

impl Guard for Pending {
    fn fail(mut self, cause: Cause) {
        self.0.fail(cause);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.succeed();
    }
}
