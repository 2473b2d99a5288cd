//! Nanoseconds a call of each layer, and how many times the bare service that is.
//!
//! `cargo bench --bench layers [-- part of a name]`. The ratio is the median over the rounds of the ratio within one round. Trust
//! a run only if the control, a second `bare`, stays within 5 %.

mod cases;

use std::ops::{Div, Sub};

use cases::rounds::Rounds;
use cases::{BARE, Case};

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
        let wanted = all.iter().filter(|case| case.name.contains(part));
        let bases: Vec<_> = wanted.map(|case| case.base).collect();
        all.retain(|case| {
            case.name.contains(part) || bases.contains(&case.name) || case.name == CONTROL
        });
    }
    let rounds = Rounds::of(&mut all);
    print(&all, &rounds);
}

fn print(all: &[Case], rounds: &Rounds) {
    let at = |name| all.iter().position(|case| case.name == name);
    println!("{:<36}{:>10}{:>12}{:>10}{:>10}", "one call", "ns", "above bare", "ratio", "future");
    for (place, case) in all.iter().enumerate() {
        let base = at(case.base).unwrap_or(0);
        let above = rounds.between(place, base, Sub::sub);
        let ratio = rounds.between(place, base, Div::div);
        let ns = rounds.nanoseconds(place);
        println!("{:<36}{ns:>10.1}{above:>12.1}{ratio:>10.2}{:>8} B", case.name, case.future);
    }
    if let (Some(bare), Some(control)) = (at(BARE), at(CONTROL)) {
        println!("{}", rounds.trust(bare, control));
    }
}
