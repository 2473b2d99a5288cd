//! What holds of every algorithm, and the statement RL17.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use seawall::{Deadline, RateLimiter, RateLimiterAlgorithm, RateLimiterConfig};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready_ok, task};

use crate::support::*;

const ALL: [RateLimiterAlgorithm; 4] = [
    RateLimiterAlgorithm::Cycles,
    RateLimiterAlgorithm::Semaphore,
    RateLimiterAlgorithm::TokenBucket { burst: 1 },
    RateLimiterAlgorithm::SlidingWindow,
];

/// All of them, with one permission every 10 ms.
fn all(timeout: Duration) -> impl Iterator<Item = RateLimiter> {
    ALL.into_iter().map(move |algorithm| of(algorithm, 1, ms(10), timeout))
}

async fn grants(limiter: &RateLimiter, calls: usize) -> Vec<Duration> {
    let start = Instant::now();
    let calls = (0..calls).map(|_| async {
        limiter.acquire(1).await.unwrap();
        start.elapsed()
    });
    join_all(calls).await
}

#[tokio::test(start_paused = true)]
async fn rl17_ten_a_second_evenly_are_100_ms_apart() {
    let smooth = RateLimiterConfig::smooth(10, Duration::from_secs(1)).timeout(Duration::MAX);
    let smooth = RateLimiter::new("inventory", smooth.build().unwrap());
    let spaced = RateLimiterAlgorithm::TokenBucket { burst: 1 };
    let spaced = of(spaced, 10, Duration::from_secs(1), Duration::MAX);
    for limiter in [smooth, spaced] {
        let expected: Vec<_> = (0..8).map(|call| ms(call * 100)).collect();
        assert_eq!(grants(&limiter, 8).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rl17_only_the_token_bucket_spaces_calls_that_come_around_a_border() {
    let smooth = RateLimiterConfig::smooth(10, Duration::from_secs(1)).build().unwrap();
    let smooth = RateLimiter::new("inventory", smooth);
    let spaced = RateLimiterAlgorithm::TokenBucket { burst: 1 };
    let spaced = of(spaced, 10, Duration::from_secs(1), Duration::ZERO);
    advance(ms(199)).await;
    smooth.try_acquire(1).unwrap();
    spaced.try_acquire(1).unwrap();
    advance(ms(1)).await;
    smooth.try_acquire(1).unwrap();
    assert_eq!(spaced.try_acquire(1).unwrap_err().retry_after(), Some(ms(99)));
}

#[test]
fn smooth_starts_from_what_failsafe_go_starts_from() {
    let smooth = RateLimiterConfig::smooth;
    assert_eq!(smooth(0, ms(10)).build().unwrap_err().key(), "limit_for_period");
    let too_fine = smooth(10, Duration::from_nanos(9)).build().unwrap_err();
    assert_eq!(too_fine.key(), "limit_refresh_period");
    let limiter = RateLimiter::new("inventory", smooth(10, ms(1000)).build().unwrap());
    limiter.try_acquire(1).unwrap();
    let refused = pin!(limiter.acquire(1))
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(refused.is_ready(), "it does not wait");
}

#[tokio::test(start_paused = true)]
async fn every_algorithm_serves_in_order() {
    for limiter in all(ms(1000)) {
        assert_eq!(grants(&limiter, 5).await, [0, 10, 20, 30, 40].map(ms));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero_never_waits_and_one_without_end_always_does() {
    for limiter in all(Duration::ZERO) {
        limiter.try_acquire(1).unwrap();
        let (took, result) = timed(limiter.acquire(1)).await;
        assert_eq!((took, result.unwrap_err().retry_after()), (ms(0), Some(ms(10))));
        limiter.change_timeout(Duration::MAX);
        let waiters: Vec<_> = (0..50).map(|_| limiter.acquire(1)).collect();
        assert!(join_all(waiters).await.iter().all(Result::is_ok));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_gives_back_in_every_algorithm() {
    for limiter in all(ms(1000)) {
        limiter.try_acquire(1).unwrap();
        let mut first = task::spawn(limiter.acquire(1));
        let mut second = task::spawn(limiter.acquire(1));
        assert_pending!(first.poll());
        assert_pending!(second.poll());
        assert_eq!(limiter.metrics().waiting, 2);
        drop(second);
        let mut second = task::spawn(limiter.acquire(1));
        assert_pending!(second.poll());
        drop(first);
        drop(second);
        assert_eq!(limiter.metrics().waiting, 0);
        let (took, result) = timed(limiter.acquire(1)).await;
        assert_eq!((took, result), (ms(10), Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hole_goes_to_the_next_one_that_comes() {
    // In a queue those behind move up instead.
    for algorithm in ALL.into_iter().filter(|it| *it != RateLimiterAlgorithm::Semaphore) {
        let limiter = of(algorithm, 1, ms(10), ms(1000));
        limiter.try_acquire(1).unwrap();
        let (first, second) = (limiter.reserve(1).unwrap(), limiter.reserve(1).unwrap());
        assert_eq!((first.wait(), second.wait()), (ms(10), ms(20)));
        drop(first);
        assert_eq!(limiter.reserve(1).unwrap().wait(), ms(10));
        drop(second);
    }
}

#[tokio::test(start_paused = true)]
async fn draining_leaves_nothing_and_says_how_much_that_was() {
    for algorithm in
        [RateLimiterAlgorithm::TokenBucket { burst: 7 }, RateLimiterAlgorithm::SlidingWindow]
    {
        let limiter = of(algorithm, 7, ms(70), ms(0));
        let events = events(&limiter);
        limiter.try_acquire(2).unwrap();
        assert_eq!((limiter.drain(), limiter.drain()), (5, 0));
        assert!(limiter.try_acquire(1).is_err());
        assert_eq!(events.lock().unwrap().len(), 4);
        advance(ms(70)).await;
        assert_eq!(available(&limiter), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_limit_counts_in_every_algorithm() {
    for algorithm in ALL {
        let limiter = of(algorithm, 1, ms(10), ms(1000));
        limiter.change_limit_for_period(5).unwrap();
        advance(ms(10)).await;
        let most = match algorithm {
            RateLimiterAlgorithm::TokenBucket { burst } => i64::from(burst),
            _ => 5,
        };
        assert_eq!(available(&limiter), most);
        limiter.try_acquire(1).unwrap();
        let wait = if most == 1 { ms(2) } else { ms(0) };
        assert_eq!(limiter.metrics().wait_for_one, wait);
        assert!(limiter.change_limit_for_period(0).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_refuses_a_wait_in_every_algorithm() {
    for limiter in all(ms(1000)) {
        limiter.try_acquire(1).unwrap();
        let under = |millis| Deadline::after(ms(millis)).scope(limiter.acquire(1));
        let (took, result) = timed(under(10)).await;
        assert_eq!((took, result.unwrap_err().retry_after()), (ms(0), Some(ms(10))));
        assert_eq!(timed(under(11)).await, (ms(10), Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_had_names_no_wait() {
    for limiter in all(ms(0)) {
        let refused = limiter.acquire(2).await.unwrap_err();
        assert_eq!(refused.retry_after(), None);
    }
    // The patient go into debt.
    let limiter = of(RateLimiterAlgorithm::TokenBucket { burst: 2 }, 1, ms(10), ms(30));
    assert_eq!(timed(limiter.acquire(5)).await, (ms(30), Ok(())));
    assert_eq!(available(&limiter), 0);
    let refused = limiter.acquire(5).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(ms(50)));
    advance(ms(50)).await;
    let mut waiting = task::spawn(limiter.acquire(5));
    assert_pending!(waiting.poll());
    advance(ms(30)).await;
    assert_ready_ok!(waiting.poll());
}

#[test]
fn settings_of_an_algorithm_are_checked() {
    let with = |algorithm, limit| {
        let builder = RateLimiterConfig::builder().algorithm(algorithm).limit_for_period(limit);
        builder.build().map_err(|error| error.key().to_owned())
    };
    let empty = RateLimiterAlgorithm::TokenBucket { burst: 0 };
    assert_eq!(with(empty, 1).unwrap_err(), "burst");
    let window = RateLimiterAlgorithm::SlidingWindow;
    assert_eq!(with(window, 1_000_001).unwrap_err(), "limit_for_period");
    let limiter = RateLimiter::new("inventory", with(window, 1_000_000).unwrap());
    assert!(limiter.change_limit_for_period(1_000_001).is_err());
    limiter.change_limit_for_period(1).unwrap();
    assert!(with(RateLimiterAlgorithm::TokenBucket { burst: u32::MAX }, u32::MAX).is_ok());
}
