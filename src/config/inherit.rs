//! What an instance gets from shared configs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::document::{Named, Section};
use super::model::kind::Setting;
use super::problem::{Report, shown};
use super::read::Record;
use super::tree::path::nearest;

/// Settings that stand in each other's place: if the nearer level sets one of the first, it does not get the second from above.
const INSTEAD: [(&str, &[&str], &[&str]); 8] = [
    ("circuit_breaker", &["open_wait.*"], OPEN_WAIT),
    ("circuit_breaker", OPEN_WAIT, &["open_wait.*"]),
    (
        "circuit_breaker",
        &["record_exceptions", "record"],
        &["record_exceptions", "record", "record_failure_predicate"],
    ),
    (
        "circuit_breaker",
        &["ignore_exceptions", "ignore"],
        &["ignore_exceptions", "ignore", "ignore_exception_predicate"],
    ),
    ("retry", &["backoff.*"], WAIT),
    ("retry", WAIT, &["backoff.*"]),
    (
        "retry",
        &["retry_exceptions", "retry"],
        &["retry_exceptions", "retry", "retry_exception_predicate"],
    ),
    ("retry", &["ignore_exceptions", "ignore"], &["ignore_exceptions", "ignore"]),
];

pub(super) const OPEN_WAIT: &[&str] = &[
    "wait_duration_in_open_state",
    "enable_exponential_backoff",
    "exponential_backoff_multiplier",
    "exponential_max_wait_duration_in_open_state",
    "enable_randomized_wait",
    "randomized_wait_factor",
];

pub(super) const WAIT: &[&str] = &[
    "wait_duration",
    "enable_exponential_backoff",
    "exponential_backoff_multiplier",
    "exponential_max_wait_duration",
    "enable_randomized_wait",
    "randomized_wait_factor",
    "interval_bi_function",
];

/// Groups that start anew where their kind is set.
const KINDS: [(&str, &str); 3] =
    [("circuit_breaker", "open_wait"), ("retry", "backoff"), ("retry", "budget")];

/// The section with everything inherited. Wrong references are reported, and count as none.
pub(super) fn resolve(section: Section, report: &mut Report) -> Section {
    let Section { configs, instances, tags } = section;
    let index: HashMap<Arc<str>, usize> =
        configs.iter().enumerate().map(|(place, named)| (named.name.clone(), place)).collect();
    let mut shared = Shared { configs: &configs, index, done: vec![None; configs.len()], report };
    for place in 0..configs.len() {
        shared.finish(place);
    }
    let resolved: Vec<Named> = instances.iter().map(|named| shared.instance(named)).collect();
    let done = std::mem::take(&mut shared.done);
    let with_record = |(named, record): (&Named, Option<Record>)| Named {
        record: record.unwrap_or_else(|| named.record.clone()),
        ..named.clone()
    };
    let configs = configs.iter().zip(done).map(with_record).collect();
    Section { configs, instances: resolved, tags }
}

struct Shared<'a> {
    configs: &'a [Named],
    index: HashMap<Arc<str>, usize>,
    done: Vec<Option<Record>>,
    report: &'a mut Report,
}

impl Shared<'_> {
    /// Resolves a config and all that it stands on. Step by step, for a chain may be long.
    fn finish(&mut self, place: usize) {
        let mut chain = vec![place];
        let mut seen = HashSet::from([place]);
        let mut base = None;
        while let Some(&last) = chain.last() {
            if let Some(done) = &self.done[last] {
                base = Some(done.clone());
                chain.pop();
                break;
            }
            let named = &self.configs[last];
            let Some(next) = self.base_of(&named.record) else { break };
            if !seen.insert(next) {
                let start = chain.iter().position(|place| *place == next).unwrap_or(0);
                self.cycle(&chain[start..], last);
                break;
            }
            chain.push(next);
        }
        for place in chain.into_iter().rev() {
            let record = overlay(base.as_ref(), &self.configs[place].record);
            base = Some(record.clone());
            self.done[place] = Some(record);
        }
    }

    fn cycle(&mut self, cycle: &[usize], last: usize) {
        let Some(set) = self.configs[last].record.get("base_config") else { return };
        let names = cycle.iter().chain(cycle.first()).map(|place| &*self.configs[*place].name);
        let names: Vec<_> = names.take(20).collect();
        let message =
            format!("the configs stand on one another in a circle: {}", names.join(" -> "));
        self.report.error(&set.origin, &set.path, message);
    }

    /// The config that is named as the base, if there is one.
    fn base_of(&mut self, record: &Record) -> Option<usize> {
        let set = record.get("base_config")?;
        let Setting::Text(name) = &set.setting else { return None };
        if let Some(place) = self.index.get(name.as_str()) {
            return Some(*place);
        }
        let known = || self.configs.iter().map(|named| &*named.name);
        let what = format!("there is no config `{}` to start from", shown(name));
        let hint = if self.report.is_full() { None } else { nearest(name, known().take(100)) };
        self.report.unknown(&set.origin, &set.path, &what, hint, known().take(20), false);
        None
    }

    fn instance(&mut self, named: &Named) -> Named {
        let base = if named.record.get("base_config").is_some() {
            self.base_of(&named.record)
        } else {
            // Of the breakers only: a config of the instance's own name.
            let own =
                (named.record.table.name == "circuit_breaker").then(|| self.index.get(&named.name));
            own.flatten().or_else(|| self.index.get("default")).copied()
        };
        let base = base.and_then(|place| self.done[place].as_ref());
        Named { record: overlay(base, &named.record), ..named.clone() }
    }
}

/// What `near` sets, and for the rest what it gets from `base`.
fn overlay(base: Option<&Record>, near: &Record) -> Record {
    let Some(base) = base else { return near.clone() };
    let table = near.table;
    let mut record = base.clone();
    // Which config it starts from is each level's own affair.
    record.clear("base_config");
    let sets = |name: &str| match name.strip_suffix(".*") {
        Some(group) => near.group(group).next().is_some(),
        None => near.get(name).is_some(),
    };
    for (_, these, those) in INSTEAD.iter().filter(|(of, ..)| *of == table.name) {
        if these.iter().any(|name| sets(name)) {
            those.iter().for_each(|name| clear(&mut record, name));
        }
    }
    for (_, group) in KINDS.iter().filter(|(of, _)| *of == table.name) {
        if near.get(&format!("{group}.kind")).is_some() {
            clear(&mut record, &format!("{group}.*"));
        }
    }
    for (to, from) in record.values.iter_mut().zip(&near.values) {
        if let Some(set) = from {
            *to = Some(set.clone());
        }
    }
    record
}

fn clear(record: &mut Record, name: &str) {
    let Some(group) = name.strip_suffix(".*") else { return record.clear(name) };
    let places: Vec<usize> = record.group(group).map(|(place, ..)| place).collect();
    places.into_iter().for_each(|place| record.values[place] = None);
}
