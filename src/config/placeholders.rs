//! `${NAME:default}` in values, as Spring has it: the environment first, then the file's own keys.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use super::problem::Report;
use super::tree::branch::{Branch, Keys, Leaf};
use super::tree::path::{fold, split};

/// How deep one placeholder may stand in another, or lead to another.
const MOST_DEPTH: usize = 16;
/// How long a value may become.
const MOST_CHARS: usize = 4096;
/// How many placeholders a whole file may have, those within values counted each time, and each part of a key that one
/// names.
const MOST_STEPS: usize = 50_000;

/// What names in placeholders stand for.
pub(super) struct Variables<'t> {
    env: &'t BTreeMap<String, String>,
    root: Branch<'t>,
    /// The levels of the tree that were looked into, by their folded keys.
    levels: RefCell<HashMap<String, HashMap<String, Branch<'t>>>>,
    steps: Cell<usize>,
}

impl<'t> Variables<'t> {
    pub(super) fn new(env: &'t BTreeMap<String, String>, root: Branch<'t>) -> Self {
        Self { env, root, levels: RefCell::default(), steps: Cell::new(0) }
    }

    /// The text with all its placeholders replaced.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(super) fn expand<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, String> {
        if !text.contains("${") {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::new();
        self.expand_into(text, &mut out, 0)?;
        Ok(Cow::Owned(out))
    }

    fn expand_into(&self, text: &str, out: &mut String, depth: usize) -> Result<(), String> {
        if depth > MOST_DEPTH {
            return Err("its placeholders lead to one another without end".to_owned());
        }
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            push(out, before)?;
            self.steps.set(self.steps.get() + 1);
            if self.steps.get() > MOST_STEPS {
                return Err(format!("more than {MOST_STEPS} placeholders"));
            }
            let end = closing(after).ok_or("a placeholder without its closing brace")?;
            self.resolve(&after[..end], out, depth)?;
            rest = &after[end + 1..];
        }
        push(out, rest)
    }

    /// Replaces what stands between the braces.
    fn resolve(&self, inner: &str, out: &mut String, depth: usize) -> Result<(), String> {
        // A name may itself be made of placeholders, and may have no colon in them.
        let colon = top_level_colon(inner);
        let (name, default) = match colon {
            Some(colon) => (&inner[..colon], Some(&inner[colon + 1..])),
            None => (inner, None),
        };
        let mut full = String::new();
        self.expand_into(name, &mut full, depth + 1)?;
        let name = full.trim();
        if let Some(value) = self.variable(name).or_else(|| self.other_key(name)) {
            return self.expand_into(value, out, depth + 1);
        }
        match default {
            Some(default) => self.expand_into(default, out, depth + 1),
            None => Err(format!("`{name}` is not set and has no default (`${{{name}:default}}`)")),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let upper = || name.replace('.', "_").replace('-', "").to_ascii_uppercase();
        let value = self.env.get(name).or_else(|| self.env.get(&upper()));
        value.map(String::as_str)
    }

    fn other_key(&self, name: &str) -> Option<&'t str> {
        match self.lookup(name)? {
            Leaf::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// What the file has under a whole dotted key in any spelling, without any report.
    pub(super) fn lookup(&self, name: &str) -> Option<Leaf<'t>> {
        let mut ignored = Report::new("");
        let mut levels = self.levels.borrow_mut();
        let (mut here, mut path, mut key) = (self.root.clone(), String::new(), Some(name));
        while let Some(rest) = key {
            self.steps.set(self.steps.get() + 1);
            let (segment, rest) = split(rest).ok()?;
            let level = levels.entry(path.clone()).or_insert_with(|| {
                let children = here.open(Keys::Relaxed, &mut ignored);
                children.into_iter().map(|child| (child.id, child.branch)).collect()
            });
            let id = fold(&segment.text);
            here = level.get(&id)?.clone();
            path.push('.');
            path.push_str(&id);
            key = rest;
        }
        Some(here.leaf(&mut ignored)?.0)
    }
}

fn push(out: &mut String, text: &str) -> Result<(), String> {
    if out.len() + text.len() > MOST_CHARS {
        return Err(format!("longer than {MOST_CHARS} characters with its placeholders replaced"));
    }
    out.push_str(text);
    Ok(())
}

/// Where the brace is closed that was opened just before.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 1 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn top_level_colon(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            b':' if open == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::{Format, parse};

    fn expand(text: &str) -> Result<String, String> {
        let env = [
            ("ONE", "1"),
            ("SERVER_PORT", "80"),
            ("A", "B"),
            ("B", "found"),
            ("C", "${ONE}${B:x}"),
            ("LOOP", "${LOOP}"),
        ];
        let env =
            env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let file = "app:\n  time-out: 5s\n  loop: ${app.loop}\n  double: ${app.d1}${app.d1}\n  d1: ${app.timeOut}\n";
        let documents = parse(Format::Yaml, file.as_bytes()).unwrap();
        let variables = Variables::new(&env, Branch::root(&documents));
        variables.expand(text).map(Cow::into_owned)
    }

    #[test]
    fn the_environment_then_the_file_then_the_default() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${ONE}", "1"),
            ("a${ONE}b${ONE}", "a1b1"),
            ("${ONE:2}", "1"),
            ("${TWO:2}", "2"),
            ("${TWO:}", ""),
            ("${TWO:${THREE:3:4}}", "3:4"),
            ("${${A}}", "found"),
            ("${C}", "1found"),
            ("${server.port}", "80"),
            ("${app.timeOut}", "5s"),
            ("${app.double}", "5s5s"),
            ("$ONE {ONE}", "$ONE {ONE}"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_told() {
        for (text, part) in [
            ("${TWO}", "`TWO` is not set"),
            ("${ONE", "closing brace"),
            ("${app.loop}", "without end"),
            ("${LOOP}", "without end"),
        ] {
            assert!(expand(text).unwrap_err().contains(part), "{text}");
        }
        let long = "${ONE:1}".repeat(5000);
        assert!(expand(&long).unwrap_err().contains("longer than"));
        assert!(expand(&"${A:".repeat(10_000)).is_err());
    }
}
