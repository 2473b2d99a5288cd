use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::time::advance;
use tonic::Code;
use tonic::body::Body;

use crate::deadline::Deadline;
use crate::http::{Idempotent, NoRetry};
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;
use crate::tonic::timeout::announce;
use crate::tonic::{GrpcKit, GrpcReplay};

const SECOND: Duration = Duration::from_secs(1);

fn request() -> Request<Body> {
    Request::post("http://greeter/Say/Hello").body(Body::new(Full::from("hello"))).unwrap()
}

async fn text(attempt: Request<Body>) -> String {
    let bytes = attempt.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn failure(code: Code) -> Verdict {
    Verdict::failure(Cause::Grpc(code.into()))
}

fn is_repeated(said: Option<bool>, verdict: Verdict) -> bool {
    let mut request = request();
    if let Some(said) = said {
        request.extensions_mut().insert(Idempotent(said));
    }
    let (_first, mut kit) = GrpcReplay::default().first(request);
    GrpcReplay::default().again(&mut kit, &verdict).is_some()
}

#[test]
fn what_was_never_begun_is_sent_again_whatever_the_request_says() {
    for cause in [Cause::Connect, Cause::Unprocessed, Cause::Refused] {
        for said in [None, Some(false), Some(true)] {
            assert!(is_repeated(said, Verdict::failure(cause)), "{cause:?} {said:?}");
        }
    }
}

#[test]
fn a_request_that_is_to_be_sent_once_is() {
    let mut request = request();
    request.extensions_mut().insert(NoRetry);
    let (_first, mut kit) = GrpcReplay::default().first(request);
    assert!(GrpcReplay::default().again(&mut kit, &Verdict::failure(Cause::Connect)).is_none());
}

#[test]
fn a_code_is_sent_again_if_it_is_one_of_those_that_are() {
    for code in (0..=16).map(Code::from_i32) {
        assert_eq!(is_repeated(None, failure(code)), code == Code::Unavailable, "{code:?}");
        assert_eq!(is_repeated(Some(true), failure(code)), code == Code::Unavailable, "{code:?}");
        assert!(!is_repeated(Some(false), failure(code)), "{code:?}");
        // If the server says when, it means it for what it had no room for.
        let asked = failure(code).with_retry_after(Some(SECOND));
        let repeated = matches!(code, Code::Unavailable | Code::ResourceExhausted);
        assert_eq!(is_repeated(None, asked), repeated, "{code:?}");
        assert!(!is_repeated(Some(false), asked), "{code:?}");
    }
}

#[test]
fn what_broke_under_way_is_sent_again_only_if_the_request_says_so() {
    for cause in [Cause::Reset, Cause::Timeout, Cause::Overloaded, Cause::Other] {
        assert!(!is_repeated(None, Verdict::failure(cause)), "{cause:?}");
        assert!(!is_repeated(Some(false), Verdict::failure(cause)), "{cause:?}");
        assert!(is_repeated(Some(true), Verdict::failure(cause)), "{cause:?}");
    }
    assert!(!is_repeated(Some(true), Verdict::failure(Cause::Permanent)));
}

#[test]
fn which_codes_can_be_said() {
    let replay = GrpcReplay::default().repeat_when(|code| code == Code::Aborted).body_limit(10_000);
    let (_first, mut kit) = replay.first(request());
    assert!(replay.again(&mut kit, &failure(Code::Unavailable)).is_none());
    assert!(replay.again(&mut kit, &failure(Code::Aborted)).is_some());
}

#[tokio::test]
async fn an_attempt_is_the_request_and_says_how_many_the_server_has_seen() {
    let mut request = request();
    request.headers_mut().insert("x-tenant", "a".parse().unwrap());
    request.extensions_mut().insert("an extension");
    let replay = GrpcReplay::default();
    let (first, mut kit) = replay.first(request);
    assert!(!first.headers().contains_key("grpc-previous-rpc-attempts"));
    assert_eq!(text(first).await, "hello");
    let again = |kit: &mut GrpcKit, verdict: Verdict| replay.again(kit, &verdict).unwrap();
    // What never reached the server is not counted.
    let second = again(&mut kit, Verdict::failure(Cause::Connect));
    assert!(!second.headers().contains_key("grpc-previous-rpc-attempts"));
    drop(second);
    for seen in ["1", "2"] {
        let attempt = again(&mut kit, failure(Code::Unavailable));
        assert_eq!(attempt.headers()["grpc-previous-rpc-attempts"], seen);
        assert_eq!((attempt.method().as_str(), attempt.uri().path()), ("POST", "/Say/Hello"));
        assert_eq!(attempt.headers()["x-tenant"], "a");
        assert_eq!(attempt.extensions().get(), Some(&"an extension"));
        assert_eq!(text(attempt).await, "hello");
    }
    let fourth = again(&mut kit, Verdict::failure(Cause::Unprocessed));
    assert_eq!(fourth.headers()["grpc-previous-rpc-attempts"], "2");
}

#[test]
fn a_body_over_the_limit_is_sent_once() {
    let replay = GrpcReplay::default().body_limit(4);
    let (first, mut kit) = replay.first(request());
    let mut first = tokio_test::task::spawn(text(first));
    assert_eq!(tokio_test::assert_ready!(first.poll()), "hello");
    assert!(replay.again(&mut kit, &failure(Code::Unavailable)).is_none());
}

fn timeout(mut attempt: Request<Body>) -> Option<String> {
    announce(&mut attempt);
    Some(attempt.headers().get("grpc-timeout")?.to_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn each_attempt_knows_what_is_left() {
    let replay = GrpcReplay::default();
    let make = || async { (replay.once(request()), replay.first(request())) };
    let (once, (first, mut kit)) = Deadline::after(SECOND * 10).scope(make()).await;
    assert_eq!(timeout(once).unwrap(), "10000m");
    assert_eq!(timeout(first).unwrap(), "10000m");
    advance(SECOND * 4).await;
    let second = replay.again(&mut kit, &failure(Code::Unavailable)).unwrap();
    // Also what it waits for before it is sent.
    advance(SECOND).await;
    assert_eq!(timeout(second).unwrap(), "5000m");
    let (nothing_set, _) = replay.first(request());
    assert_eq!(timeout(nothing_set), None);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_requests_own_is_for_all_attempts() {
    let replay = GrpcReplay::default();
    let mut request = request();
    request.headers_mut().insert("grpc-timeout", "2S".parse().unwrap());
    let make = || async { replay.first(request) };
    let (first, mut kit) = Deadline::after(SECOND * 10).scope(make()).await;
    assert_eq!(timeout(first).unwrap(), "2S");
    advance(SECOND).await;
    let second = replay.again(&mut kit, &failure(Code::Unavailable)).unwrap();
    assert_eq!(timeout(second).unwrap(), "1000m");
    advance(SECOND).await;
    assert!(replay.again(&mut kit, &failure(Code::Unavailable)).is_none());
}
