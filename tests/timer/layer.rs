//! By the layer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::{
    Bulkhead, BulkheadConfig, BulkheadLayer, Cause, Ends, Error, ErrorLayer, FromRejected, Guard,
    Retry, RetryConfig, RetryLayer, TimerLayer, Verdict,
};
use tokio::time::{advance, sleep};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn each_call_is_measured_from_call_to_response() {
    let timer = timer();
    let mut service = ServiceBuilder::new()
        .layer(TimerLayer::new(timer.clone()))
        .layer(ErrorLayer)
        .service_fn(async |millis: u64| {
            sleep(ms(millis)).await;
            if millis > 100 { Err("slow") } else { Ok(millis) }
        });
    assert_eq!(service.ready().await.unwrap().call(40).await, Ok(40));
    assert_eq!(service.ready().await.unwrap().call(60).await, Ok(60));
    let error = service.ready().await.unwrap().call(150).await.unwrap_err();
    assert_eq!(error, Error::Service("slow"));
    assert_eq!((successes(&timer), failures(&timer)), ((2, ms(100)), vec![("other", 1, ms(150))]));

    // The time runs from `call`, also while nobody polls.
    let call = service.call(10);
    advance(ms(25)).await;
    call.await.unwrap();
    assert_eq!(successes(&timer), (3, ms(135)));
}

#[tokio::test(start_paused = true)]
async fn getting_ready_is_not_measured() {
    let timer = timer();
    let service = ServiceBuilder::new()
        .layer(TimerLayer::new(timer.clone()))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(ErrorLayer)
        .service_fn(async |()| after(ms(30), Ok::<_, Infallible>(())).await);
    let (mut first, mut second) = (service.clone(), service);
    let (one, other) = tokio::join!(async { first.ready().await.unwrap().call(()).await }, async {
        second.ready().await.unwrap().call(()).await
    });
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(successes(&timer), (2, ms(60)), "the second waited for the first in vain");
}

#[tokio::test(start_paused = true)]
async fn what_stands_outside_is_not_measured_and_what_stands_inside_is() {
    let (outer, inner) = (timer(), timer());
    let full = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(ms(1_000));
    let bulkhead = Bulkhead::new("one", full.build().unwrap());
    let service = ServiceBuilder::new()
        .layer(TimerLayer::new(outer.clone()))
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .layer(TimerLayer::new(inner.clone()))
        .layer(ErrorLayer)
        .service(service_fn(async |()| after(ms(20), Ok::<_, Infallible>(())).await));
    let place = bulkhead.try_acquire().unwrap();
    let mut call = task::spawn(service.clone().oneshot(()));
    assert_pending!(call.poll());
    advance(ms(100)).await;
    drop(place);
    assert_pending!(call.poll());
    advance(ms(20)).await;
    assert_ready_ok!(call.poll());
    assert_eq!((successes(&outer), successes(&inner)), ((1, ms(120)), (1, ms(20))));

    // A refusal never comes to the timer inside.
    bulkhead.change_max_wait(Duration::ZERO);
    let _place = bulkhead.try_acquire().unwrap();
    assert!(service.oneshot(()).await.unwrap_err().is_refusal());
    assert_eq!(failures(&outer), [("refused", 1, Duration::ZERO)]);
    assert_eq!(failures(&inner), []);
}

#[tokio::test(start_paused = true)]
async fn under_a_retry_each_attempt_is_measured() {
    let timer = timer();
    let config = RetryConfig::builder().max_attempts(3).build().unwrap();
    let calls = Arc::new(Mutex::new(0));
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::new("retry", config)))
        .layer(TimerLayer::new(timer.clone()))
        .layer(ErrorLayer)
        .service(service_fn(move |()| {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            after(ms(10), if *calls < 3 { Err("no") } else { Ok(()) })
        }));
    service.oneshot(()).await.unwrap();
    assert_eq!((successes(&timer), failures(&timer)), ((1, ms(10)), vec![("other", 2, ms(20))]));
}

#[tokio::test(start_paused = true)]
async fn the_classifier_judges_the_response() {
    let timer = timer();
    let judge = |result: &Result<u16, Error<Infallible>>| match result {
        Ok(200) => Verdict::success(),
        _ => Verdict::failure(Cause::Overloaded),
    };
    let layer = TimerLayer::new(timer.clone()).classifier(judge);
    let mut service = layer.layer(service_fn(async |status: u16| Ok(status)));
    assert_eq!(service.call(200).await, Ok(200));
    assert_eq!(service.call(500).await, Ok(500), "it changes nothing");
    assert_eq!((successes(&timer).0, failures(&timer)[0].0), (1, "overloaded"));
}

/// Hands the guard out, as a body would keep it.
#[derive(Clone)]
struct Late;

impl<R, G> Ends<R, G> for Late {
    type Out = (R, Option<G>);

    fn attach(&self, response: R, guard: Option<G>) -> Self::Out {
        (response, guard)
    }
}

#[tokio::test(start_paused = true)]
async fn with_ends_of_ones_own_a_call_ends_when_they_say() {
    let timer = timer();
    let layer = TimerLayer::new(timer.clone()).ends(Late);
    let mut service = layer.layer(service_fn(async |good: bool| {
        let result = if good { Ok(()) } else { Err(Error::Service("no")) };
        after(ms(10), result).await
    }));
    let ((), guard) = service.call(true).await.unwrap();
    assert_eq!(successes(&timer).0, 0, "it goes on");
    advance(ms(15)).await;
    drop(guard);
    assert_eq!(successes(&timer), (1, ms(25)));
    let ((), guard) = service.call(true).await.unwrap();
    advance(ms(5)).await;
    guard.unwrap().fail(Cause::Reset);
    assert_eq!(failures(&timer), [("reset", 1, ms(15))]);
    // An error has nothing that could go on.
    service.call(false).await.unwrap_err();
    assert_eq!(failures(&timer)[1], ("other", 1, ms(10)));
    assert_eq!(successes(&timer), (1, ms(25)));
}

#[tokio::test(start_paused = true)]
async fn a_boxed_error_keeps_what_is_inside() {
    let timer = timer();
    let full = BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap();
    let service = ServiceBuilder::new()
        .layer(TimerLayer::new(timer.clone()))
        .layer(BulkheadLayer::new(Bulkhead::new("full", full)))
        .service(service_fn(async |()| Ok::<_, BoxError>(())));
    let error = service.oneshot(()).await.unwrap_err();
    assert!(error.as_rejected().unwrap().is_refusal());
    assert_eq!(failures(&timer)[0].0, "refused");
}
