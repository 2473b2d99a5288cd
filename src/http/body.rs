//! A response body that keeps a call alive until it has ended.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::drain::is_draining;
use super::kind;
use crate::deadline::Deadline;
use crate::ends::{AtBodyEnd, Ends, Guard};
use crate::error::Error;
use crate::outcome::Cause;
use crate::telemetry::ResponseInfo;

/// Judges a call once more when the body of its response has ended.
///
/// [`AtBodyEnd`] takes every end for a good one; gRPC says only in the trailers how a call went.
pub trait JudgeEnd<E> {
    /// What a body fails with whose own error is `E`.
    type Error: From<Error<E>>;

    /// Why the call has failed after all, if it has. A body can end without trailers.
    fn judge_end(&self, trailers: Option<&HeaderMap>) -> Option<Cause>;
}

impl<E> JudgeEnd<E> for AtBodyEnd {
    type Error = Error<E>;

    #[inline]
    fn judge_end(&self, _: Option<&HeaderMap>) -> Option<Cause> {
        None
    }
}

pin_project! {
    /// The body of a response whose call is not over before the body is.
    ///
    /// Frames, trailers, size hint and end-of-stream are those of the inner body. Its error is the
    /// inner body's, or a timeout of seawall's if a limit strikes while the body is under way; `J` says
    /// how that error is typed, and whether an end is a good one.
    pub struct GuardedBody<B, G: Guard, J = AtBodyEnd> {
        #[pin]
        body: Option<B>,
        guard: Option<G>,
        judge: J,
        // Made only when the body keeps its reader waiting, and boxed so that a body that was
        // `Unpin` stays so.
        timer: Option<Pin<Box<Sleep>>>,
    }

    impl<B, G: Guard, J> PinnedDrop for GuardedBody<B, G, J> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.guard.is_some() && has_passed() {
                // The work ends before its places are free.
                this.body.set(None);
                this.guard.take().into_iter().for_each(|guard| guard.fail(Cause::Timeout));
            }
        }
    }
}

impl<B: Body, G: Guard> GuardedBody<B, G> {
    /// Ties `guard` to `body`, unless the body has ended before it began.
    pub fn new(body: B, guard: Option<G>) -> Self {
        Self::judged(body, guard, AtBodyEnd)
    }
}

impl<B: Body, G: Guard, J> GuardedBody<B, G, J> {
    /// As [`new`](GuardedBody::new), and `judge` has a say in how the body ended.
    pub fn judged(body: B, guard: Option<G>, judge: J) -> Self {
        let guard = guard.filter(|_| !body.is_end_stream());
        Self { body: Some(body), guard, judge, timer: None }
    }
}

/// An empty body. tonic's interceptors answer with one.
impl<B, G: Guard, J: Default> Default for GuardedBody<B, G, J> {
    fn default() -> Self {
        Self { body: None, guard: None, judge: J::default(), timer: None }
    }
}

/// Has a deadline passed under which the running code stands? A body that is dropped then is given up for it.
fn has_passed() -> bool {
    Deadline::current().is_some_and(|deadline| deadline.has_passed(Instant::now()))
}

/// The body has ended in order.
#[inline]
fn end<G: Guard>(guard: &mut Option<G>, judge: impl FnOnce() -> Option<Cause>) {
    if let Some(guard) = guard.take()
        && let Some(cause) = judge()
    {
        guard.fail(cause);
    }
}

impl<B, G, J> Body for GuardedBody<B, G, J>
where
    B: Body,
    B::Error: StdError + 'static,
    G: Guard,
    J: JudgeEnd<B::Error>,
{
    type Data = B::Data;
    type Error = J::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        if this.guard.is_some() && is_draining() {
            // As if it were dropped.
            *this.guard = None;
        }
        match body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                // Nothing comes after trailers, whatever the body says of itself.
                if frame.is_trailers() || body.is_end_stream() {
                    end(this.guard, || this.judge.judge_end(frame.trailers_ref()));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                if let Some(guard) = this.guard.take() {
                    guard.fail(kind::body_cause(&error));
                }
                Poll::Ready(Some(Err(Error::Service(error).into())))
            }
            Poll::Ready(None) => {
                end(this.guard, || this.judge.judge_end(None));
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some(limit) = this.guard.as_ref().and_then(Guard::deadline) else {
                    return Poll::Pending;
                };
                // The clock has the last word: a timer is coarse, and may be held up by a body that
                // has used up the task's budget.
                if Instant::now() < limit {
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(limit)));
                    ready!(timer.as_mut().poll(cx));
                }
                {
                    // So that whatever holds on to the body inside learns why it ends.
                    let _entered = Deadline::at(limit).enter();
                    this.body.set(None);
                }
                let rejected = this.guard.take().and_then(Guard::expire);
                Poll::Ready(rejected.map(|rejected| Err(Error::Rejected(rejected).into())))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}

impl<B: fmt::Debug, G: Guard, J> fmt::Debug for GuardedBody<B, G, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody")
            .field("body", &self.body)
            .field("guarded", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

impl<B: Body, G: Guard> Ends<Response<B>, G> for AtBodyEnd {
    type Out = Response<GuardedBody<B, G>>;

    fn is_over(&self, response: &Response<B>) -> bool {
        // After a switch of protocols there is no body, and the connection has no end that counts.
        response.status() == StatusCode::SWITCHING_PROTOCOLS || response.body().is_end_stream()
    }

    fn describe(&self, response: &Response<B>) -> ResponseInfo {
        ResponseInfo::http(response.status().as_u16())
    }

    fn attach(&self, response: Response<B>, guard: Option<G>) -> Self::Out {
        response.map(|body| GuardedBody::new(body, guard))
    }
}
