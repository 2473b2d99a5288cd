//! A future that is given up when its time is over.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::deadline::Deadline;

pin_project! {
    /// Ends with what the future ends with, or with nothing if that takes too long; the future is
    /// dropped by then. It learns its deadline while it is polled and dropped, unless that is none to it.
    #[derive(Debug)]
    pub(crate) struct Limited<F> {
        deadline: Deadline,
        announces: bool,
        #[pin]
        future: Option<F>,
        // Made only for a future that has to wait.
        #[pin]
        sleep: Option<Sleep>,
    }

    impl<F> PinnedDrop for Limited<F> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            if this.future.is_some() {
                this.give_up();
            }
        }
    }
}

impl<F> Limited<F> {
    #[inline]
    pub(crate) const fn new(future: F, deadline: Deadline, announces: bool) -> Self {
        Self { deadline, announces, future: Some(future), sleep: None }
    }

    pub(super) const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// A step inside can tell by the deadline whether it was given up in time or for being late.
    fn give_up(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _entered = this.announces.then(|| this.deadline.enter());
        this.future.set(None);
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Option<F::Output>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let at = this.deadline.instant();
        let future = this.future.as_mut().as_pin_mut().expect("polled again after completion");
        let entered = this.announces.then(|| this.deadline.enter());
        // The work comes first: a result that is there in the last moment is not thrown away.
        if let Poll::Ready(output) = future.poll(cx) {
            this.future.set(None);
            return Poll::Ready(Some(output));
        }
        drop(entered);
        // A `Sleep` rounds up to a millisecond, and may be pending for want of tokio's coop budget.
        if Instant::now() < at {
            if this.sleep.is_none() {
                this.sleep.set(Some(sleep_until(at)));
            }
            let sleep = this.sleep.as_mut().as_pin_mut().expect("it was just made");
            if sleep.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.give_up();
        Poll::Ready(None)
    }
}
