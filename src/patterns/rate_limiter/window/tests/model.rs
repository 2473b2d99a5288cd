//! The window against a naive model.

use proptest::prelude::*;

use super::*;
use crate::patterns::rate_limiter::tests::seeded;

/// A list of all that was ever granted or promised, and no haste.
#[derive(Default)]
struct Model {
    limit: u64,
    period: u64,
    list: Vec<Taken>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Somebody(usize),
    Hole,
    Nobody,
}

struct Taken {
    at: u64,
    permits: u64,
    whose: Whose,
}

impl Model {
    /// What lies in the span that ends then.
    fn in_span(&self, end: u64) -> u64 {
        let within = self.list.iter().filter(|taken| taken.whose != Whose::Nobody);
        let within = within.filter(|taken| taken.at <= end && taken.at + self.period > end);
        within.map(|taken| taken.permits).sum()
    }

    fn close_holes(&mut self, time: u64) {
        let last = self.last();
        for taken in &mut self.list {
            // Behind the last promise is no hole but the open future.
            if taken.whose == Whose::Hole && (taken.at < time || taken.at > last) {
                taken.whose = Whose::Nobody;
            }
        }
        let merged = self
            .list
            .iter()
            .any(|taken| matches!(taken.whose, Whose::Somebody(_)) && taken.at == last);
        for taken in &mut self.list {
            if merged && taken.whose == Whose::Hole && taken.at == last {
                taken.whose = Whose::Nobody;
            }
        }
    }

    fn last(&self) -> u64 {
        let taken = self.list.iter().filter(|taken| matches!(taken.whose, Whose::Somebody(_)));
        taken.map(|taken| taken.at).max().unwrap_or(0)
    }

    fn holes(&self, at: u64) -> u64 {
        let holes = self.list.iter().filter(|taken| taken.whose == Whose::Hole && taken.at == at);
        holes.map(|hole| hole.permits).sum()
    }

    /// When so many could be used, and is that a hole?
    fn place(&self, time: u64, permits: u64) -> (u64, bool) {
        let mut holes: Vec<_> =
            self.list.iter().filter(|taken| taken.whose == Whose::Hole).map(|it| it.at).collect();
        holes.sort_unstable();
        if let Some(&at) = holes.iter().find(|&&at| self.holes(at) >= permits) {
            return (at, true);
        }
        let at = (time.max(self.last())..).find(|&at| self.in_span(at) + permits <= self.limit);
        (at.unwrap(), false)
    }

    fn take(&mut self, at: u64, permits: u64, hole: bool, id: usize) {
        if hole {
            let left = self.holes(at) - permits;
            self.list.retain(|taken| taken.whose != Whose::Hole || taken.at != at);
            if left > 0 {
                self.list.push(Taken { at, permits: left, whose: Whose::Hole });
            }
        }
        self.list.push(Taken { at, permits, whose: Whose::Somebody(id) });
    }

    fn available(&self, time: u64) -> i64 {
        let ahead: u64 = self
            .list
            .iter()
            .filter(|taken| matches!(taken.whose, Whose::Somebody(_)) && taken.at > time)
            .map(|taken| taken.permits)
            .sum();
        let free = if ahead > 0 {
            self.holes(time)
        } else {
            self.limit.saturating_sub(self.in_span(time))
        };
        if free > 0 { free as i64 } else { -(ahead as i64) }
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
        6 => (prop_oneof![3 => Just(1), 1 => 0_u32..6], any::<bool>())
            .prop_map(|(permits, patient)| Step::Reserve { permits, patient }),
        3 => any::<usize>().prop_map(|which| Step::Refund { which }),
        3 => prop_oneof![3 => 0_u64..15, 1 => 0_u64..60].prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Drain),
        1 => (1_u32..6).prop_map(|limit| Step::SetLimit { limit }),
    ]
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn no_span_sees_more_than_the_limit(
        limit in 1_u32..6,
        period in 1_u64..20,
        timeout in 0_u64..80,
        resize in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (mut window, start) = window(limit, period, timeout);
        let mut model = Model { limit: limit.into(), period, list: Vec::new() };
        let (mut time, mut held) = (0, Vec::new());
        for (id, step) in steps.into_iter().enumerate() {
            let now = start + ns(time);
            model.close_holes(time);
            match step {
                Step::Reserve { permits: 0, .. } => {
                    prop_assert_eq!(window.reserve(now, 0, Patience::None), Answer::Granted);
                }
                Step::Reserve { permits, .. } if u64::from(permits) > model.limit => {
                    prop_assert_eq!(window.reserve(now, permits, ANY), Answer::Refused(None));
                }
                Step::Reserve { permits, patient } => {
                    let (patience, most) = if patient { (ANY, timeout) } else { (Patience::None, 0) };
                    let (at, hole) = model.place(time, permits.into());
                    match window.reserve(now, permits, patience) {
                        Answer::Granted => prop_assert_eq!(at, time),
                        Answer::Wait(claim) => {
                            prop_assert_eq!(window.ready_at(&claim), start + ns(at));
                            held.push((claim, id));
                        }
                        Answer::Refused(wait) => {
                            prop_assert_eq!(wait, Some(ns(at - time)));
                            prop_assert!(at > time + most);
                            continue;
                        }
                    }
                    prop_assert!(at <= time + most);
                    model.take(at, permits.into(), hole, id);
                }
                Step::Refund { which } if !held.is_empty() => {
                    let (claim, id) = held.swap_remove(which % held.len());
                    window.refund(now, &claim);
                    let taken = model.list.iter_mut().find(|it| it.whose == Whose::Somebody(id));
                    let taken = taken.unwrap();
                    if taken.at > time {
                        taken.whose = Whose::Hole;
                    }
                }
                Step::Advance { by } => time += by,
                Step::Drain => {
                    let free = model.available(time).max(0);
                    prop_assert_eq!(i64::from(window.drain(now)), free);
                    if free > 0 {
                        let hole = model.holes(time) > 0;
                        model.take(time, free as u64, hole, id);
                    }
                }
                Step::SetLimit { limit } if resize => {
                    window.set_limit(now, limit);
                    model.limit = limit.into();
                }
                _ => {}
            }
            model.close_holes(time);
            prop_assert_eq!(window.available(start + ns(time)), model.available(time));
            let (at, _) = model.place(time, 1);
            prop_assert_eq!(window.wait_for_one(start + ns(time)), ns(at - time));
        }
        if !resize {
            for taken in &model.list {
                prop_assert!(model.in_span(taken.at) <= limit.into());
            }
        }
    }
}
