//! The response future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::RateLimiter;
use super::acquire::Acquire;
use crate::error::{FromRejected, Rejected};
use crate::outcome::{Classify, judge};
use crate::patterns::waiting::Waiting;

pin_project! {
    /// The response future of [`RateLimiterService`](super::RateLimiterService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, C>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req>,
        limiter: RateLimiter,
        classifier: C,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req>
    where
        S: Service<Req>,
    {
        Calling { #[pin] call: S::Future },
        Waiting { waiting: Pin<Box<Waiting<Acquire, (), S, Req>>> },
        Refused { rejected: Option<Rejected> },
    }
}

impl<S: Service<Req>, Req, C> ResponseFuture<S, Req, C> {
    #[inline]
    pub(super) const fn calling(call: S::Future, limiter: RateLimiter, classifier: C) -> Self {
        Self { state: State::Calling { call }, limiter, classifier }
    }

    pub(super) fn waiting(
        acquire: Acquire,
        service: S,
        request: Req,
        limiter: RateLimiter,
        classifier: C,
    ) -> Self {
        let waiting = Waiting::boxed(acquire, service, request);
        Self { state: State::Waiting { waiting }, limiter, classifier }
    }

    pub(super) const fn refused(rejected: Rejected, limiter: RateLimiter, classifier: C) -> Self {
        Self { state: State::Refused { rejected: Some(rejected) }, limiter, classifier }
    }
}

impl<S, Req, C> Future for ResponseFuture<S, Req, C>
where
    S: Service<Req>,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Calling { call } => {
                    let result = ready!(call.poll(cx));
                    this.limiter.on_verdict(&judge(this.classifier, &result));
                    return Poll::Ready(result);
                }
                StateProj::Waiting { waiting } => {
                    let (call, ()) = ready!(waiting.as_mut().poll(cx))?;
                    this.state.set(State::Calling { call });
                }
                StateProj::Refused { rejected } => {
                    let rejected = rejected.take().expect("polled again after completion");
                    return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                }
            }
        }
    }
}

impl<S: Service<Req>, Req, C> fmt::Debug for ResponseFuture<S, Req, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling { .. } => "calling",
            State::Waiting { .. } => "waiting",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
