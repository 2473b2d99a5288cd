//! When a gRPC call is over: with its trailers.

use std::future::Ready;

use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use tonic::{Code, Status};

use super::GrpcClassifier;
use super::code;
use crate::ends::{Discard, Ends, Guard};
use crate::error::Error;
use crate::http::{GuardedBody, JudgeEnd};
use crate::outcome::Cause;
use crate::telemetry::ResponseInfo;

/// A call is over when its trailers have come, or when its body broke or was dropped.
///
/// Trailers that bring a failing code, and an end without a code, make a failure of a call whose head was good.
#[derive(Clone, Debug, Default)]
pub struct AtTrailers(
    /// Which codes are failures.
    pub GrpcClassifier,
);

impl<B: Body, G: Guard> Ends<Response<B>, G> for AtTrailers {
    type Out = Response<GuardedBody<B, G, Trailers>>;

    fn is_over(&self, response: &Response<B>) -> bool {
        response.body().is_end_stream()
    }

    fn describe(&self, response: &Response<B>) -> ResponseInfo {
        let code = code::told(response.headers()).or_else(|| code::of_http(response.status()));
        ResponseInfo::http(response.status().as_u16()).grpc(code.map(i32::from))
    }

    fn attach(&self, response: Response<B>, guard: Option<G>) -> Self::Out {
        let decided =
            response.status() != StatusCode::OK || code::told(response.headers()).is_some();
        let trailers = Trailers { classifier: (!decided).then(|| self.0.clone()) };
        response.map(|body| GuardedBody::judged(body, guard, trailers))
    }
}

/// An unwanted response is dropped: HTTP/2 gives up the stream alone, and the connection lives on.
impl<B> Discard<Response<B>> for AtTrailers {
    type Rest = Ready<()>;

    fn discard(&self, _: Response<B>) -> Option<Ready<()>> {
        None
    }
}

/// Judges the trailers of one call.
#[derive(Clone, Debug, Default)]
pub struct Trailers {
    /// Nothing if the head has said all.
    classifier: Option<GrpcClassifier>,
}

impl<E> JudgeEnd<E> for Trailers
where
    Status: From<Error<E>>,
{
    type Error = Status;

    fn judge_end(&self, trailers: Option<&HeaderMap>) -> Option<Cause> {
        let classifier = self.classifier.as_ref()?;
        // An end without a code is one that somebody on the way has cut short.
        let code = trailers.and_then(code::told).unwrap_or(Code::Unknown);
        classifier.is_failure(code).then(|| Cause::Grpc(code.into()))
    }
}
