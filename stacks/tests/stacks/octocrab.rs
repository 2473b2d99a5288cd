//! octocrab against a fake GitHub.

use octocrab::Octocrab;
use seawall::pipeline::Step;
use seawall::{Reason, State};
use seawall_stacks::fake::{Answer, Fake};
use seawall_stacks::octocrab::{builder, client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{attempt, breaker, ms, reason, retry};

async fn limits(github: &Octocrab) -> Result<Value, octocrab::Error> {
    github.get("/rate_limit", None::<&()>).await
}

#[tokio::test]
async fn a_get_survives_503_and_a_lost_connection() {
    let server = Fake::start(|_, n| match n {
        0 => Answer::status(503),
        1 => Answer::HangUp,
        _ => Answer::json("{}"),
    })
    .await;
    let github = client(server.uri(), &builder().retry(retry()).build().unwrap());
    assert_eq!(limits(&github).await.unwrap(), json!({}));
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn githubs_own_limit_is_obeyed() {
    let server = Fake::start(|_, n| match n {
        0 => Answer::status(403).header("retry-after", "1"),
        1 => Answer::json("{}"),
        _ => Answer::status(403),
    })
    .await;
    let pipeline = builder().retry(retry()).build().unwrap();
    let github = client(server.uri(), &pipeline);
    let began = Instant::now();
    limits(&github).await.unwrap();
    assert!(began.elapsed() >= ms(1000), "{:?}", began.elapsed());
    assert_eq!(server.requests(), 2);

    // Any other 403 is an answer.
    limits(&github).await.unwrap_err();
    assert_eq!(server.requests(), 3);
}

/// A clone of octocrab's body shares what is sent, and would be empty the second time.
#[tokio::test]
async fn a_put_is_sent_again_whole_and_a_post_is_not() {
    let server = Fake::start(|request, n| match (request.method.as_str(), n) {
        ("PUT", 1..) => Answer::json("{}"),
        _ => Answer::status(503),
    })
    .await;
    let github = client(server.uri(), &builder().retry(retry()).build().unwrap());
    let labels = json!({ "labels": ["bug"] });
    let _: Value = github.put("/repos/o/r/issues/1/labels", Some(&labels)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].body, seen[1].body);
    assert_eq!(serde_json::from_slice::<Value>(&seen[1].body).unwrap(), labels);

    let posted: Result<Value, _> = github.post("/repos/o/r/issues", Some(&labels)).await;
    assert!(matches!(&posted, Err(octocrab::Error::GitHub { .. })), "{posted:?}");
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_dead_server_is_left_alone_and_found_again() {
    let server =
        Fake::start(|_, n| if n < 2 { Answer::status(500) } else { Answer::json("{}") }).await;
    let pipeline =
        builder().without(Step::Retry).circuit_breaker(breaker(ms(200))).build().unwrap();
    let github = client(server.uri(), &pipeline);
    for _ in 0..2 {
        limits(&github).await.unwrap_err();
    }
    let error = limits(&github).await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::CircuitOpen), "{error:?}");
    assert_eq!(server.requests(), 2);

    sleep(ms(250)).await;
    limits(&github).await.unwrap();
    assert_eq!(pipeline.circuit_breaker().unwrap().state(), State::Closed);
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up() {
    let server = Fake::start(|_, _| Answer::Hang).await;
    let pipeline = builder().without(Step::Retry).time_limiter(attempt(ms(100))).build().unwrap();
    let error = limits(&client(server.uri(), &pipeline)).await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::AttemptTimedOut), "{error:?}");
}
