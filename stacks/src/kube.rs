//! kube: the pipeline is a layer in the client's own stack.

use hyper_util::client::legacy::Client as Hyper;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use seawall::http::HttpClassifier;
use seawall::pipeline::Step;
use seawall::{AtBodyEnd, ConfigError, Pipeline, PipelineBuilder};
use tower::{BoxError, ServiceBuilder};

use crate::TryClone;

type Replay = TryClone<fn(&Body) -> Option<Body>>;

/// A pipeline for requests of kube's.
pub type KubePipeline = Pipeline<HttpClassifier, AtBodyEnd, Replay>;

/// Starts with safe settings for calls to the API server.
pub fn builder() -> PipelineBuilder<HttpClassifier, AtBodyEnd, Replay> {
    Pipeline::http("kubernetes").replay(replay())
}

/// Safe settings for calls to the API server.
///
/// # Errors
///
/// None with these settings; yours may be out of range.
pub fn calls() -> Result<KubePipeline, ConfigError> {
    builder().build()
}

/// The pipeline for watches beside that for calls: it shares their circuit breaker.
///
/// A watch lasts until it is dropped. The deadline would end it, and each would hold a place in
/// the bulkhead all the while.
///
/// # Errors
///
/// None with these settings.
pub fn watches(calls: &KubePipeline) -> Result<KubePipeline, ConfigError> {
    let mut builder = Pipeline::http("kubernetes-watch")
        .without(Step::Deadline)
        .without(Step::Bulkhead)
        .without(Step::CircuitBreaker)
        .replay(replay());
    if let Some(breaker) = calls.circuit_breaker() {
        builder = builder.circuit_breaker(breaker.clone());
    }
    builder.build()
}

/// Copies kube's bodies, which are not `Clone`.
fn replay() -> Replay {
    TryClone::new(Body::try_clone)
}

/// kube's client with `pipeline` inside it, where kube's own stack has its retry: above the
/// authentication, so that each attempt has a fresh token.
///
/// # Errors
///
/// kube's, if the configuration's authentication or headers are malformed.
pub fn client(config: &Config, pipeline: &KubePipeline) -> Result<Client, kube::Error> {
    // For `https` build this one with `config.rustls_https_connector()?`.
    let hyper = Hyper::builder(TokioExecutor::new()).build_http();
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        // The layers below have boxed errors already, and these can hold what seawall says.
        .layer(pipeline.clone().flat())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(hyper);
    Ok(Client::new(service, config.default_namespace.clone()))
}
