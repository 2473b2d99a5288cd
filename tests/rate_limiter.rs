//! The rate limiter through its public door.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use seawall::telemetry::{Event, EventKind, RateLimiterEvent};
use seawall::{
    Cause, Deadline, Error, ErrorLayer, RateLimiter, RateLimiterAlgorithm, RateLimiterConfig,
    RateLimiterLayer, Reason, Rejected, Verdict,
};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limiter(limit: u32, period: Duration, timeout: Duration) -> RateLimiter {
    of(RateLimiterAlgorithm::Cycles, limit, period, timeout)
}

fn queue(limit: u32, period: Duration, timeout: Duration) -> RateLimiter {
    of(RateLimiterAlgorithm::Semaphore, limit, period, timeout)
}

fn of(
    algorithm: RateLimiterAlgorithm,
    limit: u32,
    period: Duration,
    timeout: Duration,
) -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(limit)
        .limit_refresh_period(period)
        .timeout(timeout)
        .algorithm(algorithm)
        .build()
        .unwrap();
    RateLimiter::new("inventory", config)
}

const BOTH: [RateLimiterAlgorithm; 2] =
    [RateLimiterAlgorithm::Cycles, RateLimiterAlgorithm::Semaphore];

fn available(limiter: &RateLimiter) -> i64 {
    limiter.metrics().available_permissions
}

fn events(limiter: &RateLimiter) -> Arc<Mutex<Vec<RateLimiterEvent>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    limiter.observe(move |event: &Event<'_>| match event.kind {
        EventKind::RateLimiter(event) => seen.lock().unwrap().push(event),
        other => panic!("{other:?}"),
    });
    events
}

fn granted(permits: u32) -> RateLimiterEvent {
    RateLimiterEvent::SuccessfulAcquire { permits }
}

fn failed(permits: u32) -> RateLimiterEvent {
    RateLimiterEvent::FailedAcquire { permits }
}

/// How long the future takes on the paused clock.
async fn timed<F: Future>(future: F) -> (Duration, F::Output) {
    let start = Instant::now();
    let output = future.await;
    (start.elapsed(), output)
}

// ## The numbered statements

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

// ## Waiting

#[tokio::test(start_paused = true)]
async fn permissions_are_asked_for_at_the_first_poll() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(10));
        let later = limiter.acquire(1);
        let call = limiter.call(async { Ok::<_, ()>(()) });
        assert_eq!(available(&limiter), 1);
        call.await.unwrap();
        let (took, result) = timed(later).await;
        assert_eq!((took, result), (ms(10), Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_first_come_first_served_over_many_cycles() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 2, ms(10), ms(1000));
        let start = Instant::now();
        let calls = (0..9).map(|_| async {
            limiter.acquire(1).await.unwrap();
            start.elapsed()
        });
        let expected = [0, 0, 10, 10, 20, 20, 30, 30, 40].map(ms);
        assert_eq!(join_all(calls).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_when_the_wait_is_over_and_of_a_reservation_at_once() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(100));
        let events = events(&limiter);
        limiter.try_acquire(1).unwrap();
        let mut waiter = task::spawn(limiter.acquire(1));
        assert_pending!(waiter.poll());
        assert_eq!(*events.lock().unwrap(), [granted(1)]);
        advance(ms(10)).await;
        assert_ready_ok!(waiter.poll());
        assert_eq!(*events.lock().unwrap(), [granted(1), granted(1)]);
    }
    let limiter = limiter(1, ms(10), ms(100));
    let events = events(&limiter);
    let reservation = limiter.reserve(3).unwrap();
    assert_eq!(*events.lock().unwrap(), [granted(3)]);
    let (took, ()) = timed(async { reservation.await }).await;
    assert_eq!(took, ms(20));
    assert_eq!(*events.lock().unwrap(), [granted(3)]);
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_use_the_limiter() {
    let limiter = limiter(5, ms(10), ms(0));
    let inner = limiter.clone();
    limiter.observe(move |event: &Event<'_>| {
        if !matches!(event.kind, EventKind::RateLimiter(RateLimiterEvent::Drained { .. })) {
            inner.drain();
        }
    });
    limiter.try_acquire(1).unwrap();
    assert_eq!(available(&limiter), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_end_before_the_deadline_is_refused_at_once() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(1000));
        limiter.try_acquire(1).unwrap();
        let under = |millis| Deadline::after(ms(millis)).scope(limiter.acquire(1));
        let (took, result) = timed(under(10)).await;
        assert_eq!((took, result.unwrap_err().retry_after()), (ms(0), Some(ms(10))));
        let (took, result) = timed(under(11)).await;
        assert_eq!((took, result), (ms(10), Ok(())));
    }
    let limiter = limiter(1, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let reserve = async { limiter.reserve(1).map(|reservation| reservation.wait()) };
    assert!(Deadline::after(ms(10)).scope(pin!(reserve)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_queued_form_reserves_only_what_is_there() {
    let limiter = queue(1, ms(10), ms(1000));
    assert_eq!(limiter.reserve(1).unwrap().wait(), ms(0));
    assert_eq!(limiter.reserve(1).unwrap_err().retry_after(), Some(ms(10)));
    assert_eq!(limiter.acquire(2).await.unwrap_err().retry_after(), None, "no wait helps");
}

#[tokio::test(start_paused = true)]
async fn newcomers_do_not_overtake_the_queue() {
    let limiter = queue(3, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let mut large = task::spawn(limiter.acquire(3));
    assert_pending!(large.poll());
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(ms(20)));
    let mut small = task::spawn(limiter.acquire(1));
    assert_pending!(small.poll());
    // As soon as the large one is gone, the small one is woken and served.
    drop(large);
    assert!(small.is_woken());
    assert_ready_ok!(small.poll());
}

#[tokio::test(start_paused = true)]
async fn those_who_hope_in_vain_after_the_limit_was_lowered_are_refused() {
    let limiter = queue(2, ms(10), ms(10));
    limiter.try_acquire(2).unwrap();
    let mut waiters: Vec<_> = (0..2).map(|_| task::spawn(limiter.acquire(1))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    limiter.change_limit_for_period(1).unwrap();
    assert!(!waiters[0].is_woken());
    assert!(waiters[1].is_woken());
    let refused = assert_ready!(waiters[1].poll()).unwrap_err();
    assert_eq!(refused.retry_after(), Some(ms(20)));
    assert_eq!(timed(waiters.remove(0)).await, (ms(10), Ok(())));
    assert_eq!(limiter.metrics().waiting, 0);
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn only_those_who_are_served_are_woken() {
    let limiter = queue(1, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let mut waiters: Vec<_> =
        (0..5).map(|_| (Box::pin(limiter.acquire(1)), Arc::<Wakes>::default())).collect();
    for (waiter, wakes) in &mut waiters {
        let waker = Waker::from(wakes.clone());
        assert_pending!(waiter.as_mut().poll(&mut Context::from_waker(&waker)));
    }
    for turn in 0..5 {
        tokio::time::sleep(ms(10)).await;
        for (place, (_, wakes)) in waiters.iter().enumerate() {
            let woken = wakes.0.load(Ordering::Relaxed);
            assert_eq!(woken > 0, place <= turn, "{place} was woken {woken} times at {turn}");
        }
        let (waiter, wakes) = &mut waiters[turn];
        let waker = Waker::from(wakes.clone());
        assert_ready_ok!(waiter.as_mut().poll(&mut Context::from_waker(&waker)));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_first_wakes_all_who_are_served_earlier_than_they_thought() {
    for newcomer_looks in [false, true] {
        let limiter = queue(1, ms(10), ms(1000));
        limiter.try_acquire(1).unwrap();
        let mut first = task::spawn(limiter.acquire(1));
        let mut second = task::spawn(limiter.acquire(1));
        assert_pending!(first.poll());
        assert_pending!(second.poll());
        limiter.change_limit_for_period(2).unwrap();
        advance(ms(10)).await;
        assert!(!second.is_woken(), "its own alarm is at 20 ms");
        if newcomer_looks {
            assert!(limiter.try_acquire(1).is_err());
        } else {
            assert_ready_ok!(first.poll());
        }
        assert!(second.is_woken());
        assert_ready_ok!(second.poll());
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_is_never_polled_again_does_not_hold_up_the_rest() {
    let limiter = queue(1, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let mut idle = task::spawn(limiter.acquire(1));
    assert_pending!(idle.poll());
    let (took, result) = timed(limiter.acquire(1)).await;
    assert_eq!((took, result), (ms(20), Ok(())));
    drop(idle);
    assert_eq!(limiter.metrics().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_permission_granted_and_dropped_unused_goes_to_the_next() {
    let limiter = queue(1, ms(10), ms(1000));
    limiter.try_acquire(1).unwrap();
    let mut first = task::spawn(limiter.acquire(1));
    let mut second = task::spawn(limiter.acquire(1));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    advance(ms(11)).await;
    assert_eq!(available(&limiter), 0, "the first one has it by now");
    drop(first);
    assert!(second.is_woken());
    assert_ready_ok!(second.poll());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_forgotten_when_waiters_come_and_go_on_many_threads() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 20, ms(5), Duration::from_secs(30));
        let callers = (0..400_u64).map(|number| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                if number % 3 == 0 {
                    let patience = ms(number % 17);
                    tokio::time::timeout(patience, limiter.acquire(1)).await.is_ok()
                } else {
                    limiter.acquire(1).await.unwrap();
                    true
                }
            })
        });
        let all = tokio::time::timeout(Duration::from_secs(20), join_all(callers)).await;
        assert!(all.expect("all are served").iter().all(Result::is_ok));
        assert_eq!(limiter.metrics().waiting, 0);
    }
}

// ## The layer

#[tokio::test(start_paused = true)]
async fn waiting_does_not_hold_the_readiness_of_the_inner_service() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(100));
        let slot = ServiceBuilder::new()
            .layer(ConcurrencyLimitLayer::new(1))
            .service(service_fn(async |request: u32| Ok::<_, BoxError>(request)));
        let mut limited = RateLimiterLayer::new(limiter.clone()).layer(slot.clone());

        limiter.try_acquire(1).unwrap();
        let mut waiting = task::spawn(limited.ready().await.unwrap().call(1));
        assert_pending!(waiting.poll());

        // The only slot is free for somebody else while the call waits.
        let mut other = task::spawn(slot.clone().oneshot(2));
        assert_eq!(assert_ready_ok!(other.poll()), 2);
        drop(other);
        let (took, result) = timed(waiting).await;
        assert_eq!((took, result.unwrap()), (ms(10), 1));

        // And the limited service itself can be used again.
        advance(ms(10)).await;
        assert_eq!(limited.ready().await.unwrap().call(3).await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_hold_the_readiness_of_the_inner_service() {
    let limiter = limiter(1, ms(10), ms(0));
    let slot = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(async |request: u32| Ok::<_, BoxError>(request)));
    let mut limited = RateLimiterLayer::new(limiter.clone()).layer(slot.clone());
    limiter.try_acquire(1).unwrap();
    assert!(limited.ready().await.unwrap().call(1).await.is_err());
    assert_eq!(assert_ready_ok!(task::spawn(slot.oneshot(2)).poll()), 2);
}

/// Counts its clones, and insists on being ready.
struct Strict {
    ready: bool,
    clones: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self { ready: false, clones: self.clones.clone() }
    }
}

impl Service<u32> for Strict {
    type Response = u32;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        std::future::ready(Ok(request))
    }
}

#[tokio::test(start_paused = true)]
async fn the_ready_instance_is_called_and_cloned_only_to_wait() {
    let clones = Arc::new(AtomicUsize::new(0));
    let limiter = limiter(1, ms(10), ms(10));
    let inner = Strict { ready: false, clones: clones.clone() };
    let mut service = RateLimiterLayer::new(limiter.clone()).layer(inner);

    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    assert_eq!(available(&limiter), 1, "being ready takes nothing");
    assert_eq!(service.call(1).await.unwrap(), 1);
    assert_eq!(clones.load(Ordering::Relaxed), 0);

    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let (took, result) = timed(service.call(2)).await;
    assert_eq!((took, result.unwrap()), (ms(10), 2));
    assert_eq!(clones.load(Ordering::Relaxed), 2);

    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let mut dropped = task::spawn(service.call(3));
    assert_pending!(dropped.poll());
    assert_eq!((available(&limiter), limiter.metrics().waiting), (-1, 1));
    drop(dropped);
    assert_eq!((available(&limiter), limiter.metrics().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_out_of_the_response_and_the_client_is_not_called() {
    let limiter = limiter(1, ms(10), ms(0));
    limiter.try_acquire(1).unwrap();
    let client = |(): ()| -> std::future::Ready<Result<(), std::io::Error>> { unreachable!() };
    let mut service = ServiceBuilder::new()
        .layer(RateLimiterLayer::new(limiter))
        .layer(ErrorLayer)
        .service(service_fn(client));
    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let error = service.call(()).await.unwrap_err();
    assert!(error.is_refusal());
    assert_eq!(error.retry_after(), Some(ms(10)));
    assert_eq!(
        format!("{error:#}"),
        "call not made: rate limiter `inventory` permits no further call, try again in 10.0ms"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_call_leaves_nothing_behind() {
    let limiter = limiter(1, ms(10), ms(10));
    let call = limiter.call(async { if true { panic!("of the call") } else { Ok::<(), ()>(()) } });
    assert!(tokio::spawn(call).await.unwrap_err().is_panic());
    assert_eq!(limiter.metrics().waiting, 0);
    advance(ms(10)).await;
    assert_eq!(available(&limiter), 1);
}

#[test]
fn it_can_live_in_a_static_and_needs_no_runtime_to_be_asked() {
    static LIMITER: std::sync::LazyLock<RateLimiter> =
        std::sync::LazyLock::new(|| limiter(1, Duration::from_secs(3600), ms(0)));
    LIMITER.try_acquire(1).unwrap();
    assert!(LIMITER.try_acquire(1).is_err());
    let refused = pin!(LIMITER.acquire(1)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(refused, Poll::Ready(Err(_))));
}

#[test]
fn settings_out_of_range_are_refused() {
    let key =
        |builder: seawall::RateLimiterConfigBuilder| builder.build().unwrap_err().key().to_owned();
    let builder = RateLimiterConfig::builder;
    assert_eq!(key(builder().limit_for_period(0)), "limit_for_period");
    assert_eq!(key(builder().limit_refresh_period(Duration::ZERO)), "limit_refresh_period");
    assert_eq!(key(builder().limit_refresh_period(Duration::MAX)), "limit_refresh_period");
    let extreme = builder()
        .limit_for_period(u32::MAX)
        .limit_refresh_period(ns(i64::MAX as u64))
        .timeout(Duration::MAX)
        .build()
        .unwrap();
    let limiter = RateLimiter::new("inventory", extreme);
    limiter.try_acquire(u32::MAX).unwrap();
    assert!(limiter.reserve(1).unwrap().wait() > Duration::ZERO);
}

#[test]
fn a_response_future_is_little_larger_than_the_one_inside() {
    fn future_of<S: Service<u32>>(_: &S) -> usize {
        size_of::<S::Future>()
    }
    let inner = service_fn(async |request: u32| {
        let large = [0_u8; 256];
        tokio::task::yield_now().await;
        Ok::<_, BoxError>(request + u32::from(large[7]))
    });
    let plain = future_of(&inner);
    let limited = RateLimiterLayer::new(RateLimiter::with_defaults("inventory")).layer(inner);
    assert!(future_of(&limited) <= plain + 16, "{} over {plain}", future_of(&limited));
}
