//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::Retry;
use super::future::ResponseFuture;
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};
use crate::replay::{CloneRequest, Replay};

/// A service behind a [`Retry`].
///
/// The first attempt uses the instance that was made ready; each later one readies a clone after the
/// pause, so that no place in the inner service is held while waiting.
#[derive(Clone, Debug)]
pub struct RetryService<S, C = ResultClassifier, R = CloneRequest> {
    inner: S,
    retry: Retry,
    classifier: C,
    replay: R,
}

impl<S, C, R> RetryService<S, C, R> {
    pub(super) const fn new(inner: S, retry: Retry, classifier: C, replay: R) -> Self {
        Self { inner, retry, classifier, replay }
    }
}

impl<S, Req, C, R> Service<Req> for RetryService<S, C, R>
where
    R: Replay<Req> + Clone,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, C, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let attempts = self.retry.start();
        let (attempt, kit) = self.replay.first(request);
        let call = self.inner.call(attempt);
        ResponseFuture::new(
            call,
            self.inner.clone(),
            kit,
            attempts,
            self.classifier.clone(),
            self.replay.clone(),
        )
    }
}
