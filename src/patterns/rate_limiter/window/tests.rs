mod model;

use tokio::time::Instant;

use super::{Answer, Limiter, Patience, Window};
use crate::patterns::rate_limiter::tests::{ANY, ns, promised};

fn window(limit: u32, period: u64, timeout: u64) -> (Window, Instant) {
    let start = Instant::now();
    (Window::new(limit, ns(period), ns(timeout), start), start)
}

/// The wait in nanoseconds.
fn reserve(window: &mut Window, now: Instant, permits: u32) -> Option<u64> {
    match window.reserve(now, permits, ANY) {
        Answer::Granted => Some(0),
        Answer::Wait(claim) => Some((window.ready_at(&claim) - now).as_nanos() as u64),
        Answer::Refused(_) => None,
    }
}

#[test]
fn the_next_one_waits_until_the_oldest_leaves() {
    let (mut window, start) = window(3, 10, 100);
    for at in [0, 4, 7] {
        assert_eq!(reserve(&mut window, start + ns(at), 1), Some(0));
    }
    let now = start + ns(9);
    let waits: Vec<_> = (0..4).map(|_| reserve(&mut window, now, 1).unwrap()).collect();
    assert_eq!(waits, [1, 5, 8, 11]);
    assert_eq!(window.available(now), -4);
}

#[test]
fn the_end_of_a_cycle_is_nothing_special() {
    let (mut window, start) = window(3, 10, 0);
    assert_eq!(reserve(&mut window, start + ns(9), 3), Some(0));
    assert_eq!(reserve(&mut window, start + ns(10), 1), None);
    assert_eq!(reserve(&mut window, start + ns(18), 1), None);
    assert_eq!(reserve(&mut window, start + ns(19), 3), Some(0));
}

#[test]
fn the_permissions_of_a_request_are_used_at_one_moment() {
    let (mut window, start) = window(3, 10, 100);
    assert_eq!(reserve(&mut window, start, 1), Some(0));
    assert_eq!(reserve(&mut window, start + ns(4), 1), Some(0));
    assert_eq!(reserve(&mut window, start + ns(5), 3), Some(9));
    assert_eq!(reserve(&mut window, start + ns(5), 1), Some(19), "nobody overtakes");
    assert_eq!(window.reserve(start, 4, ANY), Answer::Refused(None), "no wait helps");
}

#[test]
fn a_new_limit_counts_at_once() {
    let (mut window, start) = window(4, 10, 100);
    assert_eq!(reserve(&mut window, start, 3), Some(0));
    window.set_limit(start, 2);
    assert_eq!((window.available(start), window.wait_for_one(start)), (0, ns(10)));
    window.set_limit(start, 5);
    assert_eq!(window.available(start), 2);
}

#[test]
fn a_hole_that_nobody_has_used_is_room_in_the_spans_after_it() {
    // Found early or late in the log.
    for behind in [0, 2] {
        let (mut window, start) = window(2, 10, 100);
        for at in [0, 4] {
            assert_eq!(reserve(&mut window, start + ns(at), 1), Some(0));
        }
        let at_10 = promised(window.reserve(start + ns(5), 1, ANY));
        assert_eq!(reserve(&mut window, start + ns(5), 1), Some(9));
        let more: Vec<_> =
            (0..behind).map(|_| promised(window.reserve(start + ns(5), 1, ANY))).collect();
        window.refund(start + ns(5), &at_10);
        assert_eq!(window.available(start + ns(11)), -1 - behind);
        more.iter().rev().for_each(|claim| window.refund(start + ns(11), claim));
        assert_eq!(window.available(start + ns(14)), 1);
        assert_eq!(reserve(&mut window, start + ns(14), 1), Some(0));
        assert_eq!(reserve(&mut window, start + ns(14), 1), Some(10));
    }
}

#[test]
fn a_hole_for_two_is_one_for_each() {
    let (mut window, start) = window(2, 10, 100);
    assert_eq!(reserve(&mut window, start, 2), Some(0));
    let two = promised(window.reserve(start, 2, ANY));
    assert_eq!(reserve(&mut window, start, 1), Some(20));
    window.refund(start, &two);
    let waits = [1, 1, 1].map(|permits| reserve(&mut window, start, permits));
    assert_eq!(waits, [10, 10, 20].map(Some));
}

#[test]
fn what_is_used_at_one_moment_is_one_entry() {
    let (mut window, start) = window(3, 10, 100);
    (0..3).for_each(|_| assert_eq!(reserve(&mut window, start, 1), Some(0)));
    assert_eq!(window.log.len(), 1);
}

#[test]
fn a_clock_reading_from_before_a_hole_finds_it_there_as_others_do() {
    let (mut window, start) = window(1, 10, 100);
    assert_eq!(reserve(&mut window, start, 1), Some(0));
    let claims = [1, 1].map(|permits| promised(window.reserve(start, permits, ANY)));
    window.refund(start, &claims[0]);
    assert_eq!(window.available(start + ns(10)), 1);
    assert_eq!(window.reserve(start + ns(9), 1, Patience::None), Answer::Granted);
}

#[test]
fn draining_fills_the_window_and_keeps_what_is_promised() {
    let (mut window, start) = window(3, 10, 100);
    assert_eq!(reserve(&mut window, start, 1), Some(0));
    assert_eq!(window.drain(start + ns(2)), 2);
    assert_eq!(window.drain(start + ns(2)), 0);
    assert_eq!(window.available(start + ns(10)), 1);
    assert_eq!(reserve(&mut window, start + ns(10), 2), Some(2));
    assert_eq!(window.drain(start + ns(10)), 0);
    assert_eq!(window.available(start + ns(10)), -2);
}

#[test]
fn the_newest_gives_back_as_if_it_had_never_been() {
    let (mut window, start) = window(2, 10, 100);
    assert_eq!(reserve(&mut window, start, 2), Some(0));
    let claims: Vec<_> = (0..3).map(|_| promised(window.reserve(start, 1, ANY))).collect();
    // The second shares its moment with the first.
    for older in &claims[1..] {
        window.refund(start, older);
    }
    assert_eq!((window.log.len(), window.holes.len()), (2, 0));
    assert_eq!(window.available(start), -1);
    window.refund(start, &claims[0]);
    assert_eq!((window.log.len(), window.available(start)), (1, 0));
}

#[test]
fn an_older_one_leaves_a_hole_that_the_next_one_takes() {
    let (mut window, start) = window(1, 10, 100);
    assert_eq!(reserve(&mut window, start, 1), Some(0));
    let claims: Vec<_> = (0..4).map(|_| promised(window.reserve(start, 1, ANY))).collect();
    window.refund(start, &claims[0]);
    assert_eq!(window.available(start), -3);
    assert_eq!(reserve(&mut window, start, 1), Some(10));
    assert_eq!(reserve(&mut window, start, 1), Some(50));
    window.refund(start, &claims[1]);
    window.refund(start, &claims[2]);
    assert_eq!(window.available(start + ns(20)), 1, "nobody has come for it");
    assert_eq!(reserve(&mut window, start + ns(20), 1), Some(0));
    assert_eq!(reserve(&mut window, start + ns(31), 1), Some(29), "the other one is gone");
    assert!(window.holes.is_empty());
}

#[test]
fn it_forgets_what_is_over() {
    let (mut window, start) = window(1000, 1000, 0);
    for at in 0..100_000 {
        assert_eq!(reserve(&mut window, start + ns(at), 1), Some(0));
        assert!(window.log.len() <= 1000);
    }
    assert_eq!(window.log.capacity(), 1000, "and has never grown");
}

#[test]
fn a_clock_reading_from_before_the_last_look_changes_nothing() {
    let (mut window, start) = window(1, 10, 100);
    assert_eq!(reserve(&mut window, start + ns(5), 1), Some(0));
    assert_eq!(reserve(&mut window, start + ns(3), 1), Some(12));
    assert_eq!(window.available(start), -1);
}

#[test]
fn a_wait_that_would_not_end_before_the_deadline_is_refused() {
    let (mut window, start) = window(1, 10, 1000);
    let until = |at| Patience::Timeout(Some(start + ns(at)));
    assert_eq!(window.reserve(start, 1, until(0)), Answer::Granted);
    assert_eq!(window.reserve(start, 1, until(10)), Answer::Refused(Some(ns(10))));
    promised(window.reserve(start, 1, until(11)));
}

#[test]
fn large_and_small_settings_do_not_overflow() {
    for limit in [1, 50, 1_000_000, u32::MAX] {
        for period in [1, 500, i64::MAX as u64, u64::MAX] {
            for timeout in [0, u64::MAX] {
                let (mut window, start) = window(limit, period, timeout);
                let mut claims = Vec::new();
                for at in [0, 1, 1 << 55, 1, 1 << 60, u64::MAX] {
                    let now = start + ns(at);
                    for permits in [0, 1, limit, u32::MAX, 1] {
                        if let Answer::Wait(claim) = window.reserve(now, permits, ANY) {
                            claims.push(claim);
                        }
                        let _ = window.wait_for_one(now);
                    }
                    if claims.len() % 2 == 1 {
                        window.refund(now, &claims.swap_remove(0));
                    }
                    window.set_limit(now, limit ^ 1 | 1);
                    window.set_limit(now, limit);
                    assert!(window.available(now) <= i64::from(limit));
                    window.drain(now);
                }
            }
        }
    }
}
