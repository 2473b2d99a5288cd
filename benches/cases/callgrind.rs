//! Instructions a call.
//!
//! The binary runs itself again under `valgrind --tool=callgrind` with n and with 2n calls; the difference is n calls with nothing
//! else in it, and repeats to 1 %.

use std::process::Command;

use super::Case;

const CALLS: u64 = 10_000;
/// Before the counted calls: windows fill, thread-locals come to be.
const WARM_UP: u64 = 1_000;

/// Is this the run that is counted? Then it is over.
pub fn is_counted(arguments: &[String], all: &mut [Case]) -> bool {
    let [flag, name, calls] = arguments else { return false };
    let case = all.iter_mut().find(|case| case.name == name).filter(|_| flag == "--calls-of");
    let Some(case) = case else { return false };
    case.run(WARM_UP + calls.parse::<u64>().expect("a number"));
    true
}

/// Instructions a call of the case of this name.
pub fn instructions(name: &str) -> Result<u64, String> {
    let (once, twice) = (collected(name, CALLS)?, collected(name, 2 * CALLS)?);
    Ok((twice.saturating_sub(once) + CALLS / 2) / CALLS)
}

/// All instructions of a process that makes so many calls.
fn collected(name: &str, calls: u64) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["--calls-of", name, &calls.to_string()])
        .output()
        .map_err(|error| format!("valgrind is needed and cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :"));
    count
        .filter(|_| output.status.success())
        .and_then(|(_, count)| count.trim().parse().ok())
        .ok_or_else(|| format!("valgrind counted nothing for `{name}`:\n{said}"))
}
