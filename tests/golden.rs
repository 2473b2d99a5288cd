//! Replays recorded traces of Resilience4j into seawall and compares every step, to the digit.
//!
//! The traces stand in `tests/golden`, a directory a set; `SEAWALL_GOLDEN_DIR` names another such
//! directory. Where seawall differs on purpose is listed in `golden_support/differences.rs`. Has a
//! `main` of its own, so that the counts are seen in every run.

mod golden_support;

use std::process::ExitCode;

use golden_support::harness::{self, Test};
use golden_support::{proof, set};

/// The sets: directories below that of the golden traces.
const SETS: [&str; 1] = ["resilience4j"];

fn main() -> ExitCode {
    let replays = SETS.map(|name| Test::new(format!("replays_{name}"), move || set::run(name)));
    harness::main(replays.into_iter().chain(proof::tests()).collect())
}
