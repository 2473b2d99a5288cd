//! Sections of Resilience4j's and Spring's that have nothing to set here. They are checked, and reported as without effect.

use super::model::kind::Kind;
use super::problem::Report;
use super::read::Reader;
use super::tree::branch::{Branch, Keys};
use super::tree::path::fold;

struct Fixed {
    /// The section's key, folded, and what follows it.
    section: &'static str,
    key: &'static [&'static str],
    kind: Kind,
    reason: &'static str,
}

const METERS: &str = "meters are there as soon as an exporter asks for them";
const THREADS: &str = "there are no threads of seawall's own here";
const CONTEXT: &str = "a future takes its context along";
const INT: Kind = Kind::Int { least: 1, most: i32::MAX as i64 };
const THREAD_TYPE: Kind = Kind::Choice(&[("platform", &[]), ("virtual", &[])]);

const FIXED: [Fixed; 8] = [
    Fixed {
        section: "scheduled",
        key: &["executor", "core_pool_size"],
        kind: INT,
        reason: THREADS,
    },
    Fixed {
        section: "scheduled",
        key: &["executor", "context_propagators"],
        kind: Kind::Classes,
        reason: CONTEXT,
    },
    Fixed { section: "thread", key: &["type"], kind: THREAD_TYPE, reason: THREADS },
    Fixed { section: "thread", key: &["metrics", "enabled"], kind: Kind::Bool, reason: THREADS },
    Fixed { section: "metrics", key: &["enabled"], kind: Kind::Bool, reason: METERS },
    Fixed { section: "metrics", key: &["legacy", "enabled"], kind: Kind::Bool, reason: METERS },
    Fixed {
        section: "health",
        key: &["circuitbreakers", "enabled"],
        kind: Kind::Bool,
        reason: "there are no health indicators here; the snapshot tells the states",
    },
    Fixed {
        section: "health",
        key: &["ratelimiters", "enabled"],
        kind: Kind::Bool,
        reason: "there are no health indicators here; the snapshot tells the states",
    },
];

pub(super) fn is_known(id: &str) -> bool {
    matches!(id, "scheduled" | "thread")
}

pub(super) fn read<'t>(reader: &mut Reader<'_, 't>, section: &str, branch: &Branch<'t>) {
    level(reader, section, &mut Vec::new(), branch);
}

pub(super) fn metrics<'t>(reader: &mut Reader<'_, 't>, branch: &Branch<'t>) {
    read(reader, "metrics", branch);
}

/// `management.health.circuitbreakers.enabled` and its like; the rest of `management` is not ours.
pub(super) fn management<'t>(reader: &mut Reader<'_, 't>, root: &Branch<'t>) {
    let mut quiet = Report::new("");
    for management in root.open_ours(&["management"], &mut quiet) {
        for health in management.branch.open_ours(&["health"], &mut quiet) {
            for ours in health.branch.open_ours(&["circuitbreakers", "ratelimiters"], &mut quiet) {
                level(reader, "health", &mut vec![ours.id], &ours.branch);
            }
        }
    }
}

fn level<'t>(
    reader: &mut Reader<'_, 't>,
    section: &str,
    above: &mut Vec<String>,
    branch: &Branch<'t>,
) {
    let matches = |fixed: &&Fixed, path: &[String]| {
        fixed.section == section
            && fixed.key.len() >= path.len()
            && fixed.key.iter().zip(path).all(|(key, part)| fold(key) == *part)
    };
    let depth = above.len();
    for child in branch.open(Keys::Relaxed, reader.report) {
        above.push(child.id.clone());
        let found = FIXED.iter().find(|fixed| matches(fixed, above));
        match found {
            Some(fixed) if fixed.key.len() == above.len() => {
                if let Some(set) = reader.value(fixed.kind, &child.branch) {
                    let message = format!("has no effect: {}", fixed.reason);
                    reader.report.warn(&set.origin, &set.path, message);
                }
            }
            Some(_) => level(reader, section, above, &child.branch),
            None => {
                let here: Vec<_> = FIXED
                    .iter()
                    .filter(|fixed| matches(fixed, &above[..depth]))
                    .filter_map(|fixed| fixed.key.get(depth).copied())
                    .collect();
                reader.unknown(&child, here.into_iter());
            }
        }
        above.pop();
    }
}
