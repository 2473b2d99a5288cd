//! Nanoseconds a call.
//!
//! The cases take turns within a round, so that a drift of the machine hits all of them alike. Ratios are those within one
//! round.

use tokio::time::{Duration, Instant};

use super::Case;

const ROUNDS: usize = 101;
/// How long a case is called for in each round.
const TURN: Duration = Duration::from_millis(2);

/// What each case took in each round.
pub struct Rounds(Vec<Vec<f64>>);

impl Rounds {
    /// Calls them all, in turns. The answers go by their places.
    pub fn of(cases: &mut [Case]) -> Self {
        let turns: Vec<u64> = cases.iter_mut().map(calls_per_turn).collect();
        let mut rounds = vec![Vec::with_capacity(ROUNDS); cases.len()];
        for _ in 0..ROUNDS {
            for ((case, &n), times) in cases.iter_mut().zip(&turns).zip(&mut rounds) {
                times.push(nanoseconds(case, n));
            }
        }
        Self(rounds)
    }

    /// The median.
    pub fn nanoseconds(&self, case: usize) -> f64 {
        median(self.0[case].clone())
    }

    /// May the run be trusted, in which these two are the same?
    pub fn trust(&self, bare: usize, control: usize) -> String {
        let off = (self.nanoseconds(control) / self.nanoseconds(bare) - 1.0).abs() * 100.0;
        let verdict = if off < 5.0 { "quiet enough" } else { "do not trust this run" };
        format!("control off by {off:.1} %: {verdict}")
    }

    /// The median of what two cases come to within one round.
    pub fn between(&self, case: usize, base: usize, compare: impl Fn(f64, f64) -> f64) -> f64 {
        let pairs = self.0[case].iter().zip(&self.0[base]);
        median(pairs.map(|(time, base)| compare(*time, *base)).collect())
    }
}

fn calls_per_turn(case: &mut Case) -> u64 {
    let mut n = 1000;
    // The first turns warm up.
    for _ in 0..3 {
        n = (TURN.as_secs_f64() * 1e9 / nanoseconds(case, n)).ceil() as u64;
    }
    n
}

fn nanoseconds(case: &mut Case, n: u64) -> f64 {
    let start = Instant::now();
    case.run(n);
    start.elapsed().as_secs_f64() * 1e9 / n as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
