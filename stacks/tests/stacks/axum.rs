//! axum as the one who calls, and as the one who is called.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use http::{Request, Response, StatusCode};
use seawall::pipeline::Step;
use seawall::reqwest::Client;
use seawall::{
    Bulkhead, BulkheadConfig, Pipeline, PipelineBuilder, RateLimiter, RateLimiterConfig,
    TimeLimiter,
};
use seawall_stacks::axum::{Limits, Shop, limited, shop};
use seawall_stacks::fake::{Answer, Fake};
use tower::ServiceExt;

use super::{attempt, breaker, ms, retry};

async fn get_from(router: &Router, path: &str) -> Response<Body> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1024).await.unwrap();
    String::from_utf8(bytes.into()).unwrap()
}

fn retry_after(response: &Response<Body>) -> Option<&str> {
    response.headers().get("retry-after")?.to_str().ok()
}

/// The shop in front of `inventory`.
fn before(
    inventory: &Fake,
    change: impl FnOnce(
        PipelineBuilder<
            seawall::http::HttpClassifier,
            seawall::AtBodyEnd,
            seawall::http::HttpReplay,
        >,
    ) -> seawall::pipeline::HttpPipeline,
) -> Router {
    let pipeline = change(Pipeline::http("inventory"));
    let client = Client::builder().pipeline(pipeline).build().unwrap();
    shop(Shop { inventory: client, url: inventory.url() })
}

#[tokio::test]
async fn a_handlers_call_survives_503() {
    let inventory =
        Fake::start(|_, n| if n == 0 { Answer::status(503) } else { Answer::json("42") }).await;
    let shop = before(&inventory, |pipeline| pipeline.retry(retry()).build().unwrap());
    let response = get_from(&shop, "/items/7").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "42 in stock");
    assert_eq!(inventory.requests(), 2);
}

#[tokio::test]
async fn a_refusal_becomes_503_with_retry_after() {
    let inventory = Fake::start(|_, _| Answer::status(500)).await;
    let shop = before(&inventory, |pipeline| {
        pipeline.without(Step::Retry).circuit_breaker(breaker(ms(2500))).build().unwrap()
    });
    for _ in 0..2 {
        let failed = get_from(&shop, "/items/7").await;
        assert_eq!((failed.status(), retry_after(&failed)), (StatusCode::BAD_GATEWAY, None));
    }
    let refused = get_from(&shop, "/items/7").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Rounded up: not before the circuit lets a call through.
    assert_eq!(retry_after(&refused), Some("3"));
    assert_eq!(inventory.requests(), 2);
}

#[tokio::test]
async fn a_timeout_becomes_504_in_the_head_and_in_the_body() {
    let inventory = Fake::start(|request, _| match request.uri.path() {
        "/stock/head" => Answer::Hang,
        _ => Answer::endless(vec!["4".into()]),
    })
    .await;
    let shop = before(&inventory, |pipeline| {
        pipeline.without(Step::Retry).deadline(ms(200)).build().unwrap()
    });
    for path in ["/items/head", "/items/body"] {
        let response = get_from(&shop, path).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT, "{path}");
    }
}

fn limits(at_once: u32, a_minute: u32) -> Limits {
    let bulkhead = BulkheadConfig::builder().max_concurrent_calls(at_once);
    let rate = RateLimiterConfig::builder()
        .limit_for_period(a_minute)
        .limit_refresh_period(ms(60_000))
        .timeout(ms(0));
    Limits {
        bulkhead: Bulkhead::new("api", bulkhead.build().unwrap()),
        rate_limiter: RateLimiter::new("api", rate.build().unwrap()),
        time_limiter: TimeLimiter::new("api", attempt(ms(100)).build().unwrap()),
    }
}

fn api() -> Router {
    Router::new()
        .route("/stock", get(async || "42"))
        .route("/other", get(async || "43"))
        .route("/slow", get(std::future::pending::<()>))
}

#[tokio::test]
async fn a_callee_says_429_over_its_rate_and_503_when_it_is_full() {
    let router = limited(api(), limits(10, 2));
    assert_eq!(text(get_from(&router, "/stock").await).await, "42");
    assert_eq!(text(get_from(&router, "/other").await).await, "43");
    let refused = get_from(&router, "/stock").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = retry_after(&refused).expect("when to come back").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");

    // A place is taken until the body has ended.
    let limits = limits(1, 100);
    let router = limited(api(), limits.clone());
    let unread = get_from(&router, "/stock").await;
    assert_eq!(unread.status(), StatusCode::OK);
    assert_eq!(get_from(&router, "/other").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(unread).await, "42");
    assert_eq!(text(get_from(&router, "/other").await).await, "43");
    assert_eq!(limits.bulkhead.metrics().in_flight, 0);
}

#[tokio::test]
async fn a_callee_says_504_when_a_handler_takes_too_long() {
    let limits = limits(1, 100);
    let router = limited(api(), limits.clone());
    assert_eq!(get_from(&router, "/slow").await.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(limits.bulkhead.metrics().in_flight, 0);
    assert_eq!(text(get_from(&router, "/stock").await).await, "42");
}
