//! How a gRPC request is sent again.

use http::{HeaderName, HeaderValue, Request};
use tonic::Code;
use tonic::body::Body;

use super::code::Codes;
use super::timeout::{self, CallDeadline};
use crate::deadline::Deadline;
use crate::http::{BodyKit, Idempotent, NoRetry, ReplayBody, describe};
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;
use crate::telemetry::{RequestInfo, TraceContext};

const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// Sends a request again if the server's code says that it may be, or if it certainly was not begun the first time.
///
/// See the table in the [module](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcReplay {
    codes: Codes,
    body_limit: usize,
}

impl Default for GrpcReplay {
    /// Repeats after `UNAVAILABLE`.
    fn default() -> Self {
        Self { codes: Codes::of(&[Code::Unavailable]), body_limit: 64 * 1024 }
    }
}

impl GrpcReplay {
    /// Repeats after the codes of which `is_retryable` says so, which is for the owner of the service to decide. It is
    /// asked once, here, about each code but `OK`. A code that is no failure to the classifier is not retried whatever
    /// is said here.
    ///
    /// ```
    /// use seawall::Pipeline;
    /// use seawall::tonic::GrpcReplay;
    /// use tonic::Code;
    ///
    /// let replay = GrpcReplay::default().repeat_when(|code| matches!(code, Code::Unavailable | Code::Unknown));
    /// let pipeline = Pipeline::grpc("greeter").replay(replay).build();
    /// ```
    #[must_use]
    pub fn repeat_when(self, is_retryable: impl Fn(Code) -> bool) -> Self {
        Self { codes: Codes::when(is_retryable), ..self }
    }

    /// How much of a request is kept so that it can be sent again: its message, or the messages of a stream so far. A
    /// larger one is sent once.
    ///
    /// Unit: bytes; a frame counts for 64 of them at least. Range: from 0. Default: 65,536.
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    fn may_repeat(self, idempotent: Option<Idempotent>, verdict: &Verdict) -> bool {
        match (verdict.cause(), idempotent) {
            (Some(cause), _) if cause.is_unsent() => true,
            (Some(Cause::Permanent) | None, _) | (_, Some(Idempotent(false))) => false,
            (Some(Cause::Grpc(code)), _) => {
                let code = Code::from_i32(code);
                let asked = code == Code::ResourceExhausted && verdict.retry_after().is_some();
                self.codes.has(code) || asked
            }
            (Some(_), said) => said == Some(Idempotent(true)),
        }
    }
}

/// What is kept of a request to send it again.
#[derive(Debug)]
pub struct GrpcKit {
    /// Without its body.
    head: Request<()>,
    /// Nothing if the request is to be sent once.
    body: Option<BodyKit<Body>>,
    /// Attempts that the server can have seen.
    seen: u32,
}

/// When the call has to be over, by what the caller stands under and by what the request itself says.
fn deadline_of<B>(request: &Request<B>) -> Option<Deadline> {
    Deadline::earlier(Deadline::current(), timeout::read(request.headers()).map(Deadline::after))
}

impl Replay<Request<Body>> for GrpcReplay {
    type Attempt = Request<Body>;
    type Kit = GrpcKit;

    fn once(&self, mut request: Request<Body>) -> Request<Body> {
        if let Some(deadline) = deadline_of(&request) {
            request.extensions_mut().insert(CallDeadline(deadline));
        }
        request
    }

    fn first(&self, request: Request<Body>) -> (Request<Body>, GrpcKit) {
        let (head, body) = self.once(request).into_parts();
        let (first, body) = if head.extensions.get::<NoRetry>().is_some() {
            (body, None)
        } else {
            let (first, kit) = ReplayBody::first(body, self.body_limit);
            (Body::new(first), Some(kit))
        };
        let attempt = Request::from_parts(head.clone(), first);
        (attempt, GrpcKit { head: Request::from_parts(head, ()), body, seen: 0 })
    }

    fn again(&self, kit: &mut GrpcKit, verdict: &Verdict) -> Option<Request<Body>> {
        let head = &mut kit.head;
        let late = |CallDeadline(deadline): &CallDeadline| deadline.remaining().is_zero();
        if !self.may_repeat(head.extensions().get().copied(), verdict)
            || head.extensions().get().is_some_and(late)
        {
            return None;
        }
        let body = Body::new(kit.body.as_mut()?.again()?);
        // gRPC does not count attempts that never reached the server.
        if !verdict.cause().is_some_and(Cause::is_unsent) {
            kit.seen = kit.seen.saturating_add(1);
            head.headers_mut().insert(PREVIOUS, HeaderValue::from(kit.seen));
        }
        Some(Request::from_parts(head.clone().into_parts().0, body))
    }

    fn describe(&self, attempt: &Request<Body>) -> Option<RequestInfo> {
        Some(describe::grpc(attempt))
    }

    fn inject(&self, attempt: &mut Request<Body>, context: &TraceContext) -> Option<TraceContext> {
        Some(context.send(attempt.headers_mut()))
    }
}
