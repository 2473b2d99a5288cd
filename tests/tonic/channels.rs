//! Other channels than tonic's, other stacks than a pipeline, and a server of tonic's own.

use std::convert::Infallible;
use std::error::Error as StdError;

use http_body::Body as _;
use hyper::server::conn::http2;
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use seawall::tonic::{AtTrailers, ChannelLayer, GrpcClassifier, GrpcReplay};
use seawall::{
    Backoff, Bulkhead, BulkheadLayer, CircuitBreaker, CircuitBreakerLayer, Error, Pipeline, Retry,
    RetryConfig, RetryLayer, Step,
};
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::{Layer, ServiceBuilder};

use crate::support::*;

// ## A real server

/// Knows one service, and tells of each change five times.
struct Known;

#[tonic::async_trait]
impl Health for Known {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            "stock" => Ok(Response::new(HealthCheckResponse { status: 1 })),
            other => Err(Status::not_found(format!("no `{other}`"))),
        }
    }

    type WatchStream = std::pin::Pin<
        Box<dyn tokio_stream::Stream<Item = Result<HealthCheckResponse, Status>> + Send>,
    >;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let changes = (0..5).map(|status| Ok(HealthCheckResponse { status: status % 2 }));
        let end = std::iter::once(Err(Status::data_loss("the disk is gone")));
        Ok(Response::new(Box::pin(tokio_stream::iter(changes.chain(end)))))
    }
}

async fn real_server() -> Endpoint {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint =
        Endpoint::from_shared(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(HealthServer::new(Known));
            let connection = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    endpoint
}

#[tokio::test]
async fn a_generated_client_and_a_generated_server() {
    let pipeline = preset().build().unwrap();
    let mut client = over(&pipeline, real_server().await.connect_lazy());
    assert_eq!(check(&mut client).await.unwrap().status, 1);
    assert_eq!(counted(&pipeline), (1, 0));

    let unknown = HealthCheckRequest { service: "moon".into() };
    let status = client.check(unknown).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no `moon`"));
    assert_eq!(counted(&pipeline), (2, 0));

    let mut stream = client.watch(request()).await.unwrap().into_inner();
    assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((2, 0), 1));
    for status in [0, 1, 0, 1, 0] {
        assert_eq!(stream.next().await.unwrap().unwrap().status, status);
    }
    let status = stream.next().await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "the disk is gone"));
    assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((2, 1), 0));
}

#[tokio::test]
async fn many_calls_at_once_over_clones_of_one_client() {
    let pipeline = preset().build().unwrap();
    let client = over(&pipeline, real_server().await.connect_lazy());
    let calls = (0..100).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { check(&mut client).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status, 1);
    }
    assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((100, 0), 0));
}

// ## Other channels

#[tokio::test]
async fn hypers_client_as_the_channel() {
    let server =
        serve([trailers_only("14"), message("0"), Behaviour::refuse_stream(), message("5")]);
    let pipeline = preset().build().unwrap();
    let channel = Pooled::builder(TokioExecutor::new()).http2_only(true).build_http();
    let origin = server.url("").parse().unwrap();
    let mut client = HealthClient::with_origin(pipeline.layer(channel), origin);
    assert_eq!(client.check(request()).await.unwrap().into_inner().status, 1);
    assert_eq!(client.check(request()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!((server.counts().requests, counted(&pipeline)), (4, (2, 2)));
    assert_eq!(in_flight(&pipeline), 0);
}

/// An interceptor below the pipeline answers in the server's place.
#[tokio::test]
async fn an_interceptor_below_and_one_above() {
    let server = serve([message("0")]);
    let pipeline = preset().build().unwrap();
    let refuse = |_: Request<()>| Err::<Request<()>, _>(Status::unauthenticated("no token"));
    let stamp = |mut request: Request<()>| {
        request.metadata_mut().insert("x-tenant", "a".parse().unwrap());
        Ok(request)
    };
    let below = tower::ServiceBuilder::new()
        .layer(pipeline.clone())
        .layer(tonic::service::InterceptorLayer::new(refuse))
        .service(channel(&server));
    let status = HealthClient::new(below).check(request()).await.unwrap_err();
    assert_eq!((status.code(), server.counts().requests), (Code::Unauthenticated, 0));
    assert_eq!(counted(&pipeline), (1, 0));

    let above = pipeline.layer(channel(&server));
    HealthClient::with_interceptor(above, stamp).check(request()).await.unwrap();
    assert_eq!(server.seen()[0].headers["x-tenant"], "a");
    assert_eq!(counted(&pipeline), (2, 0));
}

// ## Other stacks

#[tokio::test]
async fn single_layers_have_one_error_type_and_see_trailers() {
    let server = serve([trailers_only("14"), message("0"), message("13")]);
    let breaker = CircuitBreaker::with_defaults("greeter");
    let bulkhead = Bulkhead::with_defaults("greeter");
    let retry = RetryConfig::safe().backoff(Backoff::fixed(MS)).build().unwrap();
    let judge = GrpcClassifier::default();
    let channel = ServiceBuilder::new()
        .layer(
            RetryLayer::new(Retry::new("greeter", retry))
                .classifier(judge.clone())
                .replay(GrpcReplay::default()),
        )
        .layer(
            CircuitBreakerLayer::new(breaker.clone())
                .classifier(judge.clone())
                .ends(AtTrailers(judge.clone())),
        )
        .layer(BulkheadLayer::new(bulkhead.clone()).ends(AtTrailers(judge)))
        .layer(ChannelLayer)
        .service(channel(&server));
    let mut client = HealthClient::new(channel);
    client.check(request()).await.unwrap();
    let counted = || (breaker.counters().successful, breaker.counters().failed);
    assert_eq!((counted(), bulkhead.metrics().in_flight), ((1, 1), 0));
    assert_eq!(client.check(request()).await.unwrap_err().code(), Code::Internal);
    assert_eq!((counted(), bulkhead.metrics().in_flight), ((1, 2), 0));
    breaker.transition_to_forced_open();
    assert_eq!(client.check(request()).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(server.counts().requests, 3);
}

/// A stack over a channel whose error is a status already keeps that error.
#[tokio::test]
async fn a_pipeline_over_another() {
    let server = serve([message("0")]);
    let inner = preset().without(Step::Retry).build().unwrap();
    let outer = Pipeline::builder("outer").grpc().bulkhead(Bulkhead::with_defaults("outer"));
    let outer = outer.build().unwrap();
    let mut client = HealthClient::new(outer.layer(inner.layer(channel(&server))));
    client.check(request()).await.unwrap();
    assert_eq!(counted(&inner), (1, 0));
    inner.circuit_breaker().unwrap().transition_to_forced_open();
    let status = client.check(request()).await.unwrap_err();
    assert_eq!(status.message(), "circuit breaker `greeter` is forced open");
}

#[test]
fn an_error_typed_stack_converts_into_a_status_with_its_source() {
    fn converts<E: Into<Status> + StdError + 'static>() {}
    converts::<Error<tonic::transport::Error>>();
    converts::<Error<hyper_util::client::legacy::Error>>();
    converts::<Error<Status>>();
    converts::<seawall::Rejected>();

    let error = Error::Service(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let status = Status::from(error);
    assert!(status.source().unwrap().is::<std::io::Error>());
}

#[test]
fn what_a_client_gets_can_go_wherever_tonic_wants_it() {
    fn is_a_channel<S>(_: &S)
    where
        S: tonic::client::GrpcService<tonic::body::Body, Error = Status> + Clone + Send + 'static,
        S::ResponseBody: tonic::codegen::Body<Data = bytes::Bytes, Error = Status> + Send + 'static,
        S::Future: Send,
    {
    }
    let answer = tower::service_fn(async |_: http::Request<tonic::body::Body>| {
        Ok::<_, Infallible>(http::Response::new(tonic::body::Body::empty()))
    });
    let service = preset().build().unwrap().layer(answer);
    is_a_channel(&service);
    assert!(tonic::body::Body::empty().is_end_stream());
}
