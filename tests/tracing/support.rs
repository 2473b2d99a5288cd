//! Clients of every kind behind pipelines.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use seawall::pipeline::{GrpcPipeline, GrpcPipelineService, HttpPipeline};
use seawall::{Backoff, Pipeline, RetryConfig};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;

pub(crate) use crate::collect::Collector;
pub(crate) use crate::faults::{Behaviour, FaultServer, sequence};

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn pipeline() -> HttpPipeline {
    Pipeline::http("inventory")
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
        .build()
        .unwrap()
}

pub(crate) fn grpc() -> GrpcPipeline {
    Pipeline::grpc("greeter")
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
        .build()
        .unwrap()
}

pub(crate) fn client(pipeline: &HttpPipeline) -> seawall::reqwest::Client {
    crate::faults::install_provider();
    seawall::reqwest::Client::builder().pipeline(pipeline.clone()).no_proxy().build().unwrap()
}

pub(crate) fn hyper() -> HyperClient<HttpConnector, Full<Bytes>> {
    HyperClient::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn health(
    pipeline: &GrpcPipeline,
    server: &FaultServer,
) -> HealthClient<GrpcPipelineService<Channel>> {
    let channel = Endpoint::from_shared(server.url("")).unwrap().connect_lazy();
    HealthClient::new(pipeline.layer(channel))
}

pub(crate) fn stock() -> HealthCheckRequest {
    HealthCheckRequest { service: "stock".into() }
}

/// Over HTTP/2: fails with this code in the head.
pub(crate) fn trailers_only(code: &str) -> Behaviour {
    grpc_head().header("grpc-status", code)
}

/// Over HTTP/2: `SERVING`, and this code in the trailers.
pub(crate) fn message(code: &'static str) -> Behaviour {
    grpc_head().body(&[0, 0, 0, 0, 2, 8, 1][..]).trailer("grpc-status", code)
}

fn grpc_head() -> Behaviour {
    Behaviour::status(200).chunked().header("content-type", "application/grpc")
}
