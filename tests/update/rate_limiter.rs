//! Of the rate limiter.

use seawall::patterns::rate_limiter::Acquire;
use seawall::{RateLimiter, RateLimiterAlgorithm as Algorithm, RateLimiterConfig};
use seawall::{RateLimiterConfigBuilder, Verdict};
use tokio::time::advance;
use tokio_test::task::{Spawn, spawn};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};

use crate::support::*;

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Cycles,
    Algorithm::TokenBucket { burst: 1 },
    Algorithm::SlidingWindow,
    Algorithm::Semaphore,
];

/// One a second.
fn limiter(algorithm: Algorithm) -> RateLimiter {
    let config = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(s(1))
        .timeout(s(60))
        .algorithm(algorithm);
    RateLimiter::new("inventory", config.build().unwrap())
}

fn change(
    limiter: &RateLimiter,
    settings: impl FnOnce(RateLimiterConfigBuilder) -> RateLimiterConfigBuilder,
) {
    limiter.update(settings(limiter.config().to_builder()).build().unwrap());
}

fn waiting(limiter: &RateLimiter) -> Spawn<Acquire> {
    let mut wait = spawn(limiter.acquire(1));
    assert_pending!(wait.poll());
    wait
}

#[tokio::test(start_paused = true)]
async fn rg9_a_limiter_keeps_what_was_taken_its_line_and_its_observers() {
    for algorithm in ALGORITHMS {
        let limiter = limiter(algorithm);
        let heard = Heard::default();
        limiter.observe(heard.observer());
        limiter.try_acquire(1).unwrap();
        let mut wait = waiting(&limiter);
        let before = limiter.metrics();
        change(&limiter, |it| it.timeout(s(0)).drain_on(|_| true));
        assert_eq!(limiter.metrics(), before);
        assert!(limiter.try_acquire(1).is_err());
        assert!(!wait.is_woken());
        assert_ready_err!(spawn(limiter.acquire(1)).poll());
        advance(s(1)).await;
        assert_ready_ok!(wait.poll());
        assert_eq!(heard.events(), 4, "{algorithm:?}");
        advance(s(1)).await;
        limiter.on_verdict(&Verdict::success());
        assert!(limiter.try_acquire(1).is_err(), "{algorithm:?} is drained");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_stuck_in_a_line_that_became_shorter() {
    for from in ALGORITHMS {
        for to in ALGORITHMS {
            let limiter = limiter(from);
            limiter.try_acquire(1).unwrap();
            let mut waits: Vec<_> = (0..5).map(|_| waiting(&limiter)).collect();
            assert_eq!(limiter.metrics().waiting, 5);
            change(&limiter, |it| it.limit_refresh_period(ms(10)).algorithm(to));
            assert!(waits.iter().all(Spawn::is_woken), "{from:?} => {to:?}");
            for wait in &mut waits {
                assert_pending!(wait.poll());
            }
            for wait in &mut waits {
                advance(ms(10)).await;
                assert_ready_ok!(wait.poll(), "{from:?} => {to:?}");
            }
            drop(waits);
            assert_eq!(limiter.metrics().waiting, 0);
            advance(ms(10)).await;
            assert_eq!(limiter.metrics().available_permissions, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_after_a_change_gives_back_to_the_new_line() {
    for from in ALGORITHMS {
        for to in ALGORITHMS {
            let limiter = limiter(from);
            limiter.try_acquire(1).unwrap();
            let (first, mut second) = (waiting(&limiter), waiting(&limiter));
            change(&limiter, |it| it.limit_refresh_period(ms(10)).algorithm(to));
            drop(first);
            let mut newcomer = waiting(&limiter);
            advance(ms(10)).await;
            let served = [second.poll().is_ready(), newcomer.poll().is_ready()];
            // A queue moves up; a hole in what was promised goes to whoever asks next.
            let expected = if to == Algorithm::Semaphore { [true, false] } else { [false, true] };
            assert_eq!(served, expected, "{from:?} => {to:?}");
            advance(ms(10)).await;
            let last = if served[0] { newcomer.poll() } else { second.poll() };
            assert!(last.is_ready(), "{from:?} => {to:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_keeps_its_moment_and_gives_nothing_back_to_another_algorithm() {
    for from in &ALGORITHMS[..3] {
        let limiter = limiter(*from);
        limiter.try_acquire(1).unwrap();
        let reserved = limiter.reserve(1).unwrap();
        change(&limiter, |it| it.limit_refresh_period(ms(10)));
        assert_eq!(reserved.wait(), s(1), "{from:?}");
        assert_eq!(limiter.metrics().available_permissions, -1);
        drop(reserved);
        assert_eq!(limiter.metrics().available_permissions, -1, "{from:?}");
        advance(ms(20)).await;
        assert_eq!(limiter.metrics().available_permissions, 1, "what was owed is paid");
    }
}

#[tokio::test(start_paused = true)]
async fn more_permissions_let_the_line_move_up() {
    for algorithm in ALGORITHMS {
        let limiter = limiter(algorithm);
        limiter.try_acquire(1).unwrap();
        let mut waits: Vec<_> = (0..4).map(|_| waiting(&limiter)).collect();
        limiter.change_limit_for_period(4).unwrap();
        waits.retain_mut(|wait| wait.poll().is_pending());
        advance(s(1)).await;
        waits.retain_mut(|wait| wait.poll().is_pending());
        assert!(waits.len() <= 1, "{algorithm:?}: {} still wait", waits.len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_is_owed_after_any_number_of_updates() {
    for between in ALGORITHMS {
        let limiter = limiter(Algorithm::Cycles);
        limiter.try_acquire(1).unwrap();
        let ahead: Vec<_> = (0..5).map(|_| limiter.reserve(1).unwrap()).collect();
        let _line = waiting(&limiter);
        assert_eq!(limiter.metrics().available_permissions, -6);
        change(&limiter, |it| it.algorithm(between).limit_refresh_period(s(2)));
        change(&limiter, |it| it.algorithm(Algorithm::Cycles).limit_refresh_period(s(1)));
        assert_eq!(limiter.metrics().available_permissions, -6, "{between:?}");
        drop(ahead);
    }
}
