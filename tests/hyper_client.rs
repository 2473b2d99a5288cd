//! The pipeline over hyper-util's client, as a user would have built it.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use seawall::http::{GuardedBody, HttpClassifier, HttpReplay, Idempotent};
use seawall::pipeline::{Held, HttpPipeline, HttpPipelineService};
use seawall::{
    AtBodyEnd, Backoff, BulkheadLayer, CircuitBreaker, CircuitBreakerLayer, Error, ErrorLayer,
    NoReplay, Pipeline, Reason, Retry, RetryConfig, RetryLayer, TimeLimiterConfig,
};
use support::{Behaviour, FaultServer, OnConnect};
use tower::{Layer, ServiceBuilder, ServiceExt};

const MS: Duration = Duration::from_millis(1);

type Plain = Client<HttpConnector, Full<Bytes>>;
type Guarded = Response<GuardedBody<Incoming, Held>>;
type HyperError = Error<hyper_util::client::legacy::Error>;

fn plain() -> Plain {
    Client::builder(TokioExecutor::new()).build_http()
}

fn over_http2() -> Plain {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn pipeline() -> HttpPipeline {
    Pipeline::http("inventory")
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
        .deadline(Duration::from_secs(5))
        .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_secs(2)))
        .build()
        .unwrap()
}

fn request(method: Method, url: String) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(url).body(Full::from("all of it")).unwrap()
}

async fn send(
    pipeline: &HttpPipeline,
    client: Plain,
    request: Request<Full<Bytes>>,
) -> Result<Guarded, HyperError> {
    let service: HttpPipelineService<Plain> = pipeline.layer(client);
    service.oneshot(request).await
}

async fn text(response: Guarded) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn counted(pipeline: &HttpPipeline) -> (u64, u64) {
    let counters = pipeline.circuit_breaker().unwrap().counters();
    (counters.successful, counters.failed)
}

// ## Attempts

#[tokio::test]
async fn a_503_is_tried_again_with_its_body() {
    let server = FaultServer::sequence([Behaviour::status(503), Behaviour::echo()]);
    let pipeline = pipeline();
    let put = request(Method::PUT, server.url("/"));
    assert_eq!(text(send(&pipeline, plain(), put).await.unwrap()).await, "all of it");
    assert_eq!(counted(&pipeline), (1, 1));
    assert_eq!(pipeline.bulkhead().unwrap().metrics().in_flight, 0);
}

#[tokio::test]
async fn an_extension_has_the_last_word_on_idempotence() {
    let server = FaultServer::always(Behaviour::status(503));
    let pipeline = pipeline();
    let mut get = request(Method::GET, server.url("/"));
    get.extensions_mut().insert(Idempotent(false));
    send(&pipeline, plain(), get).await.unwrap();
    assert_eq!(server.counts().requests, 1);
    let mut post = request(Method::POST, server.url("/"));
    post.extensions_mut().insert(Idempotent(true));
    send(&pipeline, plain(), post).await.unwrap();
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn a_refused_stream_is_safe_to_repeat_for_any_method() {
    let server = FaultServer::builder()
        .http2()
        .start(support::sequence([Behaviour::refuse_stream(), Behaviour::echo()]));
    let pipeline = pipeline();
    let post = request(Method::POST, server.url("/"));
    assert_eq!(text(send(&pipeline, over_http2(), post).await.unwrap()).await, "all of it");
    assert_eq!(server.counts().requests, 2);
    assert_eq!(counted(&pipeline), (1, 1));
}

#[tokio::test]
async fn a_goaway_without_error_is_safe_to_repeat_for_any_method() {
    let server = FaultServer::builder()
        .http2()
        .on_connect(|n| match n {
            0 => OnConnect::GoAway(support::Http2Code::NO_ERROR),
            _ => OnConnect::Serve,
        })
        .start(|_, _| Behaviour::echo());
    let pipeline = pipeline();
    let post = request(Method::POST, server.url("/"));
    assert_eq!(text(send(&pipeline, over_http2(), post).await.unwrap()).await, "all of it");
    assert_eq!(server.counts().requests, 1);
    assert_eq!(counted(&pipeline), (1, 1));
}

#[tokio::test]
async fn another_reset_of_a_stream_is_not_safe_for_a_post() {
    let reset = || Behaviour::reset_stream(h2::Reason::INTERNAL_ERROR);
    let server = FaultServer::builder().http2().start(move |_, _| reset());
    let pipeline = pipeline();
    let post = request(Method::POST, server.url("/"));
    send(&pipeline, over_http2(), post).await.unwrap_err();
    assert_eq!(server.counts().requests, 1);
    let get = request(Method::GET, server.url("/"));
    send(&pipeline, over_http2(), get).await.unwrap_err();
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn a_body_that_cannot_be_cloned_goes_with_no_replay() {
    let server = FaultServer::always(Behaviour::status(503));
    let pipeline = Pipeline::http("inventory").replay(NoReplay).build().unwrap();
    let client: Client<_, http_body_util::combinators::BoxBody<Bytes, std::io::Error>> =
        Client::builder(TokioExecutor::new()).build_http();
    let body = Full::from("once").map_err(|never| match never {}).boxed();
    let request = Request::put(server.url("/")).body(body).unwrap();
    let response = pipeline.layer(client).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(server.counts().requests, 1);
}

// ## Bodies

#[tokio::test]
async fn a_guarded_body_passes_on_hints_and_trailers() {
    let server = FaultServer::always(Behaviour::ok("body").trailer("x-sum", "7"));
    let response = send(&pipeline(), plain(), request(Method::GET, server.url("/"))).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "7");

    let server = FaultServer::always(Behaviour::ok("body"));
    let response = send(&pipeline(), plain(), request(Method::GET, server.url("/"))).await.unwrap();
    use http_body::Body;
    assert_eq!(response.body().size_hint().exact(), Some(4));
    assert!(!response.body().is_end_stream());
}

#[tokio::test]
async fn an_empty_body_ends_with_the_head() {
    let server = FaultServer::always(Behaviour::no_content());
    let pipeline = pipeline();
    let response = send(&pipeline, plain(), request(Method::GET, server.url("/"))).await.unwrap();
    assert_eq!(pipeline.bulkhead().unwrap().metrics().in_flight, 0);
    assert_eq!(counted(&pipeline), (1, 0));
    drop(response);
    assert_eq!(counted(&pipeline), (1, 0));
}

#[tokio::test]
async fn a_body_that_hangs_is_cut_at_the_deadline() {
    let server = FaultServer::always(Behaviour::ok("half of it").hang_after(4));
    let pipeline = Pipeline::http("inventory")
        .deadline(MS * 150)
        .time_limiter(TimeLimiterConfig::builder().timeout(MS * 100))
        .build()
        .unwrap();
    let response = send(&pipeline, plain(), request(Method::GET, server.url("/"))).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::DeadlineExceeded);
    assert!(body.frame().await.is_none(), "a body that was cut has ended");
    assert_eq!(counted(&pipeline), (0, 1));
    assert_eq!(pipeline.bulkhead().unwrap().metrics().in_flight, 0);
    server.until(|counts| counts.open == 0).await;
}

// ## A stack of one's own

#[tokio::test]
async fn single_layers_over_http_have_one_error_type_and_see_bodies() {
    let server =
        FaultServer::sequence([Behaviour::status(500), Behaviour::ok("half of it").reset_after(4)]);
    let breaker = CircuitBreaker::with_defaults("inventory");
    let retry = RetryConfig::safe().backoff(Backoff::fixed(MS)).build().unwrap();
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::new("inventory", retry)).http())
        .layer(CircuitBreakerLayer::new(breaker.clone()).http())
        .layer(BulkheadLayer::new(seawall::Bulkhead::with_defaults("inventory")).http())
        .layer(ErrorLayer)
        .service(plain());
    let response = service.oneshot(request(Method::GET, server.url("/"))).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.rejected().is_none());
    assert_eq!((breaker.counters().successful, breaker.counters().failed), (0, 2));
}

#[tokio::test]
async fn the_classifier_can_be_replaced_with_the_rest_kept() {
    let server = FaultServer::always(Behaviour::status(404));
    let strict = HttpClassifier::default().failure_when(|status| status == 404);
    let pipeline = Pipeline::builder("inventory")
        .retry(RetryConfig::builder().backoff(Backoff::fixed(MS)))
        .classifier(strict)
        .ends(AtBodyEnd)
        .replay(HttpReplay::default())
        .build()
        .unwrap();
    let service = pipeline.layer(plain());
    service.oneshot(request(Method::GET, server.url("/"))).await.unwrap();
    assert_eq!(server.counts().requests, 3);
}

#[tokio::test]
async fn a_goaway_without_error_that_took_the_request_on_is_not_safe_for_a_post() {
    let server =
        FaultServer::builder().http2().start(|_, _| Behaviour::go_away(h2::Reason::NO_ERROR));
    let pipeline = pipeline();
    let post = request(Method::POST, server.url("/"));
    send(&pipeline, over_http2(), post).await.unwrap_err();
    assert_eq!(server.counts().requests, 1);
    let get = request(Method::GET, server.url("/"));
    send(&pipeline, over_http2(), get).await.unwrap_err();
    assert_eq!(server.counts().requests, 4);
}

type Upload = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

fn broken_upload(url: String) -> Request<Upload> {
    use http_body_util::StreamBody;
    let pieces = [
        Ok(http_body::Frame::data(Bytes::from("half"))),
        Err(std::io::Error::other("the disk is gone")),
    ];
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    Request::put(url).body(BodyExt::boxed(body)).unwrap()
}

#[tokio::test]
async fn an_upload_that_breaks_on_our_side_says_nothing_about_the_backend() {
    for http2 in [false, true] {
        let builder = FaultServer::builder();
        let builder = if http2 { builder.http2() } else { builder };
        let server = builder.start(|_, _| Behaviour::ok("never"));
        let pipeline = Pipeline::http("inventory").replay(NoReplay).build().unwrap();
        let client: Client<_, Upload> =
            Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        let error =
            pipeline.layer(client).oneshot(broken_upload(server.url("/"))).await.unwrap_err();
        let counters = pipeline.circuit_breaker().unwrap().counters();
        assert_eq!((counters.failed, counters.ignored), (0, 1), "{http2} {error:?}");
    }
}

#[tokio::test]
async fn answers_without_a_body_and_bodies_given_up_hold_nothing() {
    let answers = [
        (Method::HEAD, Behaviour::ok("not sent"), true),
        (Method::GET, Behaviour::status(304), true),
        (Method::GET, Behaviour::endless("piece", MS), false),
    ];
    for (method, behaviour, over) in answers {
        for http2 in [false, true] {
            let builder = FaultServer::builder();
            let builder = if http2 { builder.http2() } else { builder };
            let behaviour = behaviour.clone();
            let server = builder.start(move |_, _| behaviour.clone());
            let pipeline = pipeline();
            let client = if http2 { over_http2() } else { plain() };
            let request = request(method.clone(), server.url("/"));
            let mut response = send(&pipeline, client, request).await.unwrap();
            let in_flight = || pipeline.bulkhead().unwrap().metrics().in_flight;
            assert_eq!(in_flight(), u32::from(!over), "{method} {http2}");
            if !over {
                let piece = response.body_mut().frame().await.unwrap().unwrap();
                assert_eq!(piece.into_data().unwrap(), "piece");
            }
            drop(response);
            assert_eq!((in_flight(), counted(&pipeline)), (0, (1, 0)), "{method} {http2}");
            server.until(|counts| counts.in_flight == 0).await;
        }
    }
}
