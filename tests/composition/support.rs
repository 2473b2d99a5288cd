//! The same steps as a pipeline and as single layers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seawall::*;
use tower::util::BoxCloneService;
use tower::{ServiceBuilder, service_fn};

pub type Failure = Error<&'static str>;
pub type Client = BoxCloneService<u32, u32, Failure>;

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn retry(config: RetryConfigBuilder) -> Retry {
    Retry::new("retry", config.build().unwrap())
}

/// So many attempts, with pauses of this length.
pub fn attempts(max: u32, pause: Duration) -> RetryConfigBuilder {
    RetryConfig::builder().max_attempts(max).backoff(Backoff::fixed(pause))
}

pub fn time_limiter(timeout: Duration) -> TimeLimiter {
    let config = TimeLimiterConfig::builder().timeout(timeout).build().unwrap();
    TimeLimiter::new("time", config)
}

/// Fails always, and counts.
#[derive(Clone, Default)]
pub struct Failing(Arc<AtomicUsize>);

impl Failing {
    pub fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub fn client(&self) -> Client {
        let calls = self.0.clone();
        BoxCloneService::new(service_fn(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Err(Error::Service("broken")))
        }))
    }
}

/// A retry around a circuit breaker, both ways.
pub fn both(retry: &Retry, breaker: &CircuitBreaker, client: Client) -> [Client; 2] {
    let pipeline =
        Pipeline::builder("both").retry(retry.clone()).circuit_breaker(breaker.clone()).build();
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry.clone()))
        .layer(CircuitBreakerLayer::new(breaker.clone()));
    let piped = ServiceBuilder::new().layer(pipeline.unwrap().flat()).service(client.clone());
    [BoxCloneService::new(piped), BoxCloneService::new(stack.service(client))]
}

pub fn reason(error: &Failure) -> Reason {
    error.rejected().expect("seawall said it").reason()
}
