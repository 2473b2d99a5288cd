//! The numbered statements, of the two algorithms that are Resilience4j's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use seawall::telemetry::RateLimiterEvent;
use seawall::{
    Cause, Error, RateLimiter, RateLimiterConfig, RateLimiterLayer, Reason, Rejected, Verdict,
};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn rl01_first_vector_three_per_10_ms_with_timeout_12_ms() {
    const P: u64 = 10_000_000;
    let limiter = limiter(3, ns(P), ns(12_000_000));
    let mut waits = Vec::new();
    let mut held = Vec::new();
    for _ in 1..=9 {
        advance(ns(1)).await;
        match limiter.reserve(1) {
            Ok(reservation) => {
                waits.push(reservation.wait());
                held.push(reservation);
            }
            Err(rejected) => assert_eq!(rejected.reason(), Reason::RateLimited),
        }
    }
    assert_eq!(waits, [ns(0), ns(0), ns(0), ns(P - 4), ns(P - 5), ns(P - 6)]);
}

#[tokio::test(start_paused = true)]
async fn rl01_second_vector_one_per_250_ms() {
    const P: Duration = ms(250);
    let limiter = limiter(1, P, 2 * P);
    advance(P).await;

    assert_ready_ok!(task::spawn(limiter.acquire(1)).poll());
    assert_eq!((available(&limiter), limiter.metrics().wait_for_one), (0, P));

    let reservation = limiter.reserve(1).unwrap();
    assert_eq!(reservation.wait(), P);
    assert_eq!((available(&limiter), limiter.metrics().wait_for_one), (-1, 2 * P));

    limiter.change_timeout(P);
    let before = limiter.metrics();
    assert_eq!(limiter.reserve(1).unwrap_err().retry_after(), Some(2 * P));
    assert_eq!(limiter.metrics(), before);

    advance(5 * P + ns(10)).await;
    let metrics = limiter.metrics();
    assert_eq!((metrics.available_permissions, metrics.wait_for_one), (1, Duration::ZERO));
    assert_eq!(metrics.cycle, 6);
}

#[tokio::test(start_paused = true)]
async fn rl02_permissions_do_not_pile_up_over_idle_cycles() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 3, ms(10), ms(0));
        advance(ms(1000)).await;
        assert_eq!(available(&limiter), 3);
        limiter.try_acquire(3).unwrap();
        assert!(limiter.try_acquire(1).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn rl03_debt_is_refilled_before_anybody_is_admitted() {
    let limiter = limiter(2, ms(10), ms(100));
    let debt = limiter.reserve(7).unwrap();
    assert_eq!(debt.wait(), ms(30));
    for expected in [-5, -3, -1] {
        assert_eq!(available(&limiter), expected);
        assert!(limiter.try_acquire(1).is_err());
        advance(ms(10)).await;
    }
    assert_eq!(available(&limiter), 1);
    limiter.try_acquire(1).unwrap();
}

#[tokio::test(start_paused = true)]
async fn rl04_more_than_the_limit_waits_several_cycles() {
    let limiter = limiter(2, ms(10), ms(20));
    let (took, result) = timed(limiter.acquire(5)).await;
    assert_eq!((took, result), (ms(20), Ok(())));
    assert_eq!(available(&limiter), 1);
    let too_long = limiter.acquire(6).await.unwrap_err();
    assert_eq!(too_long.retry_after(), Some(ms(30)));
}

#[tokio::test(start_paused = true)]
async fn rl05_a_refused_reservation_leaves_the_state_untouched() {
    let limiter = limiter(1, ms(10), ms(10));
    limiter.try_acquire(1).unwrap();
    let held = limiter.reserve(1).unwrap();
    let before = limiter.metrics();
    let rejected = limiter.reserve(1).unwrap_err();
    assert_eq!(rejected.retry_after(), Some(ms(20)));
    assert_eq!(rejected.name(), "inventory");
    assert!(rejected.is_refusal());
    assert_eq!(limiter.metrics(), before);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn rl06_timeout_zero_never_waits() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(0));
        let (took, result) = timed(limiter.acquire(1)).await;
        assert_eq!((took, result), (ms(0), Ok(())));
        let (took, result) = timed(limiter.acquire(1)).await;
        assert_eq!((took, result.unwrap_err().retry_after()), (ms(0), Some(ms(10))));
    }
}

#[tokio::test(start_paused = true)]
async fn rl07_impossible_wait_fails_without_sleeping() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(9));
        let events = events(&limiter);
        limiter.try_acquire(1).unwrap();
        let (took, result) = timed(limiter.call(async { Ok::<_, Error<()>>(()) })).await;
        assert_eq!(took, ms(0));
        assert_eq!(result.unwrap_err().retry_after(), Some(ms(10)));
        assert_eq!(*events.lock().unwrap(), [granted(1), failed(1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn rl08_a_new_limit_applies_from_the_next_refill() {
    let limiter = limiter(1, ms(10), ms(100));
    let debt = limiter.reserve(2).unwrap();
    assert_eq!(limiter.metrics().wait_for_one, ms(20));
    limiter.change_limit_for_period(2).unwrap();
    assert_eq!(available(&limiter), -1);
    assert_eq!(limiter.metrics().wait_for_one, ms(10), "estimates use it at once");
    advance(ms(10)).await;
    assert_eq!(available(&limiter), 1);
    drop(debt);

    let error = limiter.change_limit_for_period(0).unwrap_err();
    assert_eq!(error.key(), "limit_for_period");
    advance(ms(10)).await;
    assert_eq!(available(&limiter), 2);
}

#[tokio::test(start_paused = true)]
async fn rl08_a_new_timeout_does_not_touch_those_who_wait() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(10));
        limiter.try_acquire(1).unwrap();
        let mut waiter = task::spawn(limiter.acquire(1));
        assert_pending!(waiter.poll());
        limiter.change_timeout(ms(0));
        assert!(limiter.acquire(1).await.is_err());
        let (took, result) = timed(waiter).await;
        assert_eq!((took, result), (ms(10), Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn rl09_the_second_drain_reports_nothing() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 5, ms(10), ms(0));
        let events = events(&limiter);
        limiter.try_acquire(2).unwrap();
        assert_eq!(limiter.drain(), 3);
        assert_eq!(limiter.drain(), 0);
        assert!(limiter.try_acquire(1).is_err());
        advance(ms(10)).await;
        assert_eq!(limiter.drain(), 5, "the current cycle's, not the last known");
        let drained = |permits| RateLimiterEvent::Drained { permits };
        let expected = [granted(2), drained(3), drained(0), failed(1), drained(5)];
        assert_eq!(*events.lock().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rl10_drain_keeps_debt() {
    let limiter = limiter(2, ms(10), ms(100));
    let debt = limiter.reserve(5).unwrap();
    assert_eq!(limiter.drain(), 0);
    assert_eq!(available(&limiter), -3);
    drop(debt);
}

#[tokio::test(start_paused = true)]
async fn rl11_a_429_empties_the_cycle() {
    for algorithm in BOTH {
        let config = RateLimiterConfig::builder()
            .limit_for_period(10)
            .limit_refresh_period(ms(10))
            .timeout(ms(0))
            .algorithm(algorithm)
            .drain_on(|verdict| verdict.cause() == Some(Cause::Status(429)))
            .build()
            .unwrap();
        let limiter = RateLimiter::new("inventory", config);
        let by_status = |result: &Result<u16, BoxError>| match result {
            Ok(status) if *status >= 400 => Verdict::failure(Cause::Status(*status)),
            _ => Verdict::success(),
        };
        let client = service_fn(async |status: u16| Ok::<_, BoxError>(status));
        let mut service =
            RateLimiterLayer::new(limiter.clone()).classifier(by_status).layer(client);

        assert_eq!(service.ready().await.unwrap().call(500).await.unwrap(), 500);
        assert_eq!(available(&limiter), 9);
        assert_eq!(service.ready().await.unwrap().call(429).await.unwrap(), 429);
        assert_eq!(available(&limiter), 0);
        let refused = service.ready().await.unwrap().call(200).await.unwrap_err();
        assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::RateLimited);

        // The handle alone does it too, and a verdict may ask for it by itself.
        advance(ms(10)).await;
        limiter.call_with(by_status, async { Ok(429) }).await.unwrap();
        assert_eq!(available(&limiter), 0);
        advance(ms(10)).await;
        limiter.on_verdict(&Verdict::success());
        assert_eq!(available(&limiter), 10);
        limiter.on_verdict(&Verdict::success().with_drain(true));
        assert_eq!(available(&limiter), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rl12_a_dropped_waiter_gives_back() {
    let limiter = limiter(1, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let mut first = task::spawn(limiter.acquire(1));
    let mut second = task::spawn(limiter.acquire(1));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    let reserved = limiter.reserve(1).unwrap();
    assert_eq!((reserved.wait(), available(&limiter)), (ms(30), -3));

    drop(first);
    assert_eq!(available(&limiter), -2);
    let in_its_place = limiter.reserve(1).unwrap();
    assert_eq!(in_its_place.wait(), ms(10));
    drop(in_its_place);
    drop(reserved);
    assert_eq!(available(&limiter), -1);

    // What has had its time is used, dropped or not.
    advance(ms(20)).await;
    drop(second);
    assert_eq!(available(&limiter), 0);
}

#[tokio::test(start_paused = true)]
async fn rl12_a_dropped_waiter_lets_the_queue_move_up() {
    let limiter = queue(1, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| task::spawn(limiter.acquire(1))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    drop(waiters.remove(0));
    drop(waiters.remove(0));
    let (took, result) = timed(waiters.remove(0)).await;
    assert_eq!((took, result), (ms(10), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn rl13_the_queued_form_tops_up_to_the_limit_and_keeps_what_is_issued() {
    let limiter = queue(5, ms(10), ms(0));
    limiter.try_acquire(2).unwrap();
    advance(ms(10)).await;
    assert_eq!(available(&limiter), 5);
    limiter.change_limit_for_period(2).unwrap();
    assert_eq!(available(&limiter), 5);
    limiter.try_acquire(4).unwrap();
    advance(ms(10)).await;
    assert_eq!(available(&limiter), 2);
}

#[tokio::test(start_paused = true)]
async fn rl14_nobody_waits_after_all_have_returned() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 2, ms(10), ms(25));
        let calls: Vec<_> = (0..8).map(|_| limiter.acquire(1)).collect();
        let all = tokio::spawn(join_all(calls));
        tokio::task::yield_now().await;
        assert_eq!(limiter.metrics().waiting, 4);
        let results = all.await.unwrap();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 6);
        assert_eq!(limiter.metrics().waiting, 0);

        let mut dropped: Vec<_> = (0..4).map(|_| task::spawn(limiter.acquire(1))).collect();
        for waiter in &mut dropped {
            assert_pending!(waiter.poll());
        }
        assert_eq!(limiter.metrics().waiting, 4);
        drop(dropped);
        assert_eq!(limiter.metrics().waiting, 0);
    }
    let limiter = limiter(1, ms(10), ms(10));
    limiter.try_acquire(1).unwrap();
    let reservation = limiter.reserve(1).unwrap();
    assert_eq!(limiter.metrics().waiting, 0, "it is held, nobody waits for it");
    let mut ready = task::spawn(reservation.ready());
    assert_pending!(ready.poll());
    assert_eq!(limiter.metrics().waiting, 1);
    advance(ms(10)).await;
    assert_ready!(ready.poll());
    assert_eq!(limiter.metrics().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rl15_of_racing_callers_exactly_one_gets_the_last_permission() {
    for algorithm in BOTH {
        for _ in 0..200 {
            let limiter = of(algorithm, 3, Duration::from_secs(3600), Duration::from_secs(1));
            limiter.try_acquire(2).unwrap();
            let barrier = Arc::new(tokio::sync::Barrier::new(4));
            let racers = (0..4).map(|_| {
                let (limiter, barrier) = (limiter.clone(), barrier.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    limiter.acquire(1).await
                })
            });
            let results = join_all(racers).await;
            assert_eq!(results.iter().filter(|result| matches!(result, Ok(Ok(())))).count(), 1);
            assert_eq!(available(&limiter), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rl16_the_default_period_neither_spins_nor_overflows_after_days() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 50, ns(500), ms(5000));
        advance(Duration::from_secs(86_400 * 1000)).await;
        assert_eq!(limiter.metrics().cycle, 86_400 * 1000 * 2_000_000);
        assert_eq!(available(&limiter), 50);
        limiter.try_acquire(50).unwrap();
        let mut waiter = task::spawn(limiter.acquire(1));
        assert_pending!(waiter.poll());
        assert!(!waiter.is_woken(), "it sleeps until its cycle begins");
        let (took, result) = timed(waiter).await;
        assert_eq!(result, Ok(()));
        assert!(took <= ms(2));
        advance(ns(499)).await;
        limiter.try_acquire(1).unwrap();
    }
}
