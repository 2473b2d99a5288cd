//! Calls that cost more than one permission, or none.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall::{Backoff, Error, Pipeline, RateLimiterLayer, Rejected, RetryConfig, Verdict};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_layer_takes_what_the_request_costs() {
    let limiter = limiter(5, ms(10), ms(0));
    let events = events(&limiter);
    let client = service_fn(async |rows: u32| Ok::<_, BoxError>(rows));
    let mut service = RateLimiterLayer::new(limiter.clone())
        .classifier(|result: &Result<u32, BoxError>| {
            Verdict::success().with_drain(matches!(result, Ok(0)))
        })
        .cost(|rows: &u32| *rows)
        .layer(client);
    assert_eq!(service.ready().await.unwrap().call(3).await.unwrap(), 3);
    assert_eq!(available(&limiter), 2);
    let refused = service.ready().await.unwrap().call(3).await.unwrap_err();
    assert_eq!(Rejected::find(&*refused).unwrap().retry_after(), Some(ms(10)));
    assert_eq!(available(&limiter), 2);
    assert_eq!(service.ready().await.unwrap().call(2).await.unwrap(), 2);

    // Nothing is left, and nothing asked for; the verdict is heard all the same.
    assert_eq!(*events.lock().unwrap(), [granted(3), failed(3), granted(2)]);
    assert_eq!(service.ready().await.unwrap().call(0).await.unwrap(), 0);
    assert_eq!(events.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_all_that_it_costs() {
    let limiter = limiter(2, ms(10), ms(100));
    let client = service_fn(async |rows: u32| Ok::<_, BoxError>(rows));
    let service = RateLimiterLayer::new(limiter.clone()).cost(|rows: &u32| *rows).layer(client);
    let (took, result) = timed(service.clone().oneshot(5)).await;
    assert_eq!((took, result.unwrap()), (ms(20), 5));
    assert_eq!(available(&limiter), 1);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_pipeline_pays() {
    let limiter = limiter(7, ms(10), ms(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let pipeline = Pipeline::builder("inventory")
        .cost(|rows: &u32| *rows)
        .retry(RetryConfig::builder().max_attempts(5).backoff(Backoff::fixed(ms(0))))
        .rate_limiter(limiter.clone())
        .build()
        .unwrap();
    let count = calls.clone();
    let client = service_fn(move |_: u32| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Err::<(), _>("no"))
    });
    let service = pipeline.clone().layer(client);
    let error = service.clone().oneshot(3).await.unwrap_err();
    assert!(error.rejected().is_some(), "the third attempt has nothing to pay with");
    assert_eq!((calls.load(Ordering::Relaxed), available(&limiter)), (2, 1));
    assert_eq!(service.oneshot(0).await, Err(Error::Service("no")));
    assert_eq!((calls.load(Ordering::Relaxed), available(&limiter)), (7, 1));
}

#[tokio::test(start_paused = true)]
async fn the_request_of_plain_futures_costs_too() {
    let limiter = limiter(5, ms(10), ms(0));
    let builder = Pipeline::builder("inventory").rate_limiter(limiter.clone());
    let pipeline = builder.clone().build().unwrap();
    pipeline.call(|| async { Ok::<_, Infallible>(()) }).await.unwrap();
    assert_eq!(available(&limiter), 4);
    let pipeline = builder.cost(|(): &()| 3).build().unwrap();
    pipeline.call(|| async { Ok::<_, Infallible>(()) }).await.unwrap();
    assert_eq!(available(&limiter), 1);
    assert!(pipeline.call(|| async { Ok::<_, Infallible>(()) }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_cost_takes_nothing() {
    let limiter = limiter(5, ms(10), ms(0));
    let client = service_fn(async |rows: u32| Ok::<_, BoxError>(rows));
    let cost = |_: &u32| -> u32 { panic!("of the cost") };
    let mut service = RateLimiterLayer::new(limiter.clone()).cost(cost).layer(client);
    let call = tokio::spawn(async move { service.call(1).await });
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!((available(&limiter), limiter.metrics().waiting), (5, 0));
}
