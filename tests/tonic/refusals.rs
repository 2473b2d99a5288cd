//! What a caller sees of what seawall refused or gave up.

use seawall::{
    BulkheadConfig, CircuitBreakerConfig, FromRejected, RateLimiterConfig, Reason, Rejected, Step,
    TimeLimiterConfig,
};
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn an_open_circuit_is_unavailable_and_says_when_to_come_back() {
    let server = serve([message("0")]);
    let breaker = CircuitBreakerConfig::builder().wait_duration_in_open_state(MS * 2500);
    let pipeline = preset().circuit_breaker(breaker).build().unwrap();
    pipeline.circuit_breaker().unwrap().transition_to_open().unwrap();
    let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let rejected = status.as_rejected().unwrap();
    assert_eq!((rejected.name(), rejected.reason()), ("greeter", Reason::CircuitOpen));
    assert!(rejected.is_refusal());
    assert_eq!(status.message(), rejected.to_string());
    assert!(status.message().starts_with("circuit breaker `greeter` is open, try again in 2."));
    let wait: u128 =
        status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap().parse().unwrap();
    let left = rejected.retry_after().unwrap();
    assert!(wait >= left.as_millis() && wait <= left.as_millis() + 1, "{wait} {left:?}");
    assert_eq!(Rejected::find(&status), Some(rejected));
    assert_eq!(server.counts().connections, 0);
}

#[tokio::test]
async fn a_full_bulkhead_is_resource_exhausted() {
    let server = serve([message("0")]);
    let full = BulkheadConfig::builder().max_concurrent_calls(0);
    let pipeline = preset().bulkhead(full).build().unwrap();
    let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "bulkhead `greeter` is full")
    );
    assert!(status.metadata().is_empty());
    assert_eq!(server.counts().requests, 0);
}

#[tokio::test]
async fn a_rate_limit_is_resource_exhausted_and_says_when_to_come_back() {
    let server = serve([message("0")]);
    let limiter = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(MS * 60_000)
        .timeout(std::time::Duration::ZERO);
    let pipeline = preset().rate_limiter(limiter).build().unwrap();
    let mut client = client(&pipeline, &server);
    check(&mut client).await.unwrap();
    let status = check(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().starts_with("rate limiter `greeter` permits no further call"));
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_deadline_exceeded() {
    let server = serve([Behaviour::hang()]);
    let limit = TimeLimiterConfig::builder().timeout(MS * 50);
    let pipeline = preset().time_limiter(limit).build().unwrap();
    let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("time limiter `greeter` gave the attempt up"));
    assert!(status.as_rejected().unwrap().is_timeout());
    assert_eq!((server.counts().requests, counted(&pipeline)), (1, (0, 1)));
}

/// tonic's channel has a timer of its own for the same header, whose `CANCELLED` must not be first.
#[tokio::test]
async fn a_call_that_takes_too_long_is_deadline_exceeded_by_name() {
    let server = serve([Behaviour::hang()]);
    for _ in 0..100 {
        let pipeline = preset().without(Step::TimeLimiter).deadline(MS * 5).build().unwrap();
        let status = check(&mut client(&pipeline, &server)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::DeadlineExceeded, "the deadline of `greeter` has passed")
        );
    }
}

#[tokio::test]
async fn a_stream_that_outlasts_the_deadline_is_cut_with_a_status() {
    let server = serve([head().body([SERVING, SERVING].concat()).hang_after(SERVING.len())]);
    let pipeline = preset().deadline(MS * 100).build().unwrap();
    let mut client = client(&pipeline, &server);
    let mut stream = client.watch(request()).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status, 1);
    assert_eq!(in_flight(&pipeline), 1);
    let status = stream.message().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::DeadlineExceeded, "the deadline of `greeter` has passed")
    );
    assert_eq!(status.as_rejected().unwrap().reason(), Reason::DeadlineExceeded);
    assert_eq!((in_flight(&pipeline), counted(&pipeline)), (0, (0, 1)));
    server.until(|counts| counts.in_flight == 0).await;
}

/// The timeout of `Endpoint::timeout`, which tonic reports as `CANCELLED`.
#[tokio::test]
async fn a_timeout_of_the_channels_own_is_deadline_exceeded_and_a_failure() {
    use tonic_health::pb::health_client::HealthClient;
    use tower::Layer;

    let server = serve([Behaviour::hang()]);
    let endpoint = tonic::transport::Endpoint::from_shared(server.url("")).unwrap();
    let pipeline = preset().build().unwrap();
    let channel = endpoint.timeout(MS * 30).connect_lazy();
    let status = check(&mut HealthClient::new(pipeline.layer(channel))).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.as_rejected().is_none());
    let mut source: &dyn std::error::Error = &status;
    while let Some(next) = source.source() {
        source = next;
    }
    assert!(source.is::<tonic::TimeoutExpired>(), "{source:?}");
    assert_eq!((server.counts().requests, counted(&pipeline)), (1, (0, 1)));
}
