//! One deadline for the whole call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::testing::contract::{Act, Backend, End};
use seawall::*;
use tokio::time::{Instant, sleep, timeout};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::support::*;

async fn hang() -> Result<u32, &'static str> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_the_own_deadline_and_the_one_outside_counts() {
    for (own, outside) in [(1_000, 20), (20, 1_000)] {
        let pipeline = Pipeline::builder("p").deadline(ms(own)).build().unwrap();
        let start = Instant::now();
        let call = Deadline::after(ms(outside)).scope(async { pipeline.call(hang).await });
        let error = call.await.unwrap_err();
        assert_eq!((reason(&error), start.elapsed()), (Reason::DeadlineExceeded, ms(20)));
        assert!(error.is_timeout());
    }
}

/// kube and octocrab have a buffer around whatever is put into them.
#[tokio::test(start_paused = true)]
async fn a_deadline_holds_behind_a_buffer_where_another_task_makes_the_call() {
    let pipeline = Pipeline::builder("p").deadline(ms(1_000)).build().unwrap();
    let service = ServiceBuilder::new()
        .buffer(8)
        .layer(pipeline)
        .service(service_fn(async |(): ()| hang().await.map_err(std::io::Error::other)));
    let start = Instant::now();
    let call = Deadline::after(ms(20)).scope(service.oneshot(()));
    let error = call.await.unwrap_err();
    let reason = Rejected::find(&*error).map(Rejected::reason);
    assert_eq!((reason, start.elapsed()), (Some(Reason::DeadlineExceeded), ms(20)));
}

/// The service learns what is left to it: the attempt's limit, or less.
#[tokio::test(start_paused = true)]
async fn the_service_sees_the_earliest_limit() {
    for (deadline, limit, seen) in [(100, 30, 30), (30, 30, 30)] {
        let pipeline = Pipeline::builder("p")
            .deadline(ms(deadline))
            .retry(attempts(2, ms(20)))
            .time_limiter(time_limiter(ms(limit)))
            .build()
            .unwrap();
        let left = Mutex::new(Vec::new());
        let result = pipeline.call(|| {
            let at_call = Deadline::current().map(Deadline::remaining);
            left.lock().unwrap().push((at_call, None));
            async {
                let at_poll = Deadline::current().map(Deadline::remaining);
                left.lock().unwrap().last_mut().unwrap().1 = at_poll;
                Err::<u32, _>("broken")
            }
        });
        assert!(result.await.is_err());
        let left = left.into_inner().unwrap();
        let rest = ms(seen.min(deadline - 20));
        assert_eq!(left[0], (Some(ms(seen)), Some(ms(seen))));
        assert_eq!(left[1], (Some(rest), Some(rest)));
        assert_eq!(Deadline::current(), None);
    }
}

/// An attempt that timed out leaves its deadline behind: the next one is not late from the start.
#[tokio::test(start_paused = true)]
async fn the_next_attempt_does_not_inherit_the_limit_of_one_that_timed_out() {
    let breaker = CircuitBreaker::with_defaults("breaker");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let book = asked.clone();
    let config = attempts(2, Duration::ZERO)
        .before_retry(move |_| book.lock().unwrap().push(Deadline::current()));
    let pipeline = Pipeline::builder("p")
        .retry(config)
        .circuit_breaker(breaker.clone())
        .time_limiter(time_limiter(ms(30)))
        .build()
        .unwrap();
    assert!(timeout(ms(31), pipeline.call(hang)).await.is_err());
    // The second attempt was given up after a millisecond, and says nothing of the backend.
    let counters = breaker.counters();
    assert_eq!((counters.failed, counters.cancelled), (1, 1));
    assert_eq!(*asked.lock().unwrap(), [None]);
}

/// A timer is good to a millisecond: the pause fits, its timer does not.
#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline_when_a_timer_is_late() {
    let (pause, deadline) = (Duration::from_micros(10_200), Duration::from_micros(10_500));

    let backend = Failing::default();
    let pipeline = Pipeline::builder("p").retry(attempts(3, pause)).build().unwrap().flat();
    let piped = ServiceBuilder::new().layer(pipeline).service(backend.client());
    let layer = RetryLayer::new(retry(attempts(3, pause)));
    let stack = ServiceBuilder::new().layer(layer).service(backend.client());
    for (calls, client) in [(1, Client::new(piped)), (2, Client::new(stack))] {
        let error = Deadline::after(deadline).scope(client.oneshot(1)).await.unwrap_err();
        // A call was made, so this is no refusal.
        assert_eq!((reason(&error), error.is_refusal()), (Reason::DeadlineExceeded, false));
        assert_eq!(backend.calls(), calls);
    }

    let (retry, mut calls) = (retry(attempts(3, pause)), 0);
    let call = Deadline::after(deadline).scope(retry.call(|| {
        calls += 1;
        async { Err::<u32, _>("broken") }
    }));
    assert_eq!(reason(&call.await.unwrap_err()), Reason::DeadlineExceeded);
    assert_eq!(calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_does_not_fit_is_not_begun() {
    let backend = Failing::default();
    let pipeline = Pipeline::builder("p").retry(attempts(3, ms(50))).build().unwrap().flat();
    let piped = ServiceBuilder::new().layer(pipeline).service(backend.client());
    let layer = RetryLayer::new(retry(attempts(3, ms(50))));
    let stack = ServiceBuilder::new().layer(layer).service(backend.client());
    for client in [Client::new(piped), Client::new(stack)] {
        let start = Instant::now();
        let error = Deadline::after(ms(50)).scope(client.oneshot(1)).await.unwrap_err();
        assert_eq!((error, start.elapsed()), (Error::Service("broken"), Duration::ZERO));
    }
    let start = Instant::now();
    let retry = retry(attempts(3, ms(50)));
    let call = retry.call(|| async { Err::<u32, _>("broken") });
    let error = Deadline::after(ms(50)).scope(call).await.unwrap_err();
    assert_eq!((error, start.elapsed()), (Error::Service("broken"), Duration::ZERO));
}

/// Whatever waits, waits no longer than the deadline; and what cannot be had in time is refused at once.
#[tokio::test(start_paused = true)]
async fn handles_heed_the_deadline_that_they_are_called_under() {
    let config = BulkheadConfig::builder().max_concurrent_calls(0).max_wait(ms(1_000));
    let bulkhead = Bulkhead::new("bulkhead", config.build().unwrap());
    let start = Instant::now();
    let error = Deadline::after(ms(20)).scope(bulkhead.call(hang())).await.unwrap_err();
    assert_eq!((reason(&error), start.elapsed()), (Reason::BulkheadFull, ms(20)));

    let config = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(ms(100))
        .timeout(ms(1_000));
    let rate = RateLimiter::new("rate", config.build().unwrap());
    rate.try_acquire(1).unwrap();
    let start = Instant::now();
    let error = Deadline::after(ms(20)).scope(rate.call(hang())).await.unwrap_err();
    assert_eq!((reason(&error), start.elapsed()), (Reason::RateLimited, Duration::ZERO));

    // What is given up after its deadline was too slow.
    let breaker = CircuitBreaker::with_defaults("breaker");
    let call = Deadline::after(ms(20)).scope(breaker.call(hang()));
    assert!(timeout(ms(30), call).await.is_err());
    assert_eq!(breaker.metrics().failed_calls, 1);
}

/// Waits within a pipeline end with the earliest of all limits.
#[tokio::test(start_paused = true)]
async fn waits_in_a_pipeline_end_with_its_deadline() {
    let config = BulkheadConfig::builder().max_concurrent_calls(0).max_wait(ms(1_000));
    let pipeline = Pipeline::builder("p").deadline(ms(40)).bulkhead(config).build().unwrap();
    let start = Instant::now();
    let error = pipeline.call(hang).await.unwrap_err();
    assert_eq!((reason(&error), start.elapsed()), (Reason::BulkheadFull, ms(40)));
}

/// A service that is slow to be ready for a further attempt is within the limits, too.
#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait_for_a_ready_service() {
    let backend = Backend::new(|| 1);
    let fail = Act { pendings: 1, end: End::Fail };
    backend.script(&[fail], fail);
    let pipeline = Pipeline::builder("p").deadline(ms(100)).retry(attempts(2, ms(10))).build();
    let service = ServiceBuilder::new().layer(pipeline.unwrap()).service(backend.probe());
    let start = Instant::now();
    let call = tokio::spawn(service.oneshot(1));
    sleep(ms(1)).await;
    backend.late_readiness(1);
    backend.release();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::DeadlineExceeded);
    assert_eq!((start.elapsed(), backend.held()), (ms(100), 0));
}

/// Spawned work does not know the deadline unless it takes it along.
#[tokio::test(start_paused = true)]
async fn a_deadline_is_carried_by_hand_into_spawned_work() {
    let service = service_fn(async |_: u32| {
        let here = Deadline::current().expect("it is known here");
        let there = tokio::spawn(async { Deadline::current() }).await.unwrap();
        assert_eq!(there, None);
        let there = tokio::spawn(here.scope(async { Deadline::current() })).await.unwrap();
        Ok::<_, Failure>(there == Some(here))
    });
    let pipeline = Pipeline::builder("p").deadline(ms(100)).build().unwrap().flat();
    assert_eq!(ServiceBuilder::new().layer(pipeline).service(service).oneshot(1).await, Ok(true));
}
