//! Settings from environment variables: `RESILIENCE4J_CIRCUITBREAKER_INSTANCES_ORDERS_FAILURERATETHRESHOLD` as Spring has them,
//! and the same with `SEAWALL_` in front, with or without underscores within a key.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{MODULES, Sections, holders};
use super::model::table::Table;
use super::model::{CLASSIFIER, PIPELINE};
use super::problem::{Origin, Report};
use super::tree::branch::{Branch, Keys};
use super::tree::path::{fold, nearest};
use super::tree::{Node, Position, Value};

const PREFIXES: [(&str, &str); 2] = [("SEAWALL_", "seawall"), ("RESILIENCE4J_", "resilience4j")];

/// A setting that a variable overrides.
pub(super) struct Override {
    pub(super) key: String,
    pub(super) node: Node,
    pub(super) name: Arc<str>,
}

/// All overrides among the variables. One that matches nothing in the file is reported; where `foreign` are to be expected, only
/// if it is likely to be meant for us.
pub(super) fn overrides(
    env: &BTreeMap<String, String>,
    root: &Branch<'_>,
    foreign: bool,
    report: &mut Report,
) -> Vec<Override> {
    let ours = |name: &str| {
        PREFIXES.iter().find_map(|(prefix, tree)| {
            let start = name.get(..prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then(|| (name[prefix.len()..].to_owned(), *tree))
        })
    };
    if !env.keys().any(|name| ours(name).is_some()) {
        return Vec::new();
    }
    // What is wrong in the file itself is told when it is read.
    let mut quiet = Report::new("");
    let places = Places::of(root, &mut quiet);
    let mut overrides = Vec::new();
    for (name, value) in env {
        let Some((rest, tree)) = ours(name) else { continue };
        let words: Vec<&str> = rest.split('_').collect();
        let origin = Origin::Env(super::problem::shown(name).into());
        let mut keys = places.keys(&words);
        keys.sort();
        keys.dedup();
        match keys.as_slice() {
            [key] => overrides.push(Override {
                key: format!("{tree}.{key}"),
                node: Node { at: Position::START, value: Value::Scalar(value.as_str().into()) },
                name: super::problem::shown(name).into(),
            }),
            [] if foreign && !places.is_likely(&words) => {}
            [] => {
                report.error(
                    origin,
                    "",
                    "matches no setting of any instance or config in the file",
                );
            }
            keys => {
                let keys = keys.join(", ");
                report.error(origin, "", format!("matches more than one setting: {keys}"));
            }
        }
    }
    overrides
}

/// The places in a file whose settings a variable can name.
struct Places {
    /// The keys before a name, the section's own key, the name, and the table of its settings.
    named: Vec<(Vec<String>, String, String, &'static Table)>,
}

impl Places {
    fn of(root: &Branch<'_>, report: &mut Report) -> Self {
        let Sections { modules, classifiers, pipelines, .. } = Sections::of(root, report);
        let mut named = Vec::new();
        for (module, branch) in MODULES.iter().zip(modules) {
            let Some(branch) = branch else { continue };
            for section in branch.open(Keys::Relaxed, report) {
                let is_instances = module.instances.contains(&section.id.as_str());
                if !is_instances && section.id != "configs" {
                    continue;
                }
                for child in section.branch.open(Keys::Exact, report) {
                    // Any name for the section of instances will do.
                    let sections: &[&str] =
                        if is_instances { module.instances } else { &["configs"] };
                    for section_key in sections {
                        let above = vec![module.key.to_owned(), (*section_key).to_owned()];
                        let path = format!("{}.{}", module.table.name, section.id);
                        if let Some(holder) = module.within {
                            let above = [vec![holder.to_owned()], above.clone()].concat();
                            named.push((above, path.clone(), child.id.clone(), module.table));
                        }
                        named.push((above, path, child.id.clone(), module.table));
                    }
                }
            }
        }
        for (section, branch, table) in
            [("classifiers", classifiers, &CLASSIFIER), ("pipelines", pipelines, &PIPELINE)]
        {
            let Some(branch) = branch else { continue };
            for child in branch.open(Keys::Exact, report) {
                named.push((vec![section.to_owned()], section.to_owned(), child.id, table));
            }
        }
        Self { named }
    }

    /// Every key that the words can mean.
    fn keys(&self, words: &[&str]) -> Vec<String> {
        let mut keys = Vec::new();
        for (above, path, name, table) in &self.named {
            let Some(mut rest) = above.iter().try_fold(words, |words, key| take(words, key)) else {
                continue;
            };
            let folded: String =
                name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let Some(after) = take(rest, &folded) else { continue };
            rest = after;
            for flat in table.flat() {
                let group = flat.group.map(fold);
                let below = match &group {
                    Some(group) => take(rest, group),
                    None => Some(rest),
                };
                let Some(below) = below else { continue };
                for key in &flat.folded {
                    match take(below, key) {
                        Some([]) => keys.push(format!("{path}[{name}].{}", flat.name)),
                        Some([index])
                            if flat.key.kind.is_list() && index.parse::<u16>().is_ok() =>
                        {
                            keys.push(format!("{path}[{name}].{}[{index}]", flat.name));
                        }
                        _ => {}
                    }
                }
            }
        }
        keys
    }

    /// Does it begin as a key of ours would?
    fn is_likely(&self, words: &[&str]) -> bool {
        let known = MODULES.iter().map(|module| module.key).chain(["classifiers", "pipelines"]);
        let known: Vec<_> = known.chain(holders()).collect();
        (1..=words.len().min(3)).any(|count| {
            let first = fold(&words[..count].concat());
            known.contains(&first.as_str())
                || (first.len() > 3 && nearest(&first, known.iter().copied()).is_some())
        })
    }
}

/// What is left after the words that together are `key`.
fn take<'a, 'w>(words: &'a [&'w str], key: &str) -> Option<&'a [&'w str]> {
    let mut together = String::new();
    for (count, word) in words.iter().enumerate() {
        together.extend(word.chars().filter(|c| *c != '-').flat_map(char::to_lowercase));
        if together == key {
            return Some(&words[count + 1..]);
        }
        if together.len() > key.len() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_others_variables_are_to_be_expected_only_those_are_errors_that_are_likely_ours() {
        for (name, is_ours) in [
            ("SEAWALL_CIRCUIT_BREAKER_INSTANCES_ORDERS_SLIDING_WINDOW_SIZE", true),
            ("RESILIENCE4J_RETRY_INSTANCES_ORDERS_MAXATTEMPTS", true),
            ("RESILIENCE4J_RETYR_INSTANCES_ORDERS_MAXATTEMPTS", true),
            ("RESILIENCE4J_MICROMETER_TIMER_INSTANCES_ORDERS_METRICNAMES", true),
            ("SEAWALL_TIMER_INSTANCES_ORDERS_METRIC_NAMES", true),
            ("SEAWALL_PIPELINES_ORDERS_DEADLINE", true),
            ("SEAWALL_SERVICE_HOST", false),
            ("SEAWALL_PORT_80_TCP_ADDR", false),
        ] {
            let env = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
            for foreign in [true, false] {
                let mut report = Report::new("f");
                assert!(overrides(&env, &Branch::root([]), foreign, &mut report).is_empty());
                assert_eq!(report.has_errors(), is_ours || !foreign, "{name}, {foreign}");
            }
        }
    }
}
