//! Reads tables of settings out of a tree, and reports all that is wrong on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::kind::{Kind, Setting};
use super::model::table::{Flat, Model, Table};
use super::placeholders::Variables;
use super::problem::{Origin, Report};
use super::tree::branch::{Branch, Child, Keys, Leaf};
use super::tree::path::{fold, nearest};
use super::tree::{Node, Value};

/// A setting that is set, and where.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) setting: Setting,
    pub(super) origin: Origin,
    /// The whole key as it is written.
    pub(super) path: Arc<str>,
    /// Where the items of a list stand.
    pub(super) items: Vec<Origin>,
    /// The config that it was inherited from.
    pub(super) config: Option<Arc<str>>,
}

/// What is set of a table, each in its place. Cheap to inherit.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) table: &'static Table,
    pub(super) values: Vec<Option<Arc<Set>>>,
}

impl Record {
    pub(super) fn empty(table: &'static Table) -> Self {
        Self { table, values: vec![None; table.flat().len()] }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Set> {
        self.values[self.table.place(name)].as_deref()
    }

    pub(super) fn clear(&mut self, name: &str) {
        self.values[self.table.place(name)] = None;
    }

    /// What is set below a key, with the settings' places.
    pub(super) fn group(&self, group: &str) -> impl Iterator<Item = (usize, &'static Flat, &Set)> {
        let all = self.table.flat().iter().zip(&self.values).enumerate();
        let set = all.filter_map(|(place, (flat, set))| Some((place, flat, set.as_deref()?)));
        set.filter(move |(_, flat, _)| flat.group == Some(group))
    }
}

/// The struct that a record says.
pub(super) fn model<M: Model>(record: &Record) -> M {
    let mut values = record.values.iter().map(|set| set.as_ref().map(|set| &set.setting));
    M::from_values(&mut values)
}

static NO_ENV: BTreeMap<String, String> = BTreeMap::new();

/// Reads values, and collects what is wrong with them.
pub(super) struct Reader<'r, 't> {
    pub(super) report: &'r mut Report,
    pub(super) variables: Variables<'t>,
    /// Unknown keys are warnings.
    pub(super) lenient: bool,
}

impl<'r, 't> Reader<'r, 't> {
    pub(super) fn new(report: &'r mut Report, variables: Variables<'t>, lenient: bool) -> Self {
        Self { report, variables, lenient }
    }

    /// One without an environment.
    pub(super) fn plain(report: &'r mut Report, root: &Branch<'t>) -> Self {
        Self::new(report, Variables::new(&NO_ENV, root.clone()), false)
    }

    /// All settings of a table.
    pub(super) fn record(&mut self, table: &'static Table, branch: &Branch<'t>) -> Record {
        let mut record = Record::empty(table);
        for child in branch.open(Keys::Relaxed, self.report) {
            if let Some(place) = place(table, None, &child.id) {
                self.put(&mut record, place, &child.branch);
            } else if let Some((group, below)) =
                table.groups.iter().find(|(group, _)| fold(group) == child.id)
            {
                for child in child.branch.open(Keys::Relaxed, self.report) {
                    match place(table, Some(group), &child.id) {
                        Some(place) => self.put(&mut record, place, &child.branch),
                        None => {
                            let aliases = below.keys.iter().flat_map(|key| key.aliases).copied();
                            self.unknown_or(&child, below.keys.iter().map(|key| key.name), aliases);
                        }
                    }
                }
            } else {
                let groups = table.groups.iter().map(|(group, _)| *group);
                let aliases = table.keys.iter().flat_map(|key| key.aliases).copied();
                let known = table.keys.iter().map(|key| key.name).chain(groups);
                self.unknown_or(&child, known, aliases);
            }
        }
        record
    }

    /// A key that there is not.
    pub(super) fn unknown<'a>(
        &mut self,
        child: &Child<'_>,
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        self.unknown_or(child, known, std::iter::empty());
    }

    /// The same where there are other names, which may be meant but are not listed.
    pub(super) fn unknown_or<'a>(
        &mut self,
        child: &Child<'_>,
        known: impl Iterator<Item = &'a str> + Clone,
        aliases: impl Iterator<Item = &'a str>,
    ) {
        if self.report.is_full_of(self.lenient) {
            return self.report.unknown(child.branch.at(), "", "", None, [], self.lenient);
        }
        let own = child.branch.path.starts_with("seawall");
        let written = |name: &str| {
            // In the style of the key that was written.
            if child.segment.text.contains('_')
                || (own && fold(&child.segment.text) == child.segment.text)
            {
                name.to_owned()
            } else if child.segment.text.contains('-') {
                name.replace('_', "-")
            } else {
                camel(name)
            }
        };
        let hint = nearest(&child.segment.text, known.clone().chain(aliases)).map(written);
        let all: Vec<String> = known.map(written).collect();
        let (at, path, lenient) = (child.branch.at(), &child.branch.path, self.lenient);
        let all = all.iter().map(String::as_str);
        self.report.unknown(at, path, "unknown key", hint.as_deref(), all, lenient);
    }

    fn put(&mut self, record: &mut Record, place: usize, branch: &Branch<'t>) {
        let key = record.table.flat()[place].key;
        // Two spellings that do not fold to one: an alias beside the name itself.
        if let Some(first) = &record.values[place] {
            let message = format!("means the same as {}, which is set too", first.path);
            self.report.error(branch.at(), &branch.path, message);
            return;
        }
        record.values[place] = self.value(key.kind, branch).map(Arc::new);
        if let (Some(reason), Some(set)) = (key.idle, &record.values[place]) {
            self.report.warn(&set.origin, &set.path, format!("has no effect: {reason}"));
        }
    }

    /// One value, if it is there and as it should be.
    pub(super) fn value(&mut self, kind: Kind, branch: &Branch<'t>) -> Option<Set> {
        let (leaf, origin) = branch.leaf(self.report)?;
        let path: Arc<str> = branch.path.as_str().into();
        let set =
            |setting, items| Set { setting, origin: origin.clone(), path, items, config: None };
        match leaf {
            Leaf::Null => {
                self.report.warn(&origin, &branch.path, "has no value and counts as not set");
                None
            }
            Leaf::Scalar(text) if kind.is_list() => {
                let text = self.expand(text, &origin, &branch.path)?;
                let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
                let texts: Vec<_> = texts.map(|text| (text.to_owned(), origin.clone())).collect();
                let (items, origins) = self.items(kind, texts, &branch.path)?;
                Some(set(Setting::List(items), origins))
            }
            Leaf::Scalar(text) => {
                let text = self.expand(text, &origin, &branch.path)?;
                match kind.read(&text) {
                    Ok(setting) => Some(set(setting, Vec::new())),
                    Err(expected) => {
                        let hint = choice(kind, &text);
                        self.report.refuse(&origin, &branch.path, &text, expected, hint);
                        None
                    }
                }
            }
            Leaf::List(nodes) if kind.is_list() => {
                let mut texts = Vec::with_capacity(nodes.len());
                for (place, (node, at)) in nodes.iter().enumerate() {
                    let path = format!("{}[{place}]", branch.path);
                    texts.push((self.item(kind, node, at, &path)?, at.clone()));
                }
                let (items, origins) = self.items(kind, texts, &branch.path)?;
                Some(set(Setting::List(items), origins))
            }
            Leaf::List(_) => {
                self.report.refuse(&origin, &branch.path, "a list", kind.expected(), None);
                None
            }
            Leaf::Section => {
                self.report.refuse(&origin, &branch.path, "a section", kind.expected(), None);
                None
            }
        }
    }

    fn item(&mut self, kind: Kind, node: &Node, at: &Origin, path: &str) -> Option<String> {
        match &node.value {
            Value::Scalar(text) => self.expand(text, at, path),
            other => {
                self.report.refuse(at, path, &other.describe(), kind.item(), None);
                None
            }
        }
    }

    /// Checks the items of a list; all of them, even if one is wrong.
    fn items(
        &mut self,
        kind: Kind,
        texts: Vec<(String, Origin)>,
        path: &str,
    ) -> Option<(Vec<String>, Vec<Origin>)> {
        let (mut items, mut origins, mut fine) = (Vec::new(), Vec::new(), true);
        for (place, (text, at)) in texts.into_iter().enumerate() {
            match kind.read(&text) {
                Ok(Setting::Text(text)) => items.push(text),
                Ok(_) => items.push(text),
                Err(expected) => {
                    fine = false;
                    let path = format!("{path}[{place}]");
                    self.report.refuse(&at, &path, &text, expected, None);
                }
            }
            origins.push(at);
        }
        fine.then_some((items, origins))
    }

    pub(super) fn expand(&mut self, text: &str, at: &Origin, path: &str) -> Option<String> {
        match self.variables.expand(text) {
            Ok(text) => Some(text.into_owned()),
            Err(wrong) => {
                let value = super::problem::quoted(&super::problem::shown(text));
                self.report.error(at, path, format!("{value} cannot be resolved: {wrong}"));
                None
            }
        }
    }
}

/// The place of a key in its table by its folded name.
fn place(table: &'static Table, group: Option<&str>, folded: &str) -> Option<usize> {
    table
        .flat()
        .iter()
        .position(|flat| flat.group == group && flat.folded.iter().any(|name| name == folded))
}

fn choice(kind: Kind, text: &str) -> Option<&'static str> {
    let Kind::Choice(choices) = kind else { return None };
    nearest(text, choices.iter().map(|(name, _)| *name))
}

/// `snake_case` as Java writes it.
pub(super) fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.extend(c.to_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}
