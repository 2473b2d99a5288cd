//! What is sent again, when, and with what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::http::Idempotent;
use seawall::telemetry::{Event, EventKind, RetryEvent};
use seawall::tonic::GrpcReplay;
use seawall::{Cause, Step, TimeLimiterConfig};
use tonic::{Code, Request};

use crate::support::*;

/// What a `HealthCheckRequest { service: "stock" }` looks like on the wire.
const STOCK: &[u8] = b"\0\0\0\0\x07\x0a\x05stock";

fn header(server: &FaultServer, attempt: usize, name: &str) -> Option<String> {
    let seen = server.seen();
    Some(seen[attempt].headers.get(name)?.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn unavailable_in_the_head_is_tried_again_with_its_message() {
    let server = serve([trailers_only("14"), Behaviour::status(503), message("0")]);
    let pipeline = preset().build().unwrap();
    assert_eq!(check(&mut client(&pipeline, &server)).await.unwrap().status, 1);
    assert_eq!(counted(&pipeline), (1, 2));
    for (attempt, previous) in [None, Some("1"), Some("2")].into_iter().enumerate() {
        let seen = &server.seen()[attempt];
        assert_eq!(
            (seen.method.as_str(), seen.uri.path()),
            ("POST", "/grpc.health.v1.Health/Check")
        );
        assert_eq!(seen.body, STOCK);
        assert_eq!(seen.headers["te"], "trailers");
        assert_eq!(header(&server, attempt, "grpc-previous-rpc-attempts").as_deref(), previous);
    }
}

#[tokio::test]
async fn a_status_after_the_attempts_is_the_servers_own() {
    let server =
        serve([trailers_only("14").header("grpc-message", "no%20room").header("x-a", "b")]);
    let pipeline = preset().build().unwrap();
    let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "no room"));
    assert_eq!(status.metadata().get("x-a").unwrap(), "b");
    assert_eq!((server.counts().requests, counted(&pipeline)), (3, (0, 3)));
}

#[tokio::test]
async fn unavailable_after_a_good_head_is_not_tried_again() {
    for answer in [message("14"), head().trailer("grpc-status", "14")] {
        let server = serve([answer]);
        let pipeline = preset().build().unwrap();
        let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!((server.counts().requests, counted(&pipeline)), (1, (0, 1)));
    }
}

#[tokio::test]
async fn other_codes_are_not_tried_again_unless_told_so() {
    for code in ["2", "4", "8", "10", "13", "15"] {
        let server = serve([trailers_only(code)]);
        check(&mut client(&preset().build().unwrap(), &server)).await.unwrap_err();
        assert_eq!(server.counts().requests, 1, "{code}");
    }
    let server = serve([trailers_only("13"), message("0")]);
    let replay = GrpcReplay::default().repeat_when(|code| code == Code::Internal);
    let pipeline = preset().replay(replay).build().unwrap();
    check(&mut client(&pipeline, &server)).await.unwrap();
    assert_eq!(server.counts().requests, 2);
}

#[tokio::test]
async fn a_pushback_is_waited_for_exactly() {
    // Also where the backoff's dice would have it longer: these are below its 100 ms.
    for code in ["14", "8", "14", "8", "14", "8"] {
        let asked = trailers_only(code).header("grpc-retry-pushback-ms", "7");
        let server = serve([asked, message("0")]);
        let pipeline = seawall::Pipeline::grpc("greeter").build().unwrap();
        let waits = Arc::new(Mutex::new(Vec::new()));
        let log = waits.clone();
        pipeline.observe(move |event: &Event<'_>| {
            if let EventKind::Retry(RetryEvent::Retry { wait, .. }) = event.kind {
                log.lock().unwrap().push(wait);
            }
        });
        check(&mut client(&pipeline, &server)).await.unwrap();
        assert_eq!(*waits.lock().unwrap(), [Duration::from_millis(7)]);
    }
}

#[tokio::test]
async fn a_pushback_that_is_negative_or_nonsense_forbids_the_retry() {
    for never in ["-1", "soon"] {
        let server = serve([trailers_only("14").header("grpc-retry-pushback-ms", never)]);
        let pipeline = preset().build().unwrap();
        check(&mut client(&pipeline, &server)).await.unwrap_err();
        assert_eq!((server.counts().requests, counted(&pipeline)), (1, (0, 1)), "{never}");
    }
}

#[tokio::test]
async fn what_was_never_begun_is_tried_again_and_not_counted() {
    let server = serve([Behaviour::refuse_stream(), message("0")]);
    let pipeline = preset().build().unwrap();
    check(&mut client(&pipeline, &server)).await.unwrap();
    assert_eq!((server.counts().requests, counted(&pipeline)), (2, (1, 1)));
    assert_eq!(header(&server, 1, "grpc-previous-rpc-attempts"), None);
    assert_eq!(server.seen()[1].body, STOCK);
}

#[tokio::test]
async fn a_connection_that_goes_away_before_it_takes_the_call_on_is_replaced() {
    let server = FaultServer::builder()
        .http2()
        .on_connect(|n| match n {
            0 => OnConnect::GoAway(Http2Code::NO_ERROR),
            _ => OnConnect::Serve,
        })
        .start(|_, _| message("0"));
    let pipeline = preset().build().unwrap();
    check(&mut client(&pipeline, &server)).await.unwrap();
    assert_eq!((server.counts().requests, counted(&pipeline)), (1, (1, 1)));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_as_often_as_may_be() {
    let port = RefusedPort::new();
    let endpoint = tonic::transport::Endpoint::from_shared(port.url("")).unwrap();
    let pipeline = preset().build().unwrap();
    let mut client = over(&pipeline, endpoint.connect_lazy());
    let causes = causes(&pipeline);
    let status = check(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(*causes.lock().unwrap(), [Cause::Connect; 3]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_not_tried_again_unless_the_request_says_so() {
    for (said, requests) in [(None, 1), (Some(false), 1), (Some(true), 2)] {
        let server = serve([Behaviour::reset(), message("0")]);
        let pipeline = preset().build().unwrap();
        let mut request = Request::new(request());
        if let Some(said) = said {
            request.extensions_mut().insert(Idempotent(said));
        }
        let result = client(&pipeline, &server).check(request).await;
        assert_eq!(
            (result.is_ok(), server.counts().requests),
            (requests == 2, requests),
            "{said:?}"
        );
        assert_eq!(counted(&pipeline), (u64::from(requests == 2), 1));
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_repeated_is_not_even_after_unavailable() {
    let server = serve([trailers_only("14")]);
    let mut request = Request::new(request());
    request.extensions_mut().insert(Idempotent(false));
    client(&preset().build().unwrap(), &server).check(request).await.unwrap_err();
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn an_attempt_that_hangs_is_given_up_and_tried_again_if_the_request_says_so() {
    let server = serve([Behaviour::hang(), message("0")]);
    let limit = TimeLimiterConfig::builder().timeout(Duration::from_millis(300));
    let pipeline = preset().time_limiter(limit).build().unwrap();
    let mut request = Request::new(request());
    request.extensions_mut().insert(Idempotent(true));
    client(&pipeline, &server).check(request).await.unwrap();
    assert_eq!(counted(&pipeline), (1, 1));
    assert_eq!(header(&server, 1, "grpc-previous-rpc-attempts").unwrap(), "1");
}

// ## The time that is left

fn millis(server: &FaultServer, attempt: usize) -> u64 {
    let told = header(server, attempt, "grpc-timeout").unwrap();
    told.strip_suffix('m').unwrap_or_else(|| panic!("{told}")).parse().unwrap()
}

#[tokio::test]
async fn each_attempt_tells_the_server_what_is_left_of_the_whole_call() {
    let asked = trailers_only("14").header("grpc-retry-pushback-ms", "200");
    let server = serve([asked, message("0")]);
    // The limit of one attempt is not told: it ends with the head, and a stream goes on.
    let limit = TimeLimiterConfig::builder().timeout(Duration::from_secs(3));
    let pipeline = preset().deadline(Duration::from_secs(9)).time_limiter(limit).build().unwrap();
    check(&mut client(&pipeline, &server)).await.unwrap();
    let (first, second) = (millis(&server, 0), millis(&server, 1));
    assert!((8000..=9000).contains(&first), "{first}");
    assert!(second <= first - 200 && second > 7000, "{first} {second}");
}

#[tokio::test]
async fn a_shorter_timeout_of_the_requests_own_is_for_all_attempts() {
    let asked = trailers_only("14").header("grpc-retry-pushback-ms", "200");
    let server = serve([asked, message("0")]);
    let mut request = Request::new(request());
    request.set_timeout(Duration::from_secs(5));
    client(&preset().build().unwrap(), &server).check(request).await.unwrap();
    let (first, second) = (millis(&server, 0), millis(&server, 1));
    assert!((4000..=5000).contains(&first), "{first}");
    assert!(second <= first - 200 && second > 3000, "{first} {second}");
}

#[tokio::test]
async fn without_a_deadline_nothing_is_told() {
    let server = serve([message("0")]);
    let pipeline = preset().without(Step::Deadline).build().unwrap();
    check(&mut client(&pipeline, &server)).await.unwrap();
    assert_eq!(header(&server, 0, "grpc-timeout"), None);
}

#[tokio::test]
async fn a_pause_that_does_not_fit_is_not_begun() {
    let asked = trailers_only("14").header("grpc-retry-pushback-ms", "20000");
    let server = serve([asked]);
    let pipeline = preset().deadline(Duration::from_secs(4)).build().unwrap();
    let begun = std::time::Duration::from_secs(3);
    let call = tokio::time::timeout(begun, async { check(&mut client(&pipeline, &server)).await });
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert_eq!(server.counts().requests, 1);
}
