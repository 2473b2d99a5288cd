//! What becomes a span, when it begins and ends, and what it tells.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use seawall::http::{HttpReplay, UrlTemplate};
use seawall::reqwest::SendThrough;
use seawall::{BulkheadConfig, Pipeline, RetryConfig, TimeLimiterConfig};
use tokio::time::sleep;
use tower::{Layer, ServiceExt};

use crate::support::*;

#[tokio::test]
async fn a_call_over_reqwest_is_told_by_opentelemetrys_conventions() {
    let server = FaultServer::always(Behaviour::ok("42"));
    let told = Collector::new();
    let response = client(&pipeline())
        .get(server.url("/api/42?token=abc").replace("http://", "http://bob:hunter2@"))
        .url_template("/api/{id}")
        .send()
        .await
        .unwrap();

    let (call, attempts) = told.call();
    let attempt = &attempts[0];
    let address = server.address();
    let port = address.port().to_string();
    // reqwest has made a header of the credentials by then.
    let url = format!("http://{address}/api/42?REDACTED");
    for (field, value) in [
        ("otel.name", "GET /api/{id}"),
        ("otel.kind", "client"),
        ("otel.status_code", ""),
        ("http.request.method", "GET"),
        ("http.request.method_original", ""),
        ("http.request.resend_count", ""),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("url.template", "/api/{id}"),
        ("url.full", &url),
        ("error.type", ""),
        ("seawall.attempt", "1"),
        ("seawall.trace_id", ""),
    ] {
        assert_eq!(attempt.get(field), value, "{field}");
    }
    // The attempt ends with the head that was judged, the call with the body.
    assert!(attempt.closed && !call.closed);
    assert_eq!(response.text().await.unwrap(), "42");
    let (call, _) = told.call();
    assert!(call.closed);
    for (field, value) in [
        ("otel.name", "inventory"),
        ("otel.kind", "internal"),
        ("otel.status_code", ""),
        ("seawall.pipeline", "inventory"),
        ("seawall.outcome", "success"),
        ("seawall.attempts", "1"),
        ("error.type", ""),
    ] {
        assert_eq!(call.get(field), value, "{field}");
    }
}

#[tokio::test]
async fn each_attempt_has_a_span_and_later_ones_say_which_they_are() {
    let server =
        FaultServer::sequence([Behaviour::status(503), Behaviour::reset(), Behaviour::ok("42")]);
    let told = Collector::new();
    let response = client(&pipeline()).get(server.url("/")).send().await.unwrap();
    response.text().await.unwrap();
    let (call, attempts) = told.call();
    let fields = [
        "http.request.resend_count",
        "http.response.status_code",
        "error.type",
        "otel.status_code",
    ];
    let all: Vec<_> = attempts.iter().map(|it| fields.map(|field| it.get(field))).collect();
    assert_eq!(
        all,
        [["", "503", "503", "ERROR"], ["1", "", "reset", "ERROR"], ["2", "200", "", ""]]
    );
    assert_eq!((call.get("seawall.attempts"), call.get("seawall.outcome")), ("3", "success"));
    assert!(attempts.iter().all(|it| it.closed && it.get("otel.name") == "GET"));
}

#[tokio::test]
async fn a_request_over_hyper_is_told_too() {
    let server = FaultServer::sequence([Behaviour::status(503), Behaviour::status(404)]);
    let told = Collector::new();
    let url = server.url("/api?a=1");
    let request = Request::builder()
        .method("PURGE")
        .uri(&url)
        .extension(UrlTemplate::new("/api"))
        .extension(seawall::http::Idempotent(true))
        .body(Full::<Bytes>::default())
        .unwrap();
    let pipeline = Pipeline::http("inventory")
        .replay(HttpReplay::default().trace_query(true))
        .retry(RetryConfig::safe().backoff(seawall::Backoff::fixed(MS)))
        .build()
        .unwrap();
    let response = pipeline.layer(hyper()).oneshot(request).await.unwrap();
    drop(response.into_body().collect().await);
    let (call, attempts) = told.call();
    let last = &attempts[1];
    assert_eq!(last.get("otel.name"), "HTTP /api");
    assert_eq!(last.get("http.request.method"), "_OTHER");
    assert_eq!(last.get("http.request.method_original"), "PURGE");
    assert_eq!(last.get("url.full"), url);
    // No failure to the circuit breaker, but an error to the conventions.
    assert_eq!((last.get("error.type"), last.get("otel.status_code")), ("404", "ERROR"));
    assert_eq!((call.get("seawall.outcome"), call.get("error.type")), ("success", ""));
}

#[tokio::test]
async fn a_call_of_grpc_is_told_by_the_conventions_for_rpc() {
    let server =
        FaultServer::builder().http2().start(sequence([trailers_only("14"), message("0")]));
    let told = Collector::new();
    health(&grpc(), &server).check(stock()).await.unwrap();
    let (call, attempts) = told.call();
    let fields =
        ["otel.name", "otel.kind", "rpc.system.name", "rpc.method", "rpc.response.status_code"];
    let method = "grpc.health.v1.Health/Check";
    assert_eq!(
        fields.map(|it| attempts[0].get(it)),
        [method, "client", "grpc", method, "UNAVAILABLE"]
    );
    // The code of the second comes with the trailers: after the attempt, within the call.
    assert_eq!(fields.map(|it| attempts[1].get(it)), [method, "client", "grpc", method, ""]);
    assert_eq!(attempts[0].get("error.type"), "UNAVAILABLE");
    assert_eq!(attempts[1].get("error.type"), "");
    assert_eq!((call.get("seawall.outcome"), call.get("otel.name")), ("success", "greeter"));
}

#[tokio::test]
async fn trailers_that_bring_a_failure_fail_the_call() {
    let server = FaultServer::builder().http2().start(sequence([message("13")]));
    let told = Collector::new();
    health(&grpc(), &server).check(stock()).await.unwrap_err();
    let (call, _) = told.call();
    let end =
        ["seawall.outcome", "error.type", "otel.status_code"].map(|it| call.get(it).to_owned());
    assert_eq!(end, ["failure", "INTERNAL", "ERROR"]);
}

#[tokio::test]
async fn a_body_that_breaks_fails_the_call() {
    let server = FaultServer::always(Behaviour::ok("all of it").reset_after(3));
    let told = Collector::new();
    let response = client(&pipeline()).get(server.url("/")).send().await.unwrap();
    response.text().await.unwrap_err();
    let (call, attempts) = told.call();
    assert_eq!((call.get("seawall.outcome"), call.get("error.type")), ("failure", "reset"));
    assert_eq!(attempts[0].get("error.type"), "");
}

#[tokio::test]
async fn a_deadline_in_the_midst_of_a_body_ends_the_call_as_a_timeout() {
    let server = FaultServer::always(Behaviour::ok("all of it").hang_after(3));
    let told = Collector::new();
    let request = client(&pipeline()).get(server.url("/")).timeout(100 * MS);
    request.send().await.unwrap().text().await.unwrap_err();
    let (call, attempts) = told.call();
    let end = ["seawall.outcome", "error.type"].map(|field| call.get(field));
    assert_eq!((end, call.closed), (["timed_out", "deadline_exceeded"], true));
    assert_eq!(attempts[0].get("error.type"), "");
    // Told within the span, although it is the body's reader who polls.
    assert_eq!(told.lines()[0].span, Some("call"));
}

#[tokio::test]
async fn a_body_that_is_dropped_half_way_is_a_success() {
    let server = FaultServer::always(Behaviour::ok("all of it").hang_after(3));
    let told = Collector::new();
    drop(client(&pipeline()).get(server.url("/")).send().await.unwrap());
    let (call, _) = told.call();
    assert_eq!((call.get("seawall.outcome"), call.closed), ("success", true));
}

#[tokio::test]
async fn reqwests_own_builder_is_told_when_it_is_sent_through() {
    let server = FaultServer::always(Behaviour::no_content());
    crate::faults::install_provider();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let told = Collector::new();
    plain.get(server.url("/")).send_through(&pipeline()).await.unwrap();
    let (call, attempts) = told.call();
    assert_eq!(attempts[0].get("otel.name"), "GET");
    // An answer without a body ends both.
    assert!(call.closed && attempts[0].closed);
}

#[tokio::test]
async fn a_refused_call_has_no_attempt() {
    let pipeline = pipeline();
    pipeline.circuit_breaker().unwrap().transition_to_forced_open();
    let told = Collector::new();
    client(&pipeline).get("http://127.0.0.1:9/").send().await.unwrap_err();
    let (call, attempts) = told.call();
    assert!(attempts.is_empty() && call.closed);
    let end = ["seawall.outcome", "seawall.attempts", "error.type", "otel.status_code"];
    assert_eq!(end.map(|it| call.get(it)), ["refused", "0", "circuit_forced_open", "ERROR"]);
}

fn plain() -> seawall::PipelineBuilder {
    Pipeline::builder("work")
}

#[tokio::test(start_paused = true)]
async fn a_plain_future_has_spans_that_claim_no_protocol() {
    let told = Collector::new();
    plain().build().unwrap().call(|| async { Ok::<_, io::Error>(()) }).await.unwrap();
    let (call, attempts) = told.call();
    assert_eq!((call.get("seawall.outcome"), attempts.len()), ("success", 1));
    assert_eq!(attempts[0].get("otel.kind"), "");
    assert!(call.closed && attempts[0].closed);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_says_so() {
    let limit = TimeLimiterConfig::builder().timeout(Duration::from_secs(1));
    let pipeline = plain().time_limiter(limit).build().unwrap();
    let told = Collector::new();
    let hang = || async {
        std::future::pending::<()>().await;
        Ok::<_, io::Error>(())
    };
    pipeline.call(hang).await.unwrap_err();
    let (call, attempts) = told.call();
    assert_eq!(attempts[0].get("error.type"), "timeout");
    assert_eq!(
        (call.get("seawall.outcome"), call.get("error.type")),
        ("timed_out", "attempt_timed_out")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled() {
    let told = Collector::new();
    let hang = || std::future::pending::<Result<(), io::Error>>();
    let call = plain().build().unwrap().call(hang);
    drop(tokio::time::timeout(MS, call).await);
    let (call, attempts) = told.call();
    assert_eq!(attempts[0].get("error.type"), "cancelled");
    assert_eq!((call.get("seawall.outcome"), call.closed), ("cancelled", true));
}

#[tokio::test(start_paused = true)]
async fn spans_are_entered_during_polls_only() {
    let told = Collector::new();
    let current = || tracing::Span::current().metadata().map(tracing::Metadata::name);
    let pipeline = plain().build().unwrap();
    let work = move || async move {
        assert_eq!(current(), Some("attempt"));
        sleep(MS).await;
        assert_eq!(current(), Some("attempt"));
        Ok::<_, io::Error>(())
    };
    let (done, ()) = tokio::join!(pipeline.call(work), async move {
        assert_eq!(current(), None);
        sleep(MS / 2).await;
        assert_eq!(current(), None);
    });
    done.unwrap();
    assert_eq!(current(), None);
    assert_eq!(told.call().1.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_begins_when_it_has_passed_the_gates() {
    let one = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(Duration::from_secs(9));
    let pipeline = plain().bulkhead(one).build().unwrap();
    let place = pipeline.bulkhead().unwrap().try_acquire().unwrap();
    let told = Collector::new();
    let call = pipeline.call(|| async { Ok::<_, io::Error>(()) });
    let look = async {
        sleep(MS).await;
        assert_eq!(told.spans().len(), 1, "the call waits, and nothing was attempted");
        drop(place);
    };
    tokio::join!(call, look).0.unwrap();
    assert_eq!(told.call().1.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_can_be_had_without_calls_and_calls_without_attempts() {
    let work = || async { Ok::<_, io::Error>(()) };
    let told = Collector::filtered(|it| it.target() == "seawall::attempt");
    plain().build().unwrap().call(work).await.unwrap();
    assert_eq!(
        told.spans().iter().map(|it| (it.name, it.closed)).collect::<Vec<_>>(),
        [("attempt", true)]
    );
    drop(told);
    let told = Collector::filtered(|it| it.target() == "seawall::call");
    plain().build().unwrap().call(work).await.unwrap();
    let (call, attempts) = told.call();
    assert_eq!((call.get("seawall.attempts"), attempts.len()), ("1", 0));
    drop(told);
    let told = Collector::filtered(|_| false);
    plain().build().unwrap().call(work).await.unwrap();
    assert!(told.spans().is_empty());
}
