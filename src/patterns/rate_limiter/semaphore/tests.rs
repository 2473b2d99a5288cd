mod debts;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Answer, Limiter, Patience, Semaphore, Turn};
use crate::patterns::rate_limiter::tests::{ANY, ns, promised, seeded};

fn semaphore(limit: u32, period: u64, timeout: u64) -> (Semaphore, Instant) {
    let start = Instant::now();
    (Semaphore::new(limit, ns(period), ns(timeout), start), start)
}

fn woken(semaphore: &mut Semaphore) -> Vec<u64> {
    semaphore.woken().collect()
}

#[test]
fn the_queue_is_served_in_order_at_the_beginning_of_each_cycle() {
    let (mut semaphore, start) = semaphore(2, 10, 100);
    assert_eq!(semaphore.acquire(start, 2, ANY), Answer::Granted);
    let ids: Vec<_> = (0..5).map(|_| promised(semaphore.acquire(start, 1, ANY))).collect();
    assert_eq!(semaphore.poll(start + ns(9), ids[0]), Turn::Pending(start + ns(10)));
    assert_eq!(semaphore.poll(start + ns(9), ids[2]), Turn::Pending(start + ns(20)));
    assert!(woken(&mut semaphore).is_empty());
    assert_eq!(semaphore.poll(start + ns(10), ids[1]), Turn::Granted);
    assert_eq!(woken(&mut semaphore), ids[..2], "only those who are granted");
    assert_eq!(semaphore.poll(start + ns(10), ids[0]), Turn::Granted);
    assert_eq!(semaphore.available(start + ns(29)), 0);
    assert_eq!(semaphore.available(start + ns(30)), 1);
    assert_eq!(woken(&mut semaphore), ids[2..]);
}

#[test]
fn nobody_overtakes_the_queue() {
    let (mut semaphore, start) = semaphore(3, 10, 100);
    assert_eq!(semaphore.acquire(start, 2, ANY), Answer::Granted);
    let large = promised(semaphore.acquire(start, 2, ANY));
    assert_eq!(semaphore.acquire(start, 1, Patience::None), Answer::Refused(Some(ns(10))));
    let small = promised(semaphore.acquire(start, 1, ANY));
    // Once the large one leaves, what is left of this cycle goes to the next in the queue.
    semaphore.cancel(start, large);
    assert_eq!(woken(&mut semaphore), [small]);
    assert_eq!(semaphore.poll(start, small), Turn::Granted);
}

#[test]
fn a_turn_that_would_come_too_late_is_refused_at_once() {
    let (mut semaphore, start) = semaphore(1, 10, 20);
    assert_eq!(semaphore.acquire(start, 1, ANY), Answer::Granted);
    promised(semaphore.acquire(start, 1, ANY));
    promised(semaphore.acquire(start, 1, ANY));
    assert_eq!(semaphore.acquire(start, 1, ANY), Answer::Refused(Some(ns(30))));
    assert_eq!(semaphore.acquire(start, 2, ANY), Answer::Refused(None), "no wait helps");
    assert_eq!(semaphore.wait_for_one(start), ns(30));
}

#[test]
fn the_wait_for_one_looks_at_what_is_left_and_at_the_queue() {
    let (mut semaphore, start) = semaphore(2, 10, 100);
    assert_eq!(semaphore.available(start + ns(10)), 2);
    assert_eq!(semaphore.wait_for_one(start + ns(9)), ns(0), "a reading from before the cycle");
    semaphore.drain(start + ns(10));
    assert_eq!(semaphore.wait_for_one(start + ns(12)), ns(8));
    assert_eq!(semaphore.acquire(start + ns(20), 1, ANY), Answer::Granted);
    promised(semaphore.acquire(start + ns(20), 2, ANY));
    assert_eq!(semaphore.wait_for_one(start + ns(20)), ns(20), "there is one, but not for it");
}

#[test]
fn a_wait_that_would_not_end_before_the_deadline_is_refused() {
    let (mut semaphore, start) = semaphore(1, 10, 1000);
    let until = |at| Patience::Timeout(Some(start + ns(at)));
    assert_eq!(semaphore.acquire(start, 1, until(0)), Answer::Granted);
    assert_eq!(semaphore.acquire(start, 1, until(10)), Answer::Refused(Some(ns(10))));
    promised(semaphore.acquire(start, 1, until(11)));
}

#[test]
fn whoever_moves_to_the_head_is_woken_to_set_its_alarm() {
    let (mut semaphore, start) = semaphore(1, 10, 100);
    assert_eq!(semaphore.acquire(start, 1, ANY), Answer::Granted);
    let ids: Vec<_> = (0..3).map(|_| promised(semaphore.acquire(start, 1, ANY))).collect();
    semaphore.cancel(start, ids[1]);
    assert!(woken(&mut semaphore).is_empty(), "the head is the same");
    semaphore.cancel(start, ids[0]);
    assert_eq!(woken(&mut semaphore), [ids[2]]);
    assert_eq!(semaphore.poll(start, ids[2]), Turn::Pending(start + ns(10)));
    semaphore.cancel(start, ids[2]);
    assert_eq!(semaphore.acquire(start + ns(10), 1, Patience::None), Answer::Granted);
}

#[test]
fn an_unused_permission_is_passed_on_within_its_cycle() {
    let (mut semaphore, start) = semaphore(1, 10, 100);
    assert_eq!(semaphore.acquire(start, 1, ANY), Answer::Granted);
    let ids: Vec<_> = (0..3).map(|_| promised(semaphore.acquire(start, 1, ANY))).collect();
    assert_eq!(semaphore.available(start + ns(10)), 0);
    semaphore.cancel(start + ns(15), ids[0]);
    assert_eq!(semaphore.poll(start + ns(15), ids[1]), Turn::Granted);
    assert_eq!(semaphore.available(start + ns(20)), 0);
    semaphore.cancel(start + ns(30), ids[2]);
    assert_eq!(semaphore.available(start + ns(30)), 1, "a permission of a past cycle is no more");
}

#[test]
fn a_lowered_limit_keeps_the_current_cycle_and_refuses_the_hopeless() {
    let (mut semaphore, start) = semaphore(4, 10, 10);
    semaphore.set_limit(start, 2);
    assert_eq!(semaphore.available(start), 4);
    assert_eq!(semaphore.acquire(start, 4, ANY), Answer::Granted);
    let ids: Vec<_> = (0..2).map(|_| promised(semaphore.acquire(start, 1, ANY))).collect();
    semaphore.set_limit(start, 1);
    assert_eq!(woken(&mut semaphore), [ids[1]]);
    assert_eq!(semaphore.poll(start, ids[1]), Turn::Refused(Some(ns(20))));
    assert_eq!(semaphore.poll(start + ns(10), ids[0]), Turn::Granted);
    assert_eq!(semaphore.available(start + ns(20)), 1);
}

#[test]
fn what_the_current_cycle_still_has_may_be_more_than_the_lowered_limit() {
    let (mut semaphore, start) = semaphore(4, 10, 100);
    assert_eq!(semaphore.acquire(start, 1, ANY), Answer::Granted);
    let ids = [4, 3].map(|permits| promised(semaphore.acquire(start, permits, ANY)));
    semaphore.set_limit(start, 2);
    assert_eq!(semaphore.poll(start, ids[0]), Turn::Refused(None));
    assert_eq!(semaphore.poll(start, ids[1]), Turn::Granted);
}

#[test]
fn a_turn_that_was_put_off_gets_a_later_alarm() {
    let (mut semaphore, start) = semaphore(2, 10, 100);
    assert_eq!(semaphore.acquire(start, 2, ANY), Answer::Granted);
    let ids: Vec<_> = (0..2).map(|_| promised(semaphore.acquire(start, 1, ANY))).collect();
    semaphore.set_limit(start, 1);
    assert_eq!(semaphore.poll(start + ns(10), ids[1]), Turn::Pending(start + ns(20)));
    assert_eq!(semaphore.poll(start + ns(20), ids[1]), Turn::Granted);
}

#[test]
fn a_turn_that_was_put_off_and_then_came_earlier_is_not_missed() {
    let (mut semaphore, start) = semaphore(3, 10, 100);
    assert_eq!(semaphore.acquire(start, 3, ANY), Answer::Granted);
    let ids: Vec<_> = (0..3).map(|_| promised(semaphore.acquire(start, 1, ANY))).collect();
    semaphore.set_limit(start, 1);
    semaphore.cancel(start, ids[0]);
    assert_eq!(semaphore.poll(start + ns(10), ids[1]), Turn::Granted);
    assert_eq!(semaphore.poll(start + ns(10), ids[2]), Turn::Pending(start + ns(20)));
}

#[test]
fn large_and_small_settings_do_not_overflow() {
    for limit in [1, u32::MAX] {
        for period in [1, 500, i64::MAX as u64, u64::MAX] {
            let (mut semaphore, start) = semaphore(limit, period, u64::MAX);
            for at in [0, 1, 1 << 60, u64::MAX] {
                let now = start + ns(at);
                let _ = semaphore.acquire(now, limit, ANY);
                let _ = semaphore.acquire(now, 1, ANY);
                let _ = semaphore.wait_for_one(now);
                semaphore.set_limit(now, 1);
                semaphore.set_limit(now, limit);
                semaphore.drain(now);
            }
        }
    }
}

/// The same by brute force: goes from cycle to cycle, and finds a turn by trying.
#[derive(Clone)]
struct Model {
    limit: u32,
    period: u64,
    cycle: u64,
    available: u32,
    queue: Vec<(u64, u32, u64)>,
    /// Who was granted, in which cycle, and how much.
    granted: Vec<(u64, u64, u32)>,
    refused: Vec<u64>,
}

impl Model {
    fn serve(&mut self) {
        while let Some(&(id, permits, _)) = self.queue.first() {
            if permits > self.available {
                break;
            }
            self.available -= permits;
            self.granted.push((id, self.cycle, permits));
            self.queue.remove(0);
        }
    }

    fn go_to(&mut self, cycle: u64) {
        while self.cycle < cycle {
            self.cycle += 1;
            self.available = self.limit;
            self.serve();
        }
    }

    /// In which cycle somebody with this number is served.
    fn turn(&self, id: u64) -> u64 {
        let mut future = self.clone();
        loop {
            if let Some(&(_, cycle, _)) = future.granted.iter().find(|granted| granted.0 == id) {
                return cycle;
            }
            future.go_to(future.cycle + 1);
        }
    }

    fn acquire(&mut self, id: u64, time: u64, permits: u32, timeout: u64) -> bool {
        let mut with = self.clone();
        with.queue.push((id, permits, time + timeout));
        with.serve();
        if permits > self.limit && with.queue.iter().any(|queued| queued.0 == id) {
            return false;
        }
        let turn = with.turn(id);
        let fits = turn == self.cycle || turn * self.period <= time + timeout;
        if fits {
            *self = with;
        }
        fits
    }

    fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
        // One after the other, as each that is refused lets those behind it come earlier.
        let mut place = 0;
        while let Some(&(id, permits, latest)) = self.queue.get(place) {
            let mut upto = self.clone();
            upto.queue.truncate(place + 1);
            upto.serve();
            let queued = upto.queue.iter().any(|queued| queued.0 == id);
            let turn = || upto.turn(id);
            if queued && (permits > limit || turn() * self.period > latest) {
                self.queue.remove(place);
                self.refused.push(id);
            } else {
                place += 1;
            }
        }
        self.serve();
    }

    fn cancel(&mut self, id: u64) {
        if let Some(place) = self.granted.iter().position(|granted| granted.0 == id) {
            let (_, cycle, permits) = self.granted.remove(place);
            if cycle == self.cycle {
                self.available += permits;
            }
        }
        self.queue.retain(|queued| queued.0 != id);
        self.refused.retain(|&refused| refused != id);
        self.serve();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Acquire { permits: u32, timeout: u64 },
    Cancel { which: usize },
    Advance { by: u64 },
    Drain,
    SetLimit { limit: u32 },
}

/// Its turn was put off when the limit was lowered, and then came nearer as another left.
#[test]
fn the_head_looks_at_the_next_cycle_even_if_its_own_alarm_is_over() {
    let (mut semaphore, start) = semaphore(1, 13, 0);
    assert_eq!(semaphore.acquire(start, 1, ANY), Answer::Granted);
    let wait = |semaphore: &mut Semaphore, timeout| {
        semaphore.set_timeout(ns(timeout));
        promised(semaphore.acquire(start, 1, ANY))
    };
    let first = wait(&mut semaphore, 13);
    wait(&mut semaphore, 26);
    semaphore.set_limit(start, 2);
    wait(&mut semaphore, 39);
    let last = wait(&mut semaphore, 52);
    semaphore.set_limit(start, 1);
    semaphore.cancel(start, first);
    assert_eq!(semaphore.poll(start + ns(26), last), Turn::Pending(start + ns(39)));
    assert_eq!(semaphore.poll(start + ns(39), last), Turn::Granted);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop_oneof![2 => Just(1), 1 => 1_u32..5], prop_oneof![Just(0), 0_u64..80])
            .prop_map(|(permits, timeout)| Step::Acquire { permits, timeout }),
        2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        3 => (0_u64..30).prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Drain),
        1 => (1_u32..5).prop_map(|limit| Step::SetLimit { limit }),
    ]
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn it_serves_as_if_it_had_a_timer(
        limit in 1_u32..5,
        period in 1_u64..15,
        look in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (mut semaphore, start) = semaphore(limit, period, 0);
        let mut model = Model {
            limit,
            period,
            cycle: 0,
            available: limit,
            queue: Vec::new(),
            granted: Vec::new(),
            refused: Vec::new(),
        };
        let (mut time, mut held, mut number) = (0, Vec::<(u64, u64)>::new(), 0);
        for step in steps {
            let now = start + ns(time);
            match step {
                Step::Acquire { permits, timeout } => {
                    number += 1;
                    semaphore.set_timeout(ns(timeout));
                    let fits = model.acquire(number, time, permits, timeout);
                    match semaphore.acquire(now, permits, ANY) {
                        Answer::Granted => {
                            let granted = model.granted.pop();
                            prop_assert_eq!(granted, Some((number, model.cycle, permits)));
                        }
                        Answer::Wait(id) => {
                            prop_assert!(fits && model.queue.iter().any(|queued| queued.0 == number));
                            held.push((id, number));
                        }
                        Answer::Refused(_) => prop_assert!(!fits),
                    }
                }
                Step::Cancel { which } => {
                    if !held.is_empty() {
                        let (id, number) = held.swap_remove(which % held.len());
                        semaphore.cancel(now, id);
                        model.cancel(number);
                    }
                }
                Step::Advance { by } => {
                    time += by;
                    model.go_to(time / period);
                }
                Step::Drain => {
                    prop_assert_eq!(semaphore.drain(now), std::mem::take(&mut model.available));
                }
                Step::SetLimit { limit } => {
                    semaphore.set_limit(now, limit);
                    model.set_limit(limit);
                }
            }
            if !look {
                continue;
            }
            let now = start + ns(time);
            prop_assert_eq!(semaphore.available(now), i64::from(model.available));
            held.retain(|&(id, number)| match semaphore.poll(now, id) {
                Turn::Granted => {
                    let place = model.granted.iter().position(|granted| granted.0 == number);
                    model.granted.remove(place.expect("granted there too"));
                    false
                }
                Turn::Refused(_) => {
                    let place = model.refused.iter().position(|&refused| refused == number);
                    model.refused.remove(place.expect("refused there too"));
                    false
                }
                Turn::Pending(until) => {
                    assert!(until > now);
                    assert!(model.queue.iter().any(|queued| queued.0 == number));
                    true
                }
            });
            // Somebody looks when the next cycle begins.
            if let Some(&(first, ..)) = model.queue.first() {
                let (id, _) = *held.iter().find(|held| held.1 == first).unwrap();
                let next = start + ns((time / period + 1) * period);
                prop_assert_eq!(semaphore.poll(now, id), Turn::Pending(next));
            }
        }
        // Everybody who was promised a turn gets it.
        let end = start + ns(time + 10_000);
        for (id, number) in held {
            let refused = model.refused.contains(&number);
            let turn = semaphore.poll(end, id);
            prop_assert_eq!(matches!(turn, Turn::Refused(_)), refused);
            prop_assert!(!matches!(turn, Turn::Pending(_)));
        }
    }
}
