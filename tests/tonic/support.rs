//! A generated client behind a pipeline, and answers that a gRPC server gives, rightly or wrongly.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::pipeline::{GrpcPipeline, GrpcPipelineService};
use seawall::telemetry::{CircuitBreakerEvent, Event, EventKind};
use seawall::{Backoff, Cause, Pipeline, PipelineBuilder, RetryConfig};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Layer;

pub(crate) use crate::faults::{Behaviour, FaultServer, OnConnect, RefusedPort, sequence};

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) type Client = HealthClient<GrpcPipelineService<Channel>>;
pub(crate) type Builder = PipelineBuilder<
    seawall::tonic::GrpcClassifier,
    seawall::tonic::AtTrailers,
    seawall::tonic::GrpcReplay,
    seawall::tonic::ChannelLayer,
>;

/// `HealthCheckResponse { status: SERVING }`, with its length before it.
pub(crate) const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

pub(crate) fn preset() -> Builder {
    Pipeline::grpc("greeter").retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
}

pub(crate) fn channel(server: &FaultServer) -> Channel {
    Endpoint::from_shared(server.url("")).unwrap().connect_lazy()
}

pub(crate) fn client(pipeline: &GrpcPipeline, server: &FaultServer) -> Client {
    over(pipeline, channel(server))
}

pub(crate) fn over(pipeline: &GrpcPipeline, channel: Channel) -> Client {
    HealthClient::new(pipeline.layer(channel))
}

/// Why attempts fail, from now on.
pub(crate) fn causes(pipeline: &GrpcPipeline) -> Arc<Mutex<Vec<Cause>>> {
    let causes = Arc::new(Mutex::new(Vec::new()));
    let log = causes.clone();
    pipeline.observe(move |event: &Event<'_>| {
        if let EventKind::CircuitBreaker(CircuitBreakerEvent::Error { cause, .. }) = event.kind {
            log.lock().unwrap().push(cause);
        }
    });
    causes
}

pub(crate) fn serve(behaviours: impl Into<Vec<Behaviour>>) -> FaultServer {
    FaultServer::builder().http2().start(sequence(behaviours))
}

/// One message, and this status in the trailers.
pub(crate) fn message(code: &'static str) -> Behaviour {
    head().body(SERVING).trailer("grpc-status", code)
}

/// Only a head, with this status.
pub(crate) fn trailers_only(code: &str) -> Behaviour {
    head().header("grpc-status", code)
}

pub(crate) fn head() -> Behaviour {
    Behaviour::status(200).chunked().header("content-type", "application/grpc")
}

pub(crate) fn request() -> HealthCheckRequest {
    HealthCheckRequest { service: "stock".into() }
}

pub(crate) async fn check(client: &mut Client) -> Result<HealthCheckResponse, tonic::Status> {
    client.check(request()).await.map(tonic::Response::into_inner)
}

/// Successes and failures of the circuit breaker.
pub(crate) fn counted(pipeline: &GrpcPipeline) -> (u64, u64) {
    let counters = pipeline.circuit_breaker().unwrap().counters();
    (counters.successful, counters.failed)
}

pub(crate) fn in_flight(pipeline: &GrpcPipeline) -> u32 {
    pipeline.bulkhead().unwrap().metrics().in_flight
}
