//! The pipeline over services that need no other error type, and over plain futures.

use std::future::Future;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::{Pipeline, PipelineService};
use crate::patterns::rate_limiter::OnePermission;

/// A [`Pipeline`] that keeps the error type of the service inside it. See [`Pipeline::flat`].
#[derive(Clone, Debug)]
pub struct FlatLayer<C, N, R, K = OnePermission> {
    pipeline: Pipeline<C, N, R, K>,
}

impl<C, N, R, K> FlatLayer<C, N, R, K> {
    pub(super) const fn new(pipeline: Pipeline<C, N, R, K>) -> Self {
        Self { pipeline }
    }

    pub(crate) const fn pipeline(&self) -> &Pipeline<C, N, R, K> {
        &self.pipeline
    }
}

impl<S, C: Clone, N: Clone, R: Clone, K: Clone> Layer<S> for FlatLayer<C, N, R, K> {
    type Service = PipelineService<S, C, N, R, K>;

    fn layer(&self, inner: S) -> Self::Service {
        PipelineService::new(inner, self.pipeline.clone())
    }
}

/// Makes a future for every call. A `FnMut` would not do: its state would be another in each clone.
#[derive(Clone, Debug)]
pub(super) struct MakeService<F>(pub(super) F);

impl<F, Fut, T, E> Service<()> for MakeService<F>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Response = T;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Fut {
        (self.0)()
    }
}
