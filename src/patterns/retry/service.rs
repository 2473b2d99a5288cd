//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::Retry;
use super::future::ResponseFuture;
use crate::ends::{AtResponse, Discard};
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};
use crate::replay::{CloneRequest, Replay};

/// A service behind a [`Retry`].
///
/// The first attempt uses the instance that was made ready; each later one readies a clone after the
/// pause, so that no place in the inner service is held while waiting.
#[derive(Clone, Debug)]
pub struct RetryService<S, C = ResultClassifier, R = CloneRequest, N = AtResponse> {
    inner: S,
    retry: Retry,
    classifier: C,
    replay: R,
    ends: N,
}

impl<S, C, R, N> RetryService<S, C, R, N> {
    pub(super) const fn new(inner: S, retry: Retry, classifier: C, replay: R, ends: N) -> Self {
        Self { inner, retry, classifier, replay, ends }
    }

    /// Puts another instance in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, retry: Retry, classifier: C, replay: R, ends: N) {
        self.retry = retry;
        self.classifier = classifier;
        self.replay = replay;
        self.ends = ends;
    }
}

impl<S, Req, C, R, N> Service<Req> for RetryService<S, C, R, N>
where
    R: Replay<Req> + Clone,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
    N: Discard<S::Response> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, C, R, N>;

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
            self.ends.clone(),
        )
    }
}
