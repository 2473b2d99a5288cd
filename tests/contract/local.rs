//! No layer asks for `Send` or `'static`.

use std::cell::Cell;

use seawall::testing::contract::check_local;
use seawall::*;
use tower::ServiceBuilder;

use super::support::*;

#[tokio::test(start_paused = true)]
async fn every_layer_takes_a_service_that_borrows_and_is_not_send() {
    let calls = Cell::new(0);
    let (retry, _) = retry(2, ms(10));
    let layer = BulkheadLayer::new(bulkhead(1, ms(10)));
    check_local(&ErrorLayer, &calls).await;
    check_local(&CircuitBreakerLayer::new(breaker()), &calls).await;
    check_local(&RetryLayer::new(retry.clone()), &calls).await;
    check_local(&TimeLimiterLayer::new(time_limiter(ms(10))), &calls).await;
    check_local(&layer, &calls).await;
    check_local(&RateLimiterLayer::new(rate_limiter(1, ms(10))), &calls).await;
    check_local(&TimerLayer::new(timer().0), &calls).await;
    check_local(&Pipeline::builder("none").build().unwrap(), &calls).await;
    let pipeline = Pipeline::builder("all")
        .deadline(ms(1_000))
        .retry(retry.clone())
        .circuit_breaker(breaker())
        .rate_limiter(rate_limiter(10, ms(10)))
        .time_limiter(time_limiter(ms(100)))
        .bulkhead(bulkhead(1, ms(10)))
        .timer(timer().0)
        .build()
        .unwrap();
    check_local(&pipeline, &calls).await;
    check_local(&pipeline.flat(), &calls).await;
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry))
        .layer(CircuitBreakerLayer::new(breaker()))
        .layer(RateLimiterLayer::new(rate_limiter(1, ms(10))))
        .layer(TimeLimiterLayer::new(time_limiter(ms(10))))
        .layer(layer)
        .layer(TimerLayer::new(timer().0))
        .layer(ErrorLayer);
    check_local(&stack, &calls).await;
    assert_eq!(calls.get(), 11);
}
