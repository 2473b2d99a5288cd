//! The service.

use std::task::{Context, Poll};

use tokio::time::Instant;
use tower_service::Service;

use super::future::ResponseFuture;
use super::limited::Limited;
use super::run::{InPlace, Run};
use super::{TimeLimit, TimeLimiter};
use crate::ends::{AtResponse, Ends};
use crate::error::FromRejected;

/// A service behind a [`TimeLimiter`].
///
/// The time runs from `call`; getting ready is not limited.
#[derive(Clone, Debug)]
pub struct TimeLimiterService<S, N = AtResponse, M = InPlace> {
    inner: S,
    limiter: TimeLimiter,
    ends: N,
    run: M,
}

impl<S, N, M> TimeLimiterService<S, N, M> {
    pub(super) const fn new(inner: S, limiter: TimeLimiter, ends: N, run: M) -> Self {
        Self { inner, limiter, ends, run }
    }

    /// Puts another instance in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, limiter: TimeLimiter, ends: N, run: M) {
        self.limiter = limiter;
        self.ends = ends;
        self.run = run;
    }
}

impl<S, Req, N, M> Service<Req> for TimeLimiterService<S, N, M>
where
    S: Service<Req>,
    S::Error: FromRejected,
    N: Ends<S::Response, TimeLimit> + Clone,
    M: Run<S::Future>,
{
    type Response = N::Out;
    type Error = S::Error;
    type Future = ResponseFuture<M::Running, N>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let (limiter, ends) = (self.limiter.clone(), self.ends.clone());
        if !limiter.fits(M::DETACHES) {
            return ResponseFuture::new(None, limiter, ends);
        }
        let deadline = limiter.deadline(Instant::now());
        let entered = (!M::DETACHES).then(|| deadline.enter());
        let call = self.inner.call(request);
        drop(entered);
        let call = Limited::new(self.run.run(call, &limiter), deadline, !M::DETACHES);
        ResponseFuture::new(Some(call), limiter, ends)
    }
}
