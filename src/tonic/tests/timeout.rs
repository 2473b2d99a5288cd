use std::time::Duration;

use http::Request;
use tokio::time::{Instant, advance};

use crate::deadline::Deadline;
use crate::tonic::timeout::{CallDeadline, announce, read};

const SECOND: Duration = Duration::from_secs(1);

/// The header of a request that has `set`, with so much time left.
fn told(set: Option<&str>, left: Duration) -> Option<String> {
    let mut request = Request::new(());
    if let Some(set) = set {
        request.headers_mut().insert("grpc-timeout", set.parse().unwrap());
    }
    request.extensions_mut().insert(CallDeadline(Deadline::at(Instant::now() + left)));
    announce(&mut request);
    assert!(request.extensions().is_empty());
    Some(request.headers().get("grpc-timeout")?.to_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_told_in_at_most_eight_digits_and_never_as_less() {
    for (left, text) in [
        (SECOND, "1000m"),
        (SECOND * 30, "30000m"),
        (Duration::from_micros(1001), "2m"),
        (Duration::from_nanos(1), "1m"),
        (Duration::from_millis(99_999_999), "99999999m"),
        (Duration::from_millis(100_000_000), "100001S"),
        (SECOND * 400_000_000, "111112H"),
    ] {
        assert_eq!(told(None, left).unwrap(), text);
        let mut headers = http::HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        assert!(read(&headers).unwrap() >= left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_timeout_of_the_requests_own_stays_as_it_is() {
    assert_eq!(told(Some("500m"), SECOND).unwrap(), "500m");
    assert_eq!(told(Some("1S"), SECOND).unwrap(), "1S");
    assert_eq!(told(Some("2S"), SECOND).unwrap(), "1000m");
    assert_eq!(told(Some("nonsense"), SECOND).unwrap(), "1000m");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_leaves_next_to_nothing() {
    let mut request = Request::new(());
    request.extensions_mut().insert(CallDeadline(Deadline::after(SECOND)));
    advance(SECOND * 2).await;
    announce(&mut request);
    assert_eq!(request.headers()["grpc-timeout"], "1m");
}

#[test]
fn a_request_without_a_deadline_is_left_alone() {
    let mut request = Request::new(());
    announce(&mut request);
    assert!(request.headers().is_empty());
}

#[test]
fn timeouts_are_read_as_grpc_has_them() {
    let said = |text: &'static str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("grpc-timeout", http::HeaderValue::from_static(text));
        read(&headers)
    };
    for (text, timeout) in [
        ("1H", SECOND * 3600),
        ("2M", SECOND * 120),
        ("3S", SECOND * 3),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("0S", Duration::ZERO),
        ("99999999H", SECOND * 99_999_999 * 3600),
    ] {
        assert_eq!(said(text), Some(timeout), "{text}");
    }
    for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", " 1S", "1 S", "123456789S", "1\u{b5}"] {
        let mut headers = http::HeaderMap::new();
        headers.insert("grpc-timeout", http::HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert_eq!(read(&headers), None, "{text:?}");
    }
    assert_eq!(read(&http::HeaderMap::new()), None);
}
