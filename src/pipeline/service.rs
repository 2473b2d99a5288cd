//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::future::{ResponseFuture, Settled};
use super::{Held, Pipeline};
use crate::ends::{AtResponse, Discard, Ends};
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};
use crate::patterns::rate_limiter::{Cost, OnePermission};
use crate::replay::{CloneRequest, Replay};

/// A service behind a [`Pipeline`].
#[derive(Clone, Debug)]
pub struct PipelineService<
    S,
    C = ResultClassifier,
    N = AtResponse,
    R = CloneRequest,
    K = OnePermission,
> {
    inner: S,
    pipeline: Pipeline<C, N, R, K>,
}

impl<S, C, N, R, K> PipelineService<S, C, N, R, K> {
    pub(super) const fn new(inner: S, pipeline: Pipeline<C, N, R, K>) -> Self {
        Self { inner, pipeline }
    }

    /// Puts another pipeline in, and leaves the client as it is.
    #[inline]
    pub(super) fn refit(&mut self, pipeline: Pipeline<C, N, R, K>) {
        self.pipeline = pipeline;
    }

    /// The pipeline.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline<C, N, R, K> {
        &self.pipeline
    }
}

impl<S, Req, C, N, R, K> Service<Req> for PipelineService<S, C, N, R, K>
where
    R: Replay<Req> + Clone,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
    N: Ends<S::Response, Held> + Discard<S::Response> + Clone,
    K: Cost<Req> + Clone,
{
    type Response = N::Out;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, C, N, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let Pipeline { steps, classifier, ends, replay, cost, .. } = &mut self.pipeline;
        let steps = steps.renewed().clone();
        let cost = if steps.rate_limiter.is_some() { cost.cost(&request) } else { 0 };
        let (classifier, ends, replay) = (classifier.clone(), ends.clone(), replay.clone());
        ResponseFuture::new(ready, request, Settled { steps, classifier, ends, replay }, cost)
    }
}
