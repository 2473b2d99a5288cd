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
        // Boxed, so that a call that need not wait is no larger for those that do.
        Waiting { waiting: Pin<Box<Waiting<S, Req>>> },
        Refused { rejected: Option<Rejected> },
    }
}

pin_project! {
    // Dropped, it leaves the line, or gives up its readiness first and its place then.
    struct Waiting<S, Req> {
        #[pin]
        acquire: Option<Acquire>,
        service: S,
        request: Option<Req>,
        permit: Option<BulkheadPermit>,
    }
}

/// A call that was made, and its place.
type Admitted<F> = (F, Option<BulkheadPermit>);

impl<S: Service<Req>, Req> Waiting<S, Req> {
    /// Waits for the place, then for the service, and then makes the call.
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Admitted<S::Future>, S::Error>>
    where
        S::Error: FromRejected,
    {
        let mut this = self.project();
        if let Some(acquire) = this.acquire.as_mut().as_pin_mut() {
            *this.permit = Some(ready!(acquire.poll(cx)).map_err(S::Error::from_rejected)?);
            this.acquire.set(None);
        }
        let ready = ready!(this.service.poll_ready(cx));
        let (request, permit) = (this.request.take(), this.permit.take());
        let request = request.expect("polled again after completion");
        ready?;
        Poll::Ready(Ok((this.service.call(request), permit)))
    }
}

impl<S: Service<Req>, Req, N> ResponseFuture<S, Req, N> {
    #[inline]
    pub(super) const fn admitted(call: S::Future, permit: BulkheadPermit, ends: N) -> Self {
        Self { state: State::Admitted { call, permit: Some(permit) }, ends }
    }

    pub(super) fn waiting(acquire: Acquire, service: S, request: Req, ends: N) -> Self {
        let (acquire, request) = (Some(acquire), Some(request));
        let waiting = Box::pin(Waiting { acquire, service, request, permit: None });
        Self { state: State::Waiting { waiting }, ends }
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
                    this.state.set(State::Admitted { call, permit });
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
