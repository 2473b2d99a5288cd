//! Instructions a call of each layer above the bare service.
//!
//! `cargo bench --bench instructions [-- part of a name] [--check]`. Each case is run again under
//! `valgrind --tool=callgrind` with n and with 2n calls; the difference is n calls with nothing else in
//! it, and repeats to 1 %. With `--check` a case above its target fails the run.

mod cases;

use std::process::ExitCode;

use cases::Case;
use cases::callgrind::{self, instructions};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut all = cases::all();

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |flag| arguments.iter().any(|argument| argument == flag);
    if callgrind::is_counted(&arguments, &mut all) {
        return ExitCode::SUCCESS;
    }
    if !has("--bench") {
        // Under `cargo test --benches` each case is only shown to run.
        all.iter_mut().for_each(|case| case.run(2));
        return ExitCode::SUCCESS;
    }
    let part = arguments.iter().find(|argument| !argument.starts_with('-'));
    match report(&all, part.map_or("", String::as_str)) {
        Ok(over) if over && has("--check") => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("instructions: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table, and says whether a case is above its target.
fn report(all: &[Case], part: &str) -> Result<bool, String> {
    let mut over = false;
    let mut bases: Vec<(&str, u64)> = Vec::new();
    println!("{:<36}{:>14}{:>12}{:>10}", "one call", "instructions", "above bare", "target");
    for case in all.iter().filter(|case| case.name.contains(part)) {
        let base = match bases.iter().find(|(name, _)| *name == case.base) {
            Some(&(_, base)) => base,
            None => {
                let base = instructions(case.base)?;
                bases.push((case.base, base));
                base
            }
        };
        let total = if case.name == case.base { base } else { instructions(case.name)? };
        let above = total.saturating_sub(base);
        let missed = case.target.is_some_and(|target| above > u64::from(target));
        over |= missed;
        let target = case.target.map_or(String::new(), |target| target.to_string());
        let mark = if missed { "  over" } else { "" };
        println!("{:<36}{total:>14}{above:>12}{target:>10}{mark}", case.name);
    }
    Ok(over)
}
