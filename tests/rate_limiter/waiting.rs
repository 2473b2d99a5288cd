//! Who waits, how long, and who is woken.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use seawall::Deadline;
use seawall::telemetry::{Event, EventKind, RateLimiterEvent};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};

use crate::support::*;

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
