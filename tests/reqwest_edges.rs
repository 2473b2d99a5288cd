//! The reqwest client at its edges: limits that overlap, bodies given up, many calls at once.

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use seawall::http::{HttpClassifier, HttpReplay};
use seawall::patterns::circuit_breaker::Counters;
use seawall::pipeline::{HttpPipeline, Step};
use seawall::reqwest::{Client, Error};
use seawall::{
    AtBodyEnd, Backoff, CircuitBreakerConfig, Deadline, Pipeline, PipelineBuilder, Reason,
    Rejected, RetryBudget, RetryConfig, SlidingWindow,
};
use support::{Behaviour, FaultServer, Gate};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

type Builder = PipelineBuilder<HttpClassifier, AtBodyEnd, HttpReplay>;

/// With a breaker that stays closed.
fn without_retry() -> Builder {
    let breaker = CircuitBreakerConfig::builder().sliding_window(SlidingWindow::Count(10_000));
    Pipeline::http("inventory")
        .without(Step::Retry)
        .circuit_breaker(breaker.minimum_number_of_calls(10_000))
}

/// All steps, with pauses that a test can afford.
fn pipeline() -> HttpPipeline {
    without_retry().retry(RetryConfig::safe().backoff(Backoff::fixed(MS))).build().unwrap()
}

fn builder() -> seawall::reqwest::ClientBuilder {
    support::install_provider();
    Client::builder().no_proxy()
}

fn client(pipeline: &HttpPipeline) -> Client {
    builder().pipeline(pipeline.clone()).build().unwrap()
}

fn client_of(version: u8, pipeline: &HttpPipeline) -> Client {
    let builder = builder().pipeline(pipeline.clone());
    match version {
        2 => builder.with(reqwest::ClientBuilder::http2_prior_knowledge),
        _ => builder,
    }
    .build()
    .unwrap()
}

fn server_of(version: u8, behaviour: Behaviour) -> FaultServer {
    let builder = FaultServer::builder();
    if version == 2 { builder.http2() } else { builder }.start(move |_, _| behaviour.clone())
}

fn counters(pipeline: &HttpPipeline) -> Counters {
    pipeline.circuit_breaker().unwrap().counters()
}

fn in_flight(pipeline: &HttpPipeline) -> u32 {
    pipeline.bulkhead().unwrap().metrics().in_flight
}

fn reason(error: &Error) -> Reason {
    error.rejected().unwrap_or_else(|| panic!("not seawall's own word: {error:#}")).reason()
}

// ## Limits that overlap

#[tokio::test]
async fn the_deadline_goes_on_over_all_attempts_and_into_the_body() {
    let server = FaultServer::sequence([
        Behaviour::status(503).delayed(MS * 20),
        Behaviour::status(503).delayed(MS * 20),
        Behaviour::ok("half of it").hang_after(4),
    ]);
    let pipeline = pipeline();
    let began = Instant::now();
    let request = client(&pipeline).get(server.url("/")).timeout(MS * 250);
    let mut response = request.send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "half");
    let error = response.chunk().await.unwrap_err();
    let elapsed = began.elapsed();
    assert!((MS * 249..MS * 1500).contains(&elapsed), "{elapsed:?}");
    assert!(error.is_timeout() && !error.is_connect());
    assert_eq!(Rejected::find(&error).unwrap().reason(), Reason::DeadlineExceeded);
    assert_eq!(server.counts().requests, 3);
    assert_eq!((counters(&pipeline).successful, counters(&pipeline).failed), (0, 3));
    assert_eq!(in_flight(&pipeline), 0);
}

#[tokio::test]
async fn of_the_requests_the_clients_and_the_pipelines_deadline_the_earliest_counts() {
    let server = FaultServer::always(Behaviour::hang());
    let long = MS * 3000;
    let cases = [
        // The request's, the client's, the pipeline's; and what that makes.
        (Some(MS * 40), None, long, 40),
        (Some(MS * 40), Some(long), long, 40),
        (None, Some(MS * 40), long, 40),
        (None, None, MS * 40, 40),
        (Some(long), Some(long), MS * 40, 40),
        // The request's replaces the client's.
        (Some(MS * 120), Some(MS * 10), long, 120),
    ];
    let calls = cases.map(|(request, client, whole, wanted)| {
        let pipeline = without_retry().without(Step::TimeLimiter).deadline(whole).build().unwrap();
        let mut builder = builder().pipeline(pipeline);
        if let Some(timeout) = client {
            builder = builder.timeout(timeout);
        }
        let mut call = builder.build().unwrap().get(server.url("/"));
        if let Some(timeout) = request {
            call = call.timeout(timeout);
        }
        async move {
            let began = Instant::now();
            let error = call.send().await.unwrap_err();
            assert_eq!(reason(&error), Reason::DeadlineExceeded);
            let (elapsed, wanted) = (began.elapsed(), MS * wanted);
            assert!((wanted - MS..wanted + MS * 1500).contains(&elapsed), "{elapsed:?}");
        }
    });
    join_all(calls).await;
}

#[tokio::test]
async fn a_deadline_announced_from_outside_holds() {
    let server = FaultServer::always(Behaviour::ok("half of it").hang_after(4));
    let pipeline = pipeline();
    let call = client(&pipeline).get(server.url("/")).send();
    let response = Deadline::after(MS * 200).scope(call).await.unwrap();
    // It goes on to hold outside that scope, since the body belongs to the call.
    let error = response.bytes().await.unwrap_err();
    assert_eq!(Rejected::find(&error).unwrap().reason(), Reason::DeadlineExceeded);
}

#[tokio::test]
async fn a_timeout_of_zero_makes_no_call() {
    let server = FaultServer::always(Behaviour::ok("42"));
    let pipeline = pipeline();
    let call = client(&pipeline).get(server.url("/")).timeout(Duration::ZERO).send();
    let error = call.await.unwrap_err();
    assert_eq!(reason(&error), Reason::DeadlinePassed);
    assert_eq!(server.counts().connections, 0);
    // One that has no end makes one.
    client(&pipeline).get(server.url("/")).timeout(Duration::MAX).send().await.unwrap();
}

#[tokio::test]
async fn a_limit_of_reqwests_own_is_a_timeout_in_head_and_body() {
    let server = FaultServer::sequence([
        Behaviour::hang(),
        Behaviour::hang(),
        Behaviour::hang(),
        Behaviour::ok("half of it").hang_after(4),
    ]);
    let pipeline = pipeline();
    let client = builder().pipeline(pipeline.clone()).read_timeout(MS * 60).build().unwrap();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(!error.is_timeout() && error.service().unwrap().is_timeout());
    assert_eq!(server.counts().requests, 3, "a timeout is tried again");
    let response = client.get(server.url("/")).send().await.unwrap();
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert!(counters(&pipeline).failed >= 4);
}

// ## Bodies that are not there, or not wanted

#[tokio::test]
async fn answers_without_a_body_end_with_their_head() {
    let answers = || {
        [
            (reqwest::Method::HEAD, Behaviour::ok("not sent"), Some(8)),
            (reqwest::Method::GET, Behaviour::no_content(), None),
            (reqwest::Method::GET, Behaviour::status(304).header("etag", "\"7\""), None),
            (reqwest::Method::GET, Behaviour::ok(""), None),
        ]
    };
    for version in [1, 2] {
        for (method, behaviour, says) in answers() {
            let about = format!("HTTP/{version} {method} {behaviour:?}");
            let server = server_of(version, behaviour);
            let pipeline = pipeline();
            let client = client_of(version, &pipeline);
            let response = client.request(method, server.url("/")).send().await.unwrap();
            assert_eq!(in_flight(&pipeline), 0, "{about}");
            assert_eq!(counters(&pipeline).successful, 1, "{about}");
            if let Some(length) = says {
                assert_eq!(response.headers()["content-length"], length.to_string(), "{about}");
            }
            assert_eq!(response.bytes().await.unwrap(), "", "{about}");
            assert_eq!(counters(&pipeline).successful, 1, "{about}");
        }
    }
}

#[tokio::test]
async fn a_response_dropped_in_its_middle_gives_all_back() {
    for version in [1, 2] {
        let server = server_of(version, Behaviour::endless("piece", MS));
        let pipeline = pipeline();
        let client = client_of(version, &pipeline);
        let mut response = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "piece");
        assert_eq!(in_flight(&pipeline), 1);
        drop(response);
        assert_eq!(in_flight(&pipeline), 0);
        assert_eq!((counters(&pipeline).successful, counters(&pipeline).failed), (1, 0));
        server.until(|counts| counts.in_flight == 0).await;
    }
}

#[tokio::test]
async fn a_body_read_to_its_end_ends_the_call_before_the_response_is_dropped() {
    for (version, behaviour) in [
        (1, Behaviour::ok("whole")),
        (1, Behaviour::ok("whole").chunked()),
        (1, Behaviour::ok("whole").trailer("x-sum", "7")),
        (2, Behaviour::ok("whole")),
        (2, Behaviour::ok("whole").trailer("x-sum", "7")),
    ] {
        let server = server_of(version, behaviour);
        let pipeline = pipeline();
        let call = client_of(version, &pipeline).get(server.url("/")).send();
        let mut response = call.await.unwrap();
        let mut whole = Vec::new();
        while let Some(piece) = response.chunk().await.unwrap() {
            whole.extend(piece);
        }
        assert_eq!(whole, b"whole");
        assert_eq!(in_flight(&pipeline), 0);
        assert_eq!(counters(&pipeline).successful, 1);
    }
}

#[tokio::test]
async fn a_body_that_breaks_looks_to_the_caller_as_it_does_without_seawall() {
    let kinds = |error: &reqwest::Error| {
        let kinds = [error.is_body(), error.is_decode(), error.is_request(), error.is_connect()];
        (kinds, error.is_timeout(), error.status(), error.url().is_some())
    };
    support::install_provider();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    for behaviour in
        [Behaviour::ok("half of it").reset_after(4), Behaviour::ok("half").close_after(2)]
    {
        let server = FaultServer::always(behaviour);
        let guarded = client(&pipeline());
        let wanted = plain.get(server.url("/")).send().await.unwrap().bytes().await.unwrap_err();
        let error = guarded.get(server.url("/")).send().await.unwrap().bytes().await.unwrap_err();
        assert_eq!(kinds(&error), kinds(&wanted), "{error:?} is not like {wanted:?}");
    }
}

// ## A response handed on

#[tokio::test]
async fn a_response_can_be_changed_and_taken_apart_like_any_other() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mark(u8);
    let answer = Behaviour::ok("42").header("set-cookie", "a=1").header("set-cookie", "b=2");
    let server = FaultServer::always(answer);
    let pipeline = pipeline();
    let mut response = client(&pipeline).get(server.url("/x")).send().await.unwrap();
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    response.headers_mut().insert("x-mine", "1".parse().unwrap());
    response.extensions_mut().insert(Mark(7));
    assert_eq!(response.url().path(), "/x");
    let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    assert_eq!(parts.headers["x-mine"], "1");
    assert_eq!(parts.extensions.get(), Some(&Mark(7)));
    assert_eq!(in_flight(&pipeline), 1, "the body still belongs to the call");
    let whole = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    assert_eq!(whole, "42");
    assert_eq!(in_flight(&pipeline), 0);
}

#[tokio::test]
async fn a_body_handed_on_to_another_call_holds_its_own_call_until_it_has_gone() {
    let (from, to) = (FaultServer::always(Behaviour::big(100_000)), Behaviour::echo());
    let to = FaultServer::always(to);
    let (one, other) = (pipeline(), pipeline());
    let response = client(&one).get(from.url("/")).send().await.unwrap();
    assert_eq!(in_flight(&one), 1);
    let copied = client(&other).put(to.url("/")).body(response).send().await.unwrap();
    assert_eq!(copied.bytes().await.unwrap().len(), 100_000);
    assert_eq!((in_flight(&one), in_flight(&other)), (0, 0));
    assert_eq!((counters(&one).successful, counters(&other).successful), (1, 1));
}

#[tokio::test]
async fn an_upload_that_breaks_on_our_side_says_nothing_about_the_backend() {
    for version in [1, 2] {
        let server = server_of(version, Behaviour::ok("never"));
        let pipeline = pipeline();
        let pieces = [Ok(Bytes::from("half")), Err(std::io::Error::other("the disk is gone"))];
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        let call = client_of(version, &pipeline).put(server.url("/")).body(body).send();
        call.await.unwrap_err();
        assert_eq!((counters(&pipeline).failed, counters(&pipeline).ignored), (0, 1));
    }
}

// ## A client of one's own

#[tokio::test]
async fn wrapped_clients_share_their_pool_and_not_their_breakers() {
    let server = FaultServer::sequence([Behaviour::ok("42"), Behaviour::status(500)]);
    support::install_provider();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let no_retry = || without_retry().build().unwrap();
    let (one, other) = (no_retry(), no_retry());
    for pipeline in [&one, &other] {
        let client = Client::wrap(plain.clone(), pipeline);
        client.get(server.url("/")).send().await.unwrap().bytes().await.unwrap();
    }
    assert_eq!(server.counts().connections, 1);
    assert_eq!((counters(&one).successful, counters(&one).failed), (1, 0));
    assert_eq!((counters(&other).successful, counters(&other).failed), (0, 1));
}

/// reqwest makes a call again by itself if HTTP/2 says that the server has not begun on it.
#[tokio::test]
async fn reqwests_own_retries_are_off_where_seawall_builds_the_client() {
    let refuse = || server_of(2, Behaviour::refuse_stream());
    let once = without_retry().build().unwrap();

    let server = refuse();
    client_of(2, &once).get(server.url("/")).send().await.unwrap_err();
    assert_eq!(server.counts().requests, 1);

    // Also if somebody has asked for them.
    let server = refuse();
    let asked = builder()
        .pipeline(once.clone())
        .with(|client| client.http2_prior_knowledge().retry(reqwest::retry::for_host("127.0.0.1")));
    asked.build().unwrap().get(server.url("/")).send().await.unwrap_err();
    assert_eq!(server.counts().requests, 1);

    // Without that, reqwest does: this is what a client has to be told that is only wrapped.
    let server = refuse();
    let plain = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    Client::wrap(plain, &once).get(server.url("/")).send().await.unwrap_err();
    assert!(server.counts().requests > 1);
}

// ## Many calls at once

#[tokio::test]
async fn many_calls_leave_nothing_behind() {
    let server = FaultServer::start(|_, n| match n % 5 {
        0 => Behaviour::status(503),
        1 => Behaviour::no_content(),
        2 => Behaviour::status(404).body("none"),
        3 => Behaviour::big(50_000),
        _ => Behaviour::ok("42").trickle(1, MS),
    });
    let budget = RetryBudget::default();
    let config = RetryConfig::safe().backoff(Backoff::fixed(MS)).budget(budget.clone());
    let pipeline = without_retry().retry(config).build().unwrap();
    let client = client(&pipeline);
    let calls = (0..100).map(|n| {
        let request = client.get(server.url("/"));
        async move {
            let mut response = request.send().await.unwrap();
            match n % 3 {
                0 => drop(response),
                1 => drop(response.chunk().await.unwrap()),
                _ => drop(response.bytes().await.unwrap()),
            }
        }
    });
    join_all(calls).await;
    assert_eq!(in_flight(&pipeline), 0);
    assert_eq!(budget.in_flight(), (0, 0));
    let Counters { successful, failed, cancelled, ignored, .. } = counters(&pipeline);
    assert_eq!((cancelled, ignored), (0, 0));
    assert_eq!(successful + failed, server.counts().requests as u64, "each attempt counts once");
    let retry = pipeline.retry().unwrap().metrics();
    let calls = retry.successful_without_retry
        + retry.successful_with_retry
        + retry.failed_without_retry
        + retry.failed_with_retry;
    assert_eq!(calls, 100);
    drop(client);
    server.until(|counts| counts.open == 0).await;
    drop(server);
    no_task_is_left().await;
}

#[tokio::test]
async fn calls_given_up_at_any_time_leave_nothing_behind() {
    let server = FaultServer::always(Behaviour::ok("slowly").trickle(1, MS));
    let pipeline = pipeline();
    let client = client(&pipeline);
    let calls = (0..60).map(|n| {
        let request = client.get(server.url("/"));
        tokio::time::timeout(MS * n / 4, async move {
            request.send().await?.bytes().await.map_err(Error::Service)
        })
    });
    join_all(calls).await;
    assert_eq!(in_flight(&pipeline), 0);
    drop(client);
    server.until(|counts| counts.open == 0 && counts.in_flight == 0).await;
    drop(server);
    no_task_is_left().await;
}

async fn no_task_is_left() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let began = Instant::now();
    while metrics.num_alive_tasks() > 0 {
        assert!(began.elapsed() < MS * 5000, "{} tasks", metrics.num_alive_tasks());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn under_an_outage_the_budget_bounds_what_is_sent_more() {
    const CALLS: usize = 60;
    let (first, more) = (Gate::shut(), Gate::shut());
    let (held, held_too) = (first.clone(), more.clone());
    let server = FaultServer::start(move |_, n| {
        Behaviour::status(503).held(if n < CALLS { &held } else { &held_too })
    });
    let budget = RetryBudget::default();
    let pipeline = Pipeline::http("inventory")
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)).budget(budget.clone()))
        .without(Step::CircuitBreaker)
        .build()
        .unwrap();
    let client = client(&pipeline);
    let calls = (0..CALLS).map(|_| client.get(server.url("/")).send());
    let metrics = || pipeline.retry().unwrap().metrics();
    let outage = async {
        server.until(|counts| counts.in_flight == CALLS).await;
        first.open();
        // Every call has asked for its first retry before one of them ends.
        while metrics().budget_refused as usize + budget.in_flight().1 as usize != CALLS {
            tokio::task::yield_now().await;
        }
        more.open();
    };
    let (answers, ()) = tokio::join!(join_all(calls), outage);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == 503));
    let more = server.counts().requests - CALLS;
    // A fifth of those in flight and one, each at most twice.
    assert!((3..=2 * (CALLS / 5 + 1)).contains(&more), "{more} more");
    assert_eq!(budget.in_flight(), (0, 0));
}
