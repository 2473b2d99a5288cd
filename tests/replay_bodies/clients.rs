//! Bodies that are not `Clone` through hyper and reqwest, to a server that wants them twice.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use seawall::http::{BufferedReplay, HttpClassifier, HttpReplay, ReplayBody};
use seawall::{AtBodyEnd, Backoff, Pipeline, RetryConfig};
use tower::{Layer, Service, ServiceExt};

use super::support::{self, Behaviour, FaultServer};

const MS: Duration = Duration::from_millis(1);

type Boxed = BoxBody<Bytes, io::Error>;

fn client<B>(http2: bool) -> Client<HttpConnector, ReplayBody<B>>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

fn pipeline(limit: usize) -> Pipeline<HttpClassifier, AtBodyEnd, BufferedReplay> {
    Pipeline::http("inventory")
        .retry(RetryConfig::safe().max_attempts(3).backoff(Backoff::fixed(MS)))
        .replay(BufferedReplay(HttpReplay::default().body_limit(limit)))
        .build()
        .unwrap()
}

fn server(http2: bool, failures: usize) -> FaultServer {
    let builder = FaultServer::builder();
    let builder = if http2 { builder.http2() } else { builder };
    builder.start(move |_, n| if n < failures { Behaviour::status(503) } else { Behaviour::echo() })
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("7"))])
}

/// Frames that come one by one, and trailers.
fn streamed() -> Boxed {
    let frames = [
        Ok(Frame::data("all ".into())),
        Ok(Frame::data("of it".into())),
        Ok(Frame::trailers(trailers())),
    ];
    let frames = stream::iter(frames).then(async |frame| {
        tokio::task::yield_now().await;
        frame
    });
    BodyExt::boxed(StreamBody::new(frames))
}

fn put(url: String, body: Boxed) -> Request<Boxed> {
    Request::put(url).header("trailer", "etag").body(body).unwrap()
}

// ## hyper

#[tokio::test]
async fn a_boxed_stream_goes_through_hyper_whole_each_time_with_its_trailers() {
    for http2 in [false, true] {
        let server = server(http2, 2);
        let mut service = pipeline(1024).layer(client::<Boxed>(http2));
        // Which request is meant must be clear here already.
        let service = service.ready().await.unwrap();
        let response = service.call(put(server.url("/"), streamed())).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "all of it");
        let seen = server.seen();
        assert_eq!(seen.len(), 3);
        for seen in &seen {
            assert_eq!(seen.body, "all of it");
            assert_eq!(seen.trailers, Some(trailers()), "over HTTP/2: {http2}");
        }
    }
}

#[tokio::test]
async fn a_length_that_was_known_is_told_each_time() {
    let server = server(false, 1);
    let body = Full::new(Bytes::from("all of it")).map_err(|never| match never {}).boxed();
    let service = pipeline(1024).layer(client::<Boxed>(false));
    service.oneshot(put(server.url("/"), body)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!(seen.headers["content-length"], "9");
        assert!(!seen.headers.contains_key("transfer-encoding"));
        assert_eq!(seen.body, "all of it");
    }
}

#[tokio::test]
async fn what_is_too_large_to_keep_goes_out_once_and_its_answer_comes_back() {
    for http2 in [false, true] {
        let server = server(http2, 9);
        let service = pipeline(8).layer(client::<Boxed>(http2));
        let response = service.oneshot(put(server.url("/"), streamed())).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(server.counts().requests, 1);
        assert_eq!(server.seen()[0].body, "all of it");
    }
}

#[tokio::test]
async fn a_body_that_came_in_goes_out_again() {
    let upstream = server(false, 1);
    let source = FaultServer::always(Behaviour::ok("all of it"));
    let incoming: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let incoming = incoming.get(source.url("/").parse().unwrap()).await.unwrap().into_body();
    let mut service = pipeline(1024).layer(client::<Incoming>(false));
    let request = Request::put(upstream.url("/")).body(incoming).unwrap();
    let service = service.ready().await.unwrap();
    let response = service.call(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "all of it");
    assert_eq!(upstream.counts().requests, 2);
}

/// The server answers when half of the request is there, and the rest comes only afterwards.
#[tokio::test]
async fn an_answer_before_the_bodys_end_does_not_lose_the_rest() {
    for http2 in [false, true] {
        let early = if http2 { FaultServer::builder().http2() } else { FaultServer::builder() };
        let early = early.answers_early().start(|_, _| Behaviour::status(503));
        let whole = server(http2, 0);
        let (send, receive) = tokio::sync::mpsc::channel::<&'static str>(4);
        let frames = stream::unfold(receive, async |mut receive| {
            let piece = receive.recv().await?;
            Some((Ok(Frame::data(Bytes::from(piece))), receive))
        });
        let body = BodyExt::boxed(StreamBody::new(frames));
        send.send("all ").await.unwrap();
        // The first attempt goes to the one server, the second to the other.
        let urls = [early.url("/"), whole.url("/")];
        let client = client::<Boxed>(http2);
        let attempt = std::sync::atomic::AtomicUsize::new(0);
        let attempt = std::sync::Arc::new(attempt);
        let service = tower::service_fn(move |mut request: Request<ReplayBody<Boxed>>| {
            let n = attempt.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            *request.uri_mut() = urls[n].parse().unwrap();
            client.clone().call(request)
        });
        let call = tokio::spawn(pipeline(1024).layer(service).oneshot(put("/".into(), body)));
        early.until(|counts| counts.requests == 1).await;
        tokio::time::sleep(MS * 20).await;
        send.send("of ").await.unwrap();
        tokio::time::sleep(MS * 20).await;
        send.send("it").await.unwrap();
        drop(send);
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "all of it");
        // Nobody keeps the first connection waiting for a body that will not come.
        if !http2 {
            early.until(|counts| counts.open == 0).await;
        }
        early.until(|counts| counts.in_flight == 0).await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_told_as_it_is_and_not_sent_again() {
    let server = server(false, 0);
    let frames = [Ok(Frame::data("all ".into())), Err(io::Error::other("the disk is gone"))];
    let body = BodyExt::boxed(StreamBody::new(stream::iter(frames)));
    let service = pipeline(1024).layer(client::<Boxed>(false));
    let error = service.oneshot(put(server.url("/"), body)).await.unwrap_err();
    let mut causes =
        std::iter::successors(Some(&error as &dyn std::error::Error), |it| it.source());
    let own = causes.find_map(|cause| cause.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(own.to_string(), "the disk is gone");
    assert_eq!(server.counts().connections, 1);
}

// ## reqwest

fn over_reqwest(http2: bool, limit: usize) -> seawall::reqwest::Client {
    support::install_provider();
    let pipeline = Pipeline::http("inventory")
        .retry(RetryConfig::safe().max_attempts(3).backoff(Backoff::fixed(MS)))
        .replay(HttpReplay::default().body_limit(limit));
    let client = seawall::reqwest::Client::builder().no_proxy().pipeline(pipeline.build().unwrap());
    let client = if http2 { client.with(|it| it.http2_prior_knowledge()) } else { client };
    client.build().unwrap()
}

#[tokio::test]
async fn reqwests_streams_are_sent_whole_each_time() {
    for http2 in [false, true] {
        let server = server(http2, 2);
        let request = over_reqwest(http2, 1024).put(server.url("/")).header("trailer", "etag");
        let request = request.body(reqwest::Body::wrap(streamed()));
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), "all of it");
        let seen = server.seen();
        assert_eq!(seen.len(), 3);
        for each in &seen {
            assert_eq!(each.body, "all of it");
            assert_eq!(each.trailers, Some(trailers()), "over HTTP/2: {http2}");
            assert_eq!(each.headers, seen[0].headers);
        }
    }
}

#[tokio::test]
async fn reqwests_streams_that_found_no_connection_are_sent_whatever_the_method() {
    let server = server(false, 0);
    let refused = support::RefusedPort::new();
    let client = over_reqwest(false, 0);
    let error = client.post(refused.url("/")).body(reqwest::Body::wrap(streamed())).send().await;
    assert!(error.unwrap_err().service().unwrap().is_connect());
    let response = client.post(server.url("/")).body(reqwest::Body::wrap(streamed())).send().await;
    assert_eq!(response.unwrap().text().await.unwrap(), "all of it");
    assert_eq!(server.counts().requests, 1);
}
