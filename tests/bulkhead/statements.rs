//! The statements BH1 to BH9 and BH13.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use seawall::telemetry::BulkheadEvent;
use seawall::{Bulkhead, BulkheadConfig, BulkheadLayer, Error};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, service_fn};

use crate::support::*;

#[test]
fn bh01_the_defaults_permit_25_calls_and_refuse_the_next() {
    let bulkhead = Bulkhead::with_defaults("shop");
    let events = events(&bulkhead);
    let permits: Vec<_> = (0..25).map(|_| bulkhead.try_acquire().unwrap()).collect();
    assert_eq!(bulkhead.metrics().available, 0);
    assert!(is_full(&bulkhead.try_acquire().unwrap_err()));
    // No runtime, no timer: with no wait there is none.
    assert!(is_full(&bulkhead.acquire().now_or_never().unwrap().unwrap_err()));

    let heard = events();
    assert_eq!(heard[..25], [BulkheadEvent::CallPermitted; 25]);
    assert_eq!(heard[25..], [BulkheadEvent::CallRejected; 2]);
    drop(permits);
    assert_eq!(events(), [BulkheadEvent::CallFinished; 25]);
    assert_eq!(bulkhead.metrics().available, 25);
}

#[tokio::test(start_paused = true)]
async fn bh02_a_place_freed_in_time_is_taken() {
    let bulkhead = bulkhead(1, ms(100));
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(ms(50)).await;
    assert!(!waiter.is_woken());
    drop(permit);
    assert!(waiter.is_woken());
    let _permit = assert_ready_ok!(waiter.poll());
    assert_eq!(load(&bulkhead), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn bh02_the_wait_ends_on_the_dot() {
    let bulkhead = bulkhead(1, ms(100));
    let events = events(&bulkhead);
    let permit = bulkhead.try_acquire().unwrap();
    let started = Instant::now();
    assert!(is_full(&bulkhead.acquire().await.unwrap_err()));
    assert_eq!(started.elapsed(), ms(100));
    assert_eq!(events(), [BulkheadEvent::CallPermitted, BulkheadEvent::CallRejected]);

    // Finer than tokio's timer: the clock is looked at, not only the timer.
    bulkhead.change_max_wait(Duration::from_micros(100_250));
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(Duration::from_micros(100_249)).await;
    assert_pending!(waiter.poll());
    advance(Duration::from_micros(1)).await;
    assert!(is_full(&assert_ready_err!(waiter.poll())));
    drop(permit);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh02_a_place_that_comes_in_the_last_moment_is_taken() {
    let bulkhead = bulkhead(1, ms(100));
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(ms(100)).await;
    drop(permit);
    drop(assert_ready_ok!(waiter.poll()));
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh03_who_came_first_is_let_in_first() {
    let bulkhead = bulkhead(1, ms(100));
    let mut permit = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..5).map(|_| task::spawn(bulkhead.acquire())).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    for turn in 0..5 {
        drop(permit);
        let woken: Vec<_> = waiters.iter().map(task::Spawn::is_woken).collect();
        assert_eq!(woken, (0..5 - turn).map(|n| n == 0).collect::<Vec<_>>(), "exactly one");
        assert!(bulkhead.try_acquire().is_err(), "no newcomer passes by");
        permit = assert_ready_ok!(waiters.remove(0).poll());
    }
}

#[tokio::test(start_paused = true)]
async fn bh03_where_it_is_not_fair_a_newcomer_may_pass_by() {
    let config = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(ms(100)).fair(false);
    let bulkhead = Bulkhead::new("shop", config.build().unwrap());
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    drop(permit);
    assert_eq!(load(&bulkhead), (0, 1), "it was only woken");
    let newcomer = bulkhead.try_acquire().unwrap();
    assert!(waiter.is_woken());
    assert_pending!(waiter.poll());
    assert_eq!(load(&bulkhead), (1, 1));
    drop(newcomer);
    drop(assert_ready_ok!(waiter.poll()));
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh04_a_place_comes_back_whatever_happens() {
    let bulkhead = bulkhead(1, Duration::ZERO);
    let events = events(&bulkhead);
    let over = || {
        assert_eq!(bulkhead.metrics().available, 1);
        assert_eq!(events(), [BulkheadEvent::CallPermitted, BulkheadEvent::CallFinished]);
    };

    assert_eq!(bulkhead.call(async { Ok::<_, Infallible>(1) }).await, Ok(1));
    over();

    assert_eq!(bulkhead.call(async { Err::<(), _>("no") }).await, Err(Error::Service("no")));
    over();

    let panics = bulkhead.call(async { panic!("on purpose") as Result<(), Infallible> });
    assert!(std::panic::AssertUnwindSafe(panics).catch_unwind().await.is_err());
    over();

    let mut started = task::spawn(bulkhead.call(pending::<Result<(), Infallible>>()));
    assert_pending!(started.poll());
    assert_eq!(bulkhead.metrics().available, 0);
    drop(started);
    over();

    drop(bulkhead.call(pending::<Result<(), Infallible>>()));
    assert_eq!(bulkhead.metrics().available, 1);
    assert_eq!(events(), []);
}

#[tokio::test(start_paused = true)]
async fn bh04_the_place_is_free_only_after_the_call_was_dropped() {
    struct Look(Bulkhead);
    impl Drop for Look {
        fn drop(&mut self) {
            assert_eq!(self.0.metrics().in_flight, 1);
        }
    }

    let bulkhead = bulkhead(1, Duration::ZERO);
    let look = Look(bulkhead.clone());
    let mut call = task::spawn(bulkhead.call(async {
        let _look = look;
        pending::<Result<(), Infallible>>().await
    }));
    assert_pending!(call.poll());
    drop(call);

    let look = Look(bulkhead.clone());
    let look = Arc::new(Mutex::new(Some(look)));
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(move |()| {
        let look = look.lock().unwrap().take();
        async {
            let _look = look;
            pending::<Result<(), Error<Infallible>>>().await
        }
    }));
    let mut call = task::spawn(service.call(()));
    assert_pending!(call.poll());
    drop(call);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[test]
fn bh05_a_place_given_back_unused_is_no_finished_call() {
    let bulkhead = bulkhead(1, Duration::ZERO);
    let events = events(&bulkhead);
    bulkhead.try_acquire().unwrap().release();
    assert_eq!(events(), [BulkheadEvent::CallPermitted]);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh06_growing_lets_as_many_in_as_there_is_room_for() {
    let bulkhead = bulkhead(2, ms(100));
    let _inside = [bulkhead.try_acquire().unwrap(), bulkhead.try_acquire().unwrap()];
    let mut waiters: Vec<_> = (0..5).map(|_| task::spawn(bulkhead.acquire())).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    bulkhead.change_max_concurrent_calls(5).unwrap();
    assert_eq!(load(&bulkhead), (5, 2));
    let woken: Vec<_> = waiters.iter().map(task::Spawn::is_woken).collect();
    assert_eq!(woken, [true, true, true, false, false]);
    let permits: Vec<_> = waiters[..3].iter_mut().map(|it| assert_ready_ok!(it.poll())).collect();
    assert_eq!(permits.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn bh06_shrinking_lets_nobody_in_until_fewer_run() {
    let bulkhead = bulkhead(5, ms(100));
    let mut inside: Vec<_> = (0..4).map(|_| bulkhead.try_acquire().unwrap()).collect();
    bulkhead.change_max_concurrent_calls(2).unwrap();
    assert_eq!(bulkhead.metrics().max_concurrent_calls, 2);
    assert_eq!((bulkhead.metrics().available, bulkhead.metrics().in_flight), (0, 4));

    let mut waiter = task::spawn(bulkhead.acquire());
    for left in [3, 2] {
        assert_pending!(waiter.poll());
        drop(inside.pop());
        assert_eq!(load(&bulkhead), (left, 1));
        assert!(bulkhead.try_acquire().is_err());
        assert!(!waiter.is_woken());
    }
    drop(inside.pop());
    let _permit = assert_ready_ok!(waiter.poll());
    assert_eq!(load(&bulkhead), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn bh07_a_new_wait_is_for_those_who_come_after() {
    let bulkhead = bulkhead(1, ms(100));
    let _permit = bulkhead.try_acquire().unwrap();
    let mut early = task::spawn(bulkhead.acquire());
    assert_pending!(early.poll());
    bulkhead.change_max_wait(ms(10));
    let mut late = task::spawn(bulkhead.acquire());
    assert_pending!(late.poll());

    advance(ms(10)).await;
    assert_ready_err!(late.poll());
    bulkhead.change_max_wait(Duration::ZERO);
    advance(ms(89)).await;
    assert_pending!(early.poll());
    advance(ms(1)).await;
    assert_ready_err!(early.poll());
}

#[tokio::test(start_paused = true)]
async fn bh08_no_place_at_all_refuses_everybody() {
    let bulkhead = bulkhead(0, Duration::ZERO);
    assert!(is_full(&bulkhead.try_acquire().unwrap_err()));
    let result = bulkhead.call(async { Ok::<_, Infallible>(()) }).await;
    assert!(result.unwrap_err().is_refusal());

    // Whoever may wait does: the limit can be raised.
    bulkhead.change_max_wait(ms(10));
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    bulkhead.change_max_concurrent_calls(1).unwrap();
    drop(assert_ready_ok!(waiter.poll()));
    assert_eq!(load(&bulkhead), (0, 0));
}

#[test]
fn bh09_available_stays_between_nothing_and_the_maximum() {
    let bulkhead = bulkhead(3, Duration::ZERO);
    let mut inside = Vec::new();
    for limit in [3, 1, 0, 4, 2, 1_000_000, 0, 3] {
        bulkhead.change_max_concurrent_calls(limit).unwrap();
        for _ in 0..4 {
            inside.extend(bulkhead.try_acquire());
            let metrics = bulkhead.metrics();
            assert_eq!(metrics.in_flight as usize, inside.len());
            assert_eq!(metrics.available, limit.saturating_sub(metrics.in_flight));
        }
        inside.pop();
    }
    let error = bulkhead.change_max_concurrent_calls(1_000_001).unwrap_err();
    assert_eq!(error.key(), "max_concurrent_calls");
    assert_eq!(bulkhead.metrics().max_concurrent_calls, 3, "refused, so unchanged");
    assert!(BulkheadConfig::builder().max_concurrent_calls(1_000_001).build().is_err());
}

#[tokio::test(start_paused = true)]
async fn bh13_a_dropped_waiter_leaves_the_queue_and_takes_nothing_along() {
    let bulkhead = bulkhead(1, ms(100));
    let events = events(&bulkhead);
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| task::spawn(bulkhead.acquire())).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    // From the middle.
    drop(waiters.remove(1));
    assert_eq!(load(&bulkhead), (1, 2));
    // One that has its place but does not know yet.
    drop(permit);
    assert_eq!(load(&bulkhead), (1, 1));
    drop(waiters.remove(0));
    assert_eq!(load(&bulkhead), (1, 0));
    drop(assert_ready_ok!(waiters.remove(0).poll()));
    assert_eq!(load(&bulkhead), (0, 0));
    use BulkheadEvent::{CallFinished, CallPermitted};
    assert_eq!(events(), [CallPermitted, CallFinished, CallPermitted, CallFinished]);
}
