use http::{HeaderMap, HeaderValue, Method, Request};

use crate::http::{HttpReplay, Idempotent, is_idempotent};
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;

const METHODS: [(Method, bool); 9] = [
    (Method::GET, true),
    (Method::HEAD, true),
    (Method::OPTIONS, true),
    (Method::TRACE, true),
    (Method::PUT, true),
    (Method::DELETE, true),
    (Method::POST, false),
    (Method::PATCH, false),
    (Method::CONNECT, false),
];

#[test]
fn methods_keys_and_extensions_in_the_order_of_their_say() {
    for (method, idempotent) in METHODS {
        let (mut headers, mut extensions) = (HeaderMap::new(), http::Extensions::new());
        assert_eq!(is_idempotent(&method, &headers, &extensions), idempotent, "{method}");
        headers.insert("idempotency-key", HeaderValue::from_static(""));
        assert!(is_idempotent(&method, &headers, &extensions), "{method}");
        extensions.insert(Idempotent(false));
        assert!(!is_idempotent(&method, &headers, &extensions), "{method}");
        headers.clear();
        extensions.insert(Idempotent(true));
        assert!(is_idempotent(&method, &headers, &extensions), "{method}");
    }
}

/// After each cause: may a request that is idempotent be repeated, and may any other?
const CAUSES: [(Cause, bool, bool); 15] = [
    (Cause::Connect, true, true),
    (Cause::Unprocessed, true, true),
    (Cause::Refused, true, true),
    (Cause::Timeout, true, false),
    (Cause::Reset, true, false),
    (Cause::Overloaded, true, false),
    (Cause::Cancelled, true, false),
    (Cause::Other, true, false),
    (Cause::Grpc(14), true, false),
    (Cause::Status(429), true, false),
    (Cause::Status(500), true, false),
    (Cause::Status(503), true, false),
    (Cause::Status(501), false, false),
    (Cause::Status(505), false, false),
    (Cause::Permanent, false, false),
];

fn repeats(replay: HttpReplay, method: &Method, cause: Cause) -> bool {
    let request = Request::builder().method(method).uri("http://inventory/").body("all of it");
    let (first, mut kit) = replay.first(request.unwrap());
    assert_eq!(*first.body(), "all of it");
    let verdict = Verdict::failure(cause);
    let mut again = || Replay::<Request<&str>>::again(&replay, &mut kit, &verdict);
    // What may be repeated may be repeated more than once, and is the same each time.
    let (one, two) = (again(), again());
    assert_eq!(one.is_some(), two.is_some());
    two.is_some_and(|again| {
        assert_eq!(
            (again.method(), again.uri(), *again.body()),
            (method, first.uri(), "all of it")
        );
        true
    })
}

#[test]
fn what_is_sent_again_after_what() {
    for (cause, idempotent, other) in CAUSES {
        for (method, is_idempotent) in METHODS {
            let wanted = if is_idempotent { idempotent } else { other };
            let replay = HttpReplay::default();
            assert_eq!(repeats(replay, &method, cause), wanted, "{method} after {cause:?}");
            let all = HttpReplay::all_methods();
            assert_eq!(repeats(all, &method, cause), idempotent, "{method} after {cause:?}");
        }
    }
}

#[test]
fn what_the_first_attempt_carries_the_next_one_carries_too() {
    let request = Request::put("http://inventory/")
        .header("x-trace", "7")
        .version(http::Version::HTTP_2)
        .extension(Idempotent(true))
        .body(())
        .unwrap();
    let replay = HttpReplay::default();
    let (_, mut kit) = replay.first(request);
    let reset = Verdict::failure(Cause::Reset);
    let again = Replay::<Request<()>>::again(&replay, &mut kit, &reset);
    let again = again.unwrap();
    assert_eq!(again.headers()["x-trace"], "7");
    assert_eq!(again.version(), http::Version::HTTP_2);
    assert_eq!(again.extensions().get(), Some(&Idempotent(true)));
}

/// As [`HttpReplay`], for bodies that are not `Clone`.
#[test]
fn the_same_holds_for_bodies_that_are_kept() {
    use crate::http::BufferedReplay;

    for (cause, idempotent, other) in CAUSES {
        for (method, is_idempotent) in METHODS {
            let request = Request::builder().method(&method).uri("http://inventory/");
            let request = request.header("x-trace", "7").body(String::from("all of it")).unwrap();
            let replay = BufferedReplay::default();
            let (first, mut kit) = replay.first(request);
            assert_eq!(first.headers()["x-trace"], "7");
            let verdict = Verdict::failure(cause);
            let again = Replay::<Request<String>>::again(&replay, &mut kit, &verdict);
            let wanted = if is_idempotent { idempotent } else { other };
            assert_eq!(again.is_some(), wanted, "{method} after {cause:?}");
            if let Some(again) = again {
                assert_eq!(
                    (again.method(), &again.headers()["x-trace"]),
                    (&method, &first.headers()["x-trace"])
                );
            }
        }
    }
}

#[cfg(feature = "reqwest")]
mod of_reqwest {
    use super::*;
    use crate::reqwest::{RequestKit, RequestReplay};

    fn request(method: &Method) -> reqwest::Request {
        let mut request =
            reqwest::Request::new(method.clone(), "http://inventory/".parse().unwrap());
        *request.body_mut() = Some("all of it".into());
        request
    }

    fn again(
        replay: RequestReplay,
        kit: &mut RequestKit,
        cause: Cause,
    ) -> Option<reqwest::Request> {
        replay.again(kit, &Verdict::failure(cause))
    }

    #[test]
    fn the_same_holds_for_reqwests_requests() {
        for (cause, idempotent, other) in CAUSES {
            for (method, is_idempotent) in METHODS {
                let replay = RequestReplay::default();
                let (_, mut kit) = replay.first(request(&method));
                let again = again(replay, &mut kit, cause);
                let wanted = if is_idempotent { idempotent } else { other };
                assert_eq!(again.is_some(), wanted, "{method} after {cause:?}");
                if let Some(again) = again {
                    assert_eq!(again.body().unwrap().as_bytes(), Some(&b"all of it"[..]));
                }
            }
        }
    }

    fn streaming(limit: usize) -> (reqwest::Request, RequestReplay) {
        let mut request = request(&Method::PUT);
        let stream = http_body_util::Full::new(bytes::Bytes::from("all of it"));
        *request.body_mut() = Some(reqwest::Body::wrap(stream));
        (request, RequestReplay(HttpReplay::default().body_limit(limit)))
    }

    #[tokio::test]
    async fn a_stream_is_sent_again_as_far_as_it_is_kept() {
        use http_body_util::BodyExt;

        for (limit, kept) in [(64, true), (63, false)] {
            let (request, replay) = streaming(limit);
            let (mut first, mut kit) = replay.first(request);
            let body = first.body_mut().take().unwrap();
            assert_eq!(http_body::Body::size_hint(&body).exact(), Some(9));
            // Nothing has gone out yet.
            assert!(again(replay, &mut kit, Cause::Connect).is_some());
            assert_eq!(body.collect().await.unwrap().to_bytes(), "all of it");
            let again = again(replay, &mut kit, Cause::Reset);
            assert_eq!(again.is_some(), kept, "{limit}");
            if let Some(mut again) = again {
                let body = again.body_mut().take().unwrap();
                assert_eq!(body.collect().await.unwrap().to_bytes(), "all of it");
            }
        }
    }

    #[test]
    fn a_stream_is_not_wrapped_where_it_is_sent_once() {
        let (request, replay) = streaming(64);
        let once = replay.once(request);
        assert!(once.body().is_some());
    }
}
