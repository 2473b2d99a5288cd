//! Calls that last until their body ends, over services in memory and on the paused clock.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use seawall::http::HttpClassifier;
use seawall::patterns::time_limiter::{Metrics, TimeLimitScope};
use seawall::{
    AtBodyEnd, BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Deadline,
    ErrorLayer, NoReplay, Pipeline, Reason, TimeLimiter, TimeLimiterConfig, TimeLimiterLayer,
    TimerConfig,
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Yields these frames, and then stays silent.
#[derive(Debug)]
struct Silent(VecDeque<Bytes>);

impl Body for Silent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.0.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Poll::Pending,
        }
    }
}

type Steps = Pipeline<HttpClassifier, AtBodyEnd, NoReplay>;

fn pipeline(scope: TimeLimitScope) -> Steps {
    Pipeline::builder("inventory")
        .http()
        .replay(NoReplay)
        .circuit_breaker(CircuitBreakerConfig::builder())
        .time_limiter(TimeLimiterConfig::builder().timeout(ms(100)).scope(scope))
        .bulkhead(BulkheadConfig::builder())
        .timer(TimerConfig::builder())
        .build()
        .unwrap()
}

async fn whole(pipeline: &Steps) -> Result<Bytes, Reason> {
    let server = service_fn(async |_: Request<()>| {
        Ok::<_, std::io::Error>(Response::new(Silent(["half".into()].into())))
    });
    let response = pipeline.clone().layer(server).oneshot(Request::new(())).await.unwrap();
    match response.into_body().collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(error.rejected().unwrap().reason()),
    }
}

fn metrics(pipeline: &Steps) -> [u64; 3] {
    let Metrics { success, error, timeout, .. } = pipeline.time_limiter().unwrap().metrics();
    [success, error, timeout]
}

fn failed(pipeline: &Steps) -> u64 {
    pipeline.circuit_breaker().unwrap().counters().failed
}

/// What the timer has counted failures as, and how long they took.
fn timed(pipeline: &Steps) -> Vec<(&'static str, Duration)> {
    let timer = pipeline.timer().unwrap();
    assert_eq!(timer.metrics().successful.count(), 0);
    timer.failures().into_iter().map(|(tag, of)| (tag, of.sum())).collect()
}

#[tokio::test(start_paused = true)]
async fn the_attempts_limit_strikes_in_the_body() {
    let pipeline = pipeline(TimeLimitScope::WholeBody);
    assert_eq!(whole(&pipeline).await, Err(Reason::AttemptTimedOut));
    assert_eq!(metrics(&pipeline), [0, 0, 1]);
    assert_eq!(failed(&pipeline), 1);
    assert_eq!(timed(&pipeline), [("timeout", ms(100))]);
}

#[tokio::test(start_paused = true)]
async fn the_whole_calls_deadline_in_the_body_is_no_success_of_the_attempt() {
    let pipeline = pipeline(TimeLimitScope::WholeBody);
    let outcome = Deadline::after(ms(50)).scope(whole(&pipeline)).await;
    assert_eq!(outcome, Err(Reason::DeadlineExceeded));
    assert_eq!(metrics(&pipeline), [0, 1, 0]);
    assert_eq!(failed(&pipeline), 1);
    assert_eq!(timed(&pipeline), [("timeout", ms(50))]);
}

#[tokio::test(start_paused = true)]
async fn the_attempts_limit_ends_with_the_head() {
    let pipeline = pipeline(TimeLimitScope::Head);
    let outcome = Deadline::after(ms(200)).scope(whole(&pipeline)).await;
    assert_eq!(outcome, Err(Reason::DeadlineExceeded));
    assert_eq!(metrics(&pipeline), [1, 0, 0]);
    assert_eq!(failed(&pipeline), 1);
    assert_eq!(timed(&pipeline), [("timeout", ms(200))]);
}

/// A hung body under single layers: those inside the limit learn of it as the steps of a pipeline do.
#[tokio::test(start_paused = true)]
async fn the_limit_of_a_layer_outside_strikes_in_the_body() {
    let breaker = CircuitBreaker::with_defaults("inventory");
    let limit = TimeLimiterConfig::builder().timeout(ms(100)).scope(TimeLimitScope::WholeBody);
    let limiter = TimeLimiter::new("inventory", limit.build().unwrap());
    let half = async |_: Request<()>| {
        Ok::<_, std::io::Error>(Response::new(Silent(["half".into()].into())))
    };
    let service = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter.clone()).http())
        .layer(CircuitBreakerLayer::new(breaker.clone()).http())
        .layer(ErrorLayer)
        .service(service_fn(half));
    let outcomes = || (breaker.counters().successful, breaker.counters().failed);
    let response = service.clone().oneshot(Request::new(())).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!((outcomes(), limiter.metrics().timeout), ((0, 1), 1));
    // Whoever drops a body of its own accord does the backend no harm.
    drop(service.oneshot(Request::new(())).await.unwrap());
    assert_eq!(outcomes(), (1, 1));
}
