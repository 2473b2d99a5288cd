use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::Room;
use crate::patterns::rate_limiter::semaphore::Turn;
use crate::patterns::rate_limiter::state::Answer;
use crate::{RateLimiterAlgorithm, RateLimiterConfig};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const ALGORITHMS: [RateLimiterAlgorithm; 4] = [
    RateLimiterAlgorithm::Cycles,
    RateLimiterAlgorithm::TokenBucket { burst: 1 },
    RateLimiterAlgorithm::SlidingWindow,
    RateLimiterAlgorithm::Semaphore,
];

fn config(
    algorithm: RateLimiterAlgorithm,
    limit: u32,
    period: Duration,
    timeout: Duration,
) -> Arc<RateLimiterConfig> {
    let config = RateLimiterConfig::builder()
        .algorithm(algorithm)
        .limit_for_period(limit)
        .limit_refresh_period(period)
        .timeout(timeout);
    Arc::new(config.build().unwrap())
}

fn turn(room: &mut Room, now: Instant, id: u64) -> Turn {
    room.turn(now, id, Waker::noop().clone()).0
}

/// How long each would still wait.
fn waits(room: &mut Room, now: Instant, ids: &[u64]) -> Vec<Duration> {
    let pending = |turn| match turn {
        Turn::Pending(until) => until - now,
        turn => panic!("{turn:?}"),
    };
    ids.iter().map(|&id| pending(turn(room, now, id))).collect()
}

fn wait(room: &mut Room, now: Instant) -> u64 {
    match room.wait(now, 1, None) {
        Answer::Wait(id) => id,
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn whoever_waits_is_moved_to_the_next_core_in_order() {
    for from in ALGORITHMS {
        for to in ALGORITHMS.into_iter().filter(|to| *to != from) {
            let now = Instant::now();
            let mut room = Room::new(config(from, 1, ms(1000), ms(60_000)), now);
            assert!(room.take(now, 1));
            let ids: Vec<_> = (0..3).map(|_| wait(&mut room, now)).collect();
            // Everybody gets a waker in.
            for &id in &ids {
                let _ = turn(&mut room, now, id);
            }
            let woken = room.update(now, &config(to, 1, ms(10), ms(60_000)));
            assert_eq!(woken.len(), 3, "{from:?} => {to:?}");
            assert_eq!(waits(&mut room, now, &ids), [ms(10), ms(20), ms(30)], "{from:?} => {to:?}");
            assert_eq!(turn(&mut room, now + ms(10), ids[0]), Turn::Granted);
            assert!(matches!(turn(&mut room, now + ms(10), ids[1]), Turn::Pending(_)));
        }
    }
}

#[test]
fn an_old_promise_is_kept_owed_and_never_paid_back_to_the_next_core() {
    for from in &ALGORITHMS[..3] {
        let now = Instant::now();
        let mut room = Room::new(config(*from, 1, ms(1000), ms(60_000)), now);
        assert!(room.take(now, 1));
        let Answer::Wait((promise, ready)) = room.reserve(now, 1, None) else { panic!() };
        assert_eq!(ready, now + ms(1000));
        room.update(now, &config(*from, 1, ms(100), ms(60_000)));
        assert_eq!(room.limiter().available(now), -1, "the debt goes along");
        room.refund(now, &promise);
        assert_eq!(room.limiter().available(now), -1);
    }
}

#[test]
fn a_change_of_algorithm_is_no_way_to_more_permissions() {
    for from in ALGORITHMS {
        for to in ALGORITHMS {
            let now = Instant::now();
            let mut room = Room::new(config(from, 1, ms(1000), ms(0)), now);
            assert!(room.take(now, 1));
            room.update(now, &config(to, 1, ms(999), ms(0)));
            assert!(!room.take(now, 1), "{from:?} => {to:?}");
            assert!(!matches!(room.ask(now, 1), Answer::Granted));
        }
    }
}

#[test]
fn more_permissions_let_those_who_wait_move_up() {
    for algorithm in ALGORITHMS {
        let now = Instant::now();
        let mut room = Room::new(config(algorithm, 1, ms(100), ms(60_000)), now);
        assert!(room.take(now, 1));
        let ids: Vec<_> = (0..4).map(|_| wait(&mut room, now)).collect();
        assert_eq!(waits(&mut room, now, &ids), [ms(100), ms(200), ms(300), ms(400)]);
        room.update(now, &config(algorithm, 4, ms(100), ms(60_000)));
        for &id in &ids {
            assert_eq!(turn(&mut room, now + ms(100), id), Turn::Granted, "{algorithm:?}");
        }
    }
}

#[test]
fn whoever_waits_keeps_its_patience() {
    let now = Instant::now();
    let mut room = Room::new(config(ALGORITHMS[0], 1, ms(100), ms(100)), now);
    assert!(room.take(now, 1));
    let id = wait(&mut room, now);
    // Newcomers do not wait at all, and in two steps the waiter's turn comes at its last moment, then too late.
    room.update(now, &config(ALGORITHMS[0], 1, ms(99), ms(0)));
    assert!(matches!(room.wait(now, 1, None), Answer::Refused(_)));
    assert_eq!(waits(&mut room, now, &[id]), [ms(99)]);
    room.update(now + ms(1), &config(ALGORITHMS[0], 1, ms(100), ms(0)));
    assert_eq!(turn(&mut room, now + ms(1), id), Turn::Refused(Some(ms(100))));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait { permits: u32, deadline: Option<u64> },
    Leave(usize),
    Look(usize),
    Advance(u64),
    Update { algorithm: usize, limit: u32, period: u64, timeout: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..4_u32, prop::option::of(0..50_u64))
            .prop_map(|(permits, deadline)| Step::Wait { permits, deadline }),
        1 => (0..8_usize).prop_map(Step::Leave),
        3 => (0..8_usize).prop_map(Step::Look),
        3 => (0..20_u64).prop_map(Step::Advance),
        2 => (0..4_usize, 1..4_u32, 1..10_u64, 0..100_u64).prop_map(
            |(algorithm, limit, period, timeout)| Step::Update { algorithm, limit, period, timeout }
        ),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn nobody_is_forgotten_and_nobody_waits_too_long(steps in steps()) {
        let mut now = Instant::now();
        let mut room = Room::new(config(ALGORITHMS[0], 1, ms(5), ms(20)), now);
        let mut timeout = ms(20);
        let mut waiting = Vec::new();
        for step in steps {
            match step {
                Step::Wait { permits, deadline } => {
                    let deadline = deadline.map(|left| now + ms(left));
                    if let Answer::Wait(id) = room.wait(now, permits, deadline) {
                        waiting.push((id, deadline.map_or(now + timeout, |at| at.min(now + timeout))));
                    }
                }
                Step::Leave(n) if n < waiting.len() => drop(room.leave(now, waiting.remove(n).0)),
                Step::Look(n) if n < waiting.len() => {
                    let looked = turn(&mut room, now, waiting[n].0);
                    if !matches!(looked, Turn::Pending(_)) {
                        waiting.remove(n);
                    }
                }
                Step::Advance(by) => now += ms(by),
                Step::Update { algorithm, limit, period, timeout: wait } => {
                    let algorithm = ALGORITHMS[algorithm];
                    room.update(now, &config(algorithm, limit, ms(period), ms(wait)));
                    timeout = ms(wait);
                }
                _ => {}
            }
            room.woken();
        }
        prop_assert_eq!(room.line.len(), waiting.len());
        for (id, latest) in waiting {
            let mut at = now;
            while let Turn::Pending(until) = turn(&mut room, at, id) {
                prop_assert!(until > at, "a wait without end");
                at = until;
            }
            prop_assert!(at <= latest.max(now), "{:?} later than it may be", at - latest);
        }
        prop_assert!(room.line.is_empty());
    }
}
