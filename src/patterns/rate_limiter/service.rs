//! The service.

use std::task::{Context, Poll};

use tokio::time::Instant;
use tower_service::Service;

use super::future::ResponseFuture;
use super::{Cost, OnePermission, RateLimiter};
use crate::deadline::Deadline;
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};

/// A service behind a [`RateLimiter`].
///
/// A call with a permission uses the instance that was made ready. One that has to wait lets that
/// instance go, waits, and then readies a clone, so that no place in the inner service is held while
/// waiting. Refusals come out of the response future.
#[derive(Clone, Debug)]
pub struct RateLimiterService<S, C = ResultClassifier, K = OnePermission> {
    inner: S,
    limiter: RateLimiter,
    classifier: C,
    cost: K,
}

impl<S, C, K> RateLimiterService<S, C, K> {
    pub(super) const fn new(inner: S, limiter: RateLimiter, classifier: C, cost: K) -> Self {
        Self { inner, limiter, classifier, cost }
    }

    /// Puts another instance in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, limiter: RateLimiter, classifier: C, cost: K) {
        self.limiter = limiter;
        self.classifier = classifier;
        self.cost = cost;
    }
}

impl<S, Req, C, K> Service<Req> for RateLimiterService<S, C, K>
where
    S: Service<Req> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
    K: Cost<Req>,
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
        let begun = match self.cost.cost(&request) {
            0 => Ok(None),
            permits => self.limiter.begin(permits, Instant::now(), Deadline::current()),
        };
        match begun {
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
