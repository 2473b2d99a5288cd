//! Waits for a permission, readies a service, then calls it: what a layer does that must not hold the
//! inner service's readiness over a wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::error::{FromRejected, Rejected};

pin_project! {
    /// A call that waits for the permission `P`.
    // Dropped, it leaves the line, or gives up its readiness first and its permission then.
    pub(crate) struct Waiting<W, P, S, Req> {
        #[pin]
        acquire: Option<W>,
        service: S,
        request: Option<Req>,
        permit: Option<P>,
    }
}

/// The call once it is made, with its permission.
impl<W, P, S, Req> Future for Waiting<W, P, S, Req>
where
    W: Future<Output = Result<P, Rejected>>,
    S: Service<Req>,
    S::Error: FromRejected,
{
    type Output = Result<(S::Future, P), S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(acquire) = this.acquire.as_mut().as_pin_mut() {
            *this.permit = Some(ready!(acquire.poll(cx)).map_err(S::Error::from_rejected)?);
            this.acquire.set(None);
        }
        let ready = ready!(this.service.poll_ready(cx));
        let (request, permit) = (this.request.take(), this.permit.take());
        let (request, permit) = request.zip(permit).expect("polled again after completion");
        ready?;
        Poll::Ready(Ok((this.service.call(request), permit)))
    }
}

impl<W, P, S, Req> Waiting<W, P, S, Req> {
    /// Boxed, so that a call that need not wait is no larger for those that do.
    pub(crate) fn boxed(acquire: W, service: S, request: Req) -> Pin<Box<Self>> {
        let (acquire, request) = (Some(acquire), Some(request));
        Box::pin(Self { acquire, service, request, permit: None })
    }
}
