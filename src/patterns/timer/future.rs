//! The response future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{Measurement, Pending};
use crate::ends::Ends;
use crate::error::FromRejected;
use crate::outcome::{Classify, judge};

pin_project! {
    /// The response future of [`TimerService`](super::TimerService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, N> {
        #[pin]
        call: F,
        // Used up when the call ends; dropped before that, it counts a call that was given up.
        measurement: Measurement,
        classifier: C,
        ends: N,
    }
}

impl<F, C, N> ResponseFuture<F, C, N> {
    #[inline]
    pub(super) const fn new(call: F, measurement: Measurement, classifier: C, ends: N) -> Self {
        Self { call, measurement, classifier, ends }
    }
}

impl<F, C, N, T, E> Future for ResponseFuture<F, C, N>
where
    F: Future<Output = Result<T, E>>,
    E: FromRejected,
    C: Classify<Result<T, E>>,
    N: Ends<T, Pending>,
{
    type Output = Result<N::Out, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.call.poll(cx));
        let verdict = judge(this.classifier, &result);
        Poll::Ready(match result {
            Ok(response) => {
                let over = this.ends.is_over(&response);
                let pending = this.measurement.judge_head(&verdict, over);
                Ok(this.ends.attach(response, pending))
            }
            Err(error) => {
                this.measurement.settle(&verdict);
                Err(error)
            }
        })
    }
}
