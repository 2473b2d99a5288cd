//! One view of a tree that is written in many ways: nested, with dotted keys, over several documents, with some values from the
//! environment. Opened level by level, so that only what is asked for is ever looked at.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::path::{Segment, fold, split};
use super::{Node, Value};
use crate::config::problem::{Origin, Report};

/// How long a whole key may be.
const LONGEST_KEY: usize = 500;

/// A piece of what is at one place of the tree.
#[derive(Clone, Debug)]
struct Part<'t> {
    /// A later layer (a later document, then the environment) wins.
    layer: u32,
    /// Within a layer, a lower number wins.
    merged: u32,
    /// What is left of a dotted key before `node`.
    rest: Option<&'t str>,
    node: &'t Node,
    at: Origin,
}

impl Part<'_> {
    const fn rank(&self) -> (u32, Reverse<u32>) {
        (self.layer, Reverse(self.merged))
    }
}

/// All that is written for one place of the tree.
#[derive(Clone, Debug)]
pub(in crate::config) struct Branch<'t> {
    /// The whole key as it is written where it is written first.
    pub(in crate::config) path: String,
    parts: Vec<Part<'t>>,
}

/// A key of a branch and what is below it.
#[derive(Clone, Debug)]
pub(in crate::config) struct Child<'t> {
    /// The name; of a relaxed key what all its spellings have in common.
    pub(in crate::config) id: String,
    /// As it is written.
    pub(in crate::config) segment: Segment,
    pub(in crate::config) branch: Branch<'t>,
}

/// How the keys of a level are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Keys {
    /// To the letter: names that a user gave.
    Exact,
    /// In any spelling: settings.
    Relaxed,
}

/// What a setting is set to.
#[derive(Debug)]
pub(in crate::config) enum Leaf<'t> {
    Null,
    Scalar(&'t str),
    List(Vec<(&'t Node, Origin)>),
    /// Keys, where a value belongs.
    Section,
}

impl<'t> Branch<'t> {
    pub(in crate::config) fn root(layers: impl IntoIterator<Item = &'t Node>) -> Self {
        let part = |(layer, node): (usize, &'t Node)| Part {
            layer: u32::try_from(layer).unwrap_or(u32::MAX - 1),
            merged: 0,
            rest: None,
            node,
            at: Origin::File(node.at),
        };
        let parts = layers.into_iter().enumerate().map(part).collect();
        Self { path: String::new(), parts }
    }

    /// Sets `key`, from the root on, to a value that wins over all others.
    pub(in crate::config) fn set(&mut self, key: &'t str, node: &'t Node, at: Origin) {
        self.parts.push(Part { layer: u32::MAX, merged: 0, rest: Some(key), node, at });
    }

    /// Where it is written first.
    pub(in crate::config) fn at(&self) -> Origin {
        match self.parts.first() {
            Some(part) => part.at.clone(),
            None => Origin::File(super::Position::START),
        }
    }

    /// Joins what is written under two keys that mean the same.
    pub(in crate::config) fn join(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// The keys of this level, in the order of the file. What is no level is reported.
    pub(in crate::config) fn open(&self, keys: Keys, report: &mut Report) -> Vec<Child<'t>> {
        self.open_only(None, keys, report)
    }

    /// Those of `only`, in any spelling, and nothing said about others.
    pub(in crate::config) fn open_ours(
        &self,
        only: &[&str],
        report: &mut Report,
    ) -> Vec<Child<'t>> {
        self.open_only(Some(only), Keys::Relaxed, report)
    }

    fn open_only(&self, only: Option<&[&str]>, keys: Keys, report: &mut Report) -> Vec<Child<'t>> {
        let (children, index) = (Vec::new(), HashMap::new());
        let mut level = Level { path: &self.path, keys, only, children, index };
        for part in &self.parts {
            if let Some(rest) = part.rest {
                level.add(rest, part.clone(), report);
                continue;
            }
            match &part.node.value {
                Value::Null => {}
                Value::Map(entries) => {
                    let mut seen = HashMap::new();
                    for entry in entries.iter() {
                        let part = Part {
                            merged: part.merged.saturating_add(entry.merged),
                            node: &entry.node,
                            at: match &part.at {
                                Origin::File(_) => Origin::File(entry.at),
                                Origin::Env(_) => part.at.clone(),
                            },
                            ..*part
                        };
                        level.add_once(&entry.key, part, &mut seen, report);
                    }
                }
                other => {
                    let value = other.describe();
                    report.refuse(&part.at, &self.path, &value, "a section with keys", None);
                }
            }
        }
        level.children
    }

    /// What a setting is set to. A value that stands there twice is reported.
    pub(in crate::config) fn leaf(&self, report: &mut Report) -> Option<(Leaf<'t>, Origin)> {
        let best = self.parts.iter().max_by_key(|part| part.rank())?.rank();
        let mut parts = self.parts.iter().filter(|part| part.rank() == best);
        let first = parts.next()?;
        if first.rest.is_some() {
            let items = self.parts.iter().filter(|part| part.rank() == best);
            return Some((self.indexed(items, report), first.at.clone()));
        }
        if let Some(second) = parts.next() {
            let message = match (second.rest, &first.at) {
                (Some(_), Origin::File(at)) => {
                    format!("has keys below it, but also a value, in line {}", at.line)
                }
                _ => twice(&first.at),
            };
            report.error(&second.at, &self.path, message);
        }
        let leaf = match &first.node.value {
            Value::Null => Leaf::Null,
            Value::Scalar(text) => Leaf::Scalar(text),
            Value::List(items) => {
                let at = |item: &Node| match &first.at {
                    Origin::File(_) => Origin::File(item.at),
                    Origin::Env(_) => first.at.clone(),
                };
                Leaf::List(items.iter().map(|item| (item, at(item))).collect())
            }
            Value::Map(_) => Leaf::Section,
        };
        Some((leaf, first.at.clone()))
    }

    /// A list that is written with one key an item: `[0]`, `[1]`, ….
    fn indexed<'p>(
        &self,
        parts: impl Iterator<Item = &'p Part<'t>>,
        report: &mut Report,
    ) -> Leaf<'t>
    where
        't: 'p,
    {
        let mut items: Vec<(usize, &'t Node, Origin)> = Vec::new();
        for part in parts {
            let index = part.rest.and_then(|rest| match split(rest) {
                Ok((segment, None)) if segment.bracketed => segment.text.parse().ok(),
                _ => None,
            });
            let Some(index) = index else { return Leaf::Section };
            items.push((index, part.node, part.at.clone()));
        }
        items.sort_by_key(|(index, ..)| *index);
        for (place, (index, _, at)) in items.iter().enumerate() {
            if place != *index {
                let path = format!("{}[{index}]", self.path);
                report.error(at, &path, "the indices of a list must go from 0 up, each once");
                break;
            }
        }
        Leaf::List(items.into_iter().map(|(_, node, at)| (node, at)).collect())
    }
}

struct Level<'a, 't> {
    path: &'a str,
    keys: Keys,
    only: Option<&'a [&'a str]>,
    children: Vec<Child<'t>>,
    index: HashMap<String, usize>,
}

impl<'t> Level<'_, 't> {
    /// Adds a key of one mapping, in which a key may stand once.
    fn add_once(
        &mut self,
        key: &'t str,
        part: Part<'t>,
        seen: &mut HashMap<(String, u32), Origin>,
        report: &mut Report,
    ) {
        let (at, merged) = (part.at.clone(), part.merged);
        let Some((id, is_whole)) = self.add(key, part, report) else { return };
        if !is_whole {
            return;
        }
        if let Some(first) = seen.get(&(id.clone(), merged)) {
            // As it is written here, for its spelling may be another.
            let mut path = self.path.to_owned();
            if let Ok((segment, _)) = split(key) {
                segment.push_to(&mut path);
            }
            report.error(&at, &path, twice(first));
            let parts = &mut self.children[self.index[&id]].branch.parts;
            if !matches!(parts.last(), Some(Part { node: Node { value: Value::Map(_), .. }, .. })) {
                parts.pop();
            }
            return;
        }
        seen.insert((id, merged), at);
    }

    /// Adds what a dotted key leads to, and tells which child it went to and whether the key has no dot.
    fn add(
        &mut self,
        key: &'t str,
        mut part: Part<'t>,
        report: &mut Report,
    ) -> Option<(String, bool)> {
        if let Some(only) = self.only {
            let first = split(key).map(|(segment, _)| fold(&segment.text));
            if !first.is_ok_and(|first| only.contains(&first.as_str())) {
                return None;
            }
        }
        let (segment, rest) = match split(key) {
            Ok(split) => split,
            Err(wrong) => {
                let dot = if self.path.is_empty() { "" } else { "." };
                report.error(&part.at, &format!("{}{dot}{key}", self.path), wrong);
                return None;
            }
        };
        // All that is below repeats it.
        if self.path.len() + segment.text.len() > LONGEST_KEY {
            let message = format!("a key longer than {LONGEST_KEY} bytes, those above it included");
            report.error(&part.at, &format!("{}.{}", self.path, segment.text), message);
            return None;
        }
        part.rest = rest;
        let id = match self.keys {
            Keys::Exact => segment.text.clone(),
            Keys::Relaxed => fold(&segment.text),
        };
        let next = self.children.len();
        let place = *self.index.entry(id.clone()).or_insert(next);
        if place == next {
            let mut path = self.path.to_owned();
            segment.push_to(&mut path);
            let branch = Branch { path, parts: Vec::new() };
            self.children.push(Child { id: id.clone(), segment, branch });
        }
        self.children[place].branch.parts.push(part);
        Some((id, rest.is_none()))
    }
}

fn twice(first: &Origin) -> String {
    match first {
        Origin::File(at) => format!("set twice, first in line {}", at.line),
        Origin::Env(name) => format!("set twice, first by {name}"),
    }
}
