//! What the names of Java classes in a file stand for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::backoff::{Backoff, BackoffContext};
use crate::outcome::{Cause, CauseMatcher};

/// Maps the names of Java classes that stand in an `application.yml` to what they mean here.
///
/// The well-known exceptions whose meaning is beyond doubt are in it from the start (`java.io.IOException`,
/// `java.net.SocketTimeoutException`, `org.springframework.web.client.HttpServerErrorException`, …). Any other class that a
/// file names has to be mapped; one that is not is an error.
///
/// ```
/// use seawall::config::ClassMap;
/// use seawall::Cause;
///
/// let classes = ClassMap::default()
///     .map("com.example.StockException", ["409".parse()?, "423".parse()?])
///     .predicate("com.example.Recordable", |cause| cause != Cause::Status(501));
/// # Ok::<(), seawall::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ClassMap {
    classes: HashMap<String, Meaning>,
}

#[derive(Clone)]
pub(super) enum Meaning {
    Matchers(Vec<CauseMatcher>),
    Predicate(Arc<dyn Fn(Cause) -> bool + Send + Sync>),
    Backoff(Backoff),
    Hook(Arc<dyn Fn(&BackoffContext) + Send + Sync>),
    FailureTag(Arc<dyn Fn(Cause) -> &'static str + Send + Sync>),
}

/// Class, and what it stands for.
const WELL_KNOWN: [(&str, &str); 52] = [
    ("java.lang.Exception", "any"),
    ("java.lang.Throwable", "any"),
    ("java.io.IOException", "connect unprocessed timeout reset permanent"),
    ("java.io.UncheckedIOException", "connect unprocessed timeout reset permanent"),
    ("java.io.InterruptedIOException", "timeout"),
    ("java.io.EOFException", "reset unprocessed"),
    ("java.net.SocketException", "connect unprocessed reset"),
    ("java.net.ConnectException", "connect"),
    ("java.net.NoRouteToHostException", "connect"),
    ("java.net.UnknownHostException", "connect"),
    ("java.net.SocketTimeoutException", "timeout"),
    ("java.net.http.HttpTimeoutException", "timeout"),
    ("java.net.http.HttpConnectTimeoutException", "timeout"),
    ("java.util.concurrent.TimeoutException", "timeout"),
    ("javax.net.ssl.SSLException", "permanent"),
    ("javax.net.ssl.SSLHandshakeException", "permanent"),
    ("org.springframework.web.client.RestClientResponseException", "4xx 5xx"),
    ("org.springframework.web.client.HttpStatusCodeException", "4xx 5xx"),
    ("org.springframework.web.client.HttpServerErrorException", "5xx"),
    ("org.springframework.web.client.HttpServerErrorException.InternalServerError", "500"),
    ("org.springframework.web.client.HttpServerErrorException.NotImplemented", "501"),
    ("org.springframework.web.client.HttpServerErrorException.BadGateway", "502"),
    ("org.springframework.web.client.HttpServerErrorException.ServiceUnavailable", "503"),
    ("org.springframework.web.client.HttpServerErrorException.GatewayTimeout", "504"),
    ("org.springframework.web.client.HttpClientErrorException", "4xx"),
    ("org.springframework.web.client.HttpClientErrorException.BadRequest", "400"),
    ("org.springframework.web.client.HttpClientErrorException.Unauthorized", "401"),
    ("org.springframework.web.client.HttpClientErrorException.Forbidden", "403"),
    ("org.springframework.web.client.HttpClientErrorException.NotFound", "404"),
    ("org.springframework.web.client.HttpClientErrorException.MethodNotAllowed", "405"),
    ("org.springframework.web.client.HttpClientErrorException.Conflict", "409"),
    ("org.springframework.web.client.HttpClientErrorException.Gone", "410"),
    ("org.springframework.web.client.HttpClientErrorException.UnprocessableEntity", "422"),
    ("org.springframework.web.client.HttpClientErrorException.TooManyRequests", "429"),
    (
        "org.springframework.web.client.ResourceAccessException",
        "connect unprocessed timeout reset permanent",
    ),
    ("org.springframework.web.reactive.function.client.WebClientResponseException", "4xx 5xx"),
    (
        "org.springframework.web.reactive.function.client.WebClientResponseException.InternalServerError",
        "500",
    ),
    (
        "org.springframework.web.reactive.function.client.WebClientResponseException.BadGateway",
        "502",
    ),
    (
        "org.springframework.web.reactive.function.client.WebClientResponseException.ServiceUnavailable",
        "503",
    ),
    (
        "org.springframework.web.reactive.function.client.WebClientResponseException.GatewayTimeout",
        "504",
    ),
    ("org.springframework.web.reactive.function.client.WebClientResponseException.NotFound", "404"),
    (
        "org.springframework.web.reactive.function.client.WebClientResponseException.TooManyRequests",
        "429",
    ),
    (
        "org.springframework.web.reactive.function.client.WebClientRequestException",
        "connect unprocessed timeout reset permanent",
    ),
    ("feign.FeignException", "4xx 5xx"),
    ("feign.FeignException.FeignClientException", "4xx"),
    ("feign.FeignException.FeignServerException", "5xx"),
    ("feign.FeignException.NotFound", "404"),
    ("feign.FeignException.ServiceUnavailable", "503"),
    ("feign.RetryableException", "connect unprocessed timeout reset"),
    ("io.github.resilience4j.circuitbreaker.CallNotPermittedException", "refused"),
    ("io.github.resilience4j.bulkhead.BulkheadFullException", "refused"),
    ("io.github.resilience4j.ratelimiter.RequestNotPermitted", "refused"),
];

/// Nested classes are written with a `$` or a dot.
fn plain(class: &str) -> String {
    class.replace('$', ".")
}

impl Default for ClassMap {
    fn default() -> Self {
        let mut map = Self::empty();
        for (class, matchers) in WELL_KNOWN {
            let matchers = matchers.split(' ').map(|matcher| matcher.parse().ok());
            let matchers = matchers.map(|matcher| matcher.expect("a matcher")).collect();
            map.classes.insert(class.to_owned(), Meaning::Matchers(matchers));
        }
        map
    }
}

impl ClassMap {
    /// Knows no class at all.
    #[must_use]
    pub fn empty() -> Self {
        Self { classes: HashMap::new() }
    }

    fn with(mut self, class: &str, meaning: Meaning) -> Self {
        self.classes.insert(plain(class), meaning);
        self
    }

    /// An exception: it stands for these causes.
    #[must_use]
    pub fn map(self, class: &str, causes: impl IntoIterator<Item = CauseMatcher>) -> Self {
        self.with(class, Meaning::Matchers(causes.into_iter().collect()))
    }

    /// An exception, or a predicate on exceptions: it stands for the causes of which `predicate` says so.
    #[must_use]
    pub fn predicate(
        self,
        class: &str,
        predicate: impl Fn(Cause) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(class, Meaning::Predicate(Arc::new(predicate)))
    }

    /// A function of a retry's pauses (`intervalBiFunction`).
    #[must_use]
    pub fn backoff(self, class: &str, backoff: Backoff) -> Self {
        self.with(class, Meaning::Backoff(backoff))
    }

    /// What is done before each pause of a retry (`consumeResultBeforeRetryAttempt`).
    #[must_use]
    pub fn before_retry(
        self,
        class: &str,
        hook: impl Fn(&BackoffContext) + Send + Sync + 'static,
    ) -> Self {
        self.with(class, Meaning::Hook(Arc::new(hook)))
    }

    /// What a timer's meter says of a call that failed for this cause (`onFailureTagResolver`).
    #[must_use]
    pub fn failure_tag(
        self,
        class: &str,
        tag: impl Fn(Cause) -> &'static str + Send + Sync + 'static,
    ) -> Self {
        self.with(class, Meaning::FailureTag(Arc::new(tag)))
    }

    pub(super) fn get(&self, class: &str) -> Option<&Meaning> {
        self.classes.get(&plain(class))
    }
}

impl fmt::Debug for ClassMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut classes: Vec<_> = self.classes.keys().collect();
        classes.sort();
        f.debug_tuple("ClassMap").field(&classes).finish()
    }
}
