//! The response future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::attempts::{Attempts, Next};
use super::pause::Pause;
use crate::ends::Discard;
use crate::error::FromRejected;
use crate::outcome::{Classify, judge};
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
        Waiting { pause: Pin<Box<Pause<D>>>, attempt: Option<A> },
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
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let attempt = match this.state.as_mut().project() {
                StateProj::Attempting { call } => {
                    let result = ready!(call.poll(cx));
                    let verdict = judge(this.classifier, &result);
                    let mut attempt = None;
                    let repeat = || {
                        attempt = this.replay.again(this.kit, &verdict);
                        attempt.is_some()
                    };
                    match this.attempts.judge(&verdict, result.is_err(), repeat) {
                        Next::Done => return Poll::Ready(this.attempts.finish(result)),
                        Next::Fail(rejected) => {
                            return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                        }
                        Next::Wait(span) => {
                            let rest = result.ok().and_then(|it| this.ends.discard(it));
                            match Pause::new(span, rest) {
                                Some(pause) => {
                                    this.state.set(State::Waiting { pause, attempt });
                                    continue;
                                }
                                None => attempt,
                            }
                        }
                    }
                }
                StateProj::Waiting { pause, attempt } => {
                    ready!(pause.as_mut().poll(cx));
                    let attempt = attempt.take();
                    assert!(attempt.is_some(), "polled again after completion");
                    if let Err(rejected) = this.attempts.resume() {
                        return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                    }
                    attempt
                }
            };
            let attempt = attempt.expect("there is an attempt for every wait");
            let call = Oneshot::readying(this.service.clone(), attempt);
            this.state.set(State::Attempting { call });
        }
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
