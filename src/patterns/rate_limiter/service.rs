//! The service.

use std::task::{Context, Poll};

use tokio::time::Instant;
use tower_service::Service;

use super::RateLimiter;
use super::future::ResponseFuture;
use crate::deadline::Deadline;
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};

/// A service behind a [`RateLimiter`].
///
/// A call with a permission uses the instance that was made ready. One that has to wait lets that
/// instance go, waits, and then readies a clone, so that no place in the inner service is held while
/// waiting. Refusals come out of the response future.
#[derive(Clone, Debug)]
pub struct RateLimiterService<S, C = ResultClassifier> {
    inner: S,
    limiter: RateLimiter,
    classifier: C,
}

impl<S, C> RateLimiterService<S, C> {
    pub(super) const fn new(inner: S, limiter: RateLimiter, classifier: C) -> Self {
        Self { inner, limiter, classifier }
    }
}

impl<S, Req, C> Service<Req> for RateLimiterService<S, C>
where
    S: Service<Req> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let (limiter, classifier) = (self.limiter.clone(), self.classifier.clone());
        match self.limiter.begin(1, Instant::now(), Deadline::current()) {
            Ok(None) => ResponseFuture::calling(self.inner.call(request), limiter, classifier),
            Ok(Some(acquire)) => {
                let service = self.inner.clone();
                // Neither clone is ready; what the ready one held is free again.
                self.inner = service.clone();
                ResponseFuture::waiting(acquire, service, request, limiter, classifier)
            }
            Err(rejected) => {
                // Nobody will use what the ready instance holds.
                self.inner = self.inner.clone();
                ResponseFuture::refused(rejected, limiter, classifier)
            }
        }
    }
}
