//! The response future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::limited::Limited;
use super::{TimeLimit, TimeLimiter};
use crate::ends::Ends;
use crate::error::FromRejected;

pin_project! {
    /// The response future of [`TimeLimiterService`](super::TimeLimiterService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, N> {
        // Nothing if it is not made, because this form of a limiter could not do as it is told.
        #[pin]
        call: Option<Limited<F>>,
        limiter: TimeLimiter,
        ends: N,
    }
}

impl<F, N> ResponseFuture<F, N> {
    #[inline]
    pub(super) const fn new(call: Option<Limited<F>>, limiter: TimeLimiter, ends: N) -> Self {
        Self { call, limiter, ends }
    }
}

impl<F, N, T, E> Future for ResponseFuture<F, N>
where
    F: Future<Output = Result<T, E>>,
    E: FromRejected,
    N: Ends<T, TimeLimit>,
{
    type Output = Result<N::Out, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(call) = this.call.as_pin_mut() else {
            return Poll::Ready(this.limiter.refused());
        };
        let deadline = call.deadline();
        match ready!(call.poll(cx)) {
            Some(Ok(response)) => {
                let rest = this.limiter.record_response(deadline);
                Poll::Ready(Ok(this.ends.hand_over(response, rest)))
            }
            Some(Err(error)) => Poll::Ready(this.limiter.failed(error)),
            None => Poll::Ready(this.limiter.timed_out()),
        }
    }
}
