//! The reqwest client against a server that misbehaves.

mod support;

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use seawall::patterns::circuit_breaker::State;
use seawall::pipeline::{HttpPipeline, Step};
use seawall::reqwest::Client;
use seawall::{
    Backoff, BulkheadConfig, CircuitBreakerConfig, Pipeline, Reason, Rejected, RetryConfig,
    SlidingWindow, TimeLimiterConfig,
};
use support::{Behaviour, FaultServer, RefusedPort};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

fn ms(millis: u64) -> Duration {
    MS * u32::try_from(millis).unwrap()
}

/// All steps, with pauses that a test can afford.
fn pipeline() -> HttpPipeline {
    quick().build().unwrap()
}

type Builder = seawall::PipelineBuilder<
    seawall::http::HttpClassifier,
    seawall::AtBodyEnd,
    seawall::http::HttpReplay,
>;

fn quick() -> Builder {
    Pipeline::http("inventory")
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
        .deadline(Duration::from_secs(5))
        .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_secs(2)))
}

fn client(pipeline: &HttpPipeline) -> Client {
    support::install_provider();
    Client::builder().pipeline(pipeline.clone()).no_proxy().build().unwrap()
}

/// The breaker's lifetime counts of successes and failures.
fn counted(pipeline: &HttpPipeline) -> (u64, u64) {
    let counters = pipeline.circuit_breaker().unwrap().counters();
    (counters.successful, counters.failed)
}

fn in_flight(pipeline: &HttpPipeline) -> u32 {
    pipeline.bulkhead().unwrap().metrics().in_flight
}

// ## The whole way

#[tokio::test]
async fn a_call_goes_through_and_everything_is_given_back() {
    let server = FaultServer::always(Behaviour::ok("42"));
    support::install_provider();
    let client = Client::new();
    let text = client.get(server.url("/stock")).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, "42");
}

#[tokio::test]
async fn a_503_is_tried_again_until_it_works() {
    let server = FaultServer::sequence([
        Behaviour::status(503),
        Behaviour::status(503),
        Behaviour::ok("42"),
    ]);
    let pipeline = pipeline();
    let response = client(&pipeline).get(server.url("/stock")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "42");
    assert_eq!(server.counts().requests, 3);
    assert_eq!(pipeline.retry().unwrap().metrics().successful_with_retry, 1);
    assert_eq!(counted(&pipeline), (1, 2));
    assert_eq!(in_flight(&pipeline), 0);
}

#[tokio::test]
async fn the_last_response_comes_back_as_it_is() {
    let server = FaultServer::always(Behaviour::status(503).header("x-why", "full").body("no"));
    let response = client(&pipeline()).get(server.url("/")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["x-why"], "full");
    assert_eq!(response.text().await.unwrap(), "no");
    assert_eq!(server.counts().requests, 3);
}

#[tokio::test]
async fn statuses_of_4xx_are_answers() {
    let server = FaultServer::always(Behaviour::status(404));
    let pipeline = pipeline();
    let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(server.counts().requests, 1);
    assert_eq!(counted(&pipeline), (1, 0));
}

// ## What may be sent again

#[tokio::test]
async fn a_post_is_not_repeated_after_a_status() {
    let server = FaultServer::always(Behaviour::status(503));
    let response = client(&pipeline()).post(server.url("/")).body("x").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn a_post_with_an_idempotency_key_is_repeated() {
    let server = FaultServer::sequence([Behaviour::status(503), Behaviour::echo()]);
    let request =
        client(&pipeline()).post(server.url("/")).header("idempotency-key", "7").body("x");
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "x");
    assert_eq!(server.counts().requests, 2);
}

#[tokio::test]
async fn a_post_is_not_repeated_after_a_reset_but_a_get_is() {
    let server = FaultServer::always(Behaviour::reset());
    let pipeline = pipeline();
    let client = client(&pipeline);
    let error = client.post(server.url("/")).body("x").send().await.unwrap_err();
    assert!(error.service().unwrap().is_request());
    assert_eq!(server.counts().requests, 1);
    client.get(server.url("/")).send().await.unwrap_err();
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn a_post_that_found_no_connection_is_repeated() {
    let port = RefusedPort::new();
    let pipeline = pipeline();
    let error = client(&pipeline).post(port.url("/")).body("x").send().await.unwrap_err();
    assert!(error.service().unwrap().is_connect());
    assert_eq!(counted(&pipeline), (0, 3));
}

#[tokio::test]
async fn a_body_in_memory_is_sent_whole_each_time() {
    let server = FaultServer::sequence([Behaviour::status(502), Behaviour::echo()]);
    let response = client(&pipeline()).put(server.url("/")).body("all of it").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "all of it");
    assert!(server.seen().iter().all(|seen| seen.body == "all of it"));
    assert_eq!(server.counts().requests, 2);
}

#[tokio::test]
async fn a_streamed_body_that_is_too_large_to_keep_is_sent_once_and_without_an_error() {
    let server = FaultServer::always(Behaviour::status(503));
    let piece = Bytes::from(vec![b'.'; 40_000]);
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(piece.clone()), Ok(piece)]);
    let body = reqwest::Body::wrap_stream(pieces);
    let response = client(&pipeline()).put(server.url("/")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(server.counts().requests, 1);
    assert_eq!(server.seen()[0].body.len(), 80_000);
}

#[tokio::test]
async fn a_streamed_body_that_is_small_is_sent_whole_each_time() {
    let server = FaultServer::sequence([Behaviour::status(503), Behaviour::echo()]);
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>("a"), Ok("b")]);
    let body = reqwest::Body::wrap_stream(pieces);
    let response = client(&pipeline()).put(server.url("/")).body(body).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "ab");
    let seen = server.seen();
    assert_eq!((&*seen[0].body, &*seen[1].body), (&b"ab"[..], &b"ab"[..]));
    assert_eq!(seen[0].headers, seen[1].headers);
}

#[tokio::test]
async fn a_malformed_request_says_nothing_about_the_backend() {
    let pipeline = pipeline();
    let error = client(&pipeline).get("http://").send().await.unwrap_err();
    assert!(error.service().unwrap().is_builder());
    assert_eq!(counted(&pipeline), (0, 0));
}

#[tokio::test]
async fn retry_after_is_obeyed_in_seconds() {
    let server = FaultServer::sequence([Behaviour::unavailable(1), Behaviour::ok("42")]);
    let began = Instant::now();
    client(&pipeline()).get(server.url("/")).send().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn retry_after_is_obeyed_as_a_date_by_the_servers_own_clock() {
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let soon = long_ago + Duration::from_secs(1);
    let server =
        FaultServer::sequence([support::unavailable_until(soon, long_ago), Behaviour::ok("42")]);
    let began = Instant::now();
    client(&pipeline()).get(server.url("/")).send().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

// ## Time

#[tokio::test]
async fn the_requests_timeout_is_that_of_the_whole_call() {
    let server = FaultServer::always(Behaviour::hang());
    let limiter = TimeLimiterConfig::builder().timeout(ms(60));
    let pipeline = quick().time_limiter(limiter);
    assert_eq!(pipeline.build().unwrap_err().key(), "time_limiter");

    let pipeline = Pipeline::http("inventory")
        .retry(RetryConfig::safe().max_attempts(50).backoff(Backoff::fixed(MS)))
        .time_limiter(limiter)
        .build()
        .unwrap();
    let began = Instant::now();
    let request = client(&pipeline).get(server.url("/")).timeout(ms(200));
    let error = request.send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:#}");
    assert!((ms(180)..ms(1500)).contains(&began.elapsed()), "{:?}", began.elapsed());
    let attempts = server.counts().requests;
    assert!((2..=4).contains(&attempts), "{attempts} attempts");
}

#[tokio::test]
async fn an_attempt_that_hangs_is_given_up_and_made_again() {
    let server = FaultServer::sequence([Behaviour::hang(), Behaviour::ok("42")]);
    let pipeline = Pipeline::http("inventory")
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
        .time_limiter(TimeLimiterConfig::builder().timeout(ms(50)))
        .build()
        .unwrap();
    let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "42");
    assert_eq!(counted(&pipeline), (1, 1));
    assert_eq!(pipeline.time_limiter().unwrap().metrics().timeout, 1);
}

#[tokio::test]
async fn a_deadline_that_strikes_in_the_body_is_a_timeout_to_reqwest() {
    let server = FaultServer::always(Behaviour::ok("half of it").hang_after(4));
    let pipeline = pipeline();
    let request = client(&pipeline).get(server.url("/")).timeout(ms(150));
    let response = request.send().await.unwrap();
    assert_eq!(in_flight(&pipeline), 1);
    let error = response.text().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let rejected = Rejected::find(&error).expect("seawall's word is among the sources");
    assert_eq!(rejected.reason(), Reason::DeadlineExceeded);
    assert_eq!(in_flight(&pipeline), 0);
    assert_eq!(counted(&pipeline), (0, 1));
}

#[tokio::test]
async fn the_attempts_limit_ends_with_the_head_unless_told_otherwise() {
    let slow = || Behaviour::ok("slowly").trickle(1, ms(100));
    let server = FaultServer::always(slow());
    let limited = |scope| {
        let limiter = TimeLimiterConfig::builder().timeout(ms(400)).scope(scope);
        Pipeline::http("inventory").without(Step::Retry).time_limiter(limiter).build().unwrap()
    };
    use seawall::patterns::time_limiter::TimeLimitScope::{Head, WholeBody};
    let response = client(&limited(Head)).get(server.url("/")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "slowly");

    let pipeline = limited(WholeBody);
    let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
    let error = response.text().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(Rejected::find(&error).unwrap().reason(), Reason::AttemptTimedOut);
    assert_eq!(pipeline.time_limiter().unwrap().metrics().timeout, 1);
}

// ## What ends when

#[tokio::test]
async fn a_caller_who_reads_only_the_status_records_a_success() {
    let server = FaultServer::always(Behaviour::big(1 << 20));
    let pipeline = pipeline();
    let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
    assert_eq!(counted(&pipeline), (0, 0));
    assert!(response.status().is_success());
    drop(response);
    assert_eq!(counted(&pipeline), (1, 0));
    assert_eq!(in_flight(&pipeline), 0);
}

#[tokio::test]
async fn a_body_that_breaks_is_a_failure() {
    for behaviour in
        [Behaviour::ok("half of it").reset_after(4), Behaviour::ok("half").close_after(2)]
    {
        let server = FaultServer::always(behaviour);
        let pipeline = pipeline();
        let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap_err();
        assert_eq!(counted(&pipeline), (0, 1));
        assert_eq!(server.counts().requests, 1, "the head was delivered, so nothing is replayed");
    }
}

#[tokio::test]
async fn a_place_in_the_bulkhead_is_held_until_the_body_ends() {
    let server = FaultServer::always(Behaviour::endless("piece", ms(5)));
    let pipeline =
        quick().bulkhead(BulkheadConfig::builder().max_concurrent_calls(1)).build().unwrap();
    let client = client(&pipeline);
    let mut response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "piece");
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::BulkheadFull);
    assert_eq!(
        pipeline.circuit_breaker().unwrap().counters().failed,
        0,
        "a full bulkhead is no failure"
    );
    drop(response);
    assert_eq!(in_flight(&pipeline), 0);
    client.get(server.url("/")).send().await.unwrap();
}

#[tokio::test]
async fn an_endless_body_holds_no_trial_of_a_half_open_circuit() {
    let server = FaultServer::always(Behaviour::endless("piece", ms(5)));
    let breaker = CircuitBreakerConfig::builder().permitted_calls_in_half_open(1);
    let pipeline = quick().circuit_breaker(breaker).build().unwrap();
    let breaker = pipeline.circuit_breaker().unwrap();
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    let _streaming = client(&pipeline).get(server.url("/")).send().await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn dropping_a_call_gives_everything_back() {
    let server = FaultServer::always(Behaviour::hang());
    let pipeline = pipeline();
    let call = client(&pipeline).get(server.url("/")).send();
    let call = tokio::spawn(call);
    server.until(|counts| counts.requests == 1).await;
    assert_eq!(in_flight(&pipeline), 1);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(in_flight(&pipeline), 0);
    assert_eq!(pipeline.circuit_breaker().unwrap().counters().cancelled, 1);
    server.until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn a_hung_backend_opens_the_circuit() {
    let server = FaultServer::always(Behaviour::hang());
    let window = SlidingWindow::Count(4);
    let pipeline = Pipeline::http("inventory")
        .without(Step::Retry)
        .circuit_breaker(CircuitBreakerConfig::builder().sliding_window(window))
        .time_limiter(TimeLimiterConfig::builder().timeout(ms(20)))
        .build()
        .unwrap();
    let client = client(&pipeline);
    for _ in 0..4 {
        assert!(client.get(server.url("/")).send().await.unwrap_err().is_timeout());
    }
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(error.is_refusal());
    assert_eq!(error.rejected().unwrap().reason(), Reason::CircuitOpen);
    assert!(error.retry_after().unwrap() > Duration::from_secs(50));
    assert_eq!(server.counts().requests, 4);
}

// ## The response is reqwest's own

#[tokio::test]
async fn the_guarded_response_keeps_its_url_version_and_headers() {
    let server = FaultServer::start(|seen, _| match seen.uri.path() {
        "/old" => Behaviour::status(302).header("location", "/new?x=1"),
        _ => Behaviour::ok("here").header("x-kept", "yes"),
    });
    let response = client(&pipeline()).get(server.url("/old")).send().await.unwrap();
    assert_eq!(response.url().as_str(), server.url("/new?x=1"));
    assert_eq!(response.version(), reqwest::Version::HTTP_11);
    assert_eq!(response.headers()["x-kept"], "yes");
    assert_eq!(response.content_length(), Some(4));
    assert_eq!(response.remote_addr(), Some(server.address()));
    assert_eq!(response.text().await.unwrap(), "here");
    assert_eq!(server.counts().requests, 2);
}

#[tokio::test]
async fn the_verbs_are_reqwests() {
    let server = FaultServer::always(Behaviour::echo());
    let client = client(&pipeline());
    let url = server.url("/");
    let requests = [
        client.get(&url),
        client.post(&url),
        client.put(&url),
        client.patch(&url),
        client.delete(&url),
        client.head(&url),
        client.request(reqwest::Method::OPTIONS, &url),
    ];
    for request in requests {
        let request = request
            .header("x-one", "1")
            .bearer_auth("token")
            .query(&[("a", "b")])
            .timeout(Duration::from_secs(3));
        assert!(request.try_clone().is_some());
        request.send().await.unwrap().error_for_status().unwrap();
    }
    let methods: Vec<_> = server.seen().iter().map(|seen| seen.method.to_string()).collect();
    assert_eq!(methods, ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
    assert!(server.seen().iter().all(|seen| seen.headers["authorization"] == "Bearer token"));
    assert!(server.seen().iter().all(|seen| seen.uri.query() == Some("a=b")));

    let echoed = client.post(&url).json(&serde_json::json!({"a": 1})).send().await.unwrap();
    assert_eq!(echoed.json::<serde_json::Value>().await.unwrap()["a"], 1);
    let echoed = client.post(&url).form(&[("k", "v")]).send().await.unwrap();
    assert_eq!(echoed.text().await.unwrap(), "k=v");
}

// ## Errors

#[tokio::test]
async fn the_question_mark_takes_both_errors_of_a_concrete_type() {
    async fn stock(client: &Client, url: String) -> Result<String, seawall::reqwest::Error> {
        Ok(client.get(url).send().await?.error_for_status()?.text().await?)
    }
    let server = FaultServer::always(Behaviour::status(404));
    let error = stock(&client(&pipeline()), server.url("/")).await.unwrap_err();
    assert_eq!(error.service().unwrap().status(), Some(StatusCode::NOT_FOUND));
}
