//! The verdict on an HTTP call.

use std::error::Error as StdError;

use http::{HeaderMap, Response, StatusCode};

use super::{kind, retry_after};
use crate::error::{Error, FromRejected, Rejected};
use crate::outcome::{Cause, CauseRules, Classify, LiveRules, Outcome, Verdict};

/// Judges HTTP responses and the errors of HTTP clients.
///
/// A failure is: a status of 5xx or 429, and every error of the client but one that says that the
/// request itself is malformed, which is ignored. Other statuses are successes: a 404 is an answer.
/// 429 and 503 bring their `Retry-After` along, and 429 drains a rate limiter.
///
/// ```
/// use seawall::http::HttpClassifier;
/// use seawall::{Classify, Error};
///
/// let classifier = HttpClassifier::default();
/// let response = |status| Ok::<_, Error<std::io::Error>>(http::Response::builder().status(status).body(()).unwrap());
/// assert!(classifier.classify(&response(503)).is_failure());
/// assert!(classifier.classify(&response(404)).is_success());
///
/// let strict = classifier.failure_when(|status| status.is_server_error() || status == 404);
/// assert!(strict.classify(&response(404)).is_failure());
/// ```
#[derive(Clone, Debug)]
pub struct HttpClassifier<F = fn(StatusCode) -> bool> {
    is_failure: F,
    rules: Option<LiveRules>,
}

fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

impl Default for HttpClassifier {
    fn default() -> Self {
        Self { is_failure, rules: None }
    }
}

impl<F> HttpClassifier<F> {
    /// Takes the statuses for failures of which `is_failure` says so.
    pub fn failure_when<F2: Fn(StatusCode) -> bool>(self, is_failure: F2) -> HttpClassifier<F2> {
        HttpClassifier { is_failure, rules: self.rules }
    }

    /// Lets `rules` decide before all else about statuses and about errors of the client.
    ///
    /// ```
    /// use seawall::http::HttpClassifier;
    /// use seawall::CauseRules;
    ///
    /// let rules = CauseRules::new().failure("404".parse()?).success("501".parse()?).ignore("timeout".parse()?);
    /// let classifier = HttpClassifier::default().rules(rules);
    /// # Ok::<(), seawall::ConfigError>(())
    /// ```
    #[must_use]
    pub fn rules(self, rules: CauseRules) -> Self {
        self.live_rules(LiveRules::new(rules))
    }

    pub(crate) fn live_rules(mut self, rules: LiveRules) -> Self {
        self.rules = Some(rules);
        self
    }

    fn ruled_error(
        &self,
        rejected: Option<&Rejected>,
        error: &(dyn StdError + 'static),
    ) -> Verdict {
        let verdict = kind::judge_error(rejected, error);
        let (Some(rules), Some(cause)) = (&self.rules, verdict.cause()) else { return verdict };
        // What seawall itself said is judged by its own rule, and what the request is to blame for by none.
        if rejected.is_some() || !verdict.is_failure() {
            return verdict;
        }
        match rules.outcome(cause) {
            Some(Outcome::Ignored) => Verdict::ignored(cause),
            Some(Outcome::Success) => Verdict::success(),
            Some(Outcome::Failure) | None => verdict,
        }
    }
}

impl<F: Fn(StatusCode) -> bool> HttpClassifier<F> {
    /// The verdict on a response with this head, for classifiers of your own that stand on this one.
    pub fn judge_head(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        let cause = Cause::Status(status.as_u16());
        let is_failure = match self.rules.as_ref().and_then(|rules| rules.outcome(cause)) {
            None => (self.is_failure)(status),
            Some(Outcome::Ignored) => return Verdict::ignored(cause),
            Some(outcome) => outcome == Outcome::Failure,
        };
        if !is_failure {
            return Verdict::success();
        }
        let asks =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Verdict::failure(cause)
            .with_retry_after(if asks { retry_after(headers) } else { None })
            .with_drain(status == StatusCode::TOO_MANY_REQUESTS)
    }

    /// The verdict on an error of the client's, or on one that has the client's among its sources.
    ///
    /// Hand over the client's own error where a wrapper hides it: an enum whose variants are `transparent` leaves
    /// it out of the chain of sources.
    ///
    /// ```
    /// use seawall::http::HttpClassifier;
    /// use seawall::{Cause, Error, Verdict};
    ///
    /// #[derive(Debug)]
    /// enum Failed { Client(std::io::Error), Unsigned }
    ///
    /// let http = HttpClassifier::default();
    /// let classifier = move |result: &Result<http::Response<()>, Error<Failed>>| match result {
    ///     Ok(response) => http.judge_head(response.status(), response.headers()),
    ///     Err(Error::Service(Failed::Client(error))) => http.judge_error(error),
    ///     Err(_) => Verdict::ignored(Cause::Other),
    /// };
    /// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    /// assert_eq!(classifier(&Err(Error::Service(Failed::Client(refused)))).cause(), Some(Cause::Connect));
    /// assert!(!classifier(&Err(Error::Service(Failed::Unsigned))).is_failure());
    /// ```
    pub fn judge_error(&self, error: &(dyn StdError + 'static)) -> Verdict {
        self.ruled_error(Rejected::find(error), error)
    }
}

impl<F, B, E> Classify<Result<Response<B>, Error<E>>> for HttpClassifier<F>
where
    F: Fn(StatusCode) -> bool,
    E: StdError + 'static,
{
    fn classify(&self, result: &Result<Response<B>, Error<E>>) -> Verdict {
        match result {
            Ok(response) => self.judge_head(response.status(), response.headers()),
            Err(error) => self.ruled_error(error.as_rejected(), error),
        }
    }
}

impl<F, B> Classify<Result<Response<B>, Box<dyn StdError + Send + Sync>>> for HttpClassifier<F>
where
    F: Fn(StatusCode) -> bool,
{
    fn classify(&self, result: &Result<Response<B>, Box<dyn StdError + Send + Sync>>) -> Verdict {
        match result {
            Ok(response) => self.judge_head(response.status(), response.headers()),
            Err(error) => self.ruled_error(error.as_rejected(), &**error),
        }
    }
}

/// With any error, since what stands over reqwest may have one of its own.
#[cfg(feature = "reqwest")]
impl<F, E> Classify<Result<reqwest::Response, Error<E>>> for HttpClassifier<F>
where
    F: Fn(StatusCode) -> bool,
    E: StdError + 'static,
{
    fn classify(&self, result: &Result<reqwest::Response, Error<E>>) -> Verdict {
        match result {
            Ok(response) => self.judge_head(response.status(), response.headers()),
            Err(error) => self.ruled_error(error.as_rejected(), error),
        }
    }
}

#[cfg(feature = "reqwest")]
impl<F> Classify<Result<reqwest::Response, Box<dyn StdError + Send + Sync>>> for HttpClassifier<F>
where
    F: Fn(StatusCode) -> bool,
{
    fn classify(
        &self,
        result: &Result<reqwest::Response, Box<dyn StdError + Send + Sync>>,
    ) -> Verdict {
        match result {
            Ok(response) => self.judge_head(response.status(), response.headers()),
            Err(error) => self.ruled_error(error.as_rejected(), &**error),
        }
    }
}
