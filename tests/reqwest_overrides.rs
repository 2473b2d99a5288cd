//! What is said of one call alone, the door for reqwest's own builders, and the client as a service.

mod support;

use std::time::Duration;

use seawall::http::{Idempotent, NoRetry};
use seawall::pipeline::{HttpPipeline, Step};
use seawall::reqwest::{Client, Error, RequestBuilder, SendThrough};
use seawall::{Backoff, CircuitBreakerConfig, Deadline, Pipeline, Reason, RetryConfig};
use support::{Behaviour, FaultServer, RefusedPort};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

const MS: Duration = Duration::from_millis(1);

/// With a breaker that stays closed.
fn pipeline() -> HttpPipeline {
    let breaker = CircuitBreakerConfig::safe().minimum_number_of_calls(100);
    let retry = RetryConfig::safe().backoff(Backoff::fixed(MS));
    Pipeline::http("inventory").circuit_breaker(breaker).retry(retry).build().unwrap()
}

fn plain() -> reqwest::Client {
    support::install_provider();
    let never = reqwest::retry::never();
    reqwest::Client::builder().no_proxy().retry(never).build().unwrap()
}

fn client(pipeline: &HttpPipeline) -> Client {
    Client::wrap(plain(), pipeline)
}

fn failed(pipeline: &HttpPipeline) -> u64 {
    pipeline.circuit_breaker().unwrap().counters().failed
}

fn reason(error: &Error) -> Reason {
    error.rejected().unwrap_or_else(|| panic!("not seawall's own word: {error:#}")).reason()
}

/// How often a request is sent to a server that always answers 503.
async fn sent(make: impl FnOnce(&Client, String) -> RequestBuilder) -> usize {
    let server = FaultServer::always(Behaviour::status(503));
    let response = make(&client(&pipeline()), server.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    server.counts().requests
}

// ## What is said of one call

#[tokio::test]
async fn a_call_says_for_itself_how_often_it_may_be_sent() {
    assert_eq!(sent(Client::get).await, 3);
    assert_eq!(sent(|client, url| client.get(url).no_retry()).await, 1);
    assert_eq!(sent(|client, url| client.get(url).idempotent(false)).await, 1);
    assert_eq!(sent(|client, url| client.post(url).body("x")).await, 1);
    assert_eq!(sent(|client, url| client.post(url).body("x").idempotent(true)).await, 3);
    let keyed = |client: &Client, url| client.post(url).header("idempotency-key", "7");
    assert_eq!(sent(|client, url| keyed(client, url).idempotent(false)).await, 1);
    // Being sent once wins.
    assert_eq!(sent(|client, url| client.get(url).idempotent(true).no_retry()).await, 1);
}

#[tokio::test]
async fn no_retry_holds_even_where_nothing_was_sent() {
    let port = RefusedPort::new();
    for (no_retry, attempts) in [(false, 3), (true, 1)] {
        let pipeline = pipeline();
        let call = client(&pipeline).post(port.url("/")).idempotent(false);
        let call = if no_retry { call.no_retry() } else { call };
        assert!(call.send().await.unwrap_err().service().unwrap().is_connect());
        assert_eq!(failed(&pipeline), attempts);
    }
}

/// The same words among an `http::Request`'s extensions.
#[tokio::test]
async fn over_http_the_same_is_said_by_extensions() {
    type Body = http_body_util::Full<bytes::Bytes>;
    let server = FaultServer::always(Behaviour::status(503));
    let executor = hyper_util::rt::TokioExecutor::new();
    let hyper = hyper_util::client::legacy::Client::builder(executor).build_http::<Body>();
    let mut service = pipeline().layer(hyper);
    let get = || http::Request::get(server.url("/"));
    let post = || http::Request::post(server.url("/"));
    let mut before = 0;
    for (request, attempts) in [
        (get(), 3),
        (get().extension(NoRetry), 1),
        (get().extension(Idempotent(false)), 1),
        (post(), 1),
        (post().extension(Idempotent(true)), 3),
        (post().extension(Idempotent(true)).extension(NoRetry), 1),
    ] {
        let request = request.body(Body::default()).unwrap();
        assert_eq!(service.ready().await.unwrap().call(request).await.unwrap().status(), 503);
        let now = server.counts().requests;
        assert_eq!(std::mem::replace(&mut before, now) + attempts, now);
    }
}

#[tokio::test]
async fn a_finished_request_says_it_in_a_builder() {
    let server = FaultServer::always(Behaviour::status(503));
    let client = client(&pipeline());
    let request = client.get(server.url("/")).build().unwrap();
    let again = request.try_clone().unwrap();
    RequestBuilder::from_parts(client.clone(), request).no_retry().send().await.unwrap();
    assert_eq!(server.counts().requests, 1);
    client.execute(again).await.unwrap();
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn a_clone_says_the_same() {
    let clone = |client: &Client, url| client.get(url).no_retry().try_clone().unwrap();
    assert_eq!(sent(clone).await, 1);
}

/// (the call's deadline, its timeout, the client's timeout; what that makes), in milliseconds.
#[tokio::test]
async fn a_deadline_stands_beside_the_timeout_and_instead_of_the_clients() {
    let server = FaultServer::always(Behaviour::hang());
    let cases = [
        (Some(60), None, None, 60),
        (Some(60), Some(3000), None, 60),
        (Some(3000), Some(60), None, 60),
        (Some(120), None, Some(20), 120),
        (None, None, Some(60), 60),
    ];
    let calls = cases.map(|(deadline, timeout, of_client, wanted)| {
        support::install_provider();
        let pipeline = Pipeline::http("inventory").without(Step::Retry).build().unwrap();
        let mut builder = Client::builder().pipeline(pipeline).no_proxy();
        if let Some(timeout) = of_client {
            builder = builder.timeout(MS * timeout);
        }
        let mut call = builder.build().unwrap().get(server.url("/"));
        async move {
            let began = Instant::now();
            if let Some(deadline) = deadline {
                call = call.deadline(Deadline::after(MS * deadline));
            }
            if let Some(timeout) = timeout {
                call = call.timeout(MS * timeout);
            }
            assert_eq!(reason(&call.send().await.unwrap_err()), Reason::DeadlineExceeded);
            let (elapsed, wanted) = (began.elapsed(), MS * wanted);
            assert!((wanted - MS..wanted + MS * 1500).contains(&elapsed), "{elapsed:?}");
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn a_deadline_that_has_passed_makes_no_call() {
    let server = FaultServer::always(Behaviour::ok("42"));
    let deadline = Deadline::at(Instant::now());
    let call = client(&pipeline()).get(server.url("/")).deadline(deadline).send();
    assert_eq!(reason(&call.await.unwrap_err()), Reason::DeadlinePassed);
    assert_eq!(server.counts().connections, 0);
}

#[tokio::test]
async fn a_call_goes_through_another_pipeline_over_the_same_connections() {
    let server = FaultServer::always(Behaviour::ok("42"));
    let (one, other) = (pipeline(), pipeline());
    let client = client(&one);
    let read = async |call: RequestBuilder| call.send().await.unwrap().bytes().await.unwrap();
    read(client.get(server.url("/"))).await;
    read(client.get(server.url("/")).through(&other)).await;
    read(client.get(server.url("/")).through(&Client::wrap(plain(), &other))).await;
    assert_eq!(server.counts().connections, 1);
    let successful =
        |pipeline: &HttpPipeline| pipeline.circuit_breaker().unwrap().counters().successful;
    assert_eq!((successful(&one), successful(&other)), (1, 2));
    // The choice goes with the client.
    let (split, request) = client.get(server.url("/")).through(&other).build_split();
    split.execute(request.unwrap()).await.unwrap().bytes().await.unwrap();
    assert_eq!((successful(&one), successful(&other)), (1, 3));
    // A shut circuit of the one does not touch the other.
    other.circuit_breaker().unwrap().transition_to_open().unwrap();
    let refused = client.get(server.url("/")).through(&other).send().await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CircuitOpen);
    read(client.get(server.url("/"))).await;
}

#[tokio::test]
async fn another_clients_timeout_comes_with_its_pipeline_and_a_pipeline_brings_none() {
    let server = FaultServer::always(Behaviour::hang());
    support::install_provider();
    let hasty = |millis| {
        let builder = Client::builder().pipeline(pipeline()).no_proxy();
        builder.timeout(MS * millis).build().unwrap()
    };
    let (hasty, patient) = (hasty(50), hasty(10_000));
    for call in [
        patient.get(server.url("/")).through(&hasty),
        hasty.get(server.url("/")).through(&pipeline()),
    ] {
        let began = Instant::now();
        assert!(call.send().await.unwrap_err().is_timeout());
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

// ## The door for reqwest's own builders

#[tokio::test]
async fn reqwests_own_builder_is_sent_through_a_pipeline_or_a_client() {
    let server = FaultServer::sequence([Behaviour::status(503), Behaviour::ok("42")]);
    let pipeline = pipeline();
    let response = plain().get(server.url("/")).send_through(&pipeline).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "42");
    assert_eq!((server.counts().requests, failed(&pipeline)), (2, 1));

    let response = plain().get(server.url("/")).send_through(&client(&pipeline)).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "42");
    assert_eq!(pipeline.circuit_breaker().unwrap().counters().successful, 2);
}

#[tokio::test]
async fn the_builders_own_client_makes_the_call() {
    let server = FaultServer::always(Behaviour::ok("42"));
    let own = reqwest::header::HeaderMap::from_iter([(
        reqwest::header::FROM,
        reqwest::header::HeaderValue::from_static("me"),
    )]);
    support::install_provider();
    let plain = reqwest::Client::builder().no_proxy().default_headers(own).build().unwrap();
    plain.get(server.url("/")).send_through(&client(&pipeline())).await.unwrap();
    assert_eq!(server.seen()[0].headers["from"], "me");
}

#[tokio::test]
async fn a_call_through_the_door_is_bounded_and_can_say_more() {
    let server = FaultServer::always(Behaviour::hang());
    let pipeline = pipeline();
    let call = plain().get(server.url("/")).timeout(MS * 50).send_through(&pipeline);
    assert_eq!(reason(&call.await.unwrap_err()), Reason::DeadlineExceeded);

    let server = FaultServer::always(Behaviour::status(503));
    plain().get(server.url("/")).through(&pipeline).no_retry().send().await.unwrap();
    assert_eq!(server.counts().requests, 1);
    let call = plain().post(server.url("/")).through(&pipeline).idempotent(true);
    call.send().await.unwrap();
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn a_malformed_request_fails_at_the_door_and_counts_nowhere() {
    let pipeline = pipeline();
    let error = plain().get("http://").send_through(&pipeline).await.unwrap_err();
    assert!(error.service().unwrap().is_builder());
    assert_eq!(pipeline.circuit_breaker().unwrap().counters().failed, 0);
    assert_eq!(pipeline.retry().unwrap().metrics().failed_without_retry, 0);
}

// ## The client as a service

#[tokio::test]
async fn the_client_is_a_tower_service_as_reqwests_is() {
    async fn status<S>(service: S, url: &str) -> u16
    where
        S: Service<reqwest::Request, Response = reqwest::Response>,
        S::Error: std::fmt::Debug,
    {
        let request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
        service.oneshot(request).await.unwrap().status().as_u16()
    }
    let server = FaultServer::sequence([
        Behaviour::status(503),
        Behaviour::ok("42"),
        Behaviour::status(503),
        Behaviour::ok("42"),
    ]);
    let client = client(&pipeline());
    assert_eq!(status(client.clone(), &server.url("/")).await, 200);
    assert_eq!(status(&client, &server.url("/")).await, 200);
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn the_service_heeds_the_requests_timeout() {
    let server = FaultServer::always(Behaviour::hang());
    let client = client(&pipeline());
    let request = client.get(server.url("/")).timeout(MS * 50).build().unwrap();
    assert_eq!(reason(&client.oneshot(request).await.unwrap_err()), Reason::DeadlineExceeded);
}

/// What is sent can be spawned.
#[test]
fn calls_are_send_and_own_what_they_need() {
    fn owned<T: Send + 'static>(_: T) {}
    let client = client(&pipeline());
    owned(client.get("http://inventory/").send());
    owned(plain().get("http://inventory/").send_through(&client));
    owned(client.execute(client.get("http://inventory/").build().unwrap()));
}
