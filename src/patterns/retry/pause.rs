//! The wait before a further attempt.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// Waits, and gets rid of the last response meanwhile. It is over when the wait is, whatever is left then.
    pub(crate) struct Pause<D> {
        // Nothing for a pause of no length, which needs no timer.
        #[pin]
        sleep: Option<Sleep>,
        #[pin]
        rest: Option<D>,
    }
}

impl<D> Pause<D> {
    /// Nothing if there is nothing to wait for. Boxed, so that a call that succeeds at once is no larger for
    /// those that do not.
    pub(crate) fn new(span: Duration, rest: Option<D>) -> Option<Pin<Box<Self>>> {
        let sleep = (!span.is_zero()).then(|| sleep(span));
        (sleep.is_some() || rest.is_some()).then(|| Box::pin(Self { sleep, rest }))
    }
}

impl<D: Future<Output = ()>> Future for Pause<D> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        // The work before the timer: with no time at all it still gets rid of what is there already.
        if this.rest.as_mut().as_pin_mut().is_some_and(|rest| rest.poll(cx).is_ready()) {
            this.rest.set(None);
        }
        if let Some(sleep) = this.sleep.as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        this.rest.set(None);
        Poll::Ready(())
    }
}
