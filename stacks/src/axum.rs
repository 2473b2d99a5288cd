//! axum on both sides: a handler that calls through a protected client, and a router behind layers.

use std::convert::Infallible;
use std::error::Error as StdError;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use seawall::reqwest::Client;
use seawall::{
    Bulkhead, BulkheadLayer, ErrorLayer, RateLimiter, RateLimiterLayer, Reason, Rejected,
    TimeLimiter, TimeLimiterLayer,
};
use tower::ServiceBuilder;

/// What a handler fails with: the error of a call that it made.
#[derive(Debug)]
pub struct Failed(Box<dyn StdError + Send + Sync>);

/// For `?`: of the call itself, and of the body, which has an error type of its own.
impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// 503 with `Retry-After` if the call was refused, 504 if its time was over, else 502.
impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        // At any depth: a limit that strikes in a body comes inside an error of reqwest's.
        match Rejected::find(&*self.0) {
            Some(rejected) => answer(rejected),
            None => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

/// How to tell an HTTP client what seawall said.
#[must_use]
pub fn answer(rejected: &Rejected) -> Response {
    let status = if rejected.is_timeout() {
        StatusCode::GATEWAY_TIMEOUT
    } else if rejected.is_refusal() || rejected.retry_after().is_some() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::BAD_GATEWAY
    };
    let mut response = status.into_response();
    if let Some(wait) = rejected.retry_after() {
        // Whole seconds, and never too early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What the caller's handlers share. Cheap to clone, as the client is.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The protected client.
    pub inventory: Client,
    /// Where the inventory is.
    pub url: String,
}

/// A service that calls another.
pub fn shop(state: Shop) -> Router {
    Router::new().route("/items/{id}", get(item)).with_state(state)
}

async fn item(State(shop): State<Shop>, Path(id): Path<String>) -> Result<String, Failed> {
    let response = shop.inventory.get(format!("{}/stock/{id}", shop.url)).send().await?;
    let stock = response.error_for_status()?.text().await?;
    Ok(format!("{stock} in stock"))
}

/// What stands before a router that is called. The limits are those of all its routes together.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many requests are worked on at once.
    pub bulkhead: Bulkhead,
    /// How many begin in a span of time.
    pub rate_limiter: RateLimiter,
    /// How long each may take to its response's head.
    pub time_limiter: TimeLimiter,
}

/// Puts `limits` before `router`.
pub fn limited(router: Router, limits: Limits) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(refuse))
            .layer(RateLimiterLayer::new(limits.rate_limiter))
            .layer(TimeLimiterLayer::new(limits.time_limiter))
            // Until the body has ended, not only its head.
            .layer(BulkheadLayer::new(limits.bulkhead).http())
            .layer(ErrorLayer),
    )
}

/// A router itself never fails, so this is always seawall's word.
async fn refuse(error: seawall::Error<Infallible>) -> Response {
    match error {
        seawall::Error::Rejected(rejected) if rejected.reason() == Reason::RateLimited => {
            let mut response = answer(&rejected);
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response
        }
        seawall::Error::Rejected(rejected) => answer(&rejected),
        seawall::Error::Service(never) => match never {},
    }
}
