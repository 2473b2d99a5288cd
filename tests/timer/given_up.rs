//! Calls that do not come to their end.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use seawall::{
    Deadline, Error, ErrorLayer, Pipeline, TimeLimiter, TimeLimiterConfig, TimeLimiterLayer, Timer,
    TimerLayer,
};
use tokio::time::{advance, sleep, timeout};
use tokio_test::{assert_pending, task};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

type Nothing = Result<(), Error<Infallible>>;

fn hang() -> impl Future<Output = Nothing> {
    pending()
}

/// A service behind the timer that never answers.
fn hanging(timer: &Timer) -> impl Service<(), Response = (), Error = Error<Infallible>> + use<> {
    let layer = TimerLayer::new(timer.clone());
    ServiceBuilder::new().layer(layer).service_fn(|()| hang())
}

fn limiter(limit: Duration) -> TimeLimiter {
    TimeLimiter::new("limit", TimeLimiterConfig::builder().timeout(limit).build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled() {
    let timer = timer();
    let mut call = task::spawn(timer.call_flat(hang()));
    assert_pending!(call.poll());
    advance(ms(25)).await;
    drop(call);
    let mut call = task::spawn(hanging(&timer).oneshot(()));
    assert_pending!(call.poll());
    advance(ms(17)).await;
    drop(call);
    assert_eq!(failures(&timer), [("cancelled", 2, ms(42))]);
    assert_eq!(successes(&timer).0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_began_is_none() {
    let timer = timer();
    let heard = listen(&timer);
    drop(timer.call_flat(hang()));
    // A service's call begins when it is called.
    assert!(hanging(&timer).ready().await.is_ok());
    assert!(heard().is_empty() && failures(&timer).is_empty());
    drop(hanging(&timer).ready().await.unwrap().call(()));
    assert_eq!(failures(&timer), [("cancelled", 1, Duration::ZERO)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_ended_is_counted_once() {
    let timer = timer();
    let mut call = task::spawn(timer.call(async { Ok::<_, Infallible>(()) }));
    assert!(call.poll().is_ready());
    drop(call);
    let layer = TimerLayer::new(timer.clone());
    let mut service = ServiceBuilder::new().layer(layer).service_fn(async |()| Nothing::Ok(()));
    let mut call = task::spawn(service.call(()));
    assert!(call.poll().is_ready());
    drop(call);
    assert_eq!((successes(&timer).0, failures(&timer).len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn at_its_own_deadline_it_is_a_timeout_and_before_it_cancelled() {
    let timer = timer();
    for (deadline, dropped_after) in [(100, 99), (100, 100), (100, 250)] {
        let call = Deadline::after(ms(deadline)).scope(timer.call_flat(hang()));
        let mut call = task::spawn(call);
        assert_pending!(call.poll());
        advance(ms(dropped_after)).await;
        drop(call);
    }
    assert_eq!(failures(&timer), [("cancelled", 1, ms(99)), ("timeout", 2, ms(350))]);

    // The same of one that is measured by hand.
    let timer = self::timer();
    Deadline::after(ms(10))
        .scope(async {
            let early = timer.start();
            drop(timer.start());
            sleep(ms(10)).await;
            drop(early);
        })
        .await;
    assert_eq!(failures(&timer), [("cancelled", 1, Duration::ZERO), ("timeout", 1, ms(10))]);
}

#[tokio::test(start_paused = true)]
async fn under_a_time_limiter_it_is_a_timeout() {
    let timer = timer();
    let limiter = limiter(ms(30));
    assert!(limiter.call_flat(timer.call_flat(hang())).await.unwrap_err().is_timeout());
    let layers = ServiceBuilder::new().layer(TimeLimiterLayer::new(limiter.clone()));
    let service = layers.service(hanging_clone(&timer));
    assert!(service.oneshot(()).await.unwrap_err().is_timeout());
    assert_eq!(failures(&timer), [("timeout", 2, ms(60))]);

    // One that goes before the limit strikes is no timeout.
    assert!(timeout(ms(29), limiter.call_flat(timer.call_flat(hang()))).await.is_err());
    assert_eq!(failures(&timer)[1], ("cancelled", 1, ms(29)));
}

fn hanging_clone(
    timer: &Timer,
) -> impl Service<(), Response = (), Error = Error<Infallible>> + Clone + use<> {
    let layer = TimerLayer::new(timer.clone());
    ServiceBuilder::new()
        .layer(layer)
        .layer(ErrorLayer)
        .service(service_fn(async |()| pending::<Result<(), Infallible>>().await))
}

#[tokio::test(start_paused = true)]
async fn under_the_deadline_of_a_pipeline_outside_it_is_a_timeout() {
    let timer = timer();
    let pipeline = Pipeline::builder("outside").deadline(ms(70)).build().unwrap();
    assert!(pipeline.call_flat(|| timer.call_flat(hang())).await.unwrap_err().is_timeout());
    let service = ServiceBuilder::new().layer(pipeline.flat()).service(hanging_clone(&timer));
    assert!(service.oneshot(()).await.unwrap_err().is_timeout());
    assert_eq!(failures(&timer), [("timeout", 2, ms(140))]);
}

/// tokio's timeout announces nothing.
#[tokio::test(start_paused = true)]
async fn under_tokios_own_timeout_it_is_cancelled() {
    let timer = timer();
    assert!(timeout(ms(40), timer.call_flat(hang())).await.is_err());
    assert!(timeout(ms(40), hanging(&timer).oneshot(())).await.is_err());
    assert_eq!(failures(&timer), [("cancelled", 2, ms(80))]);
}

/// A result that comes late is a result all the same.
#[tokio::test(start_paused = true)]
async fn a_call_that_ends_after_its_deadline_is_what_it_ends_with() {
    let timer = timer();
    let late = |result| Deadline::after(ms(10)).scope(timer.call(after(ms(20), result)));
    late(Ok::<_, &str>(())).await.unwrap();
    late(Err("no")).await.unwrap_err();
    assert_eq!(successes(&timer), (1, ms(20)));
    assert_eq!(failures(&timer), [("other", 1, ms(20))]);
}

/// What a task is killed with ends its calls too.
#[tokio::test(start_paused = true)]
async fn in_a_task_that_is_aborted_it_is_cancelled() {
    let timer = timer();
    let task = tokio::spawn(timer.call_flat(hang()));
    sleep(ms(12)).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(failures(&timer), [("cancelled", 1, ms(12))]);
}
