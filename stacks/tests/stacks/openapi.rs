//! A generated client, with the pipeline under it and over it.

use seawall::pipeline::{HttpPipeline, Step};
use seawall::{Pipeline, Reason, Rejected};
use seawall_stacks::fake::{Answer, Fake};
use seawall_stacks::openapi::{Client, Error, ResponseValue, client, item, judge, types::Item};

use super::{attempt, breaker, ms, reason, retry};

fn stock() -> Answer {
    Answer::json(r#"{"id":"7","stock":42}"#)
}

fn plain() -> reqwest::Client {
    reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap()
}

/// Under it.
fn through(server: &Fake, pipeline: &HttpPipeline) -> Client {
    let protected = seawall::reqwest::Client::wrap(plain(), pipeline);
    client(&server.url(), plain(), protected)
}

/// With nothing under it.
fn bare(server: &Fake) -> Client {
    let nothing = Pipeline::builder("nothing").http().build().unwrap();
    through(server, &nothing)
}

#[tokio::test]
async fn under_it_an_operation_survives_503_and_a_lost_connection() {
    let server = Fake::start(|_, n| match n {
        0 => Answer::status(503),
        1 => Answer::HangUp,
        _ => stock(),
    })
    .await;
    let client = through(&server, &Pipeline::http("inventory").retry(retry()).build().unwrap());
    assert_eq!(client.item("7").await.unwrap().stock, 42);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn under_it_a_post_is_sent_once() {
    let server = Fake::start(|_, _| Answer::status(503)).await;
    let client = through(&server, &Pipeline::http("inventory").retry(retry()).build().unwrap());
    let error = client.reserve(&Item { id: "7".into(), stock: 1 }).await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn under_it_a_refusal_and_a_timeout_are_errors_of_the_client() {
    let server = Fake::start(|_, n| if n == 0 { Answer::Hang } else { Answer::status(500) }).await;
    let pipeline = Pipeline::http("inventory")
        .without(Step::Retry)
        .circuit_breaker(breaker(ms(60_000)))
        .time_limiter(attempt(ms(100)))
        .build()
        .unwrap();
    let client = through(&server, &pipeline);
    let Err(Error::CommunicationError(error)) = client.item("7").await else { panic!("no error") };
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(reason(&error), Some(Reason::AttemptTimedOut));

    client.item("7").await.unwrap_err();
    let error = client.item("7").await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::CircuitOpen), "{error:?}");
    assert!(Rejected::find(&error).unwrap().is_refusal());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn over_it_an_operation_survives_503_and_404_is_an_answer() {
    let server = Fake::start(|_, n| match n {
        0 | 1 => Answer::status(503),
        2 => stock(),
        _ => Answer::status(404),
    })
    .await;
    let pipeline = Pipeline::builder("inventory")
        .retry(retry())
        .classifier(judge::<ResponseValue<Item>>)
        .build()
        .unwrap();
    let client = bare(&server);
    assert_eq!(item(&pipeline, &client, "7").await.unwrap().stock, 42);
    assert_eq!(server.requests(), 3);

    let Err(seawall::Error::Service(error)) = item(&pipeline, &client, "8").await else {
        panic!("no error")
    };
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn over_it_a_circuit_opens_and_an_attempt_is_given_up() {
    let server = Fake::start(|_, _| Answer::Hang).await;
    let pipeline = Pipeline::builder("inventory")
        .circuit_breaker(breaker(ms(60_000)))
        .time_limiter(attempt(ms(100)))
        .classifier(judge::<ResponseValue<Item>>)
        .build()
        .unwrap();
    let client = bare(&server);
    for _ in 0..2 {
        let error = item(&pipeline, &client, "7").await.unwrap_err();
        // The client inside heeds the limit that it is called under, and speaks first.
        assert!(Rejected::find(&error).is_some_and(Rejected::is_timeout), "{error:?}");
    }
    let error = item(&pipeline, &client, "7").await.unwrap_err();
    assert!(error.is_refusal() && error.retry_after().is_some(), "{error:?}");
    assert_eq!(server.requests(), 2);
}

/// The only snippet of the guide that cannot be compiled there: an implementation for a type of this crate.
#[test]
fn the_hook_in_the_guide_is_the_one_that_runs() {
    let guide = include_str!("../../../docs/stacks.md");
    let (_, snippet) = guide.split_once("```rust,ignore\n").expect("the snippet");
    let (snippet, rest) = snippet.split_once("```").expect("its end");
    assert!(include_str!("../../src/openapi/mod.rs").contains(snippet), "{snippet}");
    assert!(!rest.contains("rust,ignore"), "another one");
}
