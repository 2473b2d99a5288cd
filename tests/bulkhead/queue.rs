//! The bounded queue: the statements BH10 to BH13.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use seawall::telemetry::BulkheadEvent::{CallFinished, CallPermitted, CallRejected};
use seawall::{Bulkhead, BulkheadConfig, Deadline, Error, Pipeline, TimeLimiterConfig};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready_ok, task};

use crate::support::*;

fn queue(calls: u32, capacity: u32) -> Bulkhead {
    let config = BulkheadConfig::thread_pool().max_concurrent_calls(calls).queue_capacity(capacity);
    Bulkhead::new("shop", config.build().unwrap())
}

/// Depth, capacity, remaining.
fn depth(bulkhead: &Bulkhead) -> (usize, Option<u32>, Option<u32>) {
    let metrics = bulkhead.metrics();
    (metrics.waiting, metrics.queue_capacity, metrics.queue_remaining)
}

#[tokio::test(start_paused = true)]
async fn bh10_the_third_waits_and_the_fourth_is_refused() {
    let bulkhead = queue(2, 1);
    let events = events(&bulkhead);
    let running = [bulkhead.try_acquire().unwrap(), bulkhead.try_acquire().unwrap()];
    assert_eq!(depth(&bulkhead), (0, Some(1), Some(1)));
    let mut third = task::spawn(bulkhead.acquire());
    assert_pending!(third.poll());
    assert_eq!(depth(&bulkhead), (1, Some(1), Some(0)));
    let fourth = bulkhead.acquire().now_or_never().expect("refused at once");
    assert!(is_full(&fourth.unwrap_err()));
    assert_eq!(events(), [CallPermitted, CallPermitted, CallRejected]);

    // It has all the time in the world.
    advance(Duration::from_secs(365 * 24 * 3600)).await;
    assert_pending!(third.poll());
    drop(running);
    assert_eq!(events(), [CallFinished, CallFinished], "it does not run yet");
    let permit = assert_ready_ok!(third.poll());
    assert_eq!(events(), [CallPermitted]);
    assert_eq!(depth(&bulkhead), (0, Some(1), Some(1)));
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn bh11_without_room_nobody_waits() {
    for fair in [true, false] {
        let config = BulkheadConfig::thread_pool().max_concurrent_calls(1).queue_capacity(0);
        let bulkhead = Bulkhead::new("shop", config.fair(fair).build().unwrap());
        let permit = bulkhead.try_acquire().unwrap();
        let refused = bulkhead.acquire().now_or_never().expect("refused at once");
        assert!(is_full(&refused.unwrap_err()));
        assert_eq!(depth(&bulkhead), (0, Some(0), Some(0)));
        drop(permit);
        drop(bulkhead.acquire().now_or_never().expect("there is a place").unwrap());
    }
}

#[test]
fn bh12_a_core_above_the_maximum_is_refused() {
    let config = |max, core| {
        BulkheadConfig::thread_pool().max_concurrent_calls(max).core_pool_size(core).build()
    };
    let error = config(4, 5).unwrap_err();
    assert_eq!(error.to_string(), "`core_pool_size` is 5, but must be from 1 to 4");
    assert!(config(4, 0).is_err());
    assert_eq!(config(4, 4).unwrap().core_pool_size(), 4);
}

#[test]
fn bh12_the_defaults_are_those_of_the_thread_pool() {
    let processors = std::thread::available_parallelism().unwrap().get() as u32;
    let config = BulkheadConfig::thread_pool().build().unwrap();
    assert_eq!(config.max_concurrent_calls(), processors);
    assert_eq!(config.core_pool_size(), (processors - 1).max(1));
    assert_eq!(config.queue_capacity(), Some(100));
    assert_eq!(config.keep_alive(), ms(20));
    assert_eq!(config.max_wait(), Duration::MAX);

    let small = BulkheadConfig::thread_pool().max_concurrent_calls(1).build().unwrap();
    assert_eq!(small.core_pool_size(), 1, "fitted to the maximum unless it is given");
    let looked_at = config.to_builder().keep_alive(ms(7)).build().unwrap();
    assert_eq!(Bulkhead::new("shop", looked_at).config(), looked_at);
    assert_eq!(BulkheadConfig::default().queue_capacity(), None);
}

#[tokio::test(start_paused = true)]
async fn bh13_a_dropped_call_frees_its_place_in_the_queue() {
    let bulkhead = queue(1, 1);
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    drop(waiter);
    assert_eq!(depth(&bulkhead), (0, Some(1), Some(1)));
    let mut next = task::spawn(bulkhead.acquire());
    assert_pending!(next.poll());
    drop(permit);
    drop(assert_ready_ok!(next.poll()));
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_the_wait_holds_beside_that_on_the_queue() {
    let bulkhead = queue(1, 5);
    bulkhead.change_max_wait(ms(100));
    let permit = bulkhead.try_acquire().unwrap();
    let started = Instant::now();
    assert!(is_full(&bulkhead.acquire().await.unwrap_err()));
    assert_eq!(started.elapsed(), ms(100));

    // Without one, a deadline still ends the wait.
    bulkhead.change_max_wait(Duration::MAX);
    let started = Instant::now();
    let result = Deadline::after(ms(30)).scope(bulkhead.acquire()).await;
    assert!(is_full(&result.unwrap_err()));
    assert_eq!(started.elapsed(), ms(30));
    drop(permit);
}

#[test]
fn whoever_waits_without_a_limit_needs_no_timer() {
    // No runtime here, so a timer would panic.
    let bulkhead = queue(1, 1);
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = pin!(bulkhead.acquire());
    assert!(waiter.as_mut().now_or_never().is_none());
    drop(permit);
    assert!(waiter.now_or_never().unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pipelines_time_limiter_ends_a_wait_without_a_limit() {
    let bulkhead = queue(1, 1);
    let pipeline = Pipeline::builder("shop")
        .time_limiter(TimeLimiterConfig::builder().timeout(ms(50)))
        .bulkhead(bulkhead.clone())
        .build()
        .unwrap();
    let _permit = bulkhead.try_acquire().unwrap();
    let started = Instant::now();
    let call = pipeline.call(|| async { Ok::<_, Infallible>(()) }).await;
    assert!(matches!(call, Err(Error::Rejected(_))));
    assert_eq!(started.elapsed(), ms(50));
    assert_eq!(load(&bulkhead), (1, 0));
}

/// Comes and goes on many threads, while others look whether more wait than there is room for.
async fn crowd(fair: bool) {
    const ROOM: u32 = 3;
    let config = BulkheadConfig::thread_pool().max_concurrent_calls(2).queue_capacity(ROOM);
    let bulkhead = Bulkhead::new("shop", config.fair(fair).build().unwrap());
    let refused = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let (bulkhead, refused) = (bulkhead.clone(), refused.clone());
            tokio::spawn(async move {
                for turn in 0..50 {
                    assert!(bulkhead.metrics().waiting <= ROOM as usize);
                    if (number + turn) % 7 == 0 {
                        let _ = futures_util::poll!(pin!(bulkhead.acquire()));
                    } else if let Ok(permit) = bulkhead.acquire().await {
                        tokio::task::yield_now().await;
                        drop(permit);
                    } else {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(ms(30_000), task).await.expect("a wake-up was lost").unwrap();
    }
    assert!(refused.load(Ordering::Relaxed) > 0, "the queue was never full");
    assert_eq!(load(&bulkhead), (0, 0));
    assert_eq!(depth(&bulkhead), (0, Some(ROOM), Some(ROOM)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_do_more_wait_than_there_is_room_for() {
    crowd(true).await;
    crowd(false).await;
}
