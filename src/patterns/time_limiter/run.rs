//! Where the work runs: in the task of its caller, or in one of its own.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;

use super::TimeLimiter;
use crate::deadline::Deadline;
use crate::error::{FromRejected, Reason};

/// Says where a limited call runs, and so what becomes of it when its time is over.
#[diagnostic::on_unimplemented(
    message = "a call with the future `{F}` cannot go on in the background",
    note = "a detached call is spawned: its future, its response and its error must be `Send` and `'static`"
)]
pub trait Run<F: Future>: sealed::Sealed {
    /// The call as it is waited for.
    type Running: Future<Output = F::Output>;

    #[doc(hidden)]
    const DETACHES: bool;

    #[doc(hidden)]
    fn run(&self, future: F, limiter: &TimeLimiter) -> Self::Running;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::InPlace {}
    impl Sealed for super::Detached {}
}

/// The call runs where it is waited for, and is dropped when its time is over. Asks nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InPlace;

impl<F: Future> Run<F> for InPlace {
    type Running = F;
    const DETACHES: bool = false;

    #[inline]
    fn run(&self, future: F, _: &TimeLimiter) -> F {
        future
    }
}

/// The call runs in a task of its own, and goes on when its time is over or its caller has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detached;

impl<F, T, E> Run<F> for Detached
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: FromRejected + Send + 'static,
{
    type Running = Spawned<F>;
    const DETACHES: bool = true;

    fn run(&self, future: F, limiter: &TimeLimiter) -> Spawned<F> {
        Spawned { limiter: limiter.clone(), state: State::Fresh(future) }
    }
}

/// A call that is spawned when it is polled first. Dropped after that, it goes on.
#[must_use = "futures do nothing unless polled"]
pub struct Spawned<F: Future> {
    limiter: TimeLimiter,
    state: State<F>,
}

enum State<F: Future> {
    Fresh(F),
    Running(JoinHandle<F::Output>),
    Over,
}

// The future is moved to its task before anybody pins it.
impl<F: Future> Unpin for Spawned<F> {}

impl<F, T, E> Future for Spawned<F>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: FromRejected + Send + 'static,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if matches!(this.state, State::Fresh(_))
            && let State::Fresh(future) = std::mem::replace(&mut this.state, State::Over)
        {
            // A task knows nothing of the deadline under which it was begun.
            let task = match Deadline::current() {
                Some(deadline) => tokio::spawn(deadline.scope(future)),
                None => tokio::spawn(future),
            };
            this.state = State::Running(task);
        }
        let State::Running(task) = &mut this.state else { panic!("polled again after completion") };
        let joined = ready!(Pin::new(task).poll(cx));
        this.state = State::Over;
        Poll::Ready(joined.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(E::from_rejected(this.limiter.rejected(Reason::RuntimeShutDown))),
        }))
    }
}

impl<F: Future> fmt::Debug for Spawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
