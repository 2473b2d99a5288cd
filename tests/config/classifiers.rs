//! Classifiers by status and kind of error, from a file, over a pipeline for HTTP.
#![cfg(feature = "http")]

use std::convert::Infallible;
use std::io;

use seawall::config::{Format, Loader};
use seawall::{Error, Registry};
use tower::{Layer, ServiceExt};

use crate::support::yaml;

const FILE: &str = "
seawall:
  classifiers.strict: {failure: ['404'], success: ['501'], ignore: ['429', timeout]}
  circuit_breaker.instances.orders: {}
  pipelines.orders: {protocol: http, classifier: strict}
";

async fn answer(registry: &Registry, status: u16) {
    let pipeline = registry.http_pipeline("orders").unwrap();
    let inner = tower::service_fn(move |_: http::Request<String>| async move {
        let response = http::Response::builder().status(status).body(String::new()).unwrap();
        Ok::<_, Infallible>(response)
    });
    let response = pipeline.layer(inner).oneshot(http::Request::new(String::new())).await.unwrap();
    assert_eq!(response.status(), status);
}

async fn fail(registry: &Registry, kind: io::ErrorKind) {
    let pipeline = registry.http_pipeline("orders").unwrap();
    let inner = tower::service_fn(move |_: http::Request<String>| async move {
        Err::<http::Response<String>, _>(io::Error::from(kind))
    });
    let error = pipeline.layer(inner).oneshot(http::Request::new(String::new())).await.unwrap_err();
    assert!(matches!(error, Error::Service(_)));
}

/// Calls and failed calls that the breaker has counted.
fn counted(registry: &Registry) -> (u32, u32) {
    let metrics = registry.circuit_breakers().find("orders").unwrap().metrics();
    (metrics.buffered_calls, metrics.failed_calls)
}

#[tokio::test]
async fn rules_come_before_the_classifiers_own_and_change_with_the_file() {
    let registry = Registry::new();
    yaml(FILE).unwrap().apply(&registry).unwrap();
    let pipeline = registry.http_pipeline("orders").unwrap();
    for (status, expected) in
        [(404, (1, 1)), (501, (2, 1)), (429, (2, 1)), (500, (3, 2)), (200, (4, 2)), (403, (5, 2))]
    {
        answer(&registry, status).await;
        assert_eq!(counted(&registry), expected, "{status}");
    }
    fail(&registry, io::ErrorKind::TimedOut).await;
    assert_eq!(counted(&registry), (5, 2));
    fail(&registry, io::ErrorKind::ConnectionReset).await;
    assert_eq!(counted(&registry), (6, 3));
    // In place, for a pipeline that was handed out before.
    yaml(&FILE.replace("'404'", "'403'")).unwrap().apply(&registry).unwrap();
    let inner = tower::service_fn(|_: http::Request<String>| async {
        let response = http::Response::builder().status(403).body(String::new()).unwrap();
        Ok::<_, Infallible>(response)
    });
    pipeline.layer(inner).oneshot(http::Request::new(String::new())).await.unwrap();
    assert_eq!(counted(&registry), (7, 4));
}

#[tokio::test]
async fn a_pipeline_for_one_protocol_is_had_for_no_other() {
    let registry = Registry::new();
    yaml(FILE).unwrap().apply(&registry).unwrap();
    let error = registry.pipeline("orders").unwrap_err().to_string();
    assert!(error.contains("protocol"), "{error}");
    let plain = FILE.replace("protocol: http", "protocol: plain");
    let errors = Loader::new().read(Format::Yaml, "f", plain.as_bytes()).unwrap_err();
    assert!(errors.to_string().contains("set `protocol` to http or grpc"), "{errors}");
}

#[tokio::test]
async fn what_a_breaker_records_and_ignores_is_its_own_affair() {
    let registry = Registry::new();
    let file = "
seawall.circuit_breaker.instances.orders: {record: ['5xx'], ignore: ['503']}
seawall.pipelines.orders: {protocol: http}
";
    yaml(file).unwrap().apply(&registry).unwrap();
    for (status, expected) in [(500, (1, 1)), (503, (1, 1)), (429, (2, 1)), (200, (3, 1))] {
        answer(&registry, status).await;
        assert_eq!(counted(&registry), expected, "{status}");
    }
    fail(&registry, io::ErrorKind::ConnectionReset).await;
    assert_eq!(counted(&registry), (4, 1), "not listed, so a success to this breaker");
}
