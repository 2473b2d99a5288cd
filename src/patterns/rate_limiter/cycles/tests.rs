use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Answer, Cycles, DEEPEST, Limiter, MOST_HOLES, Patience};
use crate::patterns::rate_limiter::tests::{ANY, ns, promised, seeded};

/// A limiter, and the moment of its creation.
fn cycles(limit: u32, period: u64, timeout: u64) -> (Cycles, Instant) {
    let start = Instant::now();
    (Cycles::new(limit, ns(period), ns(timeout), start), start)
}

/// In nanoseconds: what Resilience4j's `reservePermission` returns.
fn reserve(cycles: &mut Cycles, now: Instant, permits: u32) -> i64 {
    match cycles.reserve(now, permits, ANY) {
        Answer::Granted => 0,
        Answer::Wait(claim) => (cycles.ready_at(&claim) - now).as_nanos().try_into().unwrap(),
        Answer::Refused(_) => -1,
    }
}

#[test]
fn permissions_do_not_pile_up() {
    let (mut cycles, start) = cycles(3, 10, 0);
    assert_eq!(cycles.available(start + ns(10_000)), 3);
    assert_eq!(reserve(&mut cycles, start + ns(10_000), 3), 0);
    assert_eq!(reserve(&mut cycles, start + ns(10_000), 1), -1);
}

#[test]
fn debt_is_paid_before_anybody_is_let_in() {
    let (mut cycles, start) = cycles(2, 10, 100);
    assert_eq!(reserve(&mut cycles, start, 7), 30);
    assert_eq!(cycles.available(start), -5);
    assert_eq!(cycles.available(start + ns(10)), -3);
    assert_eq!(reserve(&mut cycles, start + ns(10), 1), 20);
    assert_eq!(cycles.available(start + ns(30)), 0);
    assert_eq!(cycles.available(start + ns(40)), 2);
}

#[test]
fn a_new_limit_counts_for_waits_at_once_and_for_refills_later() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    assert_eq!(reserve(&mut cycles, start, 2), 10);
    assert_eq!(cycles.wait_for(start, 1), ns(20));
    cycles.set_limit(start, 2);
    assert_eq!(cycles.wait_for(start, 1), ns(10));
    assert_eq!(cycles.available(start), -1);
    assert_eq!(cycles.available(start + ns(10)), 1);
}

#[test]
fn a_lowered_limit_takes_nothing_from_the_current_cycle() {
    for cycle in 0..3 {
        let (mut cycles, start) = cycles(5, 10, 0);
        let begins = start + ns(cycle * 10);
        assert_eq!(cycles.available(begins), 5);
        cycles.set_limit(begins, 2);
        assert_eq!(cycles.available(begins + ns(9)), 5);
        assert_eq!(cycles.available(begins + ns(10)), 2);
    }
}

#[test]
fn a_limit_does_not_count_for_cycles_before_it() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    assert_eq!(reserve(&mut cycles, start, 6), 50);
    cycles.set_limit(start + ns(20), 100);
    assert_eq!(cycles.available(start + ns(20)), -3);
}

#[test]
fn draining_looks_at_the_current_cycle_and_keeps_debt() {
    let (mut cycles, start) = cycles(2, 10, 1000);
    assert_eq!(cycles.drain(start), 2);
    assert_eq!(cycles.drain(start), 0);
    assert_eq!(cycles.drain(start + ns(10)), 2);
    assert_eq!(reserve(&mut cycles, start + ns(10), 3), 20);
    assert_eq!(cycles.drain(start + ns(10)), 0);
    assert_eq!(cycles.available(start + ns(10)), -3);
}

#[test]
fn the_newest_gives_back_as_if_it_had_never_been() {
    let (mut cycles, start) = cycles(2, 10, 1000);
    let first = promised(cycles.reserve(start, 5, ANY));
    let second = promised(cycles.reserve(start, 4, ANY));
    cycles.refund(start, &second);
    assert_eq!(cycles.available(start), -3);
    cycles.refund(start, &first);
    assert_eq!(cycles.available(start), 2);
    assert!(cycles.holes.is_empty());
}

#[test]
fn an_older_one_leaves_a_hole_that_the_next_one_takes() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    assert_eq!(reserve(&mut cycles, start, 1), 0);
    let at_10 = promised(cycles.reserve(start, 1, ANY));
    let at_20 = promised(cycles.reserve(start, 1, ANY));
    cycles.refund(start, &at_10);
    assert_eq!(cycles.available(start), -1);
    assert_eq!(reserve(&mut cycles, start, 1), 10);
    assert_eq!(reserve(&mut cycles, start, 1), 30);
    // And once more, but nobody comes before its cycle does: then it can be had at once.
    cycles.refund(start, &at_20);
    assert_eq!(cycles.available(start + ns(20)), 1);
    assert_eq!(reserve(&mut cycles, start + ns(20), 1), 0);
    assert_eq!(reserve(&mut cycles, start + ns(20), 1), 20);
}

#[test]
fn a_request_takes_the_rest_of_one_hole_and_a_part_of_the_next() {
    let (mut cycles, start) = cycles(3, 10, 1000);
    assert_eq!(cycles.drain(start), 3);
    let [one, _, three, _] = [1, 2, 3, 1].map(|n| promised(cycles.reserve(start, n, ANY)));
    cycles.refund(start, &one);
    cycles.refund(start, &three);
    let waits = [2, 2, 1].map(|permits| reserve(&mut cycles, start, permits));
    assert_eq!(waits, [20, 20, 30]);
}

#[test]
fn a_hole_is_gone_with_its_cycle() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    let at_20 = promised(cycles.reserve(start, 3, ANY));
    let _at_30 = promised(cycles.reserve(start, 1, ANY));
    cycles.refund(start + ns(15), &at_20);
    assert_eq!(cycles.holes.total(), 2);
    assert_eq!(cycles.drain(start + ns(15)), 1);
    assert_eq!(cycles.drain(start + ns(25)), 1);
    assert_eq!(reserve(&mut cycles, start + ns(35), 1), 5);
}

#[test]
fn holes_end_at_the_line_and_vanish_with_it() {
    let (mut cycles, start) = cycles(2, 10, 1000);
    assert_eq!(reserve(&mut cycles, start, 2), 0);
    let claims: Vec<_> = (0..6).map(|_| promised(cycles.reserve(start, 1, ANY))).collect();
    for older in &claims[..5] {
        cycles.refund(start, older);
    }
    assert_eq!(cycles.holes.total(), 4, "the fifth shares its cycle with the end of the line");
    cycles.refund(start, &claims[5]);
    assert!(cycles.holes.is_empty());
    assert_eq!(cycles.available(start), 0);
}

#[test]
fn nothing_comes_back_once_its_time_has_come() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    let at_10 = promised(cycles.reserve(start, 2, ANY));
    cycles.refund(start + ns(10), &at_10);
    assert_eq!(cycles.available(start + ns(10)), 0);
}

#[test]
fn what_comes_back_under_another_limit_makes_less_debt_and_no_more() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    let older = promised(cycles.reserve(start, 4, ANY));
    let newer = promised(cycles.reserve(start, 2, ANY));
    cycles.refund(start, &older);
    assert_eq!(cycles.available(start), 1);
    cycles.set_limit(start, 4);
    assert_eq!(cycles.available(start), -1, "a hole before the change is less debt after it");
    cycles.refund(start + ns(10), &newer);
    assert_eq!(cycles.available(start + ns(10)), 4);
}

#[test]
fn holes_and_line_both_come_back_under_another_limit() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    assert_eq!(cycles.drain(start), 1);
    let hole = promised(cycles.reserve(start, 2, ANY));
    promised(cycles.reserve(start, 4, ANY));
    cycles.refund(start, &hole);
    let both = promised(cycles.reserve(start, 3, ANY));
    cycles.set_limit(start, 2);
    assert_eq!(cycles.available(start), -7);
    cycles.refund(start, &both);
    assert_eq!(cycles.available(start), -4);
}

#[test]
fn there_is_a_deepest_debt() {
    let (mut cycles, start) = cycles(u32::MAX, 1, u64::MAX);
    cycles.permissions = DEEPEST + 1;
    promised(cycles.reserve(start, 1, ANY));
    assert_eq!(cycles.reserve(start, 1, ANY), Answer::Refused(None));
    assert_eq!(cycles.permissions, DEEPEST);
}

#[test]
fn a_wait_that_would_not_end_before_the_deadline_is_refused() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    let until = |at| Patience::Timeout(Some(start + ns(at)));
    assert_eq!(cycles.reserve(start, 1, until(0)), Answer::Granted, "no wait, no question");
    assert_eq!(cycles.reserve(start, 1, until(10)), Answer::Refused(Some(ns(10))));
    assert_eq!(cycles.available(start), 0);
    promised(cycles.reserve(start, 1, until(11)));
}

#[test]
fn none_at_all_can_always_be_had() {
    let (mut cycles, start) = cycles(1, 10, 1000);
    assert_eq!(reserve(&mut cycles, start, 3), 20);
    assert_eq!(cycles.reserve(start, 0, Patience::None), Answer::Granted);
    assert_eq!(cycles.available(start), -2);
}

#[test]
fn a_clock_reading_from_before_the_cycle_changes_nothing() {
    let (mut cycles, start) = cycles(2, 10, 1000);
    assert_eq!(reserve(&mut cycles, start + ns(10), 1), 0);
    assert_eq!(reserve(&mut cycles, start + ns(9), 1), 0);
    assert_eq!(reserve(&mut cycles, start + ns(9), 1), 11);
    assert_eq!(cycles.cycle(start + ns(9)), 1);
}

#[test]
fn large_and_small_settings_do_not_overflow() {
    const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;
    for limit in [1, 50, u32::MAX] {
        for period in [1, 500, YEAR, i64::MAX as u64, u64::MAX] {
            for timeout in [0, YEAR, u64::MAX] {
                let (mut cycles, start) = cycles(limit, period, timeout);
                let mut claims = Vec::new();
                for at in [0, 1, YEAR, 1, 20 * YEAR, 290 * YEAR, u64::MAX] {
                    let now = start + ns(at);
                    for permits in [0, 1, limit, u32::MAX] {
                        match cycles.reserve(now, permits, ANY) {
                            Answer::Wait(claim) => claims.push(claim),
                            Answer::Granted | Answer::Refused(_) => {}
                        }
                        let _ = cycles.wait_for(now, permits);
                    }
                    if claims.len() % 2 == 1 {
                        cycles.refund(now, &claims.swap_remove(0));
                    }
                    assert!(cycles.holes.total() <= i64::from(limit) * 2 * MOST_HOLES as i64);
                    cycles.set_limit(now, limit ^ 1 | 1);
                    cycles.set_limit(now, limit);
                    assert!(cycles.available(now) <= i64::from(limit));
                    cycles.drain(now);
                }
            }
        }
    }
}

/// Says of every cycle how many of its slots are taken, and takes the first free ones.
struct Model {
    limit: u64,
    period: u64,
    taken: BTreeMap<u64, u64>,
}

struct Reserved {
    ready: u64,
    slots: Vec<(u64, u64)>,
}

impl Model {
    fn free(&self, cycle: u64) -> u64 {
        self.limit - self.taken.get(&cycle).copied().unwrap_or(0)
    }

    fn reserve(&mut self, time: u64, permits: u64, timeout: u64) -> Result<Reserved, u64> {
        let current = time / self.period;
        let (mut cycle, mut left, mut slots) = (current, permits, Vec::new());
        loop {
            let part = left.min(self.free(cycle));
            left -= part;
            slots.push((cycle, part));
            if left == 0 {
                break;
            }
            cycle += 1;
        }
        let ready = if cycle == current { time } else { cycle * self.period };
        if ready - time > timeout {
            return Err(ready - time);
        }
        for &(cycle, part) in &slots {
            *self.taken.entry(cycle).or_default() += part;
        }
        Ok(Reserved { ready, slots })
    }

    fn refund(&mut self, time: u64, reserved: &Reserved) {
        if reserved.ready > time {
            for (cycle, part) in &reserved.slots {
                *self.taken.get_mut(cycle).unwrap() -= part;
            }
        }
    }

    fn drain(&mut self, time: u64) -> u64 {
        let cycle = time / self.period;
        let free = self.free(cycle);
        self.taken.insert(cycle, self.limit);
        free
    }

    fn available(&self, time: u64) -> i64 {
        let cycle = time / self.period;
        let ahead: u64 = self.taken.range(cycle + 1..).map(|(_, taken)| taken).sum();
        match self.free(cycle) {
            0 => -i64::try_from(ahead).unwrap(),
            free => free.try_into().unwrap(),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserve { permits: u32, patient: bool },
    Refund { which: usize },
    Advance { by: u64 },
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop_oneof![3 => Just(1), 1 => 0_u32..12], any::<bool>())
            .prop_map(|(permits, patient)| Step::Reserve { permits, patient }),
        3 => any::<usize>().prop_map(|which| Step::Refund { which }),
        2 => prop_oneof![3 => 0_u64..25, 1 => 0_u64..100].prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Drain),
    ]
}

proptest! {
    #![proptest_config(seeded(2000))]

    /// The earliest free slots are taken, so waits are exact and no cycle has more than its limit.
    #[test]
    fn no_cycle_gives_more_than_its_limit(
        limit in 1_u32..5,
        period in 1_u64..20,
        timeout in 0_u64..120,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let (mut cycles, start) = cycles(limit, period, timeout);
        let mut model = Model { limit: limit.into(), period, taken: BTreeMap::new() };
        let (mut time, mut held) = (0, Vec::new());
        for step in steps {
            let now = start + ns(time);
            match step {
                Step::Reserve { permits, patient } => {
                    let (patience, most) = if patient { (ANY, timeout) } else { (Patience::None, 0) };
                    let expected = model.reserve(time, permits.into(), most);
                    prop_assert_eq!(
                        cycles.wait_for(now, permits).is_zero(),
                        matches!(&expected, Ok(reserved) if reserved.ready == time)
                    );
                    match (cycles.reserve(now, permits, patience), expected) {
                        (Answer::Granted, Ok(reserved)) => prop_assert_eq!(reserved.ready, time),
                        (Answer::Wait(claim), Ok(reserved)) => {
                            prop_assert_eq!(cycles.ready_at(&claim), start + ns(reserved.ready));
                            held.push((claim, reserved));
                        }
                        (Answer::Refused(wait), Err(expected)) if permits <= limit => {
                            prop_assert_eq!(wait, Some(ns(expected)));
                        }
                        (Answer::Refused(wait), Err(_)) => {
                            let whole_cycles = u64::from(permits.div_ceil(limit) - 2);
                            prop_assert_eq!(wait.is_some(), most > whole_cycles * period);
                        }
                        (answer, expected) => {
                            prop_assert!(false, "{:?}, but granted: {}", answer, expected.is_ok());
                        }
                    }
                }
                Step::Refund { which } => {
                    if !held.is_empty() {
                        let (claim, reserved) = held.swap_remove(which % held.len());
                        cycles.refund(now, &claim);
                        model.refund(time, &reserved);
                    }
                }
                Step::Advance { by } => time += by,
                Step::Drain => prop_assert_eq!(u64::from(cycles.drain(now)), model.drain(time)),
            }
            let now = start + ns(time);
            prop_assert_eq!(cycles.available(now), model.available(time));
            prop_assert!(model.taken.values().all(|&taken| taken <= u64::from(limit)));
        }
    }
}
