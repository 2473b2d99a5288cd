//! Nanoseconds a call of each layer, and how many times the bare service that is.
//!
//! `cargo bench --bench layers [-- part of a name]`. The cases take turns within a round, so that a
//! drift of the machine hits all of them alike; the ratio is the median over the rounds of the ratio within
//! one round. Trust a run only if the control, a second `bare`, stays within 5 %.

mod cases;

use cases::{BARE, Case};
use tokio::time::{Duration, Instant};

const ROUNDS: usize = 101;
/// How long a case is called for in each round.
const TURN: Duration = Duration::from_millis(2);
const CONTROL: &str = "bare again";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut all = cases::all();
    all.push(Case::service(CONTROL, cases::Immediate));

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        // Under `cargo test --benches` each case is only shown to run.
        all.iter_mut().for_each(|case| case.run(2));
        return;
    }
    if let Some(part) = arguments.iter().find(|argument| !argument.starts_with('-')) {
        let bases: Vec<_> = wanted(&all, part).map(|case| case.base).collect();
        all.retain(|case| {
            case.name.contains(part) || bases.contains(&case.name) || case.name == CONTROL
        });
    }

    let turns: Vec<u64> = all.iter_mut().map(calls_per_turn).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); all.len()];
    for _ in 0..ROUNDS {
        for ((case, &n), times) in all.iter_mut().zip(&turns).zip(&mut rounds) {
            times.push(nanoseconds(case, n));
        }
    }
    print(&all, &rounds);
}

fn wanted<'a>(all: &'a [Case], part: &'a str) -> impl Iterator<Item = &'a Case> {
    all.iter().filter(move |case| case.name.contains(part))
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

fn print(all: &[Case], rounds: &[Vec<f64>]) {
    println!("{:<36}{:>10}{:>12}{:>10}{:>10}", "one call", "ns", "above bare", "ratio", "future");
    for (case, times) in all.iter().zip(rounds) {
        let base = all.iter().position(|other| other.name == case.base).unwrap_or(0);
        let above = times.iter().zip(&rounds[base]).map(|(time, bare)| time - bare).collect();
        let ratio = times.iter().zip(&rounds[base]).map(|(time, bare)| time / bare).collect();
        let (ns, above, ratio) = (median(times.clone()), median(above), median(ratio));
        println!("{:<36}{ns:>10.1}{above:>12.1}{ratio:>10.2}{:>8} B", case.name, case.future);
    }
    let at =
        |name| all.iter().position(|case| case.name == name).map(|at| median(rounds[at].clone()));
    if let (Some(bare), Some(control)) = (at(BARE), at(CONTROL)) {
        let off = (control / bare - 1.0).abs() * 100.0;
        let verdict = if off < 5.0 { "quiet enough" } else { "do not trust this run" };
        println!("control off by {off:.1} %: {verdict}");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
