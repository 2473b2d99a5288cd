//! The request builder.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Request, Response, Version};

use super::{Client, Error};

/// Puts a request together, as `reqwest::RequestBuilder` does, and sends it through the pipeline.
#[derive(Debug)]
#[must_use = "a request does nothing until `send`"]
pub struct RequestBuilder {
    client: Client,
    inner: reqwest::RequestBuilder,
}

impl RequestBuilder {
    pub(super) const fn new(client: Client, inner: reqwest::RequestBuilder) -> Self {
        Self { client, inner }
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

    /// Replaces headers.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.with(|request| request.headers(headers))
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

    /// The deadline of the whole call: all attempts, the pauses between them, and the body.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.timeout(timeout))
    }

    /// The version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.with(|request| request.version(version))
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

    /// A multipart form as the body, which is a stream.
    #[cfg(feature = "multipart")]
    pub fn multipart(self, multipart: reqwest::multipart::Form) -> Self {
        self.with(|request| request.multipart(multipart))
    }

    /// The finished request.
    ///
    /// # Errors
    ///
    /// reqwest's, if a part of it was malformed.
    pub fn build(self) -> Result<Request, reqwest::Error> {
        self.inner.build()
    }

    /// The client and the finished request.
    pub fn build_split(self) -> (Client, Result<Request, reqwest::Error>) {
        (self.client, self.inner.build())
    }

    /// The same request once more, unless its body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        let inner = self.inner.try_clone()?;
        Some(Self { client: self.client.clone(), inner })
    }

    /// Makes the call.
    ///
    /// # Errors
    ///
    /// See [`Client::execute`].
    pub async fn send(self) -> Result<Response, Error> {
        let request = self.inner.build().map_err(Error::Service)?;
        self.client.execute(request).await
    }
}
