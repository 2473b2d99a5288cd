//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::future::ResponseFuture;
use super::{Pending, Timer};
use crate::ends::{AtResponse, Ends};
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};

/// A service behind a [`Timer`].
///
/// The time runs from `call`; getting ready is not measured.
#[derive(Clone, Debug)]
pub struct TimerService<S, C = ResultClassifier, N = AtResponse> {
    inner: S,
    timer: Timer,
    classifier: C,
    ends: N,
}

impl<S, C, N> TimerService<S, C, N> {
    pub(super) const fn new(inner: S, timer: Timer, classifier: C, ends: N) -> Self {
        Self { inner, timer, classifier, ends }
    }

    /// Puts another instance in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, timer: Timer, classifier: C, ends: N) {
        self.timer = timer;
        self.classifier = classifier;
        self.ends = ends;
    }
}

impl<S, Req, C, N> Service<Req> for TimerService<S, C, N>
where
    S: Service<Req>,
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
        let measurement = self.timer.start();
        let call = self.inner.call(request);
        ResponseFuture::new(call, measurement, self.classifier.clone(), self.ends.clone())
    }
}
