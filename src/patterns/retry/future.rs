//! The response future.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::attempts::{Attempts, Next};
use super::pause::Pause;
use crate::ends::Discard;
use crate::error::{FromRejected, Rejected};
use crate::outcome::{Classify, Verdict, judge};
use crate::patterns::oneshot::Oneshot;
use crate::replay::Replay;

pin_project! {
    /// The response future of [`RetryService`](super::RetryService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, C, R, N>
    where
        R: Replay<Req>,
        S: Service<R::Attempt>,
        N: Discard<S::Response>,
    {
        #[pin]
        state: State<S, R::Attempt, N::Rest>,
        service: S,
        kit: R::Kit,
        attempts: Attempts,
        classifier: C,
        replay: R,
        ends: N,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, A, D>
    where
        S: Service<A>,
    {
        Attempting { #[pin] call: Oneshot<S, A> },
        // A pause of no length, with nothing to get rid of, is none.
        Waiting { pause: Option<Pin<Box<Pause<D>>>>, attempt: Option<A> },
    }
}

impl<S, Req, C, R, N> ResponseFuture<S, Req, C, R, N>
where
    R: Replay<Req>,
    S: Service<R::Attempt>,
    N: Discard<S::Response>,
{
    #[inline]
    pub(super) const fn new(
        call: S::Future,
        service: S,
        kit: R::Kit,
        attempts: Attempts,
        classifier: C,
        replay: R,
        ends: N,
    ) -> Self {
        let state = State::Attempting { call: Oneshot::calling(call) };
        Self { state, service, kit, attempts, classifier, replay, ends }
    }
}

impl<S, Req, C, R, N> Future for ResponseFuture<S, Req, C, R, N>
where
    R: Replay<Req>,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>>,
    N: Discard<S::Response>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = self.as_mut().project();
            match this.state.project() {
                StateProj::Attempting { call } => {
                    let result = ready!(call.poll(cx));
                    let verdict = judge(this.classifier, &result);
                    let result = match result {
                        Ok(response) if this.attempts.succeeds_at_once(&verdict) => {
                            return Poll::Ready(Ok(response));
                        }
                        result => result,
                    };
                    if let ControlFlow::Break(polled) = self.as_mut().go_on(result, verdict, cx) {
                        return polled;
                    }
                }
                StateProj::Waiting { pause, .. } => {
                    if let Some(pause) = pause {
                        ready!(pause.as_mut().poll(cx));
                    }
                    if let Err(rejected) = self.as_mut().begin_again() {
                        return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                    }
                }
            }
        }
    }
}

impl<S, Req, C, R, N> ResponseFuture<S, Req, C, R, N>
where
    R: Replay<Req>,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    N: Discard<S::Response>,
{
    /// After an attempt that was not a success at once: goes over to waiting, or ends the poll. It takes the
    /// verdict by value, so that one of a success is never written down.
    #[cold]
    fn go_on(
        self: Pin<&mut Self>,
        result: Result<S::Response, S::Error>,
        verdict: Verdict,
        cx: &Context<'_>,
    ) -> ControlFlow<Poll<Result<S::Response, S::Error>>> {
        let mut this = self.project();
        let mut attempt = None;
        let repeat = || {
            attempt = this.replay.again(this.kit, &verdict);
            attempt.is_some()
        };
        let span = match this.attempts.judge(&verdict, result.is_err(), repeat) {
            Next::Done => return ControlFlow::Break(Poll::Ready(this.attempts.finish(result))),
            Next::Fail(rejected) => {
                return ControlFlow::Break(Poll::Ready(Err(S::Error::from_rejected(rejected))));
            }
            Next::Wait(span) => span,
        };
        let rest = result.ok().and_then(|it| this.ends.discard(it));
        let pause = Pause::new(span, rest);
        let yields = pause.is_none() && this.attempts.has_hurried();
        this.state.set(State::Waiting { pause, attempt });
        if yields {
            cx.waker().wake_by_ref();
            return ControlFlow::Break(Poll::Pending);
        }
        ControlFlow::Continue(())
    }

    /// The wait is over: goes over to the next attempt.
    #[cold]
    fn begin_again(self: Pin<&mut Self>) -> Result<(), Rejected> {
        let mut this = self.project();
        let attempt = match this.state.as_mut().project() {
            StateProj::Waiting { attempt, .. } => attempt.take(),
            StateProj::Attempting { .. } => None,
        };
        let attempt = attempt.expect("polled again after completion");
        this.attempts.resume()?;
        let call = Oneshot::readying(this.service.clone(), attempt);
        this.state.set(State::Attempting { call });
        Ok(())
    }
}

impl<S, Req, C, R, N> fmt::Debug for ResponseFuture<S, Req, C, R, N>
where
    R: Replay<Req>,
    S: Service<R::Attempt>,
    N: Discard<S::Response>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
