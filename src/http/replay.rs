//! How an HTTP request is sent again.

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request};
use http_body::Body;

use super::replay_body::{BodyKit, ReplayBody};
use super::{NoRetry, describe, is_idempotent};
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;
use crate::telemetry::{RequestInfo, TraceContext};

/// Sends a request again if it may be sent twice, or if it certainly was not begun the first time.
///
/// See the table in the [module](super). A `http::Request` needs a body that is `Clone` (`Full`, `Empty`,
/// `Bytes`, `String`, …); for others there is [`BufferedReplay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpReplay {
    all_methods: bool,
    body_limit: usize,
    traces_query: bool,
}

impl Default for HttpReplay {
    fn default() -> Self {
        Self { all_methods: false, body_limit: 64 * 1024, traces_query: false }
    }
}

impl HttpReplay {
    /// Takes every request for one that may be sent twice, POST and PATCH included.
    ///
    /// Only right where the server recognises a repetition.
    #[must_use]
    pub fn all_methods() -> Self {
        Self { all_methods: true, ..Self::default() }
    }

    /// How much of a body that is not `Clone` is kept so that it can be sent again: by [`BufferedReplay`],
    /// and for the streams of reqwest. A larger body is sent once.
    ///
    /// Unit: bytes; a frame counts for 64 of them at least. Range: from 0. Default: 65,536.
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Does a span tell the query of a URL? Signatures and tokens may stand there, so by default it says `REDACTED`.
    #[must_use]
    pub const fn trace_query(mut self, tells: bool) -> Self {
        self.traces_query = tells;
        self
    }

    #[cfg(feature = "reqwest")]
    pub(crate) const fn traces_query(self) -> bool {
        self.traces_query
    }

    /// May this request be sent twice, by these settings?
    pub(crate) fn takes_as_idempotent(
        self,
        method: &Method,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> bool {
        self.all_methods || is_idempotent(method, headers, extensions)
    }

    #[cfg(feature = "reqwest")]
    pub(crate) const fn keeps_of_a_body(self) -> usize {
        self.body_limit
    }

    pub(crate) fn may_repeat(idempotent: bool, verdict: &Verdict) -> bool {
        match verdict.cause() {
            // What the server cannot do it cannot do the second time either.
            Some(Cause::Permanent | Cause::Status(501 | 505)) => false,
            Some(cause) if cause.is_unsent() => true,
            _ => idempotent,
        }
    }
}

/// What is kept of a request to send it again.
#[derive(Clone, Debug)]
pub struct HttpKit<B> {
    /// Nothing if the request is to be sent once.
    request: Option<Request<B>>,
    idempotent: bool,
}

impl<B: Clone> Replay<Request<B>> for HttpReplay {
    type Attempt = Request<B>;
    type Kit = HttpKit<B>;

    fn once(&self, request: Request<B>) -> Request<B> {
        request
    }

    fn first(&self, request: Request<B>) -> (Request<B>, HttpKit<B>) {
        let idempotent =
            self.takes_as_idempotent(request.method(), request.headers(), request.extensions());
        let copy = request.extensions().get::<NoRetry>().is_none().then(|| request.clone());
        (request, HttpKit { request: copy, idempotent })
    }

    fn again(&self, kit: &mut HttpKit<B>, verdict: &Verdict) -> Option<Request<B>> {
        let request = kit.request.as_ref()?;
        Self::may_repeat(kit.idempotent, verdict).then(|| request.clone())
    }

    fn describe(&self, attempt: &Request<B>) -> Option<RequestInfo> {
        Some(describe::request(attempt, self.traces_query))
    }

    fn inject(&self, attempt: &mut Request<B>, context: &TraceContext) -> Option<TraceContext> {
        Some(context.send(attempt.headers_mut()))
    }
}

/// [`HttpReplay`] for `http::Request`s whose body is not `Clone`: streams, boxed bodies, bodies that came
/// in.
///
/// The client inside gets a `Request<ReplayBody<B>>`, so that is what it has to be made for. A body must be
/// `Unpin`, as hyper's client asks for too; `Box::pin` makes any so.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::combinators::BoxBody;
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
/// use seawall::Pipeline;
/// use seawall::http::{BufferedReplay, HttpReplay, ReplayBody};
/// use tower::Layer;
///
/// type Body = BoxBody<Bytes, std::io::Error>;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), seawall::ConfigError> {
/// let client = Client::builder(TokioExecutor::new()).build_http::<ReplayBody<Body>>();
/// let replay = BufferedReplay(HttpReplay::default().body_limit(256 * 1024));
/// let service = Pipeline::http("inventory").replay(replay).build()?.layer(client);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferedReplay(pub HttpReplay);

/// What is kept of a request to send it again.
#[derive(Debug)]
pub struct BufferedKit<B: Body> {
    head: Parts,
    /// Nothing if the request is to be sent once.
    body: Option<BodyKit<B>>,
    idempotent: bool,
}

impl<B: Body> Replay<Request<B>> for BufferedReplay {
    type Attempt = Request<ReplayBody<B>>;
    type Kit = BufferedKit<B>;

    fn once(&self, request: Request<B>) -> Self::Attempt {
        request.map(ReplayBody::once)
    }

    fn first(&self, request: Request<B>) -> (Self::Attempt, Self::Kit) {
        let idempotent =
            self.0.takes_as_idempotent(request.method(), request.headers(), request.extensions());
        let (head, body) = request.into_parts();
        let (first, body) = if head.extensions.get::<NoRetry>().is_some() {
            (ReplayBody::once(body), None)
        } else {
            let (first, kit) = ReplayBody::first(body, self.0.body_limit);
            (first, Some(kit))
        };
        (Request::from_parts(head.clone(), first), BufferedKit { head, body, idempotent })
    }

    fn again(&self, kit: &mut Self::Kit, verdict: &Verdict) -> Option<Self::Attempt> {
        if !HttpReplay::may_repeat(kit.idempotent, verdict) {
            return None;
        }
        let body = kit.body.as_mut()?.again()?;
        Some(Request::from_parts(kit.head.clone(), body))
    }

    fn describe(&self, attempt: &Self::Attempt) -> Option<RequestInfo> {
        Some(describe::request(attempt, self.0.traces_query))
    }

    fn inject(&self, attempt: &mut Self::Attempt, context: &TraceContext) -> Option<TraceContext> {
        Some(context.send(attempt.headers_mut()))
    }
}
