//! Connections that become something else: 101 and CONNECT, over hyper-util's client and over hyper's own
//! connections. And what hyper keeps among the extensions.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::ReasonPhrase;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpInfo, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use seawall::Pipeline;
use seawall::pipeline::HttpPipeline;
use support::{Behaviour, FaultServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{Layer, Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

type Call = Request<Empty<Bytes>>;

fn pipeline() -> HttpPipeline {
    Pipeline::http("inventory").deadline(MS * 500).build().unwrap()
}

fn in_flight(pipeline: &HttpPipeline) -> u32 {
    pipeline.bulkhead().unwrap().metrics().in_flight
}

fn counted(pipeline: &HttpPipeline) -> (u64, u64) {
    let counters = pipeline.circuit_breaker().unwrap().counters();
    (counters.successful, counters.failed)
}

// ## Clients

fn pooled()
-> impl Service<Call, Response = Response<Incoming>, Error: std::error::Error, Future: Send> + Clone
{
    Client::builder(TokioExecutor::new()).build_http()
}

async fn connected(server: &FaultServer) -> TokioIo<TcpStream> {
    TokioIo::new(TcpStream::connect(server.address()).await.unwrap())
}

/// A connection of one's own, with upgrades.
async fn over_http1(
    server: &FaultServer,
) -> impl Service<Call, Response = Response<Incoming>, Error = hyper::Error> + Clone {
    let (sender, connection) = http1::handshake(connected(server).await).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let sender = Arc::new(tokio::sync::Mutex::new(sender));
    service_fn(move |request| {
        let sender = sender.clone();
        async move { sender.lock().await.send_request(request).await }
    })
}

async fn over_http2(
    server: &FaultServer,
) -> impl Service<Call, Response = Response<Incoming>, Error = hyper::Error> + Clone {
    let io = connected(server).await;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    service_fn(move |request| sender.clone().send_request(request))
}

// ## Requests

fn upgrade(server: &FaultServer) -> Call {
    Request::get(server.url("/"))
        .header("host", server.address().to_string())
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Empty::new())
        .unwrap()
}

fn connect(authority: &str) -> Call {
    Request::connect(authority).header("host", authority).body(Empty::new()).unwrap()
}

/// Sends the request, and sees that bytes go both ways for longer than the pipeline's deadline.
async fn becomes_a_tunnel<S>(client: S, request: Call, status: StatusCode)
where
    S: Service<Call, Response = Response<Incoming>> + Clone,
    S::Error: std::error::Error + 'static,
{
    let pipeline = pipeline();
    let response = pipeline.layer(client).oneshot(request).await.unwrap();
    assert_eq!(response.status(), status);
    // Before anybody has looked at the body, and for as long as the response is kept.
    assert_eq!((in_flight(&pipeline), counted(&pipeline)), (0, (1, 0)));
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for word in ["hello", "world"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, word.as_bytes());
        tokio::time::sleep(MS * 260).await;
    }
    drop(stream);
    assert_eq!(counted(&pipeline), (1, 0));
}

#[tokio::test]
async fn an_upgrade_over_the_pooled_client() {
    let server = FaultServer::always(Behaviour::upgrade("echo"));
    becomes_a_tunnel(pooled(), upgrade(&server), StatusCode::SWITCHING_PROTOCOLS).await;
}

#[tokio::test]
async fn an_upgrade_over_a_connection_of_ones_own() {
    let server = FaultServer::always(Behaviour::upgrade("echo"));
    let client = over_http1(&server).await;
    becomes_a_tunnel(client, upgrade(&server), StatusCode::SWITCHING_PROTOCOLS).await;
}

/// It dials the very authority that it is to ask for.
#[tokio::test]
async fn a_connect_over_the_pooled_client() {
    let server = FaultServer::always(Behaviour::tunnel());
    becomes_a_tunnel(pooled(), connect(&server.address().to_string()), StatusCode::OK).await;
    assert_eq!(server.seen()[0].method, "CONNECT");
}

#[tokio::test]
async fn a_connect_over_a_connection_of_ones_own() {
    let server = FaultServer::always(Behaviour::tunnel());
    let client = over_http1(&server).await;
    becomes_a_tunnel(client, connect("example.org:443"), StatusCode::OK).await;
}

#[tokio::test]
async fn a_connect_over_http2() {
    let server = FaultServer::builder().http2().start(|_, _| Behaviour::tunnel());
    let client = over_http2(&server).await;
    becomes_a_tunnel(client, connect("example.org:443"), StatusCode::OK).await;
}

#[tokio::test]
async fn a_connect_that_is_refused_is_an_answer_like_any_other() {
    for (status, failed) in [(403, false), (502, true)] {
        let server = FaultServer::always(Behaviour::status(status).body("not there"));
        let pipeline = pipeline();
        let service = pipeline.layer(over_http1(&server).await);
        let response = service.oneshot(connect("example.org:443")).await.unwrap();
        assert_eq!((response.status().as_u16(), in_flight(&pipeline)), (status, 1));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "not there");
        let expected = (u64::from(!failed), u64::from(failed));
        assert_eq!((counted(&pipeline), in_flight(&pipeline)), (expected, 0));
        // CONNECT is not idempotent.
        assert_eq!(server.counts().requests, 1);
    }
}

// ## Extensions

#[tokio::test]
async fn what_hyper_says_among_the_extensions_of_a_response_survives() {
    let raw = "HTTP/1.1 200 Splendid\r\ncontent-length: 4\r\n\r\nbody";
    let server = FaultServer::always(Behaviour::raw(raw));
    let request = Request::get(server.url("/")).body(Empty::<Bytes>::new()).unwrap();
    let response = pipeline().layer(pooled()).oneshot(request).await.unwrap();
    let extensions = response.extensions();
    assert_eq!(extensions.get::<ReasonPhrase>().unwrap().as_bytes(), b"Splendid");
    assert_eq!(extensions.get::<HttpInfo>().unwrap().remote_addr(), server.address());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "body");
}

#[tokio::test]
async fn what_a_request_asks_for_among_its_extensions_is_heard_on_every_attempt() {
    let early = |status| {
        format!(
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"
        )
    };
    let server = FaultServer::sequence([
        Behaviour::raw(early("503 Not Yet")),
        Behaviour::raw(early("204 No Content")),
    ]);
    let mut request = Request::get(server.url("/")).body(Empty::<Bytes>::new()).unwrap();
    let hints = Arc::new(AtomicU16::new(0));
    let heard = hints.clone();
    hyper::ext::on_informational(&mut request, move |response| {
        assert_eq!(response.status(), 103);
        heard.fetch_add(1, Ordering::Relaxed);
    });
    let captured = capture_connection(&mut request);
    let response = pipeline().layer(pooled()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(hints.load(Ordering::Relaxed), 2);
    assert!(captured.connection_metadata().is_some());
}
