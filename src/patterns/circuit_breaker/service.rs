//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::future::ResponseFuture;
use super::{CircuitBreaker, Pending};
use crate::ends::{AtResponse, Ends};
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};

/// A service behind a [`CircuitBreaker`].
///
/// Being ready consumes no permission: that is asked for in `call`, and a refusal comes out of the
/// response future.
#[derive(Clone, Debug)]
pub struct CircuitBreakerService<S, C = ResultClassifier, N = AtResponse> {
    inner: S,
    breaker: CircuitBreaker,
    classifier: C,
    ends: N,
}

impl<S, C, N> CircuitBreakerService<S, C, N> {
    pub(super) const fn new(inner: S, breaker: CircuitBreaker, classifier: C, ends: N) -> Self {
        Self { inner, breaker, classifier, ends }
    }

    /// Puts another instance in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, breaker: CircuitBreaker, classifier: C, ends: N) {
        self.breaker = breaker;
        self.classifier = classifier;
        self.ends = ends;
    }
}

impl<S, Req, C, N> Service<Req> for CircuitBreakerService<S, C, N>
where
    S: Service<Req> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
    N: Ends<S::Response, Pending> + Clone,
{
    type Response = N::Out;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C, N>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.breaker.try_acquire() {
            Ok(permit) => ResponseFuture::admitted(
                self.inner.call(request),
                permit,
                self.classifier.clone(),
                self.ends.clone(),
            ),
            Err(rejected) => {
                // What was made ready may hold a place that others wait for.
                self.inner = self.inner.clone();
                ResponseFuture::refused(rejected)
            }
        }
    }
}
