//! A whole file: which sections there are, and what stands in them.

use std::sync::Arc;

use super::model::kind::Kind;
use super::model::table::Table;
use super::model::{
    BULKHEAD, CIRCUIT_BREAKER, CLASSIFIER, PIPELINE, RATE_LIMITER, RETRY, THREAD_POOL_BULKHEAD,
    TIME_LIMITER, TIMER,
};
use super::problem::{Origin, Report};
use super::read::{Reader, Record};
use super::tree::branch::{Branch, Child, Keys};
use super::{fixed, order};

/// The trees that are ours; all else in a file is none of our business.
pub(super) const ROOTS: [&str; 2] = ["seawall", "resilience4j"];

/// A pattern's section.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) table: &'static Table,
    /// Its key, folded.
    pub(super) key: &'static str,
    /// A key below which that may stand too.
    pub(super) within: Option<&'static str>,
    /// What the section of instances may be called, folded.
    pub(super) instances: &'static [&'static str],
    /// The key of its place in the order of the patterns, folded, if it has one.
    pub(super) aspect: Option<&'static str>,
}

pub(super) static MODULES: [Module; 7] = [
    Module {
        table: &CIRCUIT_BREAKER,
        key: "circuitbreaker",
        within: None,
        instances: &["instances", "backends"],
        aspect: Some("circuitbreakeraspectorder"),
    },
    Module {
        table: &RETRY,
        key: "retry",
        within: None,
        instances: &["instances", "backends"],
        aspect: Some("retryaspectorder"),
    },
    Module {
        table: &BULKHEAD,
        key: "bulkhead",
        within: None,
        instances: &["instances", "backends"],
        aspect: Some("bulkheadaspectorder"),
    },
    Module {
        table: &THREAD_POOL_BULKHEAD,
        key: "threadpoolbulkhead",
        within: None,
        instances: &["instances", "backends"],
        aspect: None,
    },
    Module {
        table: &RATE_LIMITER,
        key: "ratelimiter",
        within: None,
        instances: &["instances", "limiters"],
        aspect: Some("ratelimiteraspectorder"),
    },
    Module {
        table: &TIME_LIMITER,
        key: "timelimiter",
        within: None,
        instances: &["instances"],
        aspect: Some("timelimiteraspectorder"),
    },
    Module {
        table: &TIMER,
        key: "timer",
        within: Some("micrometer"),
        instances: &["instances"],
        aspect: Some("timeraspectorder"),
    },
];

/// Something with a name and settings.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: Arc<str>,
    pub(super) at: Origin,
    pub(super) path: String,
    pub(super) record: Record,
}

/// What stands in a pattern's section.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) configs: Vec<Named>,
    pub(super) instances: Vec<Named>,
    pub(super) tags: Vec<(String, String)>,
}

/// What stands in a file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// In the order of [`MODULES`].
    pub(super) sections: [Section; 7],
    pub(super) classifiers: Vec<Named>,
    pub(super) pipelines: Vec<Named>,
}

/// The sections of a file before anything in them is read.
#[derive(Default)]
pub(super) struct Sections<'t> {
    pub(super) modules: [Option<Branch<'t>>; 7],
    pub(super) classifiers: Option<Branch<'t>>,
    pub(super) pipelines: Option<Branch<'t>>,
    /// Those of which nothing can apply here, by their folded keys.
    fixed: Vec<(String, Branch<'t>)>,
    /// With the key above them that holds sections, if they stand below one.
    unknown: Vec<(Option<&'static str>, Child<'t>)>,
}

fn join<'t>(to: &mut Option<Branch<'t>>, branch: Branch<'t>) {
    match to {
        Some(there) => there.join(branch),
        None => *to = Some(branch),
    }
}

/// The keys below which sections may stand.
pub(super) fn holders() -> impl Iterator<Item = &'static str> + Clone {
    MODULES.iter().filter_map(|module| module.within)
}

impl<'t> Sections<'t> {
    pub(super) fn of(root: &Branch<'t>, report: &mut Report) -> Self {
        let mut sections = Self::default();
        for tree in root.open_ours(&ROOTS, report) {
            let own = tree.id == "seawall";
            for child in tree.branch.open(Keys::Relaxed, report) {
                if let Some(above) = holders().find(|holder| *holder == child.id) {
                    sections.held(above, &child.branch, report);
                    continue;
                }
                let module = MODULES.iter().position(|module| module.key == child.id);
                match (module, child.id.as_str()) {
                    (Some(module), _) => join(&mut sections.modules[module], child.branch),
                    (None, "classifiers") if own => {
                        join(&mut sections.classifiers, child.branch);
                    }
                    (None, "pipelines") if own => join(&mut sections.pipelines, child.branch),
                    (None, id) if fixed::is_known(id) => {
                        sections.fixed.push((child.id, child.branch));
                    }
                    (None, _) => sections.unknown.push((None, child)),
                }
            }
        }
        sections
    }

    /// The sections below a key that holds some.
    fn held(&mut self, above: &'static str, branch: &Branch<'t>, report: &mut Report) {
        for child in branch.open(Keys::Relaxed, report) {
            let is_it = |module: &Module| module.within == Some(above) && module.key == child.id;
            match MODULES.iter().position(is_it) {
                Some(module) => join(&mut self.modules[module], child.branch),
                None => self.unknown.push((Some(above), child)),
            }
        }
    }
}

impl Document {
    pub(super) fn read<'t>(reader: &mut Reader<'_, 't>, root: &Branch<'t>) -> Self {
        let Sections { modules, classifiers, pipelines, fixed, unknown } =
            Sections::of(root, reader.report);
        for (above, child) in &unknown {
            let is_here = |module: &&Module| above.is_none() || module.within == *above;
            let known = MODULES.iter().filter(is_here).map(|module| module.table.name);
            let own: &[&str] = match (above, child.branch.path.starts_with("seawall")) {
                (None, true) => &["classifiers", "pipelines"],
                _ => &[],
            };
            let holders = holders().filter(|_| above.is_none());
            reader.unknown_or(child, known.chain(own.iter().copied()), holders);
        }
        for (id, branch) in &fixed {
            fixed::read(reader, id, branch);
        }
        fixed::management(reader, root);
        let mut orders = order::Orders::default();
        let mut document = Self::default();
        for (place, branch) in modules.into_iter().enumerate() {
            if let Some(branch) = branch {
                document.sections[place] = section(reader, &MODULES[place], &branch, &mut orders);
            }
        }
        orders.check(reader.report);
        let named = |reader: &mut Reader<'_, 't>, table, branch: Option<Branch<'t>>| {
            branch.map(|branch| names(reader, table, &branch)).unwrap_or_default()
        };
        document.classifiers = named(reader, &CLASSIFIER, classifiers);
        document.pipelines = named(reader, &PIPELINE, pipelines);
        document
    }
}

fn section<'t>(
    reader: &mut Reader<'_, 't>,
    module: &'static Module,
    branch: &Branch<'t>,
    orders: &mut order::Orders,
) -> Section {
    let mut section = Section::default();
    let (mut configs, mut instances) = (None, None);
    for child in branch.open(Keys::Relaxed, reader.report) {
        match child.id.as_str() {
            "configs" => join(&mut configs, child.branch),
            id if module.instances.contains(&id) => join(&mut instances, child.branch),
            "tags" => section.tags = tags(reader, &child.branch),
            "metrics" => fixed::metrics(reader, &child.branch),
            id if module.aspect == Some(id) => orders.read(reader, id, &child.branch),
            _ => {
                let instances = module.instances.iter().rev().copied();
                let known = ["configs"].into_iter().chain(instances).chain(["tags", "metrics"]);
                let order = module.aspect.map(|_| format!("{}_aspect_order", module.table.name));
                reader.unknown_or(&child, known, order.as_deref().into_iter());
            }
        }
    }
    if let Some(configs) = configs {
        section.configs = names(reader, module.table, &configs);
        for named in &mut section.configs {
            let from: Arc<str> = format!("configs.{}", named.name).into();
            for set in named.record.values.iter_mut().flatten() {
                Arc::make_mut(set).config = Some(from.clone());
            }
        }
    }
    if let Some(instances) = instances {
        section.instances = names(reader, module.table, &instances);
    }
    section
}

fn names<'t>(
    reader: &mut Reader<'_, 't>,
    table: &'static Table,
    branch: &Branch<'t>,
) -> Vec<Named> {
    let children = branch.open(Keys::Exact, reader.report);
    let named = children.into_iter().map(|child| Named {
        name: child.id.as_str().into(),
        at: child.branch.at(),
        path: child.branch.path.clone(),
        record: reader.record(table, &child.branch),
    });
    named.collect()
}

fn tags<'t>(reader: &mut Reader<'_, 't>, branch: &Branch<'t>) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    for child in branch.open(Keys::Exact, reader.report) {
        let set = reader.value(Kind::Text, &child.branch);
        if let Some(super::model::kind::Setting::Text(value)) = set.map(|set| set.setting) {
            tags.push((child.id, value));
        }
    }
    tags
}
