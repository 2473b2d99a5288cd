//! Services that neither cross threads nor live for ever.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::Fault;

/// A service that borrows, is not `Send`, and answers with its request.
#[derive(Clone, Debug)]
pub struct Local<'a> {
    // A shared `Cell` may not cross threads.
    calls: &'a Cell<u32>,
}

/// The response future of [`Local`].
#[derive(Debug)]
pub struct LocalFuture<'a> {
    calls: &'a Cell<u32>,
    request: u32,
}

impl<'a> Service<u32> for Local<'a> {
    type Response = u32;
    type Error = Fault;
    type Future = LocalFuture<'a>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> LocalFuture<'a> {
        LocalFuture { calls: self.calls, request }
    }
}

impl Future for LocalFuture<'_> {
    type Output = Result<u32, Fault>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.calls.set(self.calls.get() + 1);
        Poll::Ready(Ok(self.request))
    }
}

/// Calls a [`Local`] service through the layer. That it compiles is the better half of the check.
///
/// # Panics
///
/// If the call does not succeed or is not made exactly once.
pub async fn check_local<'a, L>(layer: &L, calls: &'a Cell<u32>)
where
    L: Layer<Local<'a>>,
    L::Service: Service<u32>,
{
    let before = calls.get();
    let mut service = layer.layer(Local { calls });
    let ready = poll_fn(|cx| service.poll_ready(cx)).await;
    assert!(ready.is_ok(), "the layer is not ready although the service is");
    let answer = service.call(1).await;
    assert!(answer.is_ok(), "a call through the layer does not succeed");
    assert_eq!(calls.get(), before + 1, "the service was not called exactly once");
}
