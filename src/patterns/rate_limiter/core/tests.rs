//! What holds of every algorithm.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Ahead, Claim, Core};
use crate::patterns::rate_limiter::state::{Answer, Patience};
use crate::patterns::rate_limiter::tests::{ANY, ns, seeded};
use crate::{RateLimiterAlgorithm, RateLimiterConfig};

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask { permits: u32, patient: bool },
    Refund { which: usize },
    Advance { by: u64 },
    Drain,
    SetLimit { limit: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (prop_oneof![3 => Just(1), 1 => 0_u32..5], any::<bool>())
            .prop_map(|(permits, patient)| Step::Ask { permits, patient }),
        2 => any::<usize>().prop_map(|which| Step::Refund { which }),
        3 => (0_u64..20).prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Drain),
        1 => (1_u32..5).prop_map(|limit| Step::SetLimit { limit }),
    ];
    prop::collection::vec(step, 1..40)
}

/// A core, and what was asked of it.
struct Played {
    core: Core,
    start: Instant,
    time: u64,
    held: Vec<Ahead>,
}

impl Played {
    fn new(config: &RateLimiterConfig, start: Instant) -> Self {
        Self { core: Core::new(config, start), start, time: 0, held: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.start + ns(self.time)
    }

    fn play(&mut self, step: Step) -> Option<Answer<()>> {
        let now = self.now();
        match step {
            Step::Ask { permits, patient } => {
                let patience = if patient { ANY } else { Patience::None };
                let held = &mut self.held;
                return Some(self.core.ask(now, permits, patience).map(|ahead| held.push(ahead)));
            }
            Step::Refund { which } if !self.held.is_empty() => {
                match self.held.swap_remove(which % self.held.len()) {
                    Ahead::Reserved(claim, _) => self.core.refund(now, &claim),
                    Ahead::Queued(id) => drop(self.core.leave(now, id)),
                }
            }
            Step::Refund { .. } => {}
            Step::Advance { by } => self.time += by,
            Step::Drain => drop(self.core.limiter().drain(now)),
            Step::SetLimit { limit } => self.core.limiter().set_limit(now, limit),
        }
        None
    }
}

fn algorithm() -> impl Strategy<Value = RateLimiterAlgorithm> {
    prop_oneof![
        Just(RateLimiterAlgorithm::Cycles),
        Just(RateLimiterAlgorithm::Semaphore),
        Just(RateLimiterAlgorithm::SlidingWindow),
        (1..5_u32).prop_map(|burst| RateLimiterAlgorithm::TokenBucket { burst }),
    ]
}

proptest! {
    #![proptest_config(seeded(1000))]

    /// Whoever comes back after so long is let in, and not a nanosecond earlier. One who asks for more
    /// than can ever be there at once has to be as patient again. Where no wait is named none helps.
    #[test]
    fn the_wait_that_a_refusal_names_is_exact(
        algorithm in algorithm(),
        limit in 1..5_u32,
        period in 1..20_u64,
        timeout in 0..60_u64,
        steps in steps(),
    ) {
        let config = RateLimiterConfig::builder()
            .algorithm(algorithm)
            .limit_for_period(limit)
            .limit_refresh_period(ns(period))
            .timeout(ns(timeout))
            .build()
            .unwrap();
        let start = Instant::now();
        let mut played = Played::new(&config, start);
        let again = |place: usize, after: Duration, patience: Patience| {
            let Step::Ask { permits, .. } = steps[place] else { unreachable!() };
            let mut again = Played::new(&config, start);
            for &step in &steps[..place] {
                again.play(step);
            }
            let now = again.now() + after;
            again.core.ask(now, permits, patience).map(drop)
        };
        let mut limit = limit;
        for (place, &step) in steps.iter().enumerate() {
            let answer = played.play(step);
            match step {
                Step::SetLimit { limit: now } => limit = now,
                Step::Ask { permits, patient } => {
                    let patience = if patient { ANY } else { Patience::None };
                    let most = match algorithm {
                        RateLimiterAlgorithm::TokenBucket { burst } => burst,
                        _ => limit,
                    };
                    match answer {
                        Some(Answer::Refused(Some(wait))) if permits <= most => {
                            let early = again(place, wait - ns(1), Patience::None);
                            prop_assert!(matches!(early, Answer::Refused(_)), "{:?}", wait);
                            let on_time = again(place, wait, Patience::None);
                            prop_assert_eq!(on_time, Answer::Granted, "{:?}", wait);
                        }
                        Some(Answer::Refused(Some(wait))) => {
                            prop_assert_eq!(again(place, wait, patience), Answer::Wait(()));
                        }
                        Some(Answer::Refused(None)) => {
                            let never = again(place, ns(1_000_000_000), patience);
                            prop_assert_eq!(never, Answer::Refused(None));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }
}

/// Nobody has to be asked twice for what is plainly there.
#[test]
fn what_is_plainly_there_is_taken_in_one_step() {
    let start = Instant::now();
    for algorithm in [
        RateLimiterAlgorithm::Cycles,
        RateLimiterAlgorithm::Semaphore,
        RateLimiterAlgorithm::SlidingWindow,
        RateLimiterAlgorithm::TokenBucket { burst: 2 },
    ] {
        let config = RateLimiterConfig::builder()
            .algorithm(algorithm)
            .limit_for_period(2)
            .limit_refresh_period(ns(10))
            .timeout(ns(0))
            .build()
            .unwrap();
        let mut core = Core::new(&config, start);
        let taken = [2, 1].map(|permits| core.take(start, permits));
        assert_eq!(taken, [true, false], "{algorithm:?}");
        assert_eq!(core.limiter().cycle(start + ns(29)), 2, "{algorithm:?}");
        assert!(core.take(start + ns(29), 2), "{algorithm:?}");
        assert!(!core.limiter().wait_for_one(start + ns(29)).is_zero(), "{algorithm:?}");
        core.limiter().set_timeout(ns(20));
        let ahead = core.ask(start + ns(29), 1, ANY);
        assert!(matches!(ahead, Answer::Wait(_)), "{algorithm:?}");
    }
}

#[test]
fn a_claim_is_no_larger_for_the_algorithms_that_there_are() {
    assert!(size_of::<Claim>() <= 112, "{}", size_of::<Claim>());
}
