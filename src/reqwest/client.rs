//! The client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use reqwest::{IntoUrl, Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::overrides::{Call, CallEnds, CallReplay, Overrides};
use super::through::{Protection, Route};
use super::{ClientBuilder, Error, RequestBuilder, RequestReplay};
use crate::deadline::Deadline;
use crate::error::ErrorService;
use crate::http::HttpClassifier;
use crate::pipeline::HttpPipeline;
use crate::pipeline::future::ResponseFuture as PipelineFuture;

/// A `reqwest::Client` whose calls go through a pipeline.
///
/// Cheap to clone; clones share the connection pool and the state of every pattern. Like reqwest's, it is
/// a [`Service`] of [`Request`]s too. See the [module](super).
#[derive(Clone, Debug)]
pub struct Client {
    plain: reqwest::Client,
    pub(super) protection: Protection,
}

impl Client {
    /// A client with reqwest's settings behind the safe pipeline [`Pipeline::http`](crate::Pipeline::http).
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
        ClientBuilder::new()
    }

    /// Puts `pipeline` around a client that you built.
    ///
    /// Switch reqwest's own retries off in it, as the [module](super) says.
    #[must_use]
    pub fn wrap(client: reqwest::Client, pipeline: &HttpPipeline) -> Self {
        Self::protect(client, Protection { route: Route::One(pipeline.clone()), timeout: None })
    }

    pub(super) const fn protect(plain: reqwest::Client, protection: Protection) -> Self {
        Self { plain, protection }
    }

    pub(super) fn into_parts(self) -> (reqwest::Client, Protection) {
        (self.plain, self.protection)
    }

    /// What the calls go through. Where that is one of many, [by host](ClientBuilder::per_host) say: the one for overflow.
    #[must_use]
    pub fn pipeline(&self) -> &HttpPipeline {
        self.protection.route.common()
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
        RequestBuilder::new(self.plain.request(method, url), self.protection.clone())
    }

    /// Makes a call.
    ///
    /// The request's timeout is the deadline of the whole call, body included. To say more of this call alone, put
    /// the request into a builder: [`RequestBuilder::from_parts`].
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`](crate::Error::Rejected) if a pattern refuses the call or its time is over,
    /// [`Error::Service`](crate::Error::Service) with reqwest's own error.
    pub fn execute(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + use<> {
        self.clone().make(request, Overrides::default())
    }

    /// Begins the call when it is first polled, under the deadline that stands then.
    pub(super) async fn make(
        self,
        request: Request,
        overrides: Overrides,
    ) -> Result<Response, Error> {
        // reqwest's client is always ready.
        self.begin(self.plain.clone(), request, overrides).await
    }

    fn begin(
        &self,
        ready: reqwest::Client,
        mut request: Request,
        mut overrides: Overrides,
    ) -> ResponseFuture {
        // The attempts get what is left of it, so it must not start anew with each.
        let timeout = request.timeout_mut().take();
        let timeout = match overrides.deadline {
            None => timeout.or(self.protection.timeout),
            Some(_) => timeout,
        };
        let deadline = Deadline::earlier(overrides.deadline, timeout.map(Deadline::after));
        let url_template = overrides.url_template.take();
        let replay = |replay| CallReplay { replay: RequestReplay(replay), url_template };
        let fit = |pipeline: &HttpPipeline| pipeline.fitted(CallEnds::of(&request), replay);
        let fitted = self.protection.route.with(&request, fit);
        let mut service = fitted.layer(ready);
        let _entered = deadline.map(Deadline::enter);
        ResponseFuture { call: service.call(Call { request, overrides }) }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Service<Request> for Client {
    type Response = Response;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Service::poll_ready(&mut self.plain, cx).map_err(Error::Service)
    }

    fn call(&mut self, request: Request) -> ResponseFuture {
        let clone = self.plain.clone();
        let ready = std::mem::replace(&mut self.plain, clone);
        self.begin(ready, request, Overrides::default())
    }
}

impl Service<Request> for &Client {
    type Response = Response;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Service::poll_ready(&mut &self.plain, cx).map_err(Error::Service)
    }

    fn call(&mut self, request: Request) -> ResponseFuture {
        self.begin(self.plain.clone(), request, Overrides::default())
    }
}

pin_project! {
    /// The response future of [`Client`] as a [`Service`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture {
        #[pin]
        call: PipelineFuture<ErrorService<reqwest::Client>, Call, HttpClassifier, CallEnds, CallReplay>,
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}
