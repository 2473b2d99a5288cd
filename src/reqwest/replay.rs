//! How a `reqwest::Request` is sent again.

use http::Extensions;
use reqwest::{Body, Request};

use crate::http::describe::Target;
use crate::http::{BodyKit, HttpReplay, ReplayBody};
use crate::outcome::Verdict;
use crate::replay::Replay;
use crate::telemetry::{RequestInfo, TraceContext};

/// [`HttpReplay`] for `reqwest::Request`s, streams included.
///
/// A body that is a stream is kept while it goes out, up to [`HttpReplay::body_limit`]; a larger one is sent once.
///
/// [`Client`](super::Client) uses it by itself. It is a type of its own so that over hyper there is only one
/// type of request that a pipeline can mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestReplay(pub HttpReplay);

/// What is kept of a request to send it again.
#[derive(Debug)]
pub struct RequestKit {
    /// Nothing if the request cannot be copied.
    request: Option<Request>,
    /// The body that `request` lacks, if it is a stream.
    stream: Option<BodyKit<Body>>,
    pub(super) idempotent: bool,
}

impl Replay<Request> for RequestReplay {
    type Attempt = Request;
    type Kit = RequestKit;

    fn once(&self, request: Request) -> Request {
        request
    }

    fn first(&self, mut request: Request) -> (Request, RequestKit) {
        let (method, headers) = (request.method(), request.headers());
        let idempotent = self.0.takes_as_idempotent(method, headers, &Extensions::new());
        let stream = request.body_mut().take_if(|body| body.as_bytes().is_none());
        // Without a stream it can be copied.
        let copy = request.try_clone();
        let stream = stream.map(|body| {
            let (first, kit) = ReplayBody::first(body, self.0.keeps_of_a_body());
            *request.body_mut() = Some(Body::wrap(first));
            kit
        });
        (request, RequestKit { request: copy, stream, idempotent })
    }

    fn again(&self, kit: &mut RequestKit, verdict: &Verdict) -> Option<Request> {
        if !HttpReplay::may_repeat(kit.idempotent, verdict) {
            return None;
        }
        let mut request = kit.request.as_ref()?.try_clone()?;
        if let Some(stream) = &mut kit.stream {
            *request.body_mut() = Some(Body::wrap(stream.again()?));
        }
        Some(request)
    }

    fn describe(&self, attempt: &Request) -> Option<RequestInfo> {
        Some(self.describe_as(attempt, None))
    }

    fn inject(&self, attempt: &mut Request, context: &TraceContext) -> Option<TraceContext> {
        Some(context.send(attempt.headers_mut()))
    }
}

impl RequestReplay {
    pub(super) fn describe_as(self, request: &Request, template: Option<&str>) -> RequestInfo {
        let url = request.url();
        let target = Target {
            scheme: Some(url.scheme()),
            has_credentials: !url.username().is_empty() || url.password().is_some(),
            host: url.host_str(),
            port: url.port(),
            path: url.path(),
            query: url.query(),
        };
        target.describe(request.method().as_str(), template, self.0.traces_query())
    }
}
