//! A pipeline per host in reqwest's client.

use std::time::Duration;

use seawall::keyed::{Header, Keyed, KeyedLayer};
use seawall::pipeline::{HttpPipeline, Step};
use seawall::reqwest::{Client, SendThrough};
use seawall::testing::server::{Behaviour, FaultServer};
use seawall::{CircuitBreakerConfig, Pipeline, Reason, State};

fn hosts() -> Keyed<HttpPipeline> {
    Keyed::new("hosts", |host| {
        let breaker = CircuitBreakerConfig::builder().minimum_number_of_calls(2);
        Pipeline::http(host).circuit_breaker(breaker).without(Step::Retry).build()
    })
    .unwrap()
}

fn plain() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap()
}

#[tokio::test]
async fn only_the_host_that_fails_is_left_alone() {
    let bad = FaultServer::always(Behaviour::status(500));
    let good = FaultServer::always(Behaviour::ok("42"));
    let hosts = hosts();
    plain();
    let client = Client::builder().per_host(hosts.clone()).no_proxy().build().unwrap();
    for _ in 0..2 {
        assert_eq!(client.get(bad.url("/x")).send().await.unwrap().status(), 500);
        let response = client.get(good.url("/y")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "42");
    }
    let refused = client.get(bad.url("/z")).send().await.unwrap_err();
    let rejected = refused.rejected().unwrap();
    assert_eq!(rejected.reason(), Reason::CircuitOpen);
    assert_eq!(rejected.name(), bad.address().to_string());
    assert!(client.get(good.url("/z")).send().await.is_ok());
    let states = hosts.group().states();
    assert_eq!((states.of(State::Open), states.of(State::Closed)), (1, 1));
    assert_eq!(client.pipeline().name(), "overflow");
}

#[tokio::test]
async fn a_response_whose_body_is_not_read_keeps_its_pipeline() {
    let server = FaultServer::always(Behaviour::big(1_000_000));
    let hosts = Keyed::<HttpPipeline>::builder("hosts")
        .max_entries(1)
        .build(|host| Pipeline::http(host).build())
        .unwrap();
    plain();
    let client = Client::builder().per_host(hosts.clone()).no_proxy().build().unwrap();
    let response = client.get(server.url("/x")).send().await.unwrap();
    let _ = hosts.get("other");
    assert!(hosts.find("other").is_none(), "its bulkhead's place is taken to the body's end");
    drop(response);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let _ = hosts.get("other");
    assert!(hosts.find("other").is_some());
}

#[tokio::test]
async fn by_tenant_and_through_builders_of_reqwests_own() {
    let server = FaultServer::always(Behaviour::ok("42"));
    let tenants = hosts();
    let tenant = Header(http::HeaderName::from_static("x-tenant"));
    let layer = KeyedLayer::new(tenants.clone(), tenant);
    let client = plain();
    let request = || client.get(server.url("/x"));
    request().header("x-tenant", "acme").send_through(&layer).await.unwrap();
    request().send_through(&layer).await.unwrap();
    assert!(tenants.find("acme").is_some());
    assert_eq!((tenants.stats().entries, tenants.stats().without_key), (1, 1));
    // Without a key of its own: by host.
    request().send_through(&tenants).await.unwrap();
    assert!(tenants.find(&server.address().to_string()).is_some());

    let client = Client::builder().keyed(layer).no_proxy().build().unwrap();
    client.get(server.url("/x")).header("x-tenant", "two").send().await.unwrap();
    assert!(tenants.find("two").is_some());
}
