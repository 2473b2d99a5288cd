//! Both clients over TLS, each with a configuration that the user made.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use seawall::pipeline::HttpPipeline;
use seawall::reqwest::Client;
use seawall::{Backoff, Pipeline, RetryConfig};
use support::{Alpn, Behaviour, FaultServer, Identity, Tls};
use tower::{Layer, ServiceExt};

fn pipeline() -> HttpPipeline {
    let backoff = Backoff::fixed(Duration::from_millis(1));
    Pipeline::http("inventory").retry(RetryConfig::safe().backoff(backoff)).build().unwrap()
}

fn server(identity: &Identity, alpn: Alpn) -> FaultServer {
    FaultServer::builder()
        .tls(identity, alpn)
        .start(support::sequence([Behaviour::status(503), Behaviour::echo()]))
}

fn attempts(pipeline: &HttpPipeline) -> (u64, u64) {
    let counters = pipeline.circuit_breaker().unwrap().counters();
    (counters.successful, counters.failed)
}

#[tokio::test]
async fn reqwest_over_tls_in_both_versions() {
    let identity = Identity::local();
    for (alpn, version) in [(Alpn::Http1, Version::HTTP_11), (Alpn::Http2, Version::HTTP_2)] {
        let server = server(&identity, alpn);
        let pipeline = pipeline();
        let client = Client::builder()
            .with(|client| client.tls_backend_preconfigured(identity.client_config(alpn)))
            .no_proxy()
            .pipeline(pipeline.clone())
            .build()
            .unwrap();
        let response = client.put(server.url("/")).body("sealed").send().await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(response.text().await.unwrap(), "sealed");
        assert_eq!(attempts(&pipeline), (1, 1));
    }
}

#[tokio::test]
async fn hyper_over_tls_in_both_versions() {
    let identity = Identity::local();
    for (alpn, version) in [(Alpn::Http1, Version::HTTP_11), (Alpn::Http2, Version::HTTP_2)] {
        let server = server(&identity, alpn);
        let pipeline = pipeline();
        // The connector announces the protocols itself.
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(identity.client_config(Alpn::Silent))
            .https_only();
        let connector = match alpn {
            Alpn::Http2 => connector.enable_http2().build(),
            _ => connector.enable_http1().build(),
        };
        let client = HyperClient::builder(TokioExecutor::new()).build(connector);
        let request = Request::builder()
            .method(Method::PUT)
            .uri(server.url("/"))
            .body(Full::<Bytes>::from("sealed"))
            .unwrap();
        let response = pipeline.layer(client).oneshot(request).await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "sealed");
        assert_eq!(attempts(&pipeline), (1, 1));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_tried_twice() {
    let server = server(&Identity::local(), Alpn::Http1);
    let stranger = Identity::local().client_config(Alpn::Http1);
    let pipeline = pipeline();
    let client = Client::builder()
        .with(|client| client.tls_backend_preconfigured(stranger))
        .no_proxy()
        .pipeline(pipeline.clone())
        .build()
        .unwrap();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(error.service().unwrap().is_connect());
    assert_eq!(attempts(&pipeline), (0, 1));
    assert_eq!(server.counts().requests, 0);
}

#[tokio::test]
async fn https_without_tls_says_nothing_about_the_backend() {
    let pipeline = pipeline();
    let client = HyperClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::get("https://127.0.0.1:9/").body(Full::default()).unwrap();
    pipeline.layer(client).oneshot(request).await.unwrap_err();
    assert_eq!(attempts(&pipeline), (0, 0));
}
