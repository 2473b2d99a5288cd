//! Proves that a replay can fail: no digit of a trace is compared in vain.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use seawall::Random;

use super::checksum::cksum;
use super::differences::DIFFERENCES;
use super::fields::Fields;
use super::harness::{Outcome, Test};
use super::replay::replay;
use super::set::{Fault, files, pieces, replay_set, shipped};

/// All patterns that have traces.
const PATTERNS: [&str; 8] = [
    "bulkhead",
    "circuit_breaker",
    "rate_limiter",
    "rate_limiter_fixed_refill",
    "retry",
    "wait_function",
    "wait_function_random",
    "window",
];

pub(crate) fn tests() -> Vec<Test> {
    let mut tests: Vec<Test> = PATTERNS
        .iter()
        .map(|pattern| {
            Test::new(format!("one_changed_digit_fails::{pattern}"), || changed_digits(pattern))
        })
        .collect();
    type Run = fn() -> Outcome;
    let rest: [(&str, Run); 13] = [
        ("every_pattern_is_shipped_and_no_other", every_pattern),
        ("every_difference_occurs", every_difference_occurs),
        ("shipped_traces_are_whole", shipped_traces_are_whole),
        ("a_missing_set_fails", missing_set),
        ("an_empty_set_fails", empty_set),
        ("an_unreadable_file_fails", unreadable_file),
        ("a_truncated_file_fails", truncated_file),
        ("what_is_not_understood_fails", not_understood),
        ("a_fault_names_file_line_trace_and_step", fault_names_the_place),
        ("a_name_cannot_be_used_twice", same_name_twice),
        ("the_pattern_decides_and_not_the_name_of_the_file", pattern_decides),
        ("only_a_tagged_trace_may_end_early", early_end),
        ("the_environment_names_another_directory", environment),
    ];
    tests.extend(rest.map(|(name, run)| Test::new(name, run)));
    tests
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn all_files() -> Result<Vec<(String, String)>, String> {
    Ok(files(&shipped().join("resilience4j"))?)
}

fn said(fault: &Fault) -> String {
    fault.to_string()
}

// ## One changed digit

/// Changes in each file of a pattern: so many traces, and so many digits in each.
const TRACES: usize = 12;
const DIGITS: usize = 8;

fn changed_digits(pattern: &str) -> Outcome {
    let random = Random::seeded(2);
    let mut tried = 0;
    for (file, text) in all_files()? {
        let mut pieces = pieces(&file, &text)?;
        pieces.retain(|piece| piece.pattern == pattern);
        for piece in choose(&random, &pieces, TRACES) {
            let whole = replay(piece)?;
            // Some traces begin with what is not replayed.
            if whole.steps == 0 {
                continue;
            }
            for _ in 0..DIGITS {
                let index = 1 + below(&random, whole.steps);
                let Some(changed) = change(&random, &piece.lines[index], pattern) else { continue };
                tried += 1;
                let mut piece = piece.clone();
                piece.lines[index] = Cow::Borrowed(&changed);
                if pattern.starts_with("wait_function") {
                    // One wait knows nothing of another, and dice take their time.
                    piece.lines.drain(1..index);
                    piece.lines.truncate(2);
                }
                ensure(replay(&piece).is_err(), || {
                    said(&piece.fault(index, format!("a changed digit is not noticed: {changed}")))
                })?;
            }
        }
    }
    ensure(tried >= TRACES, || format!("only {tried} digits of {pattern} were changed"))
}

fn below(random: &Random, limit: usize) -> usize {
    (random.fraction() * limit as f64) as usize
}

fn choose<'a, T>(random: &Random, list: &'a [T], most: usize) -> Vec<&'a T> {
    if list.len() <= most {
        return list.iter().collect();
    }
    (0..most).map(|_| &list[below(random, list.len())]).collect()
}

/// Changes one digit among what was observed in a step.
fn change(random: &Random, line: &str, pattern: &str) -> Option<String> {
    // Arguments come first. That they matter is another question: of a refused call, for one, nobody
    // learns how long it would have taken.
    const OBSERVED: [&str; 12] = [
        "\"r\":",
        "\"waited\":",
        "\"granted\":",
        "\"expired\":",
        "\"t\":",
        "\"s\":",
        "\"m\":",
        "\"waiting\":",
        "\"ev\":",
        "\"log\":",
        "\"attempts\":",
        "\"min\":",
    ];
    let from = match pattern {
        "wait_function" => line.find("\"wait\":")?,
        _ => OBSERVED.iter().filter_map(|key| line.find(key)).min()?,
    };
    let digits: Vec<usize> = line
        .bytes()
        .enumerate()
        .skip(from)
        .filter(|(_, b)| b.is_ascii_digit())
        .map(|d| d.0)
        .collect();
    let at = *digits.get(below(random, digits.len()))?;
    let old = line.as_bytes()[at] - b'0';
    let new = (old + 1 + below(random, 9) as u8) % 10;
    let changed = format!("{}{new}{}", &line[..at], &line[at + 1..]);
    if pattern == "wait_function_random" && !matters(line, &changed) {
        return None;
    }
    Some(changed)
}

/// Draws are not known to the digit. A change must be noticed if it moves a number by more than a
/// fiftieth of the longest wait, or leaves no whole milliseconds.
///
/// The mean of 20 000 even draws strays by 6 standard deviations of 1 / sqrt(12 · 20 000) of the
/// spread, a 82nd of it, and the spread is no more than the longest wait; the smallest and the largest
/// draw stray far less.
fn matters(line: &str, changed: &str) -> bool {
    let read = |line: &str| {
        let mut step = Fields::parse(line).ok()?;
        Some(["min", "max", "mean", "draws"].map(|key| step.number(key).unwrap_or(0)))
    };
    let (Some(old), Some(new)) = (read(line), read(changed)) else { return true };
    let [_, max, _, draws] = old;
    let moved = (0..3).any(|key| old[key].abs_diff(new[key]) > max / 50);
    let broken = (0..2).any(|key| new[key] % 1_000_000 != 0);
    draws == new[3] && (moved || broken)
}

// ## The shipped traces

fn every_pattern() -> Outcome {
    let mut found = BTreeSet::new();
    for (file, text) in all_files()? {
        let pieces = pieces(&file, &text)?;
        found.extend(pieces.into_iter().map(|piece| piece.pattern));
    }
    ensure(found.iter().eq(&PATTERNS), || format!("the shipped patterns are {found:?}"))
}

fn every_difference_occurs() -> Outcome {
    let mut counts = BTreeMap::new();
    for (file, text) in all_files()? {
        for piece in pieces(&file, &text)? {
            if DIFFERENCES.iter().any(|difference| difference.pattern == piece.pattern) {
                counts.extend(replay(&piece)?.differences);
            }
        }
    }
    DIFFERENCES.iter().try_for_each(|difference| {
        ensure(counts.contains_key(difference.name), || {
            format!("no shipped trace shows that {}", difference.name)
        })
    })
}

/// `tests/golden/CKSUMS` is what `cksum resilience4j/*.jsonl` prints there: no digit of any shipped
/// file can change unnoticed, replayed or not.
fn shipped_traces_are_whole() -> Outcome {
    let list = fs::read_to_string(shipped().join("CKSUMS")).map_err(|error| error.to_string())?;
    let mut listed = BTreeSet::new();
    for line in list.lines() {
        let [sum, length, name] =
            line.splitn(3, ' ').collect::<Vec<_>>().try_into().map_err(|_| line.to_owned())?;
        let bytes = fs::read(shipped().join(name)).map_err(|error| format!("{name}: {error}"))?;
        ensure(bytes.len().to_string() == length, || format!("{name} has another length"))?;
        ensure(cksum(&bytes).to_string() == sum, || format!("{name} has another checksum"))?;
        listed.insert(name);
    }
    all_files()?.iter().try_for_each(|(name, _)| {
        let name = format!("resilience4j/{name}");
        ensure(listed.contains(name.as_str()), || format!("{name} is not listed"))
    })
}

// ## What must fail

/// A directory that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for tests");
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).expect("a file in a directory for tests");
    }

    /// The only fault of the set here.
    fn fault(&self) -> Result<String, String> {
        match replay_set(&self.0) {
            Ok(tally) => Err(format!("no fault: {tally:?}")),
            Err(faults) if faults.len() == 1 => Ok(said(&faults[0])),
            Err(faults) => Err(format!("more than one fault: {faults:?}")),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Two short traces.
const HEADER: &str = r#"{"trace":"w-1","pattern":"window","steps":2,"features":[],"config":{"window":{"kind":"count","size":2},"sub_ms":false},"initial":{"m":[0,0,0,0,0,0,0.0,0.0]}}"#;
const FIRST: &str = r#"{"op":"record","dur":7000000,"outcome":"slow_error","m":[1,1,1,1,7000000,7000000,100.0,100.0]}"#;
const SECOND: &str =
    r#"{"op":"record","dur":2000000,"outcome":"success","m":[2,1,1,1,9000000,4000000,50.0,50.0]}"#;
const OTHER: &str = r#"{"trace":"f-1","pattern":"wait_function","steps":1,"features":[],"config":{"kind":"fixed","wait_ns":5000000}}
{"attempt":1,"wait":5000000}"#;

fn small() -> String {
    [HEADER, FIRST, SECOND, OTHER].map(|line| format!("{line}\n")).concat()
}

fn missing_set() -> Outcome {
    let faults = replay_set(&shipped().join("no such set")).err().unwrap_or_default();
    ensure(faults.len() == 1 && said(&faults[0]).contains("no such set"), || format!("{faults:?}"))
}

fn empty_set() -> Outcome {
    let scratch = Scratch::new("empty");
    let fault = scratch.fault()?;
    ensure(fault.ends_with("no traces"), || fault)?;
    // Quirks are not replayed, so a set must have something else.
    scratch.write("all_quirks.jsonl", small());
    let fault = scratch.fault()?;
    ensure(fault.ends_with("no traces"), || fault)?;
    scratch.write("a.jsonl", "");
    let fault = scratch.fault()?;
    ensure(fault == "a.jsonl: no traces", || fault)
}

fn unreadable_file() -> Outcome {
    let scratch = Scratch::new("unreadable");
    scratch.write("a.jsonl", small());
    fs::create_dir(scratch.0.join("b.jsonl")).map_err(|error| error.to_string())?;
    let fault = scratch.fault()?;
    ensure(fault.contains("b.jsonl"), || fault)?;
    fs::remove_dir(scratch.0.join("b.jsonl")).map_err(|error| error.to_string())?;
    scratch.write("b.jsonl", b"{\"trace\":\"\xff\"}");
    let fault = scratch.fault()?;
    ensure(fault.contains("b.jsonl"), || fault)
}

fn truncated_file() -> Outcome {
    let scratch = Scratch::new("truncated");
    let whole = small();
    scratch.write("a.jsonl", &whole);
    replay_set(&scratch.0).map_err(|faults| format!("{faults:?}"))?;
    let starts: Vec<usize> = whole.match_indices("{\"trace\"").map(|(at, _)| at).collect();
    for length in 0..whole.len() - 1 {
        // Cut between two traces, a file is whole: only the list of checksums knows better.
        if length > 0 && starts.iter().any(|start| length == *start || length + 1 == *start) {
            continue;
        }
        scratch.write("a.jsonl", &whole[..length]);
        ensure(scratch.fault().is_ok(), || format!("cut to {length} bytes, it is still replayed"))?;
    }
    // A step less, or one more, in the middle of a file.
    scratch.write("a.jsonl", [HEADER, FIRST, OTHER].join("\n"));
    let fault = scratch.fault()?;
    ensure(fault == "a.jsonl:3: trace w-1 has only 1 of its 2 steps", || fault)?;
    scratch.write("a.jsonl", [HEADER, FIRST, SECOND, SECOND, OTHER].join("\n"));
    let fault = scratch.fault()?;
    ensure(fault.starts_with("a.jsonl:4: after trace w-1 a header is due"), || fault)
}

fn not_understood() -> Outcome {
    let scratch = Scratch::new("not-understood");
    for (old, new, told) in [
        ("\"pattern\":\"window\"", "\"pattern\":\"door\"", "unknown pattern `door`"),
        ("\"features\":[]", "\"features\":[\"wings\"]", "unknown feature `wings`"),
        ("\"features\":[]", "\"features\":[],\"quirks\":[]", "unknown key `quirks`"),
        ("\"features\":[],", "", "no key `features`"),
        ("\"kind\":\"count\"", "\"kind\":\"big\"", "no window `big`"),
        ("\"size\":2", "\"size\":2,\"shape\":1", "unknown key `shape`"),
        ("\"size\":2", "\"size\":\"2\"", "`size` is \"2\", which is not a count"),
        ("\"sub_ms\":false", "\"sub_ms\":false,\"extra\":1", "unknown key `extra`"),
        ("\"op\":\"record\"", "\"op\":\"forget\"", "unknown op `forget`"),
        ("\"slow_error\"", "\"late\"", "unknown outcome `late`"),
        ("\"dur\":7000000,", "", "no key `dur`"),
        ("\"dur\":7000000", "\"dur\":-7", "`dur` is -7, which is not"),
        ("\"dur\":7000000", "\"dur\":7000000,\"x\":0", "`x` is 0 in the trace, but unknown here"),
        ("\"slow_error\",\"m\"", "\"slow_error\",\"n\"", "`n` is [1"),
        ("\"dur\":7000000", "\"dur\":7000000.5", "which is not"),
        ("\"dur\":7000000", "\"dur\":70000 0", "not JSON"),
        ("\"initial\":{\"m\":[0", "\"initial\":{\"m\":[1", "before the first step, `m` is"),
        (",\"initial\":{\"m\":[0,0,0,0,0,0,0.0,0.0]}", "", "`m` is absent in the trace"),
        ("100.0,100.0", "100.0,100.00001", "`m` is"),
        ("100.0,100.0", "100,100", "`m` is"),
    ] {
        let text = small();
        ensure(text.contains(old), || format!("no {old} to be replaced"))?;
        scratch.write("a.jsonl", text.replacen(old, new, 1));
        let fault = scratch.fault().map_err(|what| format!("{new}: {what}"))?;
        ensure(fault.contains(told), || format!("{new}: {fault}"))?;
    }
    Ok(())
}

fn fault_names_the_place() -> Outcome {
    let scratch = Scratch::new("place");
    scratch.write("b.jsonl", small().replace("9000000", "9100000"));
    let fault = scratch.fault()?;
    ensure(fault.starts_with("b.jsonl:3: trace w-1, step 2: `m` is [2,1,1,1,9100000,"), || fault)
}

fn same_name_twice() -> Outcome {
    let scratch = Scratch::new("twice");
    scratch.write("a.jsonl", small());
    scratch.write("b.jsonl", OTHER);
    let fault = scratch.fault()?;
    ensure(fault == "b.jsonl:1: trace f-1, header: the name is taken already", || fault)
}

fn pattern_decides() -> Outcome {
    let scratch = Scratch::new("pattern");
    scratch.write("retry.jsonl", small());
    scratch.write("README.md", "not a trace");
    scratch.write("retry_quirks.jsonl", "not even JSON");
    let tally = replay_set(&scratch.0).map_err(|faults| format!("{faults:?}"))?;
    ensure((tally.traces, tally.steps) == (2, 3), || format!("{tally:?}"))
}

fn early_end() -> Outcome {
    let scratch = Scratch::new("early");
    let config = r#"{"window":{"kind":"count","size":1},"minimum_calls":1,"failure_rate_threshold":50.0,"slow_call_rate_threshold":50.0,"slow_call_duration_ns":1,"half_open_permits":1,"half_open_max_wait_ns":0,"half_open_max_wait_to":"open","open_wait":{"kind":"fixed","wait_ns":1000000},"auto_half_open":false,"initial_state":"closed","record_errors":null,"ignore_errors":[],"failure_results":[],"open_on":{}}"#;
    let m = "[-1.0,-1.0,0,0,0,0,0]";
    let seen = format!(r#""t":0,"s":"closed","m":{m}"#);
    let acquire = format!(r#"{{"op":"acquire","r":true,{seen}}}"#);
    let release = format!(r#"{{"op":"release",{seen}}}"#);
    let stale = format!(r#"{{"op":"release","stale":true,{seen}}}"#);
    for (tag, last, told) in [
        ("", &release, "no admitted call"),
        ("\"stale_completions\"", &release, "no admitted call"),
        ("\"unpaired_completions\"", &release, ""),
        ("", &stale, "no admitted call"),
        ("\"stale_completions\"", &stale, ""),
    ] {
        let header = format!(
            r#"{{"trace":"c-1","pattern":"circuit_breaker","steps":4,"features":[{tag}],"clock_phase_ns":0,"config":{config},"initial":{{"s":"closed","m":{m}}}}}"#
        );
        // What stands behind the end is not looked at.
        let lines = [&header, &acquire, &release, last, r#"{"op":"anything"}"#];
        scratch.write("a.jsonl", lines.join("\n"));
        match replay_set(&scratch.0) {
            Ok(tally) if told.is_empty() && tally.steps == 2 => {}
            Err(faults) if !told.is_empty() && said(&faults[0]).contains(told) => {}
            result => return Err(format!("{tag} {last}: {result:?}")),
        }
    }
    Ok(())
}

/// Runs this very program on the sets of `directory`.
fn run_on(directory: &Path) -> Result<Output, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(this);
    command.args(["replays_resilience4j", "--exact"]).env("SEAWALL_GOLDEN_DIR", directory);
    command.output().map_err(|error| error.to_string())
}

fn environment() -> Outcome {
    let scratch = Scratch::new("environment");
    let output = run_on(&scratch.0)?;
    ensure(!output.status.success(), || "a missing set does not fail".into())?;
    let set = scratch.0.join("resilience4j");
    fs::create_dir(&set).map_err(|error| error.to_string())?;
    fs::write(set.join("any.jsonl"), small()).map_err(|error| error.to_string())?;
    let output = run_on(&scratch.0)?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = "replayed resilience4j: 2 traces, 3 steps, 0 deliberate differences";
    ensure(told.lines().filter(|told| *told == line).count() == 1, || told.clone())?;
    ensure(output.status.success(), || told)?;
    fs::write(set.join("any.jsonl"), small().replace("50.0,50.0", "50.0,60.0"))
        .map_err(|error| error.to_string())?;
    let output = run_on(&scratch.0)?;
    ensure(!output.status.success(), || "a changed digit does not fail".into())
}
