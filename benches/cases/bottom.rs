//! The services at the bottom.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use seawall::Error;
use tower::Service;

/// The error of these services: they never fail, but a layer above may refuse.
pub type Failure = Error<Infallible>;

/// Answers at once.
#[derive(Clone, Copy, Debug)]
pub struct Immediate;

impl Service<u32> for Immediate {
    type Response = u32;
    type Error = Failure;
    type Future = Ready<Result<u32, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        ready(Ok(request))
    }
}

/// Answers at the second poll.
#[derive(Clone, Copy, Debug)]
pub struct PendingOnce;

impl Service<u32> for PendingOnce {
    type Response = u32;
    type Error = Failure;
    type Future = Second;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        Second { answer: request, polled: false }
    }
}

/// The future of [`PendingOnce`].
#[derive(Debug)]
pub struct Second {
    answer: u32,
    polled: bool,
}

impl Future for Second {
    type Output = Result<u32, Failure>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::replace(&mut self.polled, true) {
            Poll::Ready(Ok(self.answer))
        } else {
            Poll::Pending
        }
    }
}
