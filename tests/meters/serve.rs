//! The service that serves it.

use std::convert::Infallible;

use http::{Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use seawall::telemetry::serve::{Page, Serve};
use tower::{Service, ServiceExt};

use crate::strict;
use crate::support::Shop;

async fn ask(serve: &Serve, request: Request<()>) -> Response<Page> {
    serve.clone().oneshot(request).await.unwrap()
}

async fn get(serve: &Serve, uri: &str) -> Response<Page> {
    ask(serve, Request::get(uri).body(()).unwrap()).await
}

async fn text(response: Response<Page>) -> String {
    let length = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(length, body.len().to_string());
    String::from_utf8(body.into()).unwrap()
}

fn kind(response: &Response<Page>) -> &str {
    response.headers()[header::CONTENT_TYPE].to_str().unwrap()
}

/// What axum asks of a service that it shall route to, nest or fall back on.
fn fits_axum<S, B>(_: &S)
where
    S: Service<Request<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: Send,
    S::Future: Send + 'static,
    Page: Body<Data = bytes::Bytes> + Send + 'static,
    <Page as Body>::Error: Into<tower::BoxError>,
{
}

#[tokio::test]
async fn it_serves_both_formats() {
    let shop = Shop::new();
    let serve = Serve::new(&shop.meters);
    fits_axum::<_, http_body_util::Full<bytes::Bytes>>(&serve);

    let response = get(&serve, "/any/where").await;
    assert_eq!((response.status(), kind(&response)), (StatusCode::OK, "application/json"));
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let json: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(json["circuit_breakers"][0]["name"], "orders");

    let response = get(&serve, "/?format=prometheus").await;
    assert_eq!(kind(&response), "text/plain; version=0.0.4; charset=utf-8");
    assert!(strict::parse(&text(response).await).len() > 50);
}

#[tokio::test]
async fn the_query_comes_before_the_header() {
    let serve = Serve::new(&Shop::new().meters);
    let with = |accept: &str, uri: &str| {
        Request::get(uri).header(header::ACCEPT, accept).body(()).unwrap()
    };
    let response = ask(&serve, with("text/plain", "/")).await;
    assert!(kind(&response).starts_with("text/plain"));
    let response = ask(&serve, with("text/plain", "/?a=b&format=json")).await;
    assert_eq!(kind(&response), "application/json");
    let response = ask(&serve, with("application/json", "/?format=prometheus")).await;
    assert!(kind(&response).starts_with("text/plain"));
    let response = get(&serve, "/?format=xml").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(response).await, "`format` is `json` or `prometheus`\n");
}

#[tokio::test]
async fn it_answers_at_its_path_alone() {
    let serve = Serve::new(&Shop::new().meters).at("/ops/seawall");
    for found in ["/ops/seawall", "/ops/seawall/", "/ops/seawall?format=json"] {
        assert_eq!(get(&serve, found).await.status(), StatusCode::OK, "{found}");
    }
    for lost in ["/", "/ops", "/ops/seawall/x", "/OPS/seawall", "/ops//seawall", "/ops/seawallx"] {
        assert_eq!(get(&serve, lost).await.status(), StatusCode::NOT_FOUND, "{lost}");
    }
    let root = Serve::new(&Shop::new().meters).at("/");
    assert_eq!(get(&root, "/").await.status(), StatusCode::OK);
    assert_eq!(get(&root, "/x").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let serve = Serve::new(&Shop::new().meters);
    let length = text(get(&serve, "/?format=prometheus").await).await.len();
    let request = Request::head("/?format=prometheus").body(()).unwrap();
    let response = ask(&serve, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_LENGTH], length.to_string());
    assert!(response.body().is_end_stream());
    assert!(response.into_body().into_bytes().is_empty());
}

/// HTTP/2 has a stream broken off where a body follows `HEAD`, and not every server takes it away.
#[tokio::test]
async fn head_has_no_body_where_nothing_is_found_either() {
    let serve = Serve::new(&Shop::new().meters).at("/seawall");
    for (uri, status) in
        [("/x", StatusCode::NOT_FOUND), ("/seawall?format=xml", StatusCode::BAD_REQUEST)]
    {
        let length = text(get(&serve, uri).await).await.len();
        let response = ask(&serve, Request::head(uri).body(()).unwrap()).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[header::CONTENT_LENGTH], length.to_string());
        assert!(response.body().is_end_stream(), "{uri}");
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let serve = Serve::new(&Shop::new().meters).at("/seawall");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let request = Request::builder().method(&method).uri("/seawall").body(()).unwrap();
        let response = ask(&serve, request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    }
    let lost = Request::post("/x").body(()).unwrap();
    assert_eq!(ask(&serve, lost).await.status(), StatusCode::NOT_FOUND);
}

/// Over a socket, by hyper, as a scraper would.
#[tokio::test]
async fn hyper_serves_it() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::service::TowerToHyperService;

    let _ = rustls::crypto::ring::default_provider().install_default();
    let shop = Shop::new();
    let serve = Serve::new(&shop.meters).at("/metrics");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(serve);
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(socket), service).await;
    });
    let url = format!("http://{address}/metrics");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(url).header("accept", "text/plain").send().await.unwrap();
    assert_eq!(response.status(), 200);
    strict::parse(&response.text().await.unwrap());
    server.abort();
}
