//! Replays one trace.

use std::collections::BTreeMap;

use super::differences::{self, Step};
use super::fields::{Fields, Seen};
use super::harness::caught;
use super::rate_limiter::Form;
use super::set::{Fault, Piece};
use super::{bulkhead, circuit_breaker, rate_limiter, retry, wait, window};

/// One instance of a pattern, played step by step.
pub(crate) trait Player {
    /// What there is to see before the first step.
    fn initial(&mut self) -> Seen {
        Seen::new()
    }

    /// Takes an op and its arguments out of `step`, does it, and tells what is to be seen then.
    fn play(&mut self, step: &mut Fields) -> Result<Next, String>;
}

pub(crate) enum Next {
    Seen(Seen),
    /// From here on the trace asks for what seawall does not do.
    End,
}

/// What was replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) traces: usize,
    pub(crate) steps: usize,
    pub(crate) differences: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.traces += other.traces;
        self.steps += other.steps;
        for (name, count) in &other.differences {
            *self.differences.entry(name).or_default() += count;
        }
    }
}

/// Tags of what a trace makes use of; all of it is there.
const FEATURES: [&str; 23] = [
    "manual_transitions",
    "stale_completions",
    "unpaired_completions",
    "error_labels",
    "failure_results",
    "open_on",
    "initial_state",
    "half_open_max_wait",
    "auto_half_open",
    "open_wait_function",
    "truncated_ms",
    "drain",
    "drain_on",
    "set_limit",
    "set_timeout",
    "call",
    "configure",
    "waiting",
    "retry_results",
    "observe_results",
    "wait_by_outcome",
    "fail_after_max_attempts",
    "sub_ms",
];

struct Trace {
    pattern: String,
    config: Seen,
    initial: Option<Seen>,
    player: Box<dyn Player>,
}

fn build(mut header: Fields) -> Result<Trace, String> {
    header.take("trace")?;
    header.take("steps")?;
    let pattern = header.text("pattern")?;
    let features = header.texts("features")?;
    if let Some(unknown) = features.iter().find(|known| !FEATURES.contains(&known.as_str())) {
        return Err(format!("unknown feature `{unknown}`"));
    }
    let phase = match header.has("clock_phase_ns") {
        true => Some(header.nanos("clock_phase_ns")?),
        false => None,
    };
    let config = header.object("config")?;
    let initial = match header.has("initial") {
        true => Some(header.object("initial")?.into_rest()),
        false => None,
    };
    header.finish()?;
    let kept = config.rest().clone();
    let player: Box<dyn Player> = match pattern.as_str() {
        "circuit_breaker" => Box::new(circuit_breaker::Breaker::new(config, phase, &features)?),
        "window" => Box::new(window::Alone::new(config, phase)?),
        "rate_limiter" => Box::new(rate_limiter::Limiter::new(config, Form::Cycles)?),
        "rate_limiter_fixed_refill" => {
            Box::new(rate_limiter::Limiter::new(config, Form::FixedRefill)?)
        }
        "bulkhead" => Box::new(bulkhead::Places::new(config, &features)?),
        "retry" => Box::new(retry::Calls::new(config)?),
        "wait_function_random" => Box::new(wait::Dice::new(config)?),
        "wait_function" => Box::new(wait::Exact::new(config)?),
        _ => return Err(format!("unknown pattern `{pattern}`")),
    };
    Ok(Trace { pattern, config: kept, initial, player })
}

/// Replays a trace to its end, or to the first step that seawall treats in its own way by design.
pub(crate) fn replay(piece: &Piece<'_>) -> Result<Tally, Fault> {
    let mut tally = Tally { traces: 1, ..Tally::default() };
    let at = |index: usize, what: String| piece.fault(index, what);
    let mut trace = Fields::parse(&piece.lines[0]).and_then(build).map_err(|what| at(0, what))?;
    let initial = trace.player.initial();
    let expected = trace.initial.take().unwrap_or_default();
    compare(&expected, &initial).map_err(|what| at(0, format!("before the first step, {what}")))?;

    let mut playing = true;
    let mut previous = Seen::new();
    for (index, line) in piece.lines.iter().enumerate().skip(1) {
        let mut step = Fields::parse(line).map_err(|what| at(index, what))?;
        if !playing {
            continue;
        }
        let played = caught(|| trace.player.play(&mut step));
        let seen = match played.map_err(|what| at(index, what))? {
            Next::Seen(seen) => seen,
            Next::End => {
                playing = false;
                continue;
            }
        };
        let recorded = step.into_rest();
        let mut expected = recorded.clone();
        let context = Step { pattern: &trace.pattern, config: &trace.config, previous: &previous };
        let applied = differences::apply(&context, &mut expected);
        for difference in &applied {
            *tally.differences.entry(difference.name).or_default() += 1;
        }
        compare(&expected, &seen).map_err(|what| {
            let why = applied.iter().map(|it| format!(" ({}: {})", it.name, it.reason));
            at(index, what + &why.collect::<String>())
        })?;
        previous = recorded;
        tally.steps += 1;
    }
    Ok(tally)
}

/// Both must have the same keys and the same values, to the digit.
fn compare(expected: &Seen, actual: &Seen) -> Result<(), String> {
    for (key, value) in expected {
        match actual.get(key) {
            None => return Err(format!("`{key}` is {value} in the trace, but unknown here")),
            Some(here) if here != value => {
                return Err(format!("`{key}` is {value} in the trace, but {here} here"));
            }
            Some(_) => {}
        }
    }
    match actual.iter().find(|(key, _)| !expected.contains_key(*key)) {
        None => Ok(()),
        Some((key, here)) => Err(format!("`{key}` is absent in the trace, but {here} here")),
    }
}
