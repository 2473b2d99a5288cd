//! What all instances do, served over HTTP, as JSON and as Prometheus text.
//!
//! [`Serve`] is a tower service that never fails; it opens no socket. With axum it is a route, a nested service or the fallback:
//!
//! ```ignore
//! let app = axum::Router::new().route_service("/seawall", Serve::new(&meters));
//! ```
//!
//! With hyper it is what the server calls, alone or behind a look at the path (`hyper_util::service::TowerToHyperService` for
//! hyper's own trait).
//!
//! | request | answer |
//! |---|---|
//! | `GET`, `HEAD` | 200 |
//! | another method | 405 with `Allow` |
//! | a path other than that of [`at`](Serve::at) | 404 |
//! | `?format=json`, `?format=prometheus` | that format |
//! | `?format=` anything else | 400 |
//! | no `format`, `Accept` prefers `text/plain` or `application/openmetrics-text` | Prometheus text |
//! | no `format`, anything else | JSON |
//!
//! The query comes first, since it is what people can write into a browser and into a scrape configuration. `Accept` is what
//! Prometheus sends by itself, so a scrape needs no more than the path.

mod accept;
mod page;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

pub use self::page::Page;
use super::meters::Meters;
use super::prometheus;

/// Serves what [`Meters`] watch. Clones serve the same.
///
/// ```
/// use http::Request;
/// use seawall::CircuitBreaker;
/// use seawall::telemetry::{Meters, serve::Serve};
/// use tower::{Service, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// let meters = Meters::new();
/// meters.watch(&breaker);
///
/// let serve = Serve::new(&meters).at("/seawall");
/// let request = Request::get("/seawall?format=prometheus").body(()).unwrap();
/// let response = serve.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Serve {
    meters: Meters,
    /// Nothing if whoever calls has looked at the path.
    path: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Prometheus,
}

impl Serve {
    /// Answers at every path: for a router that looks at paths itself.
    #[must_use]
    pub fn new(meters: &Meters) -> Self {
        Self { meters: meters.clone(), path: None }
    }

    /// Answers at this path only, with or without a `/` at the end. Any other is not found.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<str>) -> Self {
        let path = path.as_ref().trim_matches('/');
        self.path = Some(format!("/{path}").into());
        self
    }

    /// The answer to a request. One to `HEAD` has no body, whatever it says.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Page> {
        let mut response = self.full_answer(request);
        if request.method() == Method::HEAD {
            *response.body_mut() = Page::default();
        }
        response
    }

    fn full_answer<B>(&self, request: &Request<B>) -> Response<Page> {
        let path = request.uri().path();
        let bare = path.strip_suffix('/').filter(|bare| !bare.is_empty()).unwrap_or(path);
        if self.path.as_deref().is_some_and(|at| at != bare) {
            return said(StatusCode::NOT_FOUND, "not found");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = said(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let format = match asked(request.uri().query().unwrap_or_default()) {
            Some("json") => Format::Json,
            Some("prometheus") => Format::Prometheus,
            Some(_) => return said(StatusCode::BAD_REQUEST, "`format` is `json` or `prometheus`"),
            None => accept::preferred(request.headers()),
        };
        let (kind, text) = match format {
            Format::Prometheus => (prometheus::CONTENT_TYPE, self.meters.prometheus()),
            Format::Json => match serde_json::to_string(&self.meters.snapshot()) {
                Ok(text) => ("application/json", text),
                Err(error) => {
                    return said(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
                }
            },
        };
        page(StatusCode::OK, kind, text)
    }
}

impl<B> Service<Request<B>> for Serve {
    type Response = Response<Page>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Page>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

/// The format that a query asks for; the first counts.
fn asked(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("format="))
}

fn said(status: StatusCode, words: impl Into<String>) -> Response<Page> {
    let mut words = words.into();
    words.push('\n');
    page(status, "text/plain; charset=utf-8", words)
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Page> {
    let length = text.len();
    let mut response = Response::new(Page::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
