//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::future::ResponseFuture;
use super::handle::Begun;
use super::{Bulkhead, BulkheadPermit};
use crate::deadline::Deadline;
use crate::ends::{AtResponse, Ends};
use crate::error::FromRejected;

/// A service behind a [`Bulkhead`].
///
/// Being ready takes no place: that is asked for in `call`. A call that has to wait does not keep the
/// inner service's readiness meanwhile: it gives it up and readies a clone once it has its place.
#[derive(Clone, Debug)]
pub struct BulkheadService<S, N = AtResponse> {
    inner: S,
    bulkhead: Bulkhead,
    ends: N,
}

impl<S, N> BulkheadService<S, N> {
    pub(super) const fn new(inner: S, bulkhead: Bulkhead, ends: N) -> Self {
        Self { inner, bulkhead, ends }
    }

    /// Puts another instance in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, bulkhead: Bulkhead, ends: N) {
        self.bulkhead = bulkhead;
        self.ends = ends;
    }
}

impl<S, Req, N> Service<Req> for BulkheadService<S, N>
where
    S: Service<Req> + Clone,
    S::Error: FromRejected,
    N: Ends<S::Response, BulkheadPermit> + Clone,
{
    type Response = N::Out;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, N>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let ends = self.ends.clone();
        if let Some(permit) = self.bulkhead.enter() {
            return ResponseFuture::admitted(self.inner.call(request), permit, ends);
        }
        let latest = Deadline::current().map(Deadline::instant);
        match self.bulkhead.begin(latest) {
            Ok(Begun::Permit(permit)) => {
                ResponseFuture::admitted(self.inner.call(request), permit, ends)
            }
            Ok(Begun::Wait(acquire)) => {
                let later = self.inner.clone();
                // What was made ready may hold a place or a connection that others need.
                self.inner = later.clone();
                ResponseFuture::waiting(acquire, later, request, ends)
            }
            Err(rejected) => {
                // The same goes for a refusal: nobody else may ever call this instance.
                self.inner = self.inner.clone();
                ResponseFuture::refused(rejected, ends)
            }
        }
    }
}
