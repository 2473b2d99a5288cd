//! What the response futures are: `Send` where the service's are, and no larger than need be.

use std::future::{Ready, ready};
use std::mem::size_of_val;
use std::time::Duration;

use seawall::*;
use tower::{Layer, Service, ServiceBuilder, service_fn};

type Answer = Ready<Result<u64, Error<u64>>>;

fn client() -> impl Service<u64, Response = u64, Error = Error<u64>, Future = Answer> + Clone + Send
{
    service_fn(|request: u64| -> Answer { ready(Ok(request)) })
}

fn pipeline() -> Pipeline {
    Pipeline::builder("all")
        .deadline(Duration::from_secs(10))
        .retry(RetryConfig::safe())
        .circuit_breaker(CircuitBreakerConfig::default())
        .rate_limiter(RateLimiterConfig::default())
        .time_limiter(TimeLimiterConfig::default())
        .bulkhead(BulkheadConfig::default())
        .timer(TimerConfig::default())
        .build()
        .unwrap()
}

/// Is the service `Send`, and its future too?
fn send<S: Service<u64, Future: Send> + Send>(mut service: S) -> S::Future {
    service.call(1)
}

/// What a layer adds to the service's future, in bytes.
macro_rules! added {
    ($layer:expr) => {{
        let future = send(Layer::layer(&$layer, client()));
        size_of_val(&future) - size_of::<Answer>()
    }};
}

#[tokio::test(start_paused = true)]
async fn futures_are_send_and_small() {
    let breaker = CircuitBreaker::with_defaults("breaker");
    let bulkhead = Bulkhead::with_defaults("bulkhead");
    let rate = RateLimiter::with_defaults("rate");
    let time = TimeLimiter::with_defaults("time");
    let retry = Retry::with_defaults("retry");
    let timer = Timer::with_defaults("timer");
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry.clone()))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(RateLimiterLayer::new(rate.clone()))
        .layer(TimeLimiterLayer::new(time.clone()))
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .layer(TimerLayer::new(timer.clone()));
    let sizes = [
        ("error layer", added!(ErrorLayer), 0),
        ("circuit breaker", added!(CircuitBreakerLayer::new(breaker)), 64),
        ("bulkhead", added!(BulkheadLayer::new(bulkhead)), 64),
        ("rate limiter", added!(RateLimiterLayer::new(rate)), 64),
        ("time limiter", added!(TimeLimiterLayer::new(time)), 160),
        ("retry", added!(RetryLayer::new(retry)), 96),
        ("timer", added!(TimerLayer::new(timer)), 32),
        ("pipeline of all steps", added!(pipeline().flat()), 376),
        ("stack of all steps", added!(stack), 376),
    ];
    for (name, size, _) in sizes {
        println!("{name}: the service's future + {size} bytes");
    }
    for (name, size, most) in sizes {
        assert!(size <= most, "{name}: {size} bytes are more than {most}");
    }
}
