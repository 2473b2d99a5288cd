//! RT19, RT20, and what may be sent again: over services of `http::Request`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use seawall::http::{HttpReplay, Idempotent};
use seawall::{AtBodyEnd, Backoff, Error, ErrorLayer, NoReplay, Retry, RetryConfig, RetryLayer};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Wrong, ms};

type Answer = Result<Response<String>, Wrong>;

/// What the server saw: when, and with which body.
type Seen = Arc<Mutex<Vec<(u128, Bytes)>>>;

fn status(status: u16) -> Answer {
    Ok(Response::builder().status(status).body(String::new()).unwrap())
}

fn asking(code: u16, retry_after: &'static str) -> Answer {
    let mut response = status(code)?;
    let value = http::HeaderValue::from_static(retry_after);
    response.headers_mut().insert("retry-after", value);
    Ok(response)
}

fn layer() -> RetryLayer<seawall::http::HttpClassifier, HttpReplay, AtBodyEnd> {
    let config = RetryConfig::builder()
        .backoff(Backoff::fixed(ms(500)))
        .max_retry_after(Duration::from_secs(30));
    RetryLayer::new(Retry::new("inventory", config.build().unwrap())).http()
}

async fn send<R>(
    layer: RetryLayer<seawall::http::HttpClassifier, R, AtBodyEnd>,
    request: http::request::Builder,
    answer: impl Fn(usize) -> Answer,
) -> (Result<Response<String>, Error<Wrong>>, Vec<(u128, Bytes)>)
where
    R: seawall::Replay<Request<Full<Bytes>>, Attempt = Request<Full<Bytes>>> + Clone,
{
    let (seen, began) = (Seen::default(), Instant::now());
    let server = service_fn(async |request: Request<Full<Bytes>>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut seen = seen.lock().unwrap();
        seen.push((began.elapsed().as_millis(), body));
        answer(seen.len())
    });
    let request = request.body(Full::from("all of it")).unwrap();
    let service = ServiceBuilder::new().layer(layer).layer(ErrorLayer).service(server);
    let outcome = service.oneshot(request).await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (outcome, seen)
}

async fn times(answer: impl Fn(usize) -> Answer) -> Vec<u128> {
    send(layer(), Request::get("/"), answer).await.1.into_iter().map(|(at, _)| at).collect()
}

// ## Retry-After

#[tokio::test(start_paused = true)]
async fn rt19_retry_after_is_waited_for_instead_of_the_backoff() {
    let answer = |n| if n == 1 { asking(503, "2") } else { status(200) };
    assert_eq!(times(answer).await, [0, 2000]);
    let answer = |n| if n == 1 { asking(429, "1") } else { status(200) };
    assert_eq!(times(answer).await, [0, 1000]);
}

#[tokio::test(start_paused = true)]
async fn rt19_a_malformed_retry_after_falls_back() {
    for malformed in ["soon", "", "-1", "1.5", "+2", "2 s", "Mon, 99 Foo 2026 00:00:00 GMT"] {
        let answer = |n| if n == 1 { asking(503, malformed) } else { status(200) };
        assert_eq!(times(answer).await, [0, 500], "{malformed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rt19_above_the_cap_it_is_capped() {
    for endless in ["31", "86400", "99999999999999999999999999"] {
        let answer = |n| if n == 1 { asking(503, endless) } else { status(200) };
        assert_eq!(times(answer).await, [0, 30_000], "{endless}");
    }
}

#[tokio::test(start_paused = true)]
async fn rt19_a_date_in_the_past_is_no_wait() {
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(times(|n| if n == 1 { asking(503, past) } else { status(200) }).await, [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn rt19_other_statuses_have_no_say() {
    let answer = |n| if n == 1 { asking(500, "2") } else { status(200) };
    assert_eq!(times(answer).await, [0, 500]);
}

#[tokio::test(start_paused = true)]
async fn rt19_without_a_cap_it_is_not_looked_at() {
    let layer = RetryLayer::new(Retry::with_defaults("inventory")).http();
    let answer = |n| if n == 1 { asking(503, "2") } else { status(200) };
    let (_, seen) = send(layer, Request::get("/"), answer).await;
    assert_eq!(seen[1].0, 500);
}

#[tokio::test(start_paused = true)]
async fn rt19_a_wish_beyond_the_deadline_ends_the_call_with_the_response() {
    let call = send(layer(), Request::get("/"), |_| asking(503, "2"));
    let (outcome, seen) = seawall::Deadline::after(ms(1000)).scope(call).await;
    assert_eq!(outcome.unwrap().status(), 503);
    assert_eq!(seen.len(), 1);
}

// ## What may be sent again

#[tokio::test(start_paused = true)]
async fn rt20_a_body_that_cannot_be_cloned_makes_one_attempt_and_no_error() {
    let retry = Retry::with_defaults("inventory");
    let layer = RetryLayer::new(retry.clone()).http().replay(NoReplay);
    let server = service_fn(async |request: Request<BoxBody<Bytes, Wrong>>| {
        let body = request.into_body().collect().await?.to_bytes();
        assert_eq!(body, "once");
        status(503)
    });
    let body = Full::from("once").map_err(|never| match never {}).boxed();
    let request = Request::put("http://inventory/").body(body).unwrap();
    let service = ServiceBuilder::new().layer(layer).layer(ErrorLayer).service(server);
    assert_eq!(service.oneshot(request).await.unwrap().status(), 503);
    assert_eq!(retry.metrics().failed_without_retry, 1);
}

#[tokio::test(start_paused = true)]
async fn rt20_a_body_that_can_be_cloned_is_sent_whole_each_time() {
    let (outcome, seen) = send(layer(), Request::put("/"), |_| status(502)).await;
    assert_eq!(outcome.unwrap().status(), 502);
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(_, body)| body == "all of it"));
}

#[tokio::test(start_paused = true)]
async fn only_requests_that_may_be_sent_twice_are_sent_twice() {
    let attempts = |request| async { send(layer(), request, |_| status(503)).await.1.len() };
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        let request = Request::builder().method(method);
        assert_eq!(attempts(request).await, 3, "{method}");
        let request = Request::builder().method(method).extension(Idempotent(false));
        assert_eq!(attempts(request).await, 1, "{method}");
    }
    for method in ["POST", "PATCH", "CONNECT", "PROPFIND", "get"] {
        let request = Request::builder().method(method);
        assert_eq!(attempts(request).await, 1, "{method}");
        let request = Request::builder().method(method).extension(Idempotent(true));
        assert_eq!(attempts(request).await, 3, "{method}");
    }
    let keyed = Request::builder().method(Method::POST).header("Idempotency-Key", "7");
    assert_eq!(attempts(keyed).await, 3);
    let vetoed = Request::post("/").header("idempotency-key", "7").extension(Idempotent(false));
    assert_eq!(attempts(vetoed).await, 1);
}

#[tokio::test(start_paused = true)]
async fn all_methods_may_be_repeated_where_the_user_says_so() {
    let layer = layer().replay(HttpReplay::all_methods());
    let (_, seen) = send(layer, Request::post("/"), |_| status(503)).await;
    assert_eq!(seen.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_another_try_will_not_change_is_not_tried_again() {
    for (code, made) in [(500, 3), (501, 1), (502, 3), (504, 3), (505, 1), (429, 3), (404, 1)] {
        let (_, seen) = send(layer(), Request::get("/"), |_| status(code)).await;
        assert_eq!(seen.len(), made, "{code}");
    }
}
