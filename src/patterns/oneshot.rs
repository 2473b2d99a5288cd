//! Readies a service, then calls it once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// A call that is under way, or one whose service has to be made ready first.
    #[project = OneshotProj]
    pub(crate) enum Oneshot<S, Req>
    where
        S: Service<Req>,
    {
        Readying { service: S, request: Option<Req> },
        Calling { #[pin] call: S::Future },
    }
}

impl<S: Service<Req>, Req> Oneshot<S, Req> {
    pub(crate) const fn readying(service: S, request: Req) -> Self {
        Self::Readying { service, request: Some(request) }
    }

    #[inline]
    pub(crate) const fn calling(call: S::Future) -> Self {
        Self::Calling { call }
    }
}

impl<S: Service<Req>, Req> Future for Oneshot<S, Req> {
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                OneshotProj::Readying { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("polled again after completion");
                    let call = service.call(request);
                    self.set(Self::Calling { call });
                }
                OneshotProj::Calling { call } => return call.poll(cx),
            }
        }
    }
}
