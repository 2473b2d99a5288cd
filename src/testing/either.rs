//! The first of two futures, without tokio's macros.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

pub(super) enum Either<A, B> {
    First(A),
    Second(B),
}

/// The output of whichever is ready first; the first one is asked first.
pub(super) async fn either<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(output) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}
