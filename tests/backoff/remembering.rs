//! Formulas that remember: in one call, between calls, and in a circuit breaker.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Random, Retry, RetryConfig, SlidingWindow, Waits,
};
use tokio::time::Instant;

use crate::support::{call, context, ms, wait, waits};

#[test]
fn resilience4js_own_function_is_applied_from_the_initial_wait_on() {
    let backoff = Backoff::iterate(ms(100), |wait| wait + wait / 2 + ms(1));
    let expected = [ms(100), ms(151), Duration::from_micros(227_500)];
    assert_eq!(call(&backoff, &Random::seeded(1), 3), expected);
    assert_eq!([1, 2, 3].map(|n| wait(&backoff, n)), expected, "one wait by itself");
    // The cap is not fed back.
    let shrinking = Backoff::iterate(ms(100), |wait| wait / 2).capped(ms(30));
    assert_eq!(waits(&shrinking), [30, 30, 25, 12]);
}

#[test]
fn resilience4js_own_function_is_called_once_a_wait() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = calls.clone();
    let backoff = Backoff::iterate(ms(1), move |wait| {
        count.fetch_add(1, Ordering::Relaxed);
        wait + ms(1)
    });
    assert_eq!(call(&backoff, &Random::seeded(1), 100)[99], ms(100));
    assert_eq!(calls.load(Ordering::Relaxed), 99);
}

#[test]
fn a_sequence_ends_and_then_there_is_no_further_try() {
    let list = vec![ms(10), ms(50), ms(20)];
    let backoff = Backoff::sequence({
        let list = list.clone();
        move || list.clone()
    });
    let random = Random::seeded(1);
    assert_eq!(call(&backoff, &random, 10), list);
    assert_eq!(call(&backoff, &random, 10), list, "each call has an iterator of its own");
    assert_eq!(call(&backoff.capped(ms(30)), &random, 10), [ms(10), ms(30), ms(20)]);
}

#[test]
fn a_sequence_may_repeat_its_last_wait() {
    let backoff = Backoff::sequence(|| iter::once(ms(10)).chain(iter::repeat(ms(70))));
    assert_eq!(call(&backoff, &Random::seeded(1), 5), [10, 70, 70, 70, 70].map(ms));
}

#[test]
fn what_is_remembered_can_be_printed() {
    let random = Random::seeded(1);
    for (backoff, says) in [
        (Backoff::fixed(ms(5)), "None"),
        (Backoff::iterate(ms(5), |wait| wait), "Wait(5ms)"),
        (Backoff::smooth(ms(5)), "Point("),
        (Backoff::sequence(|| [ms(5)]), "Rest"),
    ] {
        let mut waits = Waits::default();
        let _ = waits.next(&backoff, &context(1), &random);
        let printed = format!("{waits:?}");
        assert!(printed.contains(says), "{printed}");
    }
}

#[test]
fn two_calls_at_once_do_not_share_what_a_formula_remembers() {
    let backoff = Backoff::sequence(|| (1..4).map(ms));
    let random = Random::seeded(1);
    let (mut a, mut b) = (Waits::default(), Waits::default());
    let next = |waits: &mut Waits, attempt| waits.next(&backoff, &context(attempt), &random);
    assert_eq!((next(&mut a, 1), next(&mut a, 2)), (Some(ms(1)), Some(ms(2))));
    assert_eq!((next(&mut b, 1), next(&mut a, 3)), (Some(ms(1)), Some(ms(3))));
    assert_eq!((next(&mut b, 2), next(&mut a, 4)), (Some(ms(2)), None));
    // The first try begins anew.
    assert_eq!(next(&mut a, 1), Some(ms(1)));
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_as_the_sequence_says_and_then_gives_up() {
    let config = RetryConfig::builder()
        .max_attempts(10)
        .backoff(Backoff::sequence(|| [ms(10), ms(50)]))
        .build()
        .unwrap();
    let retry = Retry::new("inventory", config);
    for _ in 0..2 {
        let (mut made, began) = (0, Instant::now());
        let attempt = || {
            made += 1;
            async { Err::<(), _>(std::fmt::Error) }
        };
        retry.call(attempt).await.unwrap_err();
        assert_eq!((made, began.elapsed()), (3, ms(60)));
    }
}

fn breaker(open_wait: Backoff) -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(1))
        .minimum_number_of_calls(1)
        .permitted_calls_in_half_open(1)
        .open_wait(open_wait)
        .random(Random::seeded(4));
    CircuitBreaker::new("inventory", config.build().unwrap())
}

/// Lets a call fail (or not) as soon as one is permitted, and says how long that took.
async fn attempt(breaker: &CircuitBreaker, good: bool) -> Duration {
    let began = Instant::now();
    loop {
        let work = async { if good { Ok(()) } else { Err(std::fmt::Error) } };
        match breaker.call(work).await {
            Err(error) if error.is_refusal() => tokio::time::sleep(ms(1)).await,
            _ => return began.elapsed(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_remembers_from_opening_to_opening_until_it_closes() {
    let breaker = breaker(Backoff::sequence(|| [ms(100), ms(200), ms(300)]));
    let near = |waited: Duration, wait| (ms(wait)..ms(wait + 3)).contains(&waited);
    for _ in 0..2 {
        assert!(attempt(&breaker, false).await < ms(1));
        for (wait, good) in [(100, false), (200, false), (300, true)] {
            let waited = attempt(&breaker, good).await;
            assert!(near(waited, wait), "{waited:?} instead of {wait}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_breakers_decorrelated_wait_grows_from_opening_to_opening() {
    let breaker = breaker(Backoff::decorrelated(ms(100), ms(60_000)));
    attempt(&breaker, false).await;
    let mut last = ms(100);
    let mut longest = last;
    for _ in 0..12 {
        let waited = attempt(&breaker, false).await;
        assert!(waited >= ms(100) && waited <= last * 3 + ms(3), "{waited:?} after {last:?}");
        (last, longest) = (waited, longest.max(waited));
    }
    assert!(longest > ms(900), "three openings as if each were the first reach 300 ms at most");
}
