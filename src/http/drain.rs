//! Reads what is left of a body that nobody wants.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::ends::{AtBodyEnd, Discard};

/// A body of so many bytes is worth reading to its end; a frame counts for [`LEAST`] of them at least.
const MOST: u64 = 64 * 1024;
const LEAST: usize = 64;

pin_project! {
    /// Reads a body to its end, up to 64 KiB, so that an HTTP/1 connection can be used again.
    ///
    /// A body that is larger, or that breaks, is dropped as soon as that shows. What a
    /// [`GuardedBody`](super::GuardedBody) inside holds is let go of at once.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Drain<B> {
        #[pin]
        body: Option<B>,
        left: u64,
    }
}

impl<B: Body> Drain<B> {
    /// Nothing if the body has ended already, or is known to be too large.
    pub(crate) fn new(body: B) -> Option<Self> {
        let worth_it = !body.is_end_stream() && body.size_hint().lower() <= MOST;
        worth_it.then_some(Self { body: Some(body), left: MOST })
    }
}

impl<B: Body> Future for Drain<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let _draining = Draining::enter();
        while let Some(body) = this.body.as_mut().as_pin_mut() {
            let frame = ready!(body.poll_frame(cx));
            let length = match &frame {
                Some(Ok(frame)) => Some(frame.data_ref().map_or(0, Buf::remaining).max(LEAST)),
                Some(Err(_)) | None => None,
            };
            match length.and_then(|length| this.left.checked_sub(length as u64)) {
                Some(left) => *this.left = left,
                None => this.body.set(None),
            }
        }
        Poll::Ready(())
    }
}

impl<B: Body> Discard<Response<B>> for AtBodyEnd {
    type Rest = Drain<B>;

    fn discard(&self, response: Response<B>) -> Option<Drain<B>> {
        Drain::new(response.into_body())
    }
}

thread_local! {
    static DRAINING: Cell<bool> = const { Cell::new(false) };
}

/// Tells bodies that what is polled is drained. They may be deep inside others, and erased.
struct Draining {
    outer: bool,
}

impl Draining {
    fn enter() -> Self {
        Self { outer: DRAINING.replace(true) }
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        DRAINING.set(self.outer);
    }
}

/// Is the body that is being polled one that nobody wants?
pub(super) fn is_draining() -> bool {
    DRAINING.get()
}
