//! The client and its builder.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{IntoUrl, Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{Error, RequestBuilder, RequestReplay};
use crate::deadline::Deadline;
use crate::ends::AtBodyEnd;
use crate::error::ErrorService;
use crate::http::HttpClassifier;
use crate::pipeline::{HttpPipeline, Pipeline, PipelineService};

/// A `reqwest::Client` whose calls go through a pipeline.
///
/// Cheap to clone; clones share the connection pool and the state of every pattern. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct Client {
    plain: reqwest::Client,
    service: Protected,
    timeout: Option<Duration>,
}

type Protected =
    PipelineService<ErrorService<reqwest::Client>, HttpClassifier, AtBodyEnd, RequestReplay>;

impl Client {
    /// A client with reqwest's settings behind the safe pipeline [`Pipeline::http`].
    ///
    /// # Panics
    ///
    /// As `reqwest::Client::new`: if TLS cannot be set up.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build().expect("reqwest's client can be built")
    }

    /// Sets up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            inner: reqwest::Client::builder(),
            name: "http".into(),
            pipeline: None,
            timeout: None,
        }
    }

    /// Puts `pipeline` around a client that you built.
    ///
    /// Switch reqwest's own retries off in it, as the [module](super) says.
    #[must_use]
    pub fn wrap(client: reqwest::Client, pipeline: &HttpPipeline) -> Self {
        let service = pipeline.map_replay(RequestReplay).layer(client.clone());
        Self { service, plain: client, timeout: None }
    }

    /// Begins a GET.
    pub fn get<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST.
    pub fn post<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a PUT.
    pub fn put<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a PATCH.
    pub fn patch<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a DELETE.
    pub fn delete<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a HEAD.
    pub fn head<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins a request of any method.
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> RequestBuilder {
        RequestBuilder::new(self.clone(), self.plain.request(method, url))
    }

    /// Makes a call.
    ///
    /// The request's timeout is the deadline of the whole call, body included.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`](crate::Error::Rejected) if a pattern refuses the call or its time is over,
    /// [`Error::Service`](crate::Error::Service) with reqwest's own error.
    pub fn execute(
        &self,
        mut request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + use<> {
        let mut service = self.service.clone();
        let timeout = request.timeout_mut().take().or(self.timeout);
        async move {
            let call = async move {
                poll_fn(|cx| Service::<Request>::poll_ready(&mut service, cx)).await?;
                service.call(request).await
            };
            match timeout {
                Some(timeout) => Deadline::after(timeout).scope(call).await,
                None => call.await,
            }
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets up a [`Client`].
///
/// The usual settings of `reqwest::ClientBuilder` are here; for the others there is [`with`](Self::with).
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    inner: reqwest::ClientBuilder,
    name: Arc<str>,
    pipeline: Option<HttpPipeline>,
    timeout: Option<Duration>,
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(
            #[doc = concat!("As `reqwest::ClientBuilder::", stringify!($name), "`.")]
            pub fn $name(self, $($arg: $type),*) -> Self {
                self.with(|client| client.$name($($arg),*))
            }
        )*
    };
}

impl ClientBuilder {
    /// The name of the default pipeline, which errors and events bear. Default: `http`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// What the calls go through. Default: the safe pipeline [`Pipeline::http`].
    pub fn pipeline(mut self, pipeline: HttpPipeline) -> Self {
        self.pipeline = Some(pipeline);
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

    forward! {
        connect_timeout(timeout: Duration);
        read_timeout(timeout: Duration);
        pool_idle_timeout(timeout: impl Into<Option<Duration>>);
        pool_max_idle_per_host(most: usize);
        default_headers(headers: reqwest::header::HeaderMap);
        redirect(policy: reqwest::redirect::Policy);
        referer(enable: bool);
        proxy(proxy: reqwest::Proxy);
        no_proxy();
        http1_only();
        https_only(enable: bool);
        tcp_nodelay(enable: bool);
        tcp_keepalive(interval: impl Into<Option<Duration>>);
        local_address(address: impl Into<Option<std::net::IpAddr>>);
        resolve(domain: &str, address: std::net::SocketAddr);
        resolve_to_addrs(domain: &str, addresses: &[std::net::SocketAddr]);
        connection_verbose(verbose: bool);
    }

    /// As `reqwest::ClientBuilder::user_agent`.
    pub fn user_agent<V>(self, value: V) -> Self
    where
        V: TryInto<reqwest::header::HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.with(|client| client.user_agent(value))
    }

    /// Builds the client, with reqwest's own retries switched off.
    ///
    /// # Errors
    ///
    /// reqwest's, if TLS or the resolver cannot be set up.
    pub fn build(self) -> Result<Client, reqwest::Error> {
        let pipeline = match self.pipeline {
            Some(pipeline) => pipeline,
            None => Pipeline::http(self.name).build().expect("the preset is valid"),
        };
        let client = self.inner.retry(reqwest::retry::never()).build()?;
        Ok(Client { timeout: self.timeout, ..Client::wrap(client, &pipeline) })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("inner", &self.inner)
            .field("pipeline", &self.pipeline)
            .field("timeout", &self.timeout)
            .finish()
    }
}
