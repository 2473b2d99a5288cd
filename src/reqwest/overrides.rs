//! What is known of one call alone, and how the pipeline hears of it.
//!
//! Over `http` this stands among the request's extensions; reqwest keeps those of its requests to itself.

use std::borrow::Cow;

use reqwest::{Method, Request, Response};

use super::{RequestKit, RequestReplay};
use crate::deadline::Deadline;
use crate::ends::{AtBodyEnd, Discard, Ends};
use crate::outcome::Verdict;
use crate::replay::Replay;
use crate::telemetry::{RequestInfo, ResponseInfo, TraceContext};

/// What a [`RequestBuilder`](super::RequestBuilder) was told of its call alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    /// As [`NoRetry`](crate::http::NoRetry).
    pub(super) no_retry: bool,
    /// As [`Idempotent`](crate::http::Idempotent).
    pub(super) idempotent: Option<bool>,
    pub(super) deadline: Option<Deadline>,
    /// As [`UrlTemplate`](crate::http::UrlTemplate).
    pub(super) url_template: Option<Cow<'static, str>>,
}

/// A request, and what it says for itself.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: Request,
    pub(super) overrides: Overrides,
}

/// [`RequestReplay`] that heeds the overrides.
#[derive(Clone, Debug)]
pub(super) struct CallReplay {
    pub(super) replay: RequestReplay,
    pub(super) url_template: Option<Cow<'static, str>>,
}

impl Replay<Call> for CallReplay {
    type Attempt = Request;
    /// Nothing if the call is not to be made again.
    type Kit = Option<RequestKit>;

    fn once(&self, call: Call) -> Request {
        self.replay.once(call.request)
    }

    fn first(&self, call: Call) -> (Request, Self::Kit) {
        if call.overrides.no_retry {
            return (self.once(call), None);
        }
        let (attempt, mut kit) = self.replay.first(call.request);
        if let Some(said) = call.overrides.idempotent {
            kit.idempotent = said;
        }
        (attempt, Some(kit))
    }

    fn again(&self, kit: &mut Self::Kit, verdict: &Verdict) -> Option<Request> {
        self.replay.again(kit.as_mut()?, verdict)
    }

    fn describe(&self, attempt: &Request) -> Option<RequestInfo> {
        Some(self.replay.describe_as(attempt, self.url_template.as_deref()))
    }

    fn inject(&self, attempt: &mut Request, context: &TraceContext) -> Option<TraceContext> {
        self.replay.inject(attempt, context)
    }
}

/// [`AtBodyEnd`] that knows what was asked: the answer to a HEAD has no body, but where reqwest decompresses it no
/// longer says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallEnds {
    is_head: bool,
}

impl CallEnds {
    pub(super) fn of(request: &Request) -> Self {
        Self { is_head: request.method() == Method::HEAD }
    }
}

impl<G> Ends<Response, G> for CallEnds
where
    AtBodyEnd: Ends<Response, G>,
{
    type Out = <AtBodyEnd as Ends<Response, G>>::Out;

    fn is_over(&self, response: &Response) -> bool {
        self.is_head || Ends::<Response, G>::is_over(&AtBodyEnd, response)
    }

    fn describe(&self, response: &Response) -> ResponseInfo {
        Ends::<Response, G>::describe(&AtBodyEnd, response)
    }

    fn attach(&self, response: Response, guard: Option<G>) -> Self::Out {
        AtBodyEnd.attach(response, guard)
    }
}

impl Discard<Response> for CallEnds {
    type Rest = <AtBodyEnd as Discard<Response>>::Rest;

    fn discard(&self, response: Response) -> Option<Self::Rest> {
        AtBodyEnd.discard(response)
    }
}
