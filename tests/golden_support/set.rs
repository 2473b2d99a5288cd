//! Finds the sets, and cuts their files into traces.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::fields::Fields;
use super::replay::{Tally, replay};

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

/// The traces that come with seawall.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The directory of the sets: `SEAWALL_GOLDEN_DIR`, or the shipped one.
pub(crate) fn directory() -> PathBuf {
    env::var_os("SEAWALL_GOLDEN_DIR").map_or_else(shipped, PathBuf::from)
}

/// One trace: a header line and its step lines.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) file: &'a str,
    /// The header's line number, from 1.
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) pattern: String,
    pub(crate) lines: Vec<Cow<'a, str>>,
}

impl Piece<'_> {
    /// Something is wrong with the line of this index; the header has index 0.
    pub(crate) fn fault(&self, index: usize, what: impl fmt::Display) -> Fault {
        let Self { file, line, name, .. } = self;
        let line = line + index;
        let step = if index == 0 { "header".into() } else { format!("step {index}") };
        Fault(format!("{file}:{line}: trace {name}, {step}: {what}"))
    }
}

/// The names and texts of a set's files. Quirk files are no part of it.
pub(crate) fn files(set: &Path) -> Result<Vec<(String, String)>, Fault> {
    let failed = |what: &dyn fmt::Display| Fault(format!("{}: {what}", set.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(set).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".jsonl") || name.ends_with("_quirks.jsonl") {
            continue;
        }
        let text =
            fs::read_to_string(&path).map_err(|error| failed(&format!("{name}: {error}")))?;
        files.push((name, text));
    }
    if files.is_empty() {
        return Err(failed(&"no traces"));
    }
    files.sort();
    Ok(files)
}

/// Cuts a file into its traces.
pub(crate) fn pieces<'a>(file: &'a str, text: &'a str) -> Result<Vec<Piece<'a>>, Fault> {
    let lines: Vec<&str> = text.lines().collect();
    let mut pieces: Vec<Piece<'a>> = Vec::new();
    let mut next = 0;
    while next < lines.len() {
        let at = |what: &dyn fmt::Display| {
            let after = pieces.last().map(|last| format!(" after trace {}", last.name));
            Fault(format!("{file}:{}:{} {what}", next + 1, after.unwrap_or_default()))
        };
        let mut header = Fields::parse(lines[next]).map_err(|what| at(&what))?;
        if !header.has("trace") {
            return Err(at(&"a header is due, but this is a step"));
        }
        let name = header.text("trace").map_err(|what| at(&what))?;
        let steps = header.number("steps").map_err(|what| at(&what))? as usize;
        let pattern = header.text("pattern").map_err(|what| at(&what))?;
        let Some(body) = lines.get(next..=next.saturating_add(steps)) else {
            let left = lines.len() - next - 1;
            return Err(at(&format!(
                "trace {name} shall have {steps} steps, but {left} lines are left"
            )));
        };
        if steps == 0 {
            return Err(at(&format!("trace {name} has no steps")));
        }
        let is_header = |line: &&str| {
            line.contains("\"trace\"") && Fields::parse(line).is_ok_and(|it| it.has("trace"))
        };
        if let Some(done) = body.iter().skip(1).position(is_header) {
            let what = format!("trace {name} has only {done} of its {steps} steps");
            return Err(Fault(format!("{file}:{}: {what}", next + done + 2)));
        }
        let body = body.iter().map(|line| Cow::Borrowed(*line)).collect();
        pieces.push(Piece { file, line: next + 1, name, pattern, lines: body });
        next += steps + 1;
    }
    if pieces.is_empty() {
        return Err(Fault(format!("{file}: no traces")));
    }
    Ok(pieces)
}

/// Replays a whole set.
pub(crate) fn replay_set(set: &Path) -> Result<Tally, Vec<Fault>> {
    let files = files(set).map_err(|fault| vec![fault])?;
    let (mut tally, mut faults, mut names) = (Tally::default(), Vec::new(), HashSet::new());
    for (file, text) in &files {
        let pieces = match pieces(file, text) {
            Ok(pieces) => pieces,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for piece in pieces {
            match replay(&piece) {
                Ok(replayed) => tally.add(&replayed),
                Err(fault) => faults.push(fault),
            }
            if !names.insert(piece.name.clone()) {
                faults.push(piece.fault(0, "the name is taken already"));
            }
        }
    }
    if faults.is_empty() { Ok(tally) } else { Err(faults) }
}

/// Replays a set by its name, and tells how much that was.
pub(crate) fn run(name: &str) -> Result<(), String> {
    let tally = replay_set(&directory().join(name)).map_err(|faults| report(&faults))?;
    let differences: usize = tally.differences.values().sum();
    let Tally { traces, steps, .. } = tally;
    println!(
        "replayed {name}: {traces} traces, {steps} steps, {differences} deliberate differences"
    );
    Ok(())
}

fn report(faults: &[Fault]) -> String {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = faults.iter().take(SHOWN).map(Fault::to_string).collect();
    if faults.len() > SHOWN {
        lines.push(format!("and {} more", faults.len() - SHOWN));
    }
    lines.join("\n")
}
