//! The client's builder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use super::through::{Protection, Route};
use crate::keyed::{Key, Keyed, KeyedLayer};
use crate::pipeline::{HttpPipeline, Pipeline};

/// Sets up a [`Client`].
///
/// The settings of `reqwest::ClientBuilder` are here, with its features. For one that is not there is [`with`](Self::with).
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    inner: reqwest::ClientBuilder,
    name: Arc<str>,
    route: Option<Route>,
    timeout: Option<Duration>,
}

impl ClientBuilder {
    /// reqwest's settings, and the safe pipeline [`Pipeline::http`].
    pub fn new() -> Self {
        Self { inner: reqwest::Client::builder(), name: "http".into(), route: None, timeout: None }
    }

    /// The name of the default pipeline, which errors and events bear. Default: `http`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// What the calls go through. Default: the safe pipeline [`Pipeline::http`].
    pub fn pipeline(mut self, pipeline: HttpPipeline) -> Self {
        self.route = Some(Route::One(pipeline));
        self
    }

    /// A pipeline of its own for each host, so that one host that fails, or is slow, does no harm to calls to others.
    ///
    /// ```no_run
    /// use seawall::{Pipeline, keyed::Keyed};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hosts = Keyed::new("hosts", |host| Pipeline::http(host).build())?;
    /// let client = seawall::reqwest::Client::builder().per_host(hosts).build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// A redirect is followed by reqwest, within the call to the host that was asked first.
    pub fn per_host(self, pipelines: Keyed<HttpPipeline>) -> Self {
        self.keyed(KeyedLayer::per_host(pipelines))
    }

    /// A pipeline of its own for each [key](crate::keyed) of another kind: a tenant, a path template.
    pub fn keyed<K>(mut self, pipelines: KeyedLayer<HttpPipeline, K>) -> Self
    where
        K: Key<reqwest::Request> + Send + Sync + 'static,
    {
        self.route = Some(Route::by_key(pipelines));
        self
    }

    /// The deadline of every whole call that sets none itself: all attempts, pauses, and the body.
    ///
    /// Default: the pipeline's.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Any other setting of reqwest.
    ///
    /// ```
    /// let client = seawall::reqwest::Client::builder().with(|client| client.http1_only());
    /// ```
    pub fn with(
        mut self,
        change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        self.inner = change(self.inner);
        self
    }

    /// Builds the client, with reqwest's own retries switched off.
    ///
    /// # Errors
    ///
    /// reqwest's, if TLS or the resolver cannot be set up.
    pub fn build(self) -> Result<Client, reqwest::Error> {
        let route = self.route.unwrap_or_else(|| {
            Route::One(Pipeline::http(self.name).build().expect("the preset is valid"))
        });
        let client = self.inner.retry(reqwest::retry::never()).build()?;
        Ok(Client::protect(client, Protection { route, timeout: self.timeout }))
    }
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("inner", &self.inner)
            .field("route", &self.route)
            .field("timeout", &self.timeout)
            .finish()
    }
}
