//! reqwest-middleware: a pipeline as one link of the chain.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};
use seawall::http::HttpClassifier;
use seawall::reqwest::RequestReplay;
use seawall::{AtBodyEnd, Classify, ConfigError, Pipeline, PipelineBuilder, Verdict};
use tower::{Layer, Service, ServiceExt};

/// A link of the chain: what comes after it runs through the pipeline, once for each attempt.
#[derive(Clone, Debug)]
pub struct Protected(Pipeline<Judge, AtBodyEnd, RequestReplay>);

impl Protected {
    /// Starts with safe settings.
    pub fn builder(name: &'static str) -> PipelineBuilder<Judge, AtBodyEnd, RequestReplay> {
        Pipeline::http(name).classifier(Judge::default()).replay(RequestReplay::default())
    }

    /// The link.
    ///
    /// # Errors
    ///
    /// The first setting out of range.
    pub fn new(
        pipeline: PipelineBuilder<Judge, AtBodyEnd, RequestReplay>,
    ) -> std::result::Result<Self, ConfigError> {
        pipeline.build().map(Self)
    }
}

#[async_trait]
impl Middleware for Protected {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let rest = Rest { next, extensions: extensions.clone() };
        self.0.layer(rest).oneshot(request).await.map_err(|error| match error {
            seawall::Error::Service(error) => error,
            // As an error of reqwest's, so that `is_timeout()` holds, with the rejection as its source.
            seawall::Error::Rejected(rejected) => {
                Error::Reqwest(seawall::reqwest::Error::Rejected(rejected).into())
            }
        })
    }
}

/// The rest of the chain, as a service. Each attempt has the extensions as they were before it.
#[derive(Clone)]
struct Rest<'a> {
    next: Next<'a>,
    extensions: Extensions,
}

impl<'a> Service<Request> for Rest<'a> {
    type Response = Response;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { next, mut extensions } = self.clone();
        Box::pin(async move { next.run(request, &mut extensions).await })
    }
}

/// [`HttpClassifier`] for the chain's error, which leaves reqwest's own out of its sources.
#[derive(Clone, Debug, Default)]
pub struct Judge(HttpClassifier);

impl Classify<std::result::Result<Response, seawall::Error<Error>>> for Judge {
    fn classify(&self, result: &std::result::Result<Response, seawall::Error<Error>>) -> Verdict {
        match result {
            Ok(response) => self.0.judge_head(response.status(), response.headers()),
            Err(seawall::Error::Service(Error::Reqwest(error))) => self.0.judge_error(error),
            Err(seawall::Error::Service(Error::Middleware(error))) => self.0.judge_error(&**error),
            Err(error) => self.0.judge_error(error),
        }
    }
}
