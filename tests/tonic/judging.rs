//! What counts as a failure, and when.

use seawall::tonic::{AtTrailers, GrpcClassifier};
use tonic::Code;

use crate::support::*;

const FAILURES: [Code; 6] = [
    Code::Unknown,
    Code::DeadlineExceeded,
    Code::ResourceExhausted,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
];

const NUMBERS: [&str; 17] =
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];

#[tokio::test]
async fn the_trailers_decide_once_the_head_is_good() {
    for number in NUMBERS {
        let server = serve([message(number)]);
        let pipeline = preset().build().unwrap();
        let code = Code::from_bytes(number.as_bytes());
        let result = check(&mut client(&pipeline, &server)).await;
        assert_eq!(result.err().map_or(Code::Ok, |status| status.code()), code);
        let failed = FAILURES.contains(&code);
        let expected = (u64::from(!failed), u64::from(failed));
        assert_eq!((counted(&pipeline), in_flight(&pipeline)), (expected, 0), "{code:?}");
        // The call was committed with its head.
        assert_eq!(server.counts().requests, 1);
    }
}

#[tokio::test]
async fn a_status_in_the_head_is_judged_there() {
    for number in NUMBERS {
        let server = serve([trailers_only(number)]);
        let pipeline = preset().without(seawall::Step::Retry).build().unwrap();
        let code = Code::from_bytes(number.as_bytes());
        let result = client(&pipeline, &server).watch(request()).await;
        assert_eq!(result.err().map_or(Code::Ok, |status| status.code()), code);
        let failed = FAILURES.contains(&code);
        let expected = (u64::from(!failed), u64::from(failed));
        assert_eq!((counted(&pipeline), in_flight(&pipeline)), (expected, 0), "{code:?}");
    }
}

#[tokio::test]
async fn an_answer_without_a_status_has_that_of_its_http_status() {
    let cases = [
        (400, Code::Internal, true),
        (401, Code::Unauthenticated, false),
        (403, Code::PermissionDenied, false),
        (404, Code::Unimplemented, false),
        (418, Code::Unknown, true),
        (429, Code::Unavailable, true),
        (500, Code::Unknown, true),
        (502, Code::Unavailable, true),
        (503, Code::Unavailable, true),
        (504, Code::Unavailable, true),
    ];
    for (http, code, failed) in cases {
        for answer in [Behaviour::status(http), Behaviour::status(http).body("a proxy's page")] {
            let server = serve([answer]);
            let pipeline = preset().without(seawall::Step::Retry).build().unwrap();
            let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
            // Of a page tonic says that it is no message.
            assert!(status.code() == code || status.message().contains("flag"), "{status:?}");
            let expected = (u64::from(!failed), u64::from(failed));
            assert_eq!((counted(&pipeline), in_flight(&pipeline)), (expected, 0), "{http}");
        }
    }
}

#[tokio::test]
async fn an_end_without_a_status_is_a_failure() {
    let answers = [
        // With the head, with the last frame, and in trailers that say something else.
        Behaviour::status(200).header("content-type", "application/grpc"),
        head().body(SERVING),
        head().trailer("x-sum", "7"),
        head().body(SERVING).trailer("x-sum", "7"),
        head().body(SERVING).trailer("grpc-status", "no number"),
        head().body(SERVING).trailer("grpc-status", "99"),
    ];
    for answer in answers {
        let server = serve([answer.clone()]);
        let pipeline = preset().build().unwrap();
        let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((0, 1), 0), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_a_failure() {
    let answers =
        [head().body([SERVING, SERVING].concat()), Behaviour::ok([SERVING, SERVING].concat())];
    for answer in answers {
        for answer in [answer.clone().reset_after(SERVING.len()), answer.close_after(3)] {
            let server = serve([answer.clone()]);
            let pipeline = preset().build().unwrap();
            let mut stream =
                client(&pipeline, &server).watch(request()).await.unwrap().into_inner();
            let status = loop {
                match stream.message().await {
                    Ok(message) => assert!(message.is_some(), "{answer:?}"),
                    Err(status) => break status,
                }
            };
            assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((0, 1), 0), "{status:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_half_way_is_a_success() {
    let server = serve([Behaviour::endless(SERVING, MS)]);
    let pipeline = preset().build().unwrap();
    let mut stream = client(&pipeline, &server).watch(request()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((0, 0), 1));
    drop(stream);
    assert_eq!((counted(&pipeline), in_flight(&pipeline)), ((1, 0), 0));
    server.until(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn an_endless_stream_holds_no_trial() {
    let server = serve([Behaviour::endless(SERVING, MS)]);
    let breaker = seawall::CircuitBreakerConfig::builder().permitted_calls_in_half_open(1);
    let pipeline = preset().circuit_breaker(breaker).build().unwrap();
    let breaker = pipeline.circuit_breaker().unwrap();
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    let mut stream = client(&pipeline, &server).watch(request()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(breaker.state(), seawall::State::Closed);
    assert_eq!(in_flight(&pipeline), 1);
}

#[tokio::test]
async fn which_codes_are_failures_can_be_said() {
    let strict = GrpcClassifier::default().failure_when(|code| code == Code::NotFound);
    for (answer, failed) in [
        (message("5"), true),
        (trailers_only("5"), true),
        (message("14"), false),
        (trailers_only("14"), false),
    ] {
        let server = serve([answer]);
        let pipeline =
            preset().classifier(strict.clone()).ends(AtTrailers(strict.clone())).build().unwrap();
        check(&mut client(&pipeline, &server)).await.unwrap_err();
        assert_eq!(counted(&pipeline), (u64::from(!failed), u64::from(failed)));
    }
}
