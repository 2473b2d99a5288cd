//! The response future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{Pending, Permit};
use crate::ends::Ends;
use crate::error::{FromRejected, Rejected};
use crate::outcome::{Classify, judge};

pin_project! {
    /// The response future of [`CircuitBreakerService`](super::CircuitBreakerService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, N> {
        #[pin]
        state: State<F, C, N>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProj]
    enum State<F, C, N> {
        // The permit is used up when the call ends; dropped before that, it counts a cancellation.
        Admitted { #[pin] call: F, permit: Permit, classifier: C, ends: N },
        Refused { rejected: Option<Rejected> },
    }
}

impl<F, C, N> ResponseFuture<F, C, N> {
    #[inline]
    pub(super) const fn admitted(call: F, permit: Permit, classifier: C, ends: N) -> Self {
        Self { state: State::Admitted { call, permit, classifier, ends } }
    }

    pub(super) const fn refused(rejected: Rejected) -> Self {
        Self { state: State::Refused { rejected: Some(rejected) } }
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
        match self.project().state.project() {
            StateProj::Admitted { call, permit, classifier, ends } => {
                let result = ready!(call.poll(cx));
                let verdict = judge(classifier, &result);
                Poll::Ready(match result {
                    Ok(response) => {
                        let pending = permit.judge_head(&verdict, ends.is_over(&response));
                        Ok(ends.attach(response, pending))
                    }
                    Err(error) => {
                        permit.settle(&verdict);
                        Err(error)
                    }
                })
            }
            StateProj::Refused { rejected } => {
                let rejected = rejected.take().expect("polled again after completion");
                Poll::Ready(Err(E::from_rejected(rejected)))
            }
        }
    }
}
