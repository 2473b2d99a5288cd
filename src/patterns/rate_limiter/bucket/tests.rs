use proptest::prelude::*;
use tokio::time::Instant;

use super::{Answer, Bucket, Limiter, Patience};
use crate::patterns::rate_limiter::tests::{ANY, ns, promised, seeded};

fn bucket(limit: u32, period: u64, burst: u32, timeout: u64) -> (Bucket, Instant) {
    let start = Instant::now();
    (Bucket::new(limit, ns(period), burst, ns(timeout), start), start)
}

/// The wait in nanoseconds.
fn reserve(bucket: &mut Bucket, now: Instant, permits: u32) -> Option<u64> {
    match bucket.reserve(now, permits, ANY) {
        Answer::Granted => Some(0),
        Answer::Wait(claim) => Some((bucket.ready_at(&claim) - now).as_nanos() as u64),
        Answer::Refused(_) => None,
    }
}

#[test]
fn it_is_full_at_first_and_refills_evenly() {
    let (mut bucket, start) = bucket(2, 10, 3, 0);
    assert_eq!(reserve(&mut bucket, start, 3), Some(0));
    assert_eq!(reserve(&mut bucket, start + ns(4), 1), None);
    assert_eq!(reserve(&mut bucket, start + ns(5), 1), Some(0));
    assert_eq!(bucket.wait_for_one(start + ns(6)), ns(4));
    assert_eq!(bucket.available(start + ns(20)), 3);
    assert_eq!(bucket.available(start + ns(20_000)), 3, "no more than the burst");
}

#[test]
fn a_burst_of_one_spaces_evenly_wherever_it_begins() {
    let (mut bucket, start) = bucket(10, 1000, 1, 1000);
    let now = start + ns(199);
    let waits: Vec<_> = (0..4).map(|_| reserve(&mut bucket, now, 1).unwrap()).collect();
    assert_eq!(waits, [0, 100, 200, 300]);
}

#[test]
fn three_in_ten_are_three_in_ten() {
    let (mut bucket, start) = bucket(3, 10, 1, 1_000_000);
    let waits: Vec<_> = (0..=300).map(|_| reserve(&mut bucket, start, 1).unwrap()).collect();
    assert_eq!(waits[..4], [0, 4, 7, 10], "rounded up");
    assert_eq!((waits[30], waits[300]), (100, 1000), "but nothing adds up");
}

#[test]
fn more_than_the_burst_goes_into_debt() {
    let (mut bucket, start) = bucket(1, 10, 2, 100);
    assert_eq!(reserve(&mut bucket, start, 5), Some(30));
    assert_eq!(bucket.available(start), -3);
    assert_eq!(bucket.available(start + ns(11)), -2);
    assert_eq!(reserve(&mut bucket, start + ns(30), 1), Some(10));
}

#[test]
fn another_rate_keeps_what_is_there_and_what_is_owed() {
    let (mut bucket, start) = bucket(1, 10, 4, 1000);
    assert_eq!(reserve(&mut bucket, start, 2), Some(0));
    bucket.set_limit(start + ns(5), 10);
    assert_eq!(bucket.available(start + ns(5)), 2);
    assert_eq!(bucket.available(start + ns(6)), 3, "half a permission has been kept");
    assert_eq!(reserve(&mut bucket, start + ns(6), 6), Some(3));
    bucket.set_limit(start + ns(6), 1);
    assert_eq!(bucket.available(start + ns(6)), -3);
    assert_eq!(bucket.wait_for_one(start + ns(6)), ns(35));
}

#[test]
fn a_clock_reading_from_before_the_new_limit_waits_for_nothing_that_is_there() {
    let (mut bucket, start) = bucket(1, 10, 2, 1000);
    bucket.set_limit(start + ns(50), 2);
    assert_eq!(bucket.wait_for_one(start + ns(40)), ns(0));
    assert_eq!(reserve(&mut bucket, start + ns(40), 2), Some(0));
    assert_eq!(bucket.wait_for_one(start + ns(40)), ns(15));
}

#[test]
fn draining_takes_whole_permissions_and_keeps_debt() {
    let (mut bucket, start) = bucket(1, 10, 3, 1000);
    assert_eq!(reserve(&mut bucket, start, 1), Some(0));
    assert_eq!(bucket.drain(start + ns(5)), 2);
    assert_eq!(bucket.drain(start + ns(5)), 0);
    assert_eq!(bucket.wait_for_one(start + ns(5)), ns(5));
    assert_eq!(reserve(&mut bucket, start + ns(5), 2), Some(15));
    assert_eq!(bucket.drain(start + ns(5)), 0);
    assert_eq!(bucket.available(start + ns(5)), -2);
}

#[test]
fn the_newest_gives_back_as_if_it_had_never_been() {
    let (mut bucket, start) = bucket(1, 10, 2, 1000);
    let first = promised(bucket.reserve(start, 4, ANY));
    let second = promised(bucket.reserve(start, 3, ANY));
    bucket.refund(start, &second);
    assert_eq!(bucket.available(start), -2);
    bucket.refund(start, &first);
    assert_eq!(bucket.available(start), 2);
    assert!(bucket.holes.is_empty());
}

#[test]
fn an_older_one_leaves_a_hole_that_the_next_one_takes() {
    let (mut bucket, start) = bucket(1, 10, 1, 1000);
    assert_eq!(reserve(&mut bucket, start, 1), Some(0));
    let at_10 = promised(bucket.reserve(start, 1, ANY));
    let at_20 = promised(bucket.reserve(start, 1, ANY));
    let at_30 = promised(bucket.reserve(start, 1, ANY));
    bucket.refund(start, &at_10);
    assert_eq!(bucket.available(start), -2);
    assert_eq!(reserve(&mut bucket, start, 2), Some(50), "too small for two");
    assert_eq!(reserve(&mut bucket, start, 1), Some(10));
    bucket.refund(start, &at_20);
    bucket.refund(start, &at_30);
    assert_eq!(reserve(&mut bucket, start + ns(20), 1), Some(0), "nobody has come for it");
    assert_eq!(reserve(&mut bucket, start + ns(31), 1), Some(29), "the other one is gone");
}

/// Takes all, and then leaves a hole of three slots before one that stays taken.
fn bucket_with_a_hole_of_three(burst: u32) -> (Bucket, Instant) {
    let (mut bucket, start) = bucket(1, 10, burst, 1000);
    assert_eq!(bucket.drain(start), burst);
    let three = promised(bucket.reserve(start, 3, ANY));
    promised(bucket.reserve(start, 1, ANY));
    bucket.refund(start, &three);
    (bucket, start)
}

fn waits<const N: usize>(bucket: &mut Bucket, now: Instant) -> [Option<u64>; N] {
    std::array::from_fn(|_| reserve(bucket, now, 1))
}

#[test]
fn a_large_hole_is_taken_slot_by_slot() {
    let (mut bucket, start) = bucket_with_a_hole_of_three(1);
    assert_eq!(waits(&mut bucket, start), [10, 20, 30, 50].map(Some));
    let (mut bucket, start) = bucket_with_a_hole_of_three(3);
    let now = start + ns(12);
    assert_eq!(bucket.available(now), 1);
    assert_eq!(bucket.reserve(now, 1, ANY), Answer::Granted);
    assert_eq!(waits(&mut bucket, now), [8, 18, 38].map(Some));
}

#[test]
fn of_a_large_hole_the_slots_that_began_are_gone() {
    for (at, available, expected) in [(25, -1, [5, 25]), (30, 1, [0, 20]), (31, -1, [19, 29])] {
        let (mut bucket, start) = bucket_with_a_hole_of_three(1);
        let now = start + ns(at);
        assert_eq!(bucket.available(now), available, "at {at}");
        assert_eq!(waits(&mut bucket, now), expected.map(Some), "at {at}");
    }
}

#[test]
fn a_hole_at_the_end_of_the_line_is_none() {
    let (mut bucket, start) = bucket(1, 10, 2, 1000);
    assert_eq!(bucket.drain(start), 2);
    let [first, second, third] = [2, 1, 1].map(|n| promised(bucket.reserve(start, n, ANY)));
    bucket.refund(start, &first);
    bucket.refund(start, &second);
    assert_eq!(bucket.available(start), -1);
    bucket.refund(start, &third);
    assert_eq!((bucket.available(start), bucket.holes.len()), (0, 0));
    assert_eq!(reserve(&mut bucket, start, 4), Some(40));
}

#[test]
fn nothing_comes_back_once_its_time_has_come() {
    let (mut bucket, start) = bucket(1, 10, 1, 1000);
    let at_10 = promised(bucket.reserve(start, 2, ANY));
    bucket.refund(start + ns(10), &at_10);
    assert_eq!(bucket.available(start + ns(10)), 0);
}

#[test]
fn a_wait_that_would_not_end_before_the_deadline_is_refused() {
    let (mut bucket, start) = bucket(1, 10, 1, 1000);
    let until = |at| Patience::Timeout(Some(start + ns(at)));
    assert_eq!(bucket.reserve(start, 1, until(0)), Answer::Granted);
    assert_eq!(bucket.reserve(start, 1, until(10)), Answer::Refused(Some(ns(10))));
    promised(bucket.reserve(start, 1, until(11)));
}

#[test]
fn large_and_small_settings_do_not_overflow() {
    for limit in [1, 50, u32::MAX] {
        for period in [1, 500, i64::MAX as u64, u64::MAX] {
            for (burst, timeout) in [(1, 0), (u32::MAX, u64::MAX), (7, u64::MAX)] {
                let (mut bucket, start) = bucket(limit, period, burst, timeout);
                let mut claims = Vec::new();
                for at in [0, 1, 1 << 55, 1, 1 << 60, u64::MAX] {
                    let now = start + ns(at);
                    for permits in [0, 1, limit, u32::MAX, u32::MAX] {
                        if let Answer::Wait(claim) = bucket.reserve(now, permits, ANY) {
                            claims.push(claim);
                        }
                        let _ = bucket.wait_for_one(now);
                    }
                    if claims.len() % 2 == 1 {
                        bucket.refund(now, &claims.swap_remove(0));
                    }
                    bucket.set_limit(now, limit ^ 1 | 1);
                    bucket.set_limit(now, limit);
                    assert!(bucket.available(now) <= i64::from(burst));
                    bucket.drain(now);
                }
            }
        }
    }
}

/// A level that rises with time up to the brim and falls with each request, also below nothing.
struct Level {
    /// In parts: `period` of them are one permission.
    level: i128,
    limit: u32,
    period: u64,
    burst: u32,
}

impl Level {
    fn advance(&mut self, by: u64) {
        let full = i128::from(self.burst) * i128::from(self.period);
        self.level = (self.level + i128::from(by) * i128::from(self.limit)).min(full);
    }

    /// The wait, granted or not.
    fn reserve(&mut self, permits: u32, most: u64) -> Result<u64, Option<u64>> {
        let left = self.level - i128::from(permits) * i128::from(self.period);
        let missing = if permits == 0 { 0 } else { (-left).max(0) };
        let wait = u64::try_from(missing).unwrap().div_ceil(self.limit.into());
        if wait > most {
            // More than the burst is never there at once, however long one stays away.
            let alone = u64::from(permits.saturating_sub(self.burst)) * self.period;
            return Err((alone.div_ceil(self.limit.into()) <= most).then_some(wait));
        }
        self.level = left;
        Ok(wait)
    }

    fn available(&self) -> i64 {
        let period = i128::from(self.period);
        let whole = if self.level < 0 {
            -((-self.level + period - 1) / period)
        } else {
            self.level / period
        };
        whole.try_into().unwrap()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserve { permits: u32, patient: bool },
    Refund { which: usize },
    Advance { by: u64 },
    Drain,
    SetLimit { limit: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop_oneof![3 => Just(1), 1 => 0_u32..6], any::<bool>())
            .prop_map(|(permits, patient)| Step::Reserve { permits, patient }),
        3 => any::<usize>().prop_map(|which| Step::Refund { which }),
        2 => prop_oneof![3 => 0_u64..25, 1 => 0_u64..100].prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Drain),
        1 => (1_u32..6).prop_map(|limit| Step::SetLimit { limit }),
    ]
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn it_does_what_a_level_does_that_rises_and_falls(
        limit in 1_u32..6,
        period in 1_u64..20,
        burst in 1_u32..6,
        timeout in 0_u64..120,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let (mut bucket, start) = bucket(limit, period, burst, timeout);
        let mut model = Level { level: (u64::from(burst) * period).into(), limit, period, burst };
        let mut time = 0;
        for step in steps {
            let now = start + ns(time);
            match step {
                Step::Reserve { permits, patient } => {
                    let (patience, most) = if patient { (ANY, timeout) } else { (Patience::None, 0) };
                    let answer = match bucket.reserve(now, permits, patience) {
                        Answer::Granted => Ok(0),
                        Answer::Wait(claim) => {
                            Ok((bucket.ready_at(&claim) - now).as_nanos() as u64)
                        }
                        Answer::Refused(wait) => Err(wait.map(|wait| wait.as_nanos() as u64)),
                    };
                    prop_assert_eq!(answer, model.reserve(permits, most));
                }
                Step::Advance { by } => {
                    time += by;
                    model.advance(by);
                }
                Step::Drain => {
                    let left = model.available().max(0);
                    prop_assert_eq!(i64::from(bucket.drain(now)), left);
                    model.reserve(left.try_into().unwrap(), u64::MAX).unwrap();
                }
                Step::SetLimit { limit } => {
                    bucket.set_limit(now, limit);
                    model.limit = limit;
                }
                Step::Refund { .. } => {}
            }
            let now = start + ns(time);
            prop_assert_eq!(bucket.available(now), model.available());
            let missing = u64::try_from((i128::from(period) - model.level).max(0)).unwrap();
            prop_assert_eq!(bucket.wait_for_one(now), ns(missing.div_ceil(model.limit.into())));
        }
    }

    /// With requests that give back: no span sees more than the burst and what flows in, and what is
    /// given back can be had again.
    #[test]
    fn no_span_sees_more_than_the_burst_and_what_flows_in(
        limit in 1_u32..6,
        period in 1_u64..20,
        burst in 1_u32..6,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let (mut bucket, start) = bucket(limit, period, burst, 300);
        // When permissions were used, and how many.
        let mut used = Vec::<(u64, u64)>::new();
        let (mut time, mut held) = (0, Vec::new());
        let at = |instant: Instant| (instant - start).as_nanos() as u64;
        for step in steps {
            let now = start + ns(time);
            match step {
                Step::Reserve { permits, patient } => {
                    let permits = permits.min(burst);
                    let patience = if patient { ANY } else { Patience::None };
                    match bucket.reserve(now, permits, patience) {
                        Answer::Granted => used.push((time, permits.into())),
                        Answer::Wait(claim) => held.push(claim),
                        Answer::Refused(_) => {}
                    }
                }
                Step::Refund { which } if !held.is_empty() => {
                    let claim = held.swap_remove(which % held.len());
                    let before = bucket.available(now);
                    bucket.refund(now, &claim);
                    if claim.ready > time {
                        prop_assert!(bucket.available(now) > before);
                        match bucket.reserve(now, claim.permits, ANY) {
                            Answer::Granted => used.push((time, claim.permits.into())),
                            Answer::Wait(again) => {
                                prop_assert!(again.ready <= claim.ready);
                                held.push(again);
                            }
                            Answer::Refused(_) => prop_assert!(false, "it was given back"),
                        }
                    } else {
                        prop_assert_eq!(bucket.available(now), before);
                        used.push((claim.ready, claim.permits.into()));
                    }
                }
                Step::Advance { by } => time += by,
                Step::Drain => used.push((time, bucket.drain(now).into())),
                _ => {}
            }
        }
        used.extend(held.iter().map(|claim| (at(bucket.ready_at(claim)), claim.permits.into())));
        for &(from, _) in &used {
            for &(to, _) in used.iter().filter(|&&(to, _)| to >= from) {
                let inside = used.iter().filter(|&&(at, _)| from <= at && at <= to);
                let permits: u64 = inside.map(|&(_, permits)| permits).sum();
                // A wait is rounded up to the next nanosecond.
                let flows = (to - from + 1) * u64::from(limit);
                prop_assert!(permits * period < u64::from(burst) * period + flows);
            }
        }
    }
}
