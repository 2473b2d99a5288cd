//! kube against a fake API server.

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client, Config};
use seawall::pipeline::Step;
use seawall::{BulkheadConfig, Deadline, Reason, State};
use seawall_stacks::fake::{Answer, Fake};
use seawall_stacks::kube::{KubePipeline, builder, client, watches};
use tokio::time::{Instant, sleep, timeout};

use super::{attempt, breaker, ms, reason, retry};

fn pod(name: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","resourceVersion":"1"}}}}"#
    )
}

fn list() -> Answer {
    let items = pod("web-0");
    Answer::json(format!(
        r#"{{"apiVersion":"v1","kind":"PodList","metadata":{{"resourceVersion":"1"}},"items":[{items}]}}"#
    ))
}

fn added(name: &str) -> String {
    format!(r#"{{"type":"ADDED","object":{}}}"#, pod(name))
}

fn config_map() -> Answer {
    Answer::json(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"}}"#)
}

fn over(server: &Fake, pipeline: &KubePipeline) -> Client {
    client(&Config::new(server.uri()), pipeline).expect("a client")
}

fn pods(client: &Client) -> Api<Pod> {
    Api::default_namespaced(client.clone())
}

async fn names(pods: &Api<Pod>) -> Result<Vec<String>, kube::Error> {
    let list = pods.list(&ListParams::default()).await?;
    Ok(list.into_iter().filter_map(|pod| pod.metadata.name).collect())
}

#[tokio::test]
async fn a_list_survives_503_and_a_lost_connection() {
    let server = Fake::start(|_, n| match n {
        0 => Answer::status(503),
        1 => Answer::HangUp,
        _ => list(),
    })
    .await;
    let pods = pods(&over(&server, &builder().retry(retry()).build().unwrap()));
    assert_eq!(names(&pods).await.unwrap(), ["web-0"]);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_list_comes_back_when_the_server_said() {
    let server = Fake::start(|_, n| match n {
        0 => Answer::status(429).header("retry-after", "1"),
        _ => list(),
    })
    .await;
    let pods = pods(&over(&server, &builder().retry(retry()).build().unwrap()));
    let began = Instant::now();
    assert_eq!(names(&pods).await.unwrap(), ["web-0"]);
    assert!(began.elapsed() >= ms(1000), "{:?}", began.elapsed());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_replacement_is_sent_again_whole_and_a_creation_is_not() {
    let server = Fake::start(|request, n| match (request.method.as_str(), n) {
        ("PUT", 1..) => config_map(),
        _ => Answer::status(503),
    })
    .await;
    let client = over(&server, &builder().retry(retry()).build().unwrap());
    let maps = Api::<ConfigMap>::default_namespaced(client);
    let mut map = ConfigMap::default();
    map.metadata.name = Some("settings".into());

    maps.replace("settings", &PostParams::default(), &map).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].body.starts_with(b"{"), "{:?}", seen[0].body);
    assert_eq!(seen[0].body, seen[1].body);

    let error = maps.create(&PostParams::default(), &map).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 503), "{error:?}");
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_dead_server_is_left_alone_and_found_again() {
    let server = Fake::start(|_, n| if n < 2 { Answer::status(500) } else { list() }).await;
    let pipeline =
        builder().without(Step::Retry).circuit_breaker(breaker(ms(200))).build().unwrap();
    let pods = pods(&over(&server, &pipeline));
    for _ in 0..2 {
        assert!(matches!(names(&pods).await, Err(kube::Error::Api(_))));
    }
    let error = names(&pods).await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::CircuitOpen), "{error:?}");
    assert_eq!(server.requests(), 2);

    sleep(ms(250)).await;
    assert_eq!(names(&pods).await.unwrap(), ["web-0"]);
    assert_eq!(pipeline.circuit_breaker().unwrap().state(), State::Closed);
}

#[tokio::test]
async fn a_list_that_hangs_is_given_up_and_made_again() {
    let server = Fake::start(|_, n| if n == 0 { Answer::Hang } else { list() }).await;
    let pipeline = builder().retry(retry()).time_limiter(attempt(ms(100))).build().unwrap();
    let found = pods(&over(&server, &pipeline));
    assert_eq!(names(&found).await.unwrap(), ["web-0"]);

    let server = Fake::start(|_, _| Answer::Hang).await;
    let pipeline = builder().without(Step::Retry).time_limiter(attempt(ms(100))).build().unwrap();
    let error = names(&pods(&over(&server, &pipeline))).await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::AttemptTimedOut), "{error:?}");
}

/// kube's client runs its service in a task of its own, behind a buffer.
#[tokio::test]
async fn a_callers_deadline_reaches_through_kubes_buffer() {
    let server = Fake::start(|_, _| Answer::Hang).await;
    let pods = pods(&over(&server, &builder().build().unwrap()));
    let call = Deadline::after(ms(200)).scope(names(&pods));
    let error = timeout(ms(5000), call).await.expect("ends in time").unwrap_err();
    assert_eq!(reason(&error), Some(Reason::DeadlineExceeded), "{error:?}");
}

#[tokio::test]
async fn a_watch_outlives_the_deadline_of_calls() {
    let server = Fake::start(|_, _| Answer::endless(vec![added("web-0")])).await;
    let calls = builder().deadline(ms(200)).build().unwrap();
    let pods = pods(&over(&server, &watches(&calls).unwrap()));
    let mut events = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let first = events.try_next().await.unwrap();
    assert!(matches!(first, Some(WatchEvent::Added(_))), "{first:?}");
    assert!(timeout(ms(600), events.next()).await.is_err(), "the watch has ended");
}

#[tokio::test]
async fn a_watch_holds_no_trial_of_the_breaker_that_it_shares() {
    let server = Fake::start(|request, n| match (n, request.uri.query()) {
        (0 | 1, _) => Answer::status(500),
        (_, Some(query)) if query.contains("watch=true") => Answer::endless(vec![added("web-0")]),
        _ => list(),
    })
    .await;
    let calls = builder().without(Step::Retry).circuit_breaker(breaker(ms(100))).build().unwrap();
    let listed = pods(&over(&server, &calls));
    let watched = pods(&over(&server, &watches(&calls).unwrap()));
    for _ in 0..2 {
        names(&listed).await.unwrap_err();
    }
    let refused = watched.watch(&WatchParams::default(), "0").await.err().expect("refused");
    assert_eq!(reason(&refused), Some(Reason::CircuitOpen), "{refused:?}");

    // The only trial is the watch, and it settles with its head.
    sleep(ms(150)).await;
    let mut events = watched.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert!(events.try_next().await.unwrap().is_some());
    assert_eq!(calls.circuit_breaker().unwrap().state(), State::Closed);
    assert_eq!(names(&listed).await.unwrap(), ["web-0"]);
}

#[tokio::test]
async fn a_watch_through_the_pipeline_of_calls_keeps_its_place() {
    let server = Fake::start(|request, _| {
        let watch = request.uri.query().is_some_and(|query| query.contains("watch=true"));
        if watch { Answer::endless(vec![added("web-0")]) } else { list() }
    })
    .await;
    let one = BulkheadConfig::builder().max_concurrent_calls(1);
    let pipeline = builder().without(Step::Retry).bulkhead(one).build().unwrap();
    let pods = pods(&over(&server, &pipeline));
    let mut events = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert!(events.try_next().await.unwrap().is_some());

    let error = names(&pods).await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::BulkheadFull), "{error:?}");
    drop(events);
    assert_eq!(names(&pods).await.unwrap(), ["web-0"]);
    assert_eq!(pipeline.bulkhead().unwrap().metrics().in_flight, 0);
}

/// kube looks for the end of a broken watch among the sources of the body's error, and resumes it.
#[tokio::test]
async fn a_watch_that_breaks_ends_as_kube_expects() {
    let server = Fake::start(|_, _| Answer::cut(vec![added("web-0")])).await;
    let calls = builder().circuit_breaker(breaker(ms(60_000))).build().unwrap();
    let pods = pods(&over(&server, &watches(&calls).unwrap()));
    let events = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let events: Vec<_> = timeout(ms(5000), events.collect()).await.expect("the stream ends");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(matches!(events[0], Ok(WatchEvent::Added(_))), "{events:?}");
    let metrics = calls.circuit_breaker().unwrap().metrics();
    assert_eq!((metrics.buffered_calls, metrics.failed_calls), (1, 1));
}
