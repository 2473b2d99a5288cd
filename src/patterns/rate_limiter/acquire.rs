//! Waiting for permissions.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::RateLimiter;
use super::room::Promise;
use super::semaphore::Turn;
use super::shared::Shared;
use crate::deadline::Deadline;
use crate::error::Rejected;

/// Permissions taken ahead of time by whoever asked for just that: the guard that gives them back.
#[derive(Debug)]
struct Reserved {
    shared: Arc<Shared>,
    /// Taken once the permissions are there, and then there is nothing to give back.
    promise: Option<Promise>,
    ready: Instant,
    /// Is it in the count of those who wait?
    counted: bool,
}

impl Reserved {
    fn new(shared: &Arc<Shared>, promise: Promise, ready: Instant) -> Self {
        Self { shared: shared.clone(), promise: Some(promise), ready, counted: false }
    }

    fn counted(mut self) -> Self {
        if !self.counted {
            self.shared.count_in();
            self.counted = true;
        }
        self
    }

    fn poll(&mut self, sleep: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() < self.ready {
            ready!(poll_sleep(sleep, self.ready, cx));
        }
        self.promise = None;
        Poll::Ready(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.counted {
            self.shared.count_out();
        }
        if let Some(promise) = &self.promise
            && Instant::now() < self.ready
        {
            self.shared.refund(promise);
        }
    }
}

/// A place in the line.
#[derive(Debug)]
struct Waiting {
    shared: Arc<Shared>,
    /// Taken once its turn has come, or will not come.
    id: Option<u64>,
}

impl Waiting {
    fn new(shared: &Arc<Shared>, id: u64) -> Self {
        shared.count_in();
        Self { shared: shared.clone(), id: Some(id) }
    }

    fn poll(
        &mut self,
        mut sleep: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Option<Duration>>> {
        let id = self.id.expect("polled again after completion");
        loop {
            let settled = match self.shared.turn(id, cx.waker().clone()) {
                Turn::Granted => Ok(()),
                Turn::Refused(wait) => Err(wait),
                Turn::Pending(until) => {
                    ready!(poll_sleep(sleep.as_mut(), until, cx));
                    continue;
                }
            };
            self.id = None;
            return Poll::Ready(settled);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.count_out();
        if let Some(id) = self.id {
            self.shared.leave(id);
        }
    }
}

fn poll_sleep(
    mut sleep: Pin<&mut Option<Sleep>>,
    until: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if sleep.is_none() {
        sleep.set(Some(sleep_until(until)));
    }
    let Some(mut timer) = sleep.as_mut().as_pin_mut() else { return Poll::Ready(()) };
    if timer.deadline() != until {
        timer.as_mut().reset(until);
    }
    timer.poll(cx)
}

#[derive(Debug)]
enum State {
    Asking { limiter: RateLimiter, permits: u32 },
    Waiting { waiting: Waiting, permits: u32 },
    Done,
}

pin_project! {
    /// Waits for permissions: the future of [`RateLimiter::acquire`].
    ///
    /// Dropped while it waits, it gives the permissions back or leaves the queue.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Acquire {
        state: State,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Acquire {
    pub(super) const fn new(limiter: RateLimiter, permits: u32) -> Self {
        Self { state: State::Asking { limiter, permits }, sleep: None }
    }

    #[cold]
    pub(super) fn waiting(shared: &Arc<Shared>, id: u64, permits: u32) -> Self {
        let waiting = Waiting::new(shared, id);
        Self { state: State::Waiting { waiting, permits }, sleep: None }
    }
}

impl Future for Acquire {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let result = match this.state {
                State::Asking { limiter, permits } => {
                    match limiter.begin(*permits, Instant::now(), Deadline::current()) {
                        Ok(None) => Ok(()),
                        Ok(Some(waiting)) => {
                            *this.state = waiting.state;
                            continue;
                        }
                        Err(rejected) => Err(rejected),
                    }
                }
                State::Waiting { waiting, permits } => {
                    let settled = ready!(waiting.poll(this.sleep.as_mut(), cx));
                    let (shared, now) = (&waiting.shared, Instant::now());
                    match settled {
                        Ok(()) => {
                            shared.granted(now, *permits);
                            Ok(())
                        }
                        Err(wait) => Err(shared.refused(now, *permits, wait)),
                    }
                }
                State::Done => panic!("polled again after completion"),
            };
            *this.state = State::Done;
            this.sleep.set(None);
            return Poll::Ready(result);
        }
    }
}

/// Permissions that may lie in the future, from [`RateLimiter::reserve`].
///
/// They count as used once their time has come. Dropped before that, they are given back. It can be
/// awaited.
#[derive(Debug)]
#[must_use = "a reservation that is dropped before its time is given back"]
pub struct Reservation {
    reserved: Option<Reserved>,
}

impl Reservation {
    pub(super) const fn now() -> Self {
        Self { reserved: None }
    }

    pub(super) fn ahead(shared: &Arc<Shared>, promise: Promise, ready: Instant) -> Self {
        Self { reserved: Some(Reserved::new(shared, promise, ready)) }
    }

    /// How long it still is until the permissions may be used; zero once they may.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.reserved.as_ref().map_or(Duration::ZERO, |reserved| {
            reserved.ready.saturating_duration_since(Instant::now())
        })
    }

    /// Waits until the permissions may be used. Dropped before that, it gives them back.
    pub fn ready(self) -> Ready {
        Ready { reserved: self.reserved.map(Reserved::counted), sleep: None }
    }
}

impl IntoFuture for Reservation {
    type Output = ();
    type IntoFuture = Ready;

    fn into_future(self) -> Ready {
        self.ready()
    }
}

pin_project! {
    /// Waits until a [`Reservation`] may be used.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Ready {
        reserved: Option<Reserved>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Future for Ready {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if let Some(reserved) = this.reserved {
            ready!(reserved.poll(this.sleep, cx));
            *this.reserved = None;
        }
        Poll::Ready(())
    }
}
