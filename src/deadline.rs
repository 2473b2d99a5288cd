//! One deadline for the whole call.
//!
//! The outermost step that limits a call in time announces the deadline to everything inside it
//! while that is polled. A step that would have to wait looks at it first and does not begin a wait
//! that cannot end in time; a retry does not begin an attempt after it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

thread_local! {
    static CURRENT: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// About thirty years: as far as a timer needs to reach.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The moment by which a whole call must be over: retries, pauses and body included.
///
/// ```
/// use std::time::Duration;
/// use seawall::Deadline;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let inside = Deadline::after(Duration::from_secs(2)).scope(async { Deadline::current() }).await;
/// assert!(inside.unwrap().remaining() <= Duration::from_secs(2));
/// assert!(Deadline::current().is_none());
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// At this moment.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// So long from now. A span too long to be added reaches about thirty years.
    #[must_use]
    pub fn after(span: Duration) -> Self {
        Self(later(Instant::now(), span))
    }

    /// The deadline under which the running code was called, if there is one.
    ///
    /// It is known while a future is polled, not in a task that was spawned: read it before and
    /// carry it there.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// The moment.
    #[inline]
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// How long until then; zero once it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Is it over by `now`?
    #[inline]
    pub(crate) fn has_passed(self, now: Instant) -> bool {
        self.0 <= now
    }

    /// Runs `future` under this deadline, or under the current one if that is earlier.
    ///
    /// The deadline is only announced: it is for the steps inside to heed it.
    pub const fn scope<F>(self, future: F) -> Scoped<F> {
        Scoped { deadline: Some(self), future: Some(future) }
    }

    /// The earlier of two deadlines, either of which may be missing.
    #[inline]
    pub(crate) fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Announces the deadline until the returned guard is dropped.
    #[inline]
    pub(crate) fn enter(self) -> Entered {
        let outer = CURRENT.get();
        CURRENT.set(Self::earlier(outer, Some(self)));
        Entered { outer }
    }
}

/// Adds without overflow.
#[inline]
pub(crate) fn later(instant: Instant, span: Duration) -> Instant {
    instant.checked_add(reachable(span)).unwrap_or(instant)
}

/// The span, cut to what a timer needs to reach.
#[inline]
pub(crate) fn reachable(span: Duration) -> Duration {
    span.min(FAR)
}

/// Puts the outer deadline back, also when a panic unwinds.
#[derive(Debug)]
pub(crate) struct Entered {
    outer: Option<Deadline>,
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.outer);
    }
}

pin_project! {
    /// A future under a [`Deadline`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        deadline: Option<Deadline>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        // What is dropped unfinished learns its deadline too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.deadline.map(Deadline::enter);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.deadline.map(Deadline::enter);
        this.future.as_pin_mut().expect("the future is there until the drop").poll(cx)
    }
}
