//! The least code that puts peers without a layer into a stack.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::Either;
use governor::DefaultDirectRateLimiter;
use recloser::{AnyError, AsyncRecloser, RecloserFuture};
use tower::{BoxError, Service};

/// recloser around a service.
#[derive(Clone)]
pub(crate) struct Breaking<S>(pub(crate) S, pub(crate) AsyncRecloser);

impl<S: Service<u32>> Service<u32> for Breaking<S> {
    type Response = S::Response;
    type Error = recloser::Error<S::Error>;
    type Future = RecloserFuture<S::Future, AnyError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx).map_err(recloser::Error::Inner)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.1.call(self.0.call(request))
    }
}

/// governor before a service.
#[derive(Clone)]
pub(crate) struct Governed<S>(pub(crate) S, pub(crate) Arc<DefaultDirectRateLimiter>);

impl<S: Service<u32, Error = BoxError>> Service<u32> for Governed<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<S::Future, Ready<Result<S::Response, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        match self.1.check() {
            Ok(()) => Either::Left(self.0.call(request)),
            Err(_) => Either::Right(ready(Err("too many".into()))),
        }
    }
}

/// tower's retry, three times at most.
#[derive(Clone)]
pub(crate) struct Thrice(pub(crate) u32);

impl<T, E> tower::retry::Policy<u32, T, E> for Thrice {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<T, E>) -> Option<Ready<()>> {
        if result.is_ok() || self.0 == 1 {
            return None;
        }
        self.0 -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}
