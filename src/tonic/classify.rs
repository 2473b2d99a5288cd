//! The verdict on a gRPC call.

use std::error::Error as StdError;

use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use tonic::{Code, Status};

use super::code::{self, Codes};
use super::pushback::{self, Pushback};
use crate::error::{Error, FromRejected};
use crate::http::{kind, retry_after};
use crate::outcome::{Cause, Classify, Verdict};

/// Judges the heads of gRPC responses and the errors of channels. [`AtTrailers`](super::AtTrailers) judges the rest.
///
/// See the table in the [module](super) for which codes are failures. The server's wish for a pause comes along,
/// and `RESOURCE_EXHAUSTED` drains a rate limiter. An error that is nothing but a status (an interceptor's, say) is ignored
/// unless its code is a failure's.
///
/// ```
/// use seawall::tonic::{AtTrailers, GrpcClassifier};
/// use seawall::Pipeline;
/// use tonic::Code;
///
/// let strict = GrpcClassifier::default().failure_when(|code| !matches!(code, Code::NotFound | Code::AlreadyExists));
/// let pipeline = Pipeline::grpc("greeter").classifier(strict).ends(AtTrailers(strict)).build();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcClassifier {
    failures: Codes,
}

impl Default for GrpcClassifier {
    fn default() -> Self {
        let failures = Codes::of(&[
            Code::Unknown,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Internal,
            Code::Unavailable,
            Code::DataLoss,
        ]);
        Self { failures }
    }
}

impl GrpcClassifier {
    /// Takes the codes for failures of which `is_failure` says so. It is asked once, here, about each code but
    /// `OK`. Give the result to [`AtTrailers`](super::AtTrailers) too.
    #[must_use]
    pub fn failure_when(self, is_failure: impl Fn(Code) -> bool) -> Self {
        Self { failures: Codes::when(is_failure) }
    }

    /// Is this code a failure of the backend?
    #[must_use]
    pub const fn is_failure(&self, code: Code) -> bool {
        self.failures.has(code)
    }

    fn judge_head(&self, status: StatusCode, headers: &HeaderMap, ended: bool) -> Verdict {
        let told = code::told(headers);
        // Whoever ends without a word breaks gRPC's rules.
        let silent = || if ended { Some(Code::Unknown) } else { None };
        let code = told.or_else(|| code::of_http(status)).or_else(silent);
        let Some(code) = code.filter(|code| self.is_failure(*code)) else {
            return Verdict::success();
        };
        let verdict = Verdict::failure(Cause::Grpc(code.into()))
            .with_drain(code == Code::ResourceExhausted || status == StatusCode::TOO_MANY_REQUESTS);
        match pushback::read(headers) {
            Pushback::After(wait) => verdict.with_retry_after(Some(wait)),
            Pushback::Never => verdict.without_retry(),
            // A proxy speaks HTTP.
            Pushback::Silent if told.is_none() => verdict.with_retry_after(retry_after(headers)),
            Pushback::Silent => verdict,
        }
    }

    fn judge<B, E>(&self, result: &Result<Response<B>, E>) -> Verdict
    where
        B: Body,
        E: FromRejected + StdError + 'static,
    {
        match result {
            Ok(response) => self.judge_head(
                response.status(),
                response.headers(),
                response.body().is_end_stream(),
            ),
            Err(error) => {
                let verdict = kind::judge_error(error.as_rejected(), error);
                match verdict.cause() {
                    Some(cause @ Cause::Grpc(code)) if !self.is_failure(code.into()) => {
                        Verdict::ignored(cause)
                    }
                    _ => verdict,
                }
            }
        }
    }
}

impl<B: Body> Classify<Result<Response<B>, Status>> for GrpcClassifier {
    fn classify(&self, result: &Result<Response<B>, Status>) -> Verdict {
        self.judge(result)
    }
}

impl<B: Body, E: StdError + 'static> Classify<Result<Response<B>, Error<E>>> for GrpcClassifier {
    fn classify(&self, result: &Result<Response<B>, Error<E>>) -> Verdict {
        self.judge(result)
    }
}
