//! The wait for a place.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::BulkheadPermit;
use super::shared::{Joined, Shared, Waiter};
use crate::deadline::Deadline;
use crate::error::Rejected;

pin_project! {
    /// The future of [`Bulkhead::acquire`](super::Bulkhead::acquire): a place, or the refusal once the wait is over.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Acquire {
        step: Step,
        // Made only for one who really waits.
        #[pin]
        sleep: Option<Sleep>,
    }
}

#[derive(Debug)]
enum Step {
    Asking { shared: Arc<Shared> },
    Waiting { waiter: Waiter },
    Done,
}

impl Acquire {
    pub(super) const fn asking(shared: Arc<Shared>) -> Self {
        Self { step: Step::Asking { shared }, sleep: None }
    }

    pub(super) const fn waiting(waiter: Waiter) -> Self {
        Self { step: Step::Waiting { waiter }, sleep: None }
    }
}

impl Future for Acquire {
    type Output = Result<BulkheadPermit, Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Step::Asking { shared } = this.step {
            let latest = Deadline::current().map(Deadline::instant);
            let joined = match shared.enter() {
                Some(permit) => Ok(Joined::Permit(permit)),
                None => shared.join(latest),
            };
            *this.step = match joined {
                Ok(Joined::Waiter(waiter)) => Step::Waiting { waiter },
                Ok(Joined::Permit(permit)) => return done(this.step, Ok(permit)),
                Err(rejected) => return done(this.step, Err(rejected)),
            };
        }
        let Step::Waiting { waiter } = this.step else { panic!("polled again after completion") };
        if let Some(permit) = waiter.check(cx.waker()) {
            return done(this.step, Ok(permit));
        }
        let Some(expires) = waiter.expires else { return Poll::Pending };
        // A `Sleep` rounds up to a millisecond, and may be pending for want of tokio's coop budget.
        if Instant::now() < expires {
            if this.sleep.is_none() {
                this.sleep.set(Some(sleep_until(expires)));
            }
            let sleep = this.sleep.as_mut().as_pin_mut().expect("it was just made");
            if sleep.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        let result = waiter.expire();
        done(this.step, result)
    }
}

fn done<R>(step: &mut Step, result: R) -> Poll<R> {
    *step = Step::Done;
    Poll::Ready(result)
}
