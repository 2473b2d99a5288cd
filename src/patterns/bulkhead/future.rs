//! The response future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::Acquire;
use super::BulkheadPermit;
use crate::ends::Ends;
use crate::error::{FromRejected, Rejected};
use crate::patterns::waiting::Waiting;

pin_project! {
    /// The response future of [`BulkheadService`](super::BulkheadService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S: Service<Req>, Req, N> {
        #[pin]
        state: State<S, Req>,
        ends: N,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S: Service<Req>, Req> {
        // The call is dropped before its place is given back.
        Admitted { #[pin] call: S::Future, permit: Option<BulkheadPermit> },
        Waiting { waiting: Pin<Box<Waiting<Acquire, BulkheadPermit, S, Req>>> },
        Refused { rejected: Option<Rejected> },
    }
}

impl<S: Service<Req>, Req, N> ResponseFuture<S, Req, N> {
    #[inline]
    pub(super) const fn admitted(call: S::Future, permit: BulkheadPermit, ends: N) -> Self {
        Self { state: State::Admitted { call, permit: Some(permit) }, ends }
    }

    pub(super) fn waiting(acquire: Acquire, service: S, request: Req, ends: N) -> Self {
        Self { state: State::Waiting { waiting: Waiting::boxed(acquire, service, request) }, ends }
    }

    pub(super) const fn refused(rejected: Rejected, ends: N) -> Self {
        Self { state: State::Refused { rejected: Some(rejected) }, ends }
    }
}

impl<S, Req, N> Future for ResponseFuture<S, Req, N>
where
    S: Service<Req>,
    S::Error: FromRejected,
    N: Ends<S::Response, BulkheadPermit>,
{
    type Output = Result<N::Out, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Admitted { call, permit } => {
                    let response = ready!(call.poll(cx));
                    let permit = permit.take();
                    return Poll::Ready(response.map(|it| this.ends.hand_over(it, permit)));
                }
                StateProj::Waiting { waiting } => {
                    let (call, permit) = ready!(waiting.as_mut().poll(cx))?;
                    this.state.set(State::Admitted { call, permit: Some(permit) });
                }
                StateProj::Refused { rejected } => {
                    let rejected = rejected.take().expect("polled again after completion");
                    return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                }
            }
        }
    }
}

impl<S: Service<Req>, Req, N> fmt::Debug for ResponseFuture<S, Req, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting { .. } => "waiting",
            State::Admitted { .. } => "admitted",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
