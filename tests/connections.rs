//! How many connections a call takes whose first attempt fails: what is left of a failed response is read
//! during the pause if it is small, and else its connection is given up.

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use seawall::http::{HttpClassifier, HttpReplay};
use seawall::pipeline::HttpPipeline;
use seawall::{
    AtBodyEnd, Backoff, Bulkhead, BulkheadConfig, BulkheadLayer, ErrorLayer, Pipeline, Retry,
    RetryConfig, RetryLayer,
};
use support::{Behaviour, Counts, FaultServer};
use tokio::time::Instant;
use tower::{Layer, ServiceBuilder, ServiceExt};

const MS: Duration = Duration::from_millis(1);
const PAUSE: Duration = Duration::from_millis(60);
/// For a machine that has other things to do. What is waited for in vain here would never come.
const SLACK: Duration = Duration::from_millis(500);

/// The ways in which a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Reqwest,
    Hyper,
    /// The retry's layer alone, over hyper.
    Layer,
}

const WAYS: [Way; 3] = [Way::Reqwest, Way::Hyper, Way::Layer];

fn retry(pause: Duration) -> RetryConfig {
    RetryConfig::builder().backoff(Backoff::fixed(pause)).build().unwrap()
}

fn pipeline(pause: Duration) -> HttpPipeline {
    Pipeline::http("inventory").retry(retry(pause)).build().unwrap()
}

fn server(http2: bool, first: Behaviour) -> FaultServer {
    let builder = FaultServer::builder();
    let builder = if http2 { builder.http2() } else { builder };
    builder.start(support::sequence([first, Behaviour::ok("42")]))
}

fn hyper(http2: bool) -> Client<hyper_util::client::legacy::connect::HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

fn reqwest(http2: bool, pipeline: &HttpPipeline) -> seawall::reqwest::Client {
    support::install_provider();
    let client = seawall::reqwest::Client::builder().no_proxy().pipeline(pipeline.clone());
    let client =
        if http2 { client.with(reqwest::ClientBuilder::http2_prior_knowledge) } else { client };
    client.build().unwrap()
}

/// Makes a call and tells how long it took.
async fn call(way: Way, http2: bool, pause: Duration, server: &FaultServer) -> (Counts, Duration) {
    let url = server.url("/stock");
    // Making one takes longer than some pauses.
    let client = (way == Way::Reqwest).then(|| reqwest(http2, &pipeline(pause)));
    let began = Instant::now();
    let status = match way {
        Way::Reqwest => client.unwrap().get(url).send().await.unwrap().status(),
        Way::Hyper => {
            let request = Request::get(url).body(Empty::new()).unwrap();
            pipeline(pause).layer(hyper(http2)).oneshot(request).await.unwrap().status()
        }
        Way::Layer => {
            let request = Request::get(url).body(Empty::new()).unwrap();
            let retry = RetryLayer::new(Retry::new("inventory", retry(pause))).http();
            let service =
                ServiceBuilder::new().layer(retry).layer(ErrorLayer).service(hyper(http2));
            service.oneshot(request).await.unwrap().status()
        }
    };
    let took = began.elapsed();
    assert_eq!(status, 200, "{way:?}");
    assert_eq!(server.counts().requests, 2);
    (server.counts(), took)
}

// ## Small

#[tokio::test]
async fn a_small_body_is_read_to_its_end_and_its_connection_used_again() {
    // It comes in pieces: nothing but reading it takes it off the connection.
    let small = || Behaviour::status(503).body("temporarily out of stock").trickle(5, MS);
    let mut calls = Vec::new();
    for way in WAYS {
        for http2 in [false, true] {
            for behaviour in [small(), small().chunked(), small().trailer("x-why", "full")] {
                calls.push(async move {
                    let server = server(http2, behaviour.clone());
                    let (counts, _) = call(way, http2, MS * 500, &server).await;
                    assert_eq!(counts.connections, 1, "{way:?}, HTTP/2: {http2}, {behaviour:?}");
                });
            }
        }
    }
    join_all(calls).await;
}

#[tokio::test]
async fn no_body_is_no_reason_for_another_connection() {
    for way in WAYS {
        for http2 in [false, true] {
            let server = server(http2, Behaviour::status(503));
            let (counts, _) = call(way, http2, PAUSE, &server).await;
            assert_eq!(counts.connections, 1, "{way:?}, HTTP/2: {http2}");
        }
    }
}

// ## Large, endless, silent

#[tokio::test]
async fn what_is_large_or_endless_or_silent_is_given_up_and_delays_nothing() {
    let large = Behaviour::big(8 * 1024 * 1024);
    let endless = || Behaviour::endless(vec![b'.'; 1024], Duration::ZERO);
    let slow = Behaviour::endless("..", MS);
    let silent = Behaviour::ok("half of it").hang_after(4);
    for behaviour in [large, endless(), endless().claims_length(1 << 40), slow, silent] {
        for way in WAYS {
            for http2 in [false, true] {
                let server = server(http2, behaviour.clone().with_status(503));
                let (counts, took) = call(way, http2, PAUSE, &server).await;
                assert_eq!(counts.connections, if http2 { 1 } else { 2 }, "{way:?}");
                assert!((PAUSE..PAUSE + SLACK).contains(&took), "{way:?}: {took:?}");
                // What is not wanted is not sent on for ever either.
                server.until(|counts| counts.in_flight == 0).await;
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_while_it_is_drained_harms_nothing() {
    for way in WAYS {
        for http2 in [false, true] {
            let broken = Behaviour::status(503).body("half of it").reset_after(4);
            let server = server(http2, broken);
            // The server resets within the pause.
            let (counts, _) = call(way, http2, MS * 500, &server).await;
            assert_eq!(counts.connections, 2, "{way:?}, HTTP/2: {http2}");
        }
    }
}

#[tokio::test]
async fn a_pause_of_no_length_stays_one() {
    for way in WAYS {
        for http2 in [false, true] {
            let silent = Behaviour::status(503).body("half of it").hang_after(4);
            let server = server(http2, silent);
            let (_, took) = call(way, http2, Duration::ZERO, &server).await;
            assert!(took < SLACK, "{way:?}: {took:?}");
        }
    }
}

// ## Places

/// With one place: is it free in the midst of the pause?
async fn free_in_the_pause(bulkhead: Bulkhead, call: impl Future<Output = ()>) {
    let look = async {
        tokio::time::sleep(PAUSE / 2).await;
        bulkhead.metrics().in_flight
    };
    let ((), in_flight) = tokio::join!(call, look);
    assert_eq!(in_flight, 0);
}

#[tokio::test]
async fn what_is_drained_holds_no_place_in_a_bulkhead() {
    let silent = || Behaviour::status(503).body("half of it").hang_after(4);
    let bulkhead =
        || Bulkhead::new("one", BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap());

    let (server, one) = (server(false, silent()), bulkhead());
    let pipeline = Pipeline::http("inventory").retry(retry(PAUSE)).bulkhead(one.clone()).build();
    let client = reqwest(false, &pipeline.unwrap());
    let request = client.get(server.url("/"));
    free_in_the_pause(one, async { drop(request.send().await.unwrap()) }).await;

    // As layers, where the place is tied to the body that the retry gets to see.
    let (server, one) = (self::server(false, silent()), bulkhead());
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::new("inventory", retry(PAUSE))).http())
        .layer(BulkheadLayer::new(one.clone()).ends(AtBodyEnd))
        .layer(ErrorLayer)
        .service(hyper(false));
    let request = Request::get(server.url("/")).body(Empty::new()).unwrap();
    free_in_the_pause(one, async { drop(service.oneshot(request).await.unwrap()) }).await;
}

/// The layers keep to services that may not cross threads, whatever they do with bodies.
#[tokio::test]
async fn a_body_that_is_not_send_and_borrows_is_drained_all_the_same() {
    struct Local<'a>(&'a std::cell::Cell<u32>);
    impl http_body::Body for Local<'_> {
        type Data = Bytes;
        type Error = std::io::Error;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
            self.0.set(self.0.get() + 1);
            std::task::Poll::Ready(None)
        }
    }

    let polls = std::cell::Cell::new(0);
    let polls = &polls;
    let service = move |status: u16| {
        tower::service_fn(move |_: Request<()>| {
            let response = http::Response::builder().status(status).body(Local(polls)).unwrap();
            std::future::ready(Ok::<_, std::io::Error>(response))
        })
    };
    let pipeline: Pipeline<HttpClassifier, AtBodyEnd, HttpReplay> = pipeline(Duration::ZERO);
    drop(pipeline.layer(service(503)).oneshot(Request::new(())).await.unwrap());
    assert_eq!(polls.get(), 2);
}
