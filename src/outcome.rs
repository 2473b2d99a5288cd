//! What became of a call, judged once and read by every pattern.

mod filter;
mod rules;
mod words;

use std::time::Duration;

#[cfg(feature = "config")]
pub(crate) use self::filter::MATCHERS;
pub use self::filter::{CauseFilter, CauseMatcher};
pub use self::rules::CauseRules;
pub(crate) use self::rules::LiveRules;
use crate::error::FromRejected;

/// How a call counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The backend did its work.
    Success,
    /// The call was made and went wrong.
    Failure,
    /// The call says nothing about the backend and is counted nowhere.
    Ignored,
}

/// Why a call did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// An HTTP status.
    Status(u16),
    /// A gRPC status code.
    Grpc(i32),
    /// No connection came about, so nothing was sent.
    Connect,
    /// The connection stood, but the server never began on the request (HTTP/2 `REFUSED_STREAM`,
    /// `GOAWAY` without error, a pooled connection that closed before the request left).
    Unprocessed,
    /// Something that another try will not change: a certificate that is not trusted, a peer that
    /// does not speak TLS, too many redirects.
    Permanent,
    /// The time was over: the client's own, or a limit of an inner layer.
    Timeout,
    /// The connection broke while the call was under way; the server may have done its work.
    Reset,
    /// The backend said that it has too much to do.
    Overloaded,
    /// An inner layer of seawall refused the call.
    Refused,
    /// The caller stopped waiting.
    Cancelled,
    /// Anything else.
    Other,
}

impl Cause {
    /// Is it certain that the server did not begin on the request?
    ///
    /// Then even a request that is not idempotent can be sent again.
    #[must_use]
    pub const fn is_unsent(self) -> bool {
        matches!(self, Self::Connect | Self::Unprocessed | Self::Refused)
    }
}

/// The judgement of one finished call.
///
/// ```
/// use std::time::Duration;
/// use seawall::{Cause, Outcome, Verdict};
///
/// let verdict = Verdict::failure(Cause::Status(503)).with_retry_after(Some(Duration::from_secs(2)));
/// assert_eq!(verdict.outcome(), Outcome::Failure);
/// assert_eq!(verdict.retry_after(), Some(Duration::from_secs(2)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    outcome: Outcome,
    cause: Option<Cause>,
    retry_after: Option<Duration>,
    forbids_retry: bool,
    drain: bool,
}

impl Verdict {
    const fn new(outcome: Outcome, cause: Option<Cause>) -> Self {
        Self { outcome, cause, retry_after: None, forbids_retry: false, drain: false }
    }

    /// The call succeeded.
    #[must_use]
    pub const fn success() -> Self {
        Self::new(Outcome::Success, None)
    }

    /// The call was made and went wrong.
    #[must_use]
    pub const fn failure(cause: Cause) -> Self {
        Self::new(Outcome::Failure, Some(cause))
    }

    /// The call says nothing about the backend.
    #[must_use]
    pub const fn ignored(cause: Cause) -> Self {
        Self::new(Outcome::Ignored, Some(cause))
    }

    /// The server (or an inner layer) asked for a pause of this length.
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// The server asked not to be called again for this (gRPC's negative `grpc-retry-pushback-ms`).
    #[must_use]
    pub const fn without_retry(mut self) -> Self {
        self.forbids_retry = true;
        self
    }

    /// A rate limiter shall give up what is left of its current cycle.
    #[must_use]
    pub const fn with_drain(mut self, drain: bool) -> Self {
        self.drain = drain;
        self
    }

    /// How the call counts.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Did the call succeed?
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.outcome, Outcome::Success)
    }

    /// Did the call go wrong?
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Failure)
    }

    /// Why it did not succeed; nothing for a success.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The pause that the server asked for.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Did the server ask not to be called again for this?
    #[must_use]
    pub const fn forbids_retry(&self) -> bool {
        self.forbids_retry
    }

    /// Shall a rate limiter give up what is left of its current cycle?
    #[must_use]
    pub const fn drains(&self) -> bool {
        self.drain
    }
}

/// Judges what a call ended with.
///
/// `Res` is the whole result, a `Result<Response, Error>`. A classifier is not asked about what seawall itself
/// said: a refusal by a layer inside is always ignored, and a timeout is always a failure. A closure will do:
///
/// ```
/// use seawall::{Cause, Classify, Error, Verdict};
///
/// // Over a pipeline, a handle's `call_with` or an `ErrorLayer` the error is an `Error<E>`.
/// let classifier = |result: &Result<u32, Error<std::io::Error>>| match result {
///     Ok(0) => Verdict::failure(Cause::Other),
///     Ok(_) => Verdict::success(),
///     Err(_) => Verdict::failure(Cause::Other),
/// };
/// assert!(classifier.classify(&Ok(0)).is_failure());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot judge a `{Res}`",
    note = "over HTTP use `HttpClassifier` (`.http()` on the layer or pipeline builder); otherwise `ResultClassifier` or a closure `Fn(&{Res}) -> Verdict`",
    note = "a pipeline's errors are `seawall::Error<E>`; over a service whose error is a boxed error already use `pipeline.flat()`"
)]
pub trait Classify<Res> {
    /// The verdict on `result`.
    fn classify(&self, result: &Res) -> Verdict;
}

impl<Res, F: Fn(&Res) -> Verdict> Classify<Res> for F {
    #[inline]
    fn classify(&self, result: &Res) -> Verdict {
        self(result)
    }
}

/// The verdict on `result`: seawall's own words by their own rule, all else by `classifier`.
#[inline]
pub(crate) fn judge<C, T, E>(classifier: &C, result: &Result<T, E>) -> Verdict
where
    C: Classify<Result<T, E>>,
    E: FromRejected,
{
    let rejected = result.as_ref().err().and_then(FromRejected::as_rejected);
    rejected.map_or_else(|| classifier.classify(result), crate::Rejected::verdict)
}

/// The default: `Ok` is a success, `Err` a failure, and a refusal by an inner layer is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultClassifier;

impl<T, E: FromRejected> Classify<Result<T, E>> for ResultClassifier {
    #[inline]
    fn classify(&self, result: &Result<T, E>) -> Verdict {
        match result {
            Ok(_) => Verdict::success(),
            Err(error) => {
                error.as_rejected().map_or(Verdict::failure(Cause::Other), crate::Rejected::verdict)
            }
        }
    }
}
