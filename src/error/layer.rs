//! Turns a client's error into [`Error`] at the bottom of a hand-made stack.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::Error;

/// Goes to the bottom of a hand-made stack.
///
/// Gives a client whose error cannot hold a [`Rejected`](super::Rejected) the error type
/// [`Error<E>`]. A `Pipeline` does it by itself.
///
/// If the compiler says of a stack that "the method `ready` (or `call`, `oneshot`) exists, but its trait
/// bounds were not satisfied", this layer is missing, or the request is not `Clone` under a retry
/// ([`NoReplay`](crate::NoReplay)), or a classifier is for another type. Give the stack to a function
/// `fn check<S: tower::Service<Request>>(_: &S) {}`, and it says which.
///
/// ```
/// use seawall::{CircuitBreaker, CircuitBreakerLayer, ErrorLayer};
/// use tower::{ServiceBuilder, service_fn};
///
/// let client = service_fn(async |request: u32| Ok::<u32, std::num::ParseIntError>(request));
/// let service = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(CircuitBreaker::with_defaults("inventory")))
///     .layer(ErrorLayer)
///     .service(client);
/// # let _: &dyn tower::Service<u32, Response = u32, Error = seawall::Error<_>, Future = _> = &service;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorLayer;

impl<S> Layer<S> for ErrorLayer {
    type Service = ErrorService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ErrorService { inner }
    }
}

/// The service of [`ErrorLayer`].
#[derive(Clone, Copy, Debug)]
pub struct ErrorService<S> {
    inner: S,
}

impl<S: Service<Req>, Req> Service<Req> for ErrorService<S> {
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ErrorFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Service)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        ErrorFuture { inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The response future of [`ErrorService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ErrorFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for ErrorFuture<F> {
    type Output = Result<T, Error<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.project().inner.poll(cx)).map_err(Error::Service))
    }
}
