//! A pipeline in a chain of reqwest-middleware.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};
use seawall::pipeline::Step;
use seawall::reqwest::RequestReplay;
use seawall::{AtBodyEnd, BulkheadConfig, PipelineBuilder, Reason, Rejected};
use seawall_stacks::fake::{Answer, Fake};
use seawall_stacks::middleware::{Judge, Protected};

use super::{attempt, breaker, ms, reason, retry};

type Builder = PipelineBuilder<Judge, AtBodyEnd, RequestReplay>;

fn plain() -> ClientBuilder {
    let client = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
    ClientBuilder::new(client)
}

fn behind(pipeline: Builder) -> ClientWithMiddleware {
    plain().with(Protected::new(pipeline).unwrap()).build()
}

fn safe() -> Builder {
    Protected::builder("inventory")
}

/// Counts the requests that come to it, and marks each.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

#[derive(Clone)]
struct Mark;

#[async_trait]
impl Middleware for Counting {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let fresh = extensions.insert(Mark).is_none();
        assert!(fresh, "the extensions of another attempt");
        next.run(request, extensions).await
    }
}

/// Fails with an error of its own.
struct Failing;

#[derive(Debug)]
struct Unsigned;

impl std::fmt::Display for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unsigned")
    }
}

impl std::error::Error for Unsigned {}

#[async_trait]
impl Middleware for Failing {
    async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        Err(Error::middleware(Unsigned))
    }
}

#[tokio::test]
async fn what_comes_after_it_runs_once_for_each_attempt() {
    let server =
        Fake::start(|_, n| if n < 2 { Answer::status(503) } else { Answer::json("42") }).await;
    let (outside, inside) = (Counting::default(), Counting::default());
    let client =
        plain().with(Protected::new(safe().retry(retry())).unwrap()).with(inside.clone()).build();
    let answer = client.get(server.url()).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, "42");
    assert_eq!(inside.0.load(Ordering::Relaxed), 3);

    let client = plain().with(outside.clone()).with(Protected::new(safe()).unwrap()).build();
    client.get(server.url()).send().await.unwrap();
    assert_eq!(outside.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_post_is_sent_once() {
    let server = Fake::start(|_, _| Answer::status(503)).await;
    let client = behind(safe().retry(retry()));
    let response = client.post(server.url()).body("1 x 42").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn an_open_circuit_refuses_and_nothing_is_sent() {
    let server = Fake::start(|_, _| Answer::status(500)).await;
    let client = behind(safe().without(Step::Retry).circuit_breaker(breaker(ms(60_000))));
    for _ in 0..2 {
        client.get(server.url()).send().await.unwrap();
    }
    let error = client.get(server.url()).send().await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::CircuitOpen), "{error:?}");
    assert!(Rejected::find(&error).unwrap().retry_after().is_some());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_timeout_is_one_to_the_chain() {
    let server = Fake::start(|_, _| Answer::Hang).await;
    let client = behind(safe().without(Step::Retry).time_limiter(attempt(ms(100))));
    let error = client.get(server.url()).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(reason(&error), Some(Reason::AttemptTimedOut));
}

#[tokio::test]
async fn the_deadline_and_the_place_reach_to_the_end_of_the_body() {
    let server = Fake::start(|_, _| Answer::endless(vec!["4".into()])).await;
    let one = BulkheadConfig::builder().max_concurrent_calls(1);
    let client = behind(safe().without(Step::Retry).bulkhead(one).deadline(ms(300)));
    let response = client.get(server.url()).send().await.unwrap();
    let full = client.get(server.url()).send().await.unwrap_err();
    assert_eq!(reason(&full), Some(Reason::BulkheadFull), "{full:?}");

    let late = response.text().await.unwrap_err();
    assert!(late.is_timeout(), "{late:?}");
    assert_eq!(reason(&late), Some(Reason::DeadlineExceeded));
    client.get(server.url()).send().await.unwrap();
}

#[tokio::test]
async fn the_error_of_another_link_comes_back_whole() {
    let client = plain().with(Protected::new(safe()).unwrap()).with(Failing).build();
    let error = client.get("http://127.0.0.1:1").send().await.unwrap_err();
    let Error::Middleware(error) = error else { panic!("{error:?}") };
    assert!(error.downcast_ref::<Unsigned>().is_some(), "{error:?}");
}

/// A malformed request says nothing of the server, a lost connection does.
#[tokio::test]
async fn the_chains_errors_are_judged_by_what_they_hold() {
    let server = Fake::start(|_, _| Answer::HangUp).await;
    let pipeline = safe().without(Step::Retry).circuit_breaker(breaker(ms(60_000)));
    let client = behind(pipeline);
    for _ in 0..3 {
        let error = client.get("ftp://inventory/").send().await.unwrap_err();
        assert_eq!(reason(&error), None, "{error:?}");
    }
    for _ in 0..2 {
        client.get(server.url()).send().await.unwrap_err();
    }
    let error = client.get(server.url()).send().await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::CircuitOpen), "{error:?}");
    assert_eq!(server.requests(), 2);
}
