//! The service.

use std::task::{Context, Poll};

use tokio::time::Instant;
use tower_service::Service;

use super::future::ResponseFuture;
use super::limited::Limited;
use super::{TimeLimit, TimeLimiter};
use crate::ends::{AtResponse, Ends};
use crate::error::FromRejected;

/// A service behind a [`TimeLimiter`].
///
/// The time runs from `call`; getting ready is not limited.
#[derive(Clone, Debug)]
pub struct TimeLimiterService<S, N = AtResponse> {
    inner: S,
    limiter: TimeLimiter,
    ends: N,
}

impl<S, N> TimeLimiterService<S, N> {
    pub(super) const fn new(inner: S, limiter: TimeLimiter, ends: N) -> Self {
        Self { inner, limiter, ends }
    }
}

impl<S, Req, N> Service<Req> for TimeLimiterService<S, N>
where
    S: Service<Req>,
    S::Error: FromRejected,
    N: Ends<S::Response, TimeLimit> + Clone,
{
    type Response = N::Out;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, N>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let deadline = self.limiter.deadline(Instant::now());
        let entered = deadline.enter();
        let call = self.inner.call(request);
        drop(entered);
        let call = Limited::new(call, deadline);
        ResponseFuture::new(call, self.limiter.clone(), self.ends.clone())
    }
}
