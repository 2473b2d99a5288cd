//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::future::ResponseFuture;
use super::{Held, Pipeline};
use crate::ends::{AtResponse, Discard, Ends};
use crate::error::FromRejected;
use crate::outcome::{Classify, ResultClassifier};
use crate::replay::{CloneRequest, Replay};

/// A service behind a [`Pipeline`].
#[derive(Clone, Debug)]
pub struct PipelineService<S, C = ResultClassifier, N = AtResponse, R = CloneRequest> {
    inner: S,
    pipeline: Pipeline<C, N, R>,
}

impl<S, C, N, R> PipelineService<S, C, N, R> {
    pub(super) const fn new(inner: S, pipeline: Pipeline<C, N, R>) -> Self {
        Self { inner, pipeline }
    }

    /// The pipeline.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline<C, N, R> {
        &self.pipeline
    }
}

impl<S, Req, C, N, R> Service<Req> for PipelineService<S, C, N, R>
where
    R: Replay<Req> + Clone,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>> + Clone,
    N: Ends<S::Response, Held> + Discard<S::Response> + Clone,
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
        ResponseFuture::new(ready, request, self.pipeline.clone())
    }
}
