//! A request body that can be sent again although it is not `Clone`.

mod shared;

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};

use shared::{Loan, Next, Shared};

type BoxError = Box<dyn StdError + Send + Sync>;

/// A request body that is kept while it is sent, so that it can be sent again.
///
/// The first attempt streams as if there were no wrapper; what has gone out is kept beside it up to a limit. A further
/// attempt repeats what is kept and then goes on with the rest of the original. An original that is larger
/// than the limit, or that breaks, is let go of as it comes and cannot be sent again; what was kept of it is
/// freed at once. Frames are kept as clones (of `Bytes`: shared, not copied), trailers included.
///
/// Only one attempt reads the original: the newest one, from when it is first polled. Until then the one before
/// reads nothing further; afterwards it ends with an error, so that nobody takes its half for a whole.
///
/// The error is the original's, boxed. [`BufferedReplay`](super::BufferedReplay) makes these by itself.
///
/// ```
/// use http_body_util::{BodyExt, Full};
/// use seawall::http::ReplayBody;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let (first, mut kit) = ReplayBody::first(Full::new(bytes::Bytes::from("all of it")), 64 * 1024);
/// assert_eq!(first.collect().await?.to_bytes(), "all of it");
/// let second = kit.again().expect("it was kept");
/// assert_eq!(second.collect().await?.to_bytes(), "all of it");
/// # Ok(()) }
/// ```
pub struct ReplayBody<B: Body> {
    source: Source<B>,
    /// Bytes of data that this attempt has given out.
    sent: u64,
    /// Does this attempt know that nothing follows?
    at_end: bool,
}

enum Source<B: Body> {
    /// Nobody will ask for it again.
    Alone(B),
    Shared(Reader<B>),
    Over,
}

/// One attempt's hold on what all share.
struct Reader<B: Body> {
    shared: Arc<Shared<B>>,
    number: u32,
}

impl<B: Body> Drop for Reader<B> {
    fn drop(&mut self) {
        self.shared.leave(self.number);
    }
}

/// What is kept of a body to send it again.
///
/// Once it is dropped there will be no further attempt, and nothing more is kept.
pub struct BodyKit<B: Body> {
    shared: Arc<Shared<B>>,
}

impl<B: Body> Drop for BodyKit<B> {
    fn drop(&mut self) {
        self.shared.forget();
    }
}

impl<B: Body> BodyKit<B> {
    /// The body of one more attempt, unless too much of the original is gone already.
    pub fn again(&mut self) -> Option<ReplayBody<B>> {
        let number = self.shared.stand_by()?;
        Some(ReplayBody::reader(&self.shared, number))
    }
}

impl<B: Body> ReplayBody<B> {
    /// The body of the first attempt, and the means for more.
    ///
    /// `limit` is how much is kept, in bytes; a frame counts for 64 of them at least.
    pub fn first(body: B, limit: usize) -> (Self, BodyKit<B>) {
        let shared = Arc::new(Shared::new(body, limit));
        let first = Self::reader(&shared, 0);
        (first, BodyKit { shared })
    }

    /// The body of the only attempt; nothing is kept.
    pub const fn once(body: B) -> Self {
        Self { source: Source::Alone(body), sent: 0, at_end: false }
    }

    fn reader(shared: &Arc<Shared<B>>, number: u32) -> Self {
        let reader = Reader { shared: shared.clone(), number };
        Self { source: Source::Shared(reader), sent: 0, at_end: shared.was_empty }
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body + Unpin,
    B::Data: Clone,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.get_mut();
        let reader = match &this.source {
            Source::Alone(_) => return this.poll_alone(cx),
            Source::Shared(reader) => reader,
            Source::Over => return Poll::Ready(None),
        };
        match reader.shared.next(reader.number, cx.waker()) {
            Next::Frame { frame, last } => {
                this.at_end = last;
                this.count(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Next::Original(body) => this.poll_original(body, cx),
            Next::Alone(body) => {
                this.source = Source::Alone(body);
                this.poll_alone(cx)
            }
            Next::End => this.end(None),
            Next::Broken(error) => this.end(Some(error)),
            Next::Pending => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Alone(body) => body.size_hint(),
            // From what the original said at first: every attempt is framed as the first one was.
            Source::Shared(reader) => without(&reader.shared.hint, self.sent),
            Source::Over => SizeHint::with_exact(0),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Alone(body) => body.is_end_stream(),
            Source::Shared(_) => self.at_end,
            Source::Over => true,
        }
    }
}

type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, BoxError>>>;

impl<B> ReplayBody<B>
where
    B: Body + Unpin,
    B::Data: Clone,
    B::Error: Into<BoxError>,
{
    fn poll_alone(&mut self, cx: &mut Context<'_>) -> Polled<B> {
        let Source::Alone(body) = &mut self.source else { return Poll::Ready(None) };
        Poll::Ready(ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(Into::into)))
    }

    fn poll_original(&mut self, body: B, cx: &mut Context<'_>) -> Polled<B> {
        let Source::Shared(Reader { shared, number }) = &self.source else {
            return Poll::Ready(None);
        };
        // Without the lock, and lost to all if it panics.
        let mut loan = Loan::new(shared, *number, body);
        match Pin::new(loan.body()).poll_frame(cx) {
            Poll::Pending => match loan.give_back(cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(superseded) => self.end(Some(superseded)),
            },
            Poll::Ready(Some(Ok(frame))) => {
                self.at_end = loan.body().is_end_stream();
                let alone = loan.give_back_after(&frame, self.at_end);
                self.count(&frame);
                if let Some(body) = alone {
                    self.source = Source::Alone(body);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = loan.fail(error.into());
                self.end(Some(error))
            }
            Poll::Ready(None) => {
                loan.end();
                self.end(None)
            }
        }
    }

    fn count(&mut self, frame: &Frame<B::Data>) {
        self.sent = self.sent.saturating_add(shared::length(frame) as u64);
    }

    fn end(&mut self, error: Option<BoxError>) -> Polled<B> {
        self.source = Source::Over;
        Poll::Ready(error.map(Err))
    }
}

fn without(whole: &SizeHint, sent: u64) -> SizeHint {
    let mut rest = SizeHint::new();
    rest.set_lower(whole.lower().saturating_sub(sent));
    if let Some(upper) = whole.upper() {
        rest.set_upper(upper.saturating_sub(sent));
    }
    rest
}

impl<B: Body> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = match &self.source {
            Source::Shared(reader) => Some(reader.number),
            Source::Alone(_) | Source::Over => None,
        };
        f.debug_struct("ReplayBody")
            .field("attempt", &attempt)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for BodyKit<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyKit").finish_non_exhaustive()
    }
}
