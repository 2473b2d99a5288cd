//! A generated gRPC client behind a pipeline: a server that is short of room, then gone, then back.
//!
//! ```text
//! cargo run --example tonic_client
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use seawall::telemetry::{CircuitBreakerEvent, Event, EventKind};
use seawall::{CircuitBreakerConfig, FromRejected, Pipeline, SlidingWindow, Step};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tonic::codegen::tokio_stream;
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Layer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Stock::default();
    let channel = server.clone().start().await?.connect_lazy();

    // Safe settings. One line puts them around the channel, and any generated client goes over it.
    let pipeline = Pipeline::grpc("stock").build()?;
    let mut client = HealthClient::new(pipeline.layer(channel.clone()));

    println!("the server has no room for two calls");
    server.unavailable.store(2, Ordering::Relaxed);
    let answer = client.check(HealthCheckRequest::default()).await?.into_inner();
    println!("  {:?} after {} requests", answer.status(), server.requests());

    println!("it is gone");
    let pipeline = Pipeline::grpc("stock")
        .without(Step::Retry)
        .circuit_breaker(
            CircuitBreakerConfig::builder()
                .sliding_window(SlidingWindow::Count(10))
                .minimum_number_of_calls(5)
                .permitted_calls_in_half_open(1)
                .wait_duration_in_open_state(Duration::from_millis(250)),
        )
        .build()?;
    pipeline.observe(|event: &Event<'_>| {
        if let EventKind::CircuitBreaker(CircuitBreakerEvent::StateTransition { from, to }) =
            event.kind
        {
            println!("  circuit breaker `{}`: {from} → {to}", event.name);
        }
    });
    let mut client = HealthClient::new(pipeline.layer(channel));
    server.unavailable.store(usize::MAX, Ordering::Relaxed);
    let mut last = None;
    for _ in 0..10 {
        last = client.check(HealthCheckRequest::default()).await.err();
    }
    if let Some(status) = last {
        println!("  {:?}: {}", status.code(), status.message());
        let refused = status.as_rejected().is_some_and(seawall::Rejected::is_refusal);
        println!("  never sent: {refused}; requests for 10 calls: {}", server.requests());
    }

    println!("it is back");
    server.unavailable.store(0, Ordering::Relaxed);
    sleep(Duration::from_millis(300)).await;
    let answer = client.check(HealthCheckRequest::default()).await?.into_inner();
    println!("  {:?} after {} request", answer.status(), server.requests());
    Ok(())
}

/// Answers `UNAVAILABLE` so many times, and then that it serves.
#[derive(Clone, Default)]
struct Stock {
    unavailable: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Stock {
    async fn start(self) -> Result<Endpoint, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(HealthServer::new(self.clone()));
                let server = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(endpoint)
    }

    /// Requests since the last time that this was asked.
    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

#[tonic::async_trait]
impl Health for Stock {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let busy = |left: usize| left.checked_sub(1);
        match self.unavailable.fetch_update(Ordering::Relaxed, Ordering::Relaxed, busy) {
            Ok(_) => Err(Status::unavailable("no room")),
            Err(_) => Ok(Response::new(HealthCheckResponse { status: 1 })),
        }
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }
}
