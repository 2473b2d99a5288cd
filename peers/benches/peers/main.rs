//! seawall beside what else there is for Rust, in one run.
//!
//! `cargo bench -p seawall-peers [-- part of a group's name]`. In each group the first line is seawall's. Times are ratios to it
//! within one round, since a machine drifts; instructions (where valgrind is there) and allocations are exact. Whoever has fewer
//! instructions than seawall is shown to have fewer.
//!
//! Peers differ in what they do: a breaker of recloser counts no slow calls and tells nobody anything, tower's limits know
//! no name and refuse nothing. The list says what is set; like is set beside like as far as that goes.

#[path = "../../../benches/cases/mod.rs"]
mod cases;
mod glue;
mod list;

use std::ops::Div;

use cases::rounds::Rounds;
use cases::{BARE, Case, Immediate, callgrind};
use list::Group;

const CONTROL: &str = "bare again";
const CALLS: u64 = 10_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut groups = list::groups();

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if groups.iter_mut().any(|group| callgrind::is_counted(&arguments, &mut group.cases)) {
        return;
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        // Under `cargo test --benches` each case is only shown to run.
        groups.iter_mut().flat_map(|group| &mut group.cases).for_each(|case| case.run(2));
        return;
    }
    let part = arguments.iter().find(|argument| !argument.starts_with('-'));
    groups.retain(|group| part.is_none_or(|part| group.name.contains(part.as_str())));
    println!(
        "{:<40}{:>12}{:>14}{:>8}{:>8}",
        "one call", "allocations", "instructions", "ns", "× ours"
    );
    groups.iter_mut().for_each(report);
}

fn report(Group { name, cases }: &mut Group) {
    let size = cases.len();
    cases.extend([BARE, CONTROL].map(|name| Case::service(name, Immediate)));
    let rounds = Rounds::of(cases);
    println!("\n{name} ({})", rounds.trust(size, size + 1));
    for (place, case) in cases[..size].iter_mut().enumerate() {
        let (allocations, instructions) = (allocations(case), callgrind::instructions(case.name));
        let instructions = instructions.map_or_else(|_| "-".to_owned(), |it| it.to_string());
        let (ns, ratio) = (rounds.nanoseconds(place), rounds.between(place, 0, Div::div));
        println!("{:<40}{allocations:>12.2}{instructions:>14}{ns:>8.0}{ratio:>8.2}", case.name);
    }
}

fn allocations(case: &mut Case) -> f64 {
    let counted = allocation_counter::measure(|| case.run(CALLS));
    counted.count_total as f64 / CALLS as f64
}
