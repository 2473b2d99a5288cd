//! Both clients over TLS, each with a configuration that the user made.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use seawall::pipeline::HttpPipeline;
use seawall::reqwest::Client;
use seawall::{Backoff, Pipeline, RetryConfig};
use support::{Alpn, Behaviour, FaultServer, Identity, OnConnect, Tls};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
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

/// hyper-util's client, over hyper-rustls.
fn hyper<B>(identity: &Identity, alpn: Alpn) -> HyperClient<HttpsConnector<HttpConnector>, B>
where
    B: http_body::Body<Data = Bytes> + Send,
{
    // The connector announces the protocols itself.
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(identity.client_config(Alpn::Silent))
        .https_only();
    let connector = match alpn {
        Alpn::Http2 => connector.enable_http2().build(),
        _ => connector.enable_http1().build(),
    };
    HyperClient::builder(TokioExecutor::new()).http2_only(alpn == Alpn::Http2).build(connector)
}

fn sealed(method: Method, server: &FaultServer) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(server.url("/")).body(Full::from("sealed")).unwrap()
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
        let client = hyper(&identity, alpn);
        let response = pipeline.layer(client).oneshot(sealed(Method::PUT, &server)).await.unwrap();
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
async fn a_certificate_that_is_not_trusted_is_not_tried_twice_over_hyper() {
    for alpn in [Alpn::Http1, Alpn::Http2] {
        let server = server(&Identity::local(), alpn);
        let pipeline = pipeline();
        let stranger = hyper(&Identity::local(), alpn);
        let get = sealed(Method::GET, &server);
        pipeline.layer(stranger).oneshot(get).await.unwrap_err();
        assert_eq!(attempts(&pipeline), (0, 1));
        assert_eq!((server.counts().connections, server.counts().requests), (1, 0));
    }
}

/// Nothing of the request has left by then, so that any may be sent again.
#[tokio::test]
async fn a_handshake_that_breaks_off_is_tried_again() {
    let identity = Identity::local();
    for alpn in [Alpn::Http1, Alpn::Http2] {
        for broken in [OnConnect::Close, OnConnect::Reset] {
            let server = FaultServer::builder()
                .tls(&identity, alpn)
                .on_connect(move |n| if n == 0 { broken } else { OnConnect::Serve })
                .start(|_, _| Behaviour::echo());
            let pipeline = pipeline();
            let post = sealed(Method::POST, &server);
            let response = pipeline.layer(hyper(&identity, alpn)).oneshot(post).await.unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "sealed");
            assert_eq!(attempts(&pipeline), (1, 1), "{alpn:?} {broken:?}");
        }
    }
}

/// A channel with the user's own TLS, as tonic has none of its own here.
#[tokio::test]
async fn grpc_over_tls() {
    let identity = Identity::local();
    let server = FaultServer::builder().tls(&identity, Alpn::Http2).start(|_, n| match n {
        0 => Behaviour::status(200).header("grpc-status", "14"),
        _ => Behaviour::ok(&[0, 0, 0, 0, 2, 8, 1][..]).trailer("grpc-status", "0"),
    });
    let pipeline = Pipeline::grpc("health").build().unwrap();
    let client = |identity: &Identity| {
        let channel = pipeline.layer(hyper(identity, Alpn::Http2));
        HealthClient::with_origin(channel, server.url("").parse().unwrap())
    };
    let answer = client(&identity).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    assert_eq!((server.counts().requests, server.counts().connections), (2, 1));

    let mut stranger = client(&Identity::local());
    let status = stranger.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(pipeline.circuit_breaker().unwrap().counters().failed, 2, "{status:?}");
    assert_eq!(server.counts().connections, 2);
}

#[tokio::test]
async fn https_without_tls_says_nothing_about_the_backend() {
    let pipeline = pipeline();
    let client = HyperClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::get("https://127.0.0.1:9/").body(Full::default()).unwrap();
    pipeline.layer(client).oneshot(request).await.unwrap_err();
    assert_eq!(attempts(&pipeline), (0, 0));
}
