//! Where nobody listens, calls are counted without the lock if that is enough. It must not show.

use std::time::Duration;

use seawall::patterns::circuit_breaker::{OpenFor, Permit, State};
use seawall::{Cause, CircuitBreaker, CircuitBreakerConfig, Random, SlidingWindow, Verdict};

use crate::support::*;

/// The same calls through a breaker with a listener, which must tell all, and one without.
struct Twins {
    both: [CircuitBreaker; 2],
    running: Vec<[Permit; 2]>,
    dice: Random,
}

impl Twins {
    fn new(dice: Random) -> Self {
        let mut twins = Self {
            both: [(); 2].map(|()| CircuitBreaker::with_defaults("")),
            running: vec![],
            dice,
        };
        let window = match twins.roll(4) {
            0 => SlidingWindow::Count(5),
            1 => SlidingWindow::Count(100),
            2 => SlidingWindow::Time { seconds: 2 },
            _ => SlidingWindow::Consecutive(3),
        };
        let mut builder = CircuitBreakerConfig::builder()
            .sliding_window(window)
            .minimum_number_of_calls(4)
            .permitted_calls_in_half_open(3)
            .wait_duration_in_open_state(ms(300))
            .slow_call_duration_threshold(if twins.flip() { ms(150) } else { Duration::MAX })
            .automatic_transition_from_open_to_half_open(twins.roll(4) == 0);
        if twins.roll(4) == 0 {
            builder =
                builder.transition_on_result(|verdict| verdict.retry_after().map(OpenFor::Span));
        }
        let config = builder.build().unwrap();
        twins.both = [(); 2].map(|()| CircuitBreaker::new("twin", config.clone()));
        twins.both[0].observe(|_: &seawall::telemetry::Event<'_>| {});
        twins
    }

    fn roll(&self, sides: usize) -> usize {
        (self.dice.fraction() * sides as f64) as usize
    }

    fn flip(&self) -> bool {
        self.roll(2) == 0
    }

    async fn step(&mut self) {
        match self.roll(40) {
            0..16 => match [0, 1].map(|twin| self.both[twin].try_acquire()) {
                [Ok(told), Ok(untold)] => self.running.push([told, untold]),
                [Err(told), Err(untold)] => assert_eq!(told, untold),
                others => panic!("{others:?}"),
            },
            16..32 if !self.running.is_empty() => {
                let permits = self.running.swap_remove(self.roll(self.running.len()));
                let (end, elapsed) = (self.roll(24), ms(50) * self.roll(5) as u32);
                for permit in permits {
                    match end {
                        0 => drop(permit),
                        1 | 2 => permit.failure(Cause::Other),
                        3 => permit.record(&Verdict::ignored(Cause::Other)),
                        4 => permit.record_elapsed(&Verdict::success(), elapsed),
                        5 => permit.record(&Verdict::success().with_retry_after(Some(elapsed))),
                        _ => permit.success(),
                    }
                }
            }
            32..36 => pass(ms(20) * self.roll(6) as u32).await,
            36 => pass(ms(self.roll(700) as u64)).await,
            37 if self.roll(8) == 0 => self.both.iter().for_each(CircuitBreaker::reset),
            38 if self.roll(8) == 0 => {
                self.both.iter().for_each(CircuitBreaker::transition_to_metrics_only);
            }
            38 if self.roll(8) == 0 => {
                self.both.iter().for_each(CircuitBreaker::transition_to_disabled);
            }
            39 => self.compare(),
            _ => {}
        }
    }

    fn compare(&self) {
        let [told, untold] = &self.both;
        assert_eq!(told.counters(), untold.counters());
        assert_eq!(told.metrics(), untold.metrics());
        assert_eq!(told.state(), untold.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_behaves_the_same_whether_or_not_anybody_listens() {
    let mut seen = Vec::new();
    for seed in 0..200 {
        let mut twins = Twins::new(Random::seeded(seed));
        for _ in 0..600 {
            twins.step().await;
        }
        twins.compare();
        seen.push(twins.both[1].state());
    }
    for state in [State::Closed, State::Open, State::HalfOpen, State::Disabled, State::MetricsOnly]
    {
        assert!(seen.contains(&state), "no run ends {state}");
    }
}

#[test]
fn whoever_begins_to_listen_hears_of_every_call_from_then_on() {
    let breaker = CircuitBreaker::with_defaults("inventory");
    ok(&breaker);
    let begun = breaker.try_acquire().unwrap();
    let log = Log::of(&breaker);
    begun.success();
    ok(&breaker);
    assert_eq!(log.all().len(), 2);
    breaker.transition_to_open().unwrap();
    log.clear();
    reason(&breaker);
    assert_eq!(log.all().len(), 1);
    assert_eq!((breaker.counters().successful, breaker.counters().not_permitted), (3, 1));
}
