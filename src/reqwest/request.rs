//! The request builder.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Request, Response, Version};

use super::overrides::Overrides;
use super::through::{Protection, Through};
use super::{Client, Error};
use crate::deadline::Deadline;

/// Puts a request together, as `reqwest::RequestBuilder` does, and sends it through the pipeline.
#[derive(Debug)]
#[must_use = "a request does nothing until `send`"]
pub struct RequestBuilder {
    inner: reqwest::RequestBuilder,
    protection: Protection,
    overrides: Overrides,
}

macro_rules! forward {
    ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        $(
            $(#[$attribute])*
            pub fn $name(self, $($arg: $type),*) -> Self {
                self.with(|request| request.$name($($arg),*))
            }
        )*
    };
}

// ## What reqwest's builder has

impl RequestBuilder {
    pub(super) fn new(inner: reqwest::RequestBuilder, protection: Protection) -> Self {
        Self { inner, protection, overrides: Overrides::default() }
    }

    /// Begins with a finished request, so that more can be said of it.
    ///
    /// ```no_run
    /// use seawall::reqwest::{Client, Request, RequestBuilder};
    ///
    /// # async fn example(client: Client, request: Request) -> Result<(), seawall::reqwest::Error> {
    /// RequestBuilder::from_parts(client, request).no_retry().send().await?;
    /// # Ok(()) }
    /// ```
    pub fn from_parts(client: Client, request: Request) -> Self {
        let (plain, protection) = client.into_parts();
        Self::new(reqwest::RequestBuilder::from_parts(plain, request), protection)
    }

    /// Any other setting of reqwest's builder.
    pub fn with(
        mut self,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Self {
        self.inner = change(self.inner);
        self
    }

    /// Adds a header.
    pub fn header<K, V>(self, key: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.with(|request| request.header(key, value))
    }

    /// Basic authentication.
    pub fn basic_auth<U, P>(self, username: U, password: Option<P>) -> Self
    where
        U: std::fmt::Display,
        P: std::fmt::Display,
    {
        self.with(|request| request.basic_auth(username, password))
    }

    /// A bearer token.
    pub fn bearer_auth<T: std::fmt::Display>(self, token: T) -> Self {
        self.with(|request| request.bearer_auth(token))
    }

    /// The body. One that is in memory can be sent again, and so can a stream of up to
    /// [64 KiB](crate::http::HttpReplay::body_limit); a larger stream is sent once.
    pub fn body<T: Into<Body>>(self, body: T) -> Self {
        self.with(|request| request.body(body))
    }

    forward! {
        /// Replaces headers.
        fn headers(headers: HeaderMap);
        /// The deadline of the whole call: all attempts, the pauses between them, and the body.
        fn timeout(timeout: Duration);
        /// The version of HTTP.
        fn version(version: Version);
        /// A multipart form as the body.
        #[cfg(feature = "multipart")]
        fn multipart(multipart: reqwest::multipart::Form);
    }

    /// Adds to the query string.
    #[cfg(feature = "query")]
    pub fn query<T: serde::Serialize + ?Sized>(self, query: &T) -> Self {
        self.with(|request| request.query(query))
    }

    /// A form as the body.
    #[cfg(feature = "form")]
    pub fn form<T: serde::Serialize + ?Sized>(self, form: &T) -> Self {
        self.with(|request| request.form(form))
    }

    /// JSON as the body.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, json: &T) -> Self {
        self.with(|request| request.json(json))
    }

    /// The finished request. What was said of the call and not of the request (see
    /// [`idempotent`](Self::idempotent) and below) is no part of it.
    ///
    /// # Errors
    ///
    /// reqwest's, if a part of it was malformed.
    pub fn build(self) -> Result<Request, reqwest::Error> {
        self.inner.build()
    }

    /// The client, with the pipeline that was chosen last, and the finished request as in [`build`](Self::build).
    pub fn build_split(self) -> (Client, Result<Request, reqwest::Error>) {
        let (plain, request) = self.inner.build_split();
        (Client::protect(plain, self.protection), request)
    }

    /// The same request once more, unless its body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        let Self { inner, protection, overrides } = self;
        let inner = inner.try_clone()?;
        Some(Self { inner, protection: protection.clone(), overrides: overrides.clone() })
    }

    /// Makes the call.
    ///
    /// # Errors
    ///
    /// See [`Client::execute`].
    pub fn send(self) -> impl Future<Output = Result<Response, Error>> + Send + 'static {
        let overrides = self.overrides.clone();
        let (client, request) = self.build_split();
        async move { client.make(request?, overrides).await }
    }
}

// ## What is said of this call alone

impl RequestBuilder {
    /// Says whether the request may be sent twice, whatever its method, as
    /// [`Idempotent`](crate::http::Idempotent) does over `http`.
    ///
    /// Default: by method and `idempotency-key`, see [`is_idempotent`](crate::http::is_idempotent).
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.overrides.idempotent = Some(idempotent);
        self
    }

    /// Makes exactly one attempt, as [`NoRetry`](crate::http::NoRetry) does over `http`.
    pub const fn no_retry(mut self) -> Self {
        self.overrides.no_retry = true;
        self
    }

    /// The moment by which the whole call must be over, body included: for one that came from elsewhere, where
    /// [`timeout`](Self::timeout) is a span from now on. The earliest of all counts; only the client's timeout, which is for
    /// calls that say nothing, does not.
    pub const fn deadline(mut self, deadline: Deadline) -> Self {
        self.overrides.deadline = Some(deadline);
        self
    }

    /// Which template the path follows, such as `/api/{id}`, by which spans are named, as
    /// [`UrlTemplate`](crate::http::UrlTemplate) says over `http`.
    pub fn url_template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.overrides.url_template = Some(template.into());
        self
    }

    /// Sends the call through another pipeline, over the same connections.
    ///
    /// Through another [`Client`]: through its pipeline and with its timeout, if it has one.
    ///
    /// ```no_run
    /// # async fn example(client: seawall::reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let reports = seawall::Pipeline::http("reports").build()?;
    /// client.get("http://inventory/reports").through(&reports).send().await?;
    /// # Ok(()) }
    /// ```
    pub fn through(mut self, through: &impl Through) -> Self {
        let Protection { route, timeout } = through.protection();
        let timeout = timeout.or(self.protection.timeout);
        self.protection = Protection { route, timeout };
        self
    }
}
