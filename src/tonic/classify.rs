//! The verdict on a gRPC call.

use std::error::Error as StdError;

use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use tonic::{Code, Status};

use super::code::{self, Codes};
use super::pushback::{self, Pushback};
use crate::error::{Error, FromRejected};
use crate::http::{kind, retry_after};
use crate::outcome::{Cause, CauseRules, Classify, LiveRules, Outcome, Verdict};

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
/// let pipeline = Pipeline::grpc("greeter").classifier(strict.clone()).ends(AtTrailers(strict)).build();
/// ```
#[derive(Clone, Debug)]
pub struct GrpcClassifier {
    failures: Codes,
    rules: Option<LiveRules>,
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
        Self { failures, rules: None }
    }
}

impl GrpcClassifier {
    /// Takes the codes for failures of which `is_failure` says so. It is asked once, here, about each code but
    /// `OK`. Give the result to [`AtTrailers`](super::AtTrailers) too.
    #[must_use]
    pub fn failure_when(self, is_failure: impl Fn(Code) -> bool) -> Self {
        Self { failures: Codes::when(is_failure), ..self }
    }

    /// Lets `rules` decide before all else about codes (but `OK`) and about errors of the channel. Give the result to
    /// [`AtTrailers`](super::AtTrailers) too.
    #[must_use]
    pub fn rules(self, rules: CauseRules) -> Self {
        self.live_rules(LiveRules::new(rules))
    }

    pub(crate) fn live_rules(mut self, rules: LiveRules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Is this code a failure of the backend?
    #[must_use]
    pub fn is_failure(&self, code: Code) -> bool {
        self.outcome(code) == Outcome::Failure
    }

    fn outcome(&self, code: Code) -> Outcome {
        let ruled = self.rules.as_ref().filter(|_| code != Code::Ok);
        let ruled = ruled.and_then(|rules| rules.outcome(Cause::Grpc(code.into())));
        ruled.unwrap_or(if self.failures.has(code) { Outcome::Failure } else { Outcome::Success })
    }

    fn judge_head(&self, status: StatusCode, headers: &HeaderMap, ended: bool) -> Verdict {
        let told = code::told(headers);
        // Whoever ends without a word breaks gRPC's rules.
        let silent = || if ended { Some(Code::Unknown) } else { None };
        let code = told.or_else(|| code::of_http(status)).or_else(silent);
        let Some(code) = code else { return Verdict::success() };
        match self.outcome(code) {
            Outcome::Failure => {}
            Outcome::Success => return Verdict::success(),
            Outcome::Ignored => return Verdict::ignored(Cause::Grpc(code.into())),
        }
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
                let rejected = error.as_rejected();
                let verdict = kind::judge_error(rejected, error);
                match verdict.cause() {
                    Some(cause @ Cause::Grpc(code)) if !self.is_failure(code.into()) => {
                        Verdict::ignored(cause)
                    }
                    Some(cause) if rejected.is_none() && verdict.is_failure() => {
                        match self.rules.as_ref().and_then(|rules| rules.outcome(cause)) {
                            Some(Outcome::Ignored) => Verdict::ignored(cause),
                            Some(Outcome::Success) => Verdict::success(),
                            Some(Outcome::Failure) | None => verdict,
                        }
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
