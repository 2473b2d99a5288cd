//! What is wrong in a file: all of it, each with its place.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::tree::{Position, SyntaxError};

/// More than so many are only counted.
const MOST: usize = 1000;
/// More of a value than so many characters is not shown.
const LONGEST: usize = 80;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File(Position),
    /// The environment variable of this name.
    Env(Arc<str>),
}

/// Something that is wrong in a file, or that has no effect: where, which key, which value, and what would be right.
///
/// Its `Display` is one line: `application.yml:12:9: resilience4j.retry.instances.orders.maxAttempts: 0 is not
/// allowed, must be from 1 to 4294967295`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    file: Arc<str>,
    origin: Origin,
    key: String,
    value: Option<String>,
    expected: Option<String>,
    hint: Option<String>,
    message: String,
}

impl Problem {
    /// The file's name as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1. Nothing if the value came from the environment.
    #[must_use]
    pub const fn line(&self) -> Option<u32> {
        match &self.origin {
            Origin::File(at) => Some(at.line),
            Origin::Env(_) => None,
        }
    }

    /// The column in characters, counted from 1. Nothing if the value came from the environment.
    #[must_use]
    pub const fn column(&self) -> Option<u32> {
        match &self.origin {
            Origin::File(at) => Some(at.column),
            Origin::Env(_) => None,
        }
    }

    /// The environment variable that the value came from, if it did.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match &self.origin {
            Origin::File(_) => None,
            Origin::Env(name) => Some(name),
        }
    }

    /// The whole key as it is written in the file; empty if the file cannot be read at all.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value in question, if it is about one.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// What would be allowed, in words.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// What may have been meant.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(at) => write!(f, "{}:{}:{}: ", self.file, at.line, at.column)?,
            Origin::Env(name) => write!(f, "environment variable {name}: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong in a file; nothing of it has been applied.
///
/// Its `Display` has one line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
    /// Further ones that were only counted.
    more: usize,
}

impl ConfigErrors {
    /// The problems in the order of the file, at most 1000 of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// How many there are, those beyond the first 1000 included.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.problems.len() + self.more
    }

    /// What is wrong, where there are no places to tell.
    pub(super) fn without_places(&self) -> String {
        let line = |problem: &Problem| format!("{}: {}", problem.key, problem.message);
        self.problems.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    /// A file that cannot be read.
    pub(super) fn unreadable(file: &str, message: impl fmt::Display) -> Self {
        let mut report = Report::new(file);
        report.error(Position::START, "", message.to_string());
        report.into_errors()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Collects what is wrong, and what has no effect.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) file: Arc<str>,
    errors: Vec<Problem>,
    more: usize,
    warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self { file: shown(file).into(), errors: Vec::new(), more: 0, warnings: Vec::new() }
    }

    fn problem(&self, at: impl Into<Origin>, key: &str, message: &str) -> Problem {
        Problem {
            file: self.file.clone(),
            origin: at.into(),
            key: shown(key),
            value: None,
            expected: None,
            hint: None,
            // Names out of the file may be in it.
            message: one_line(message, LONGEST * 50),
        }
    }

    fn push(&mut self, problem: Problem) {
        if self.errors.len() < MOST { self.errors.push(problem) } else { self.more += 1 }
    }

    pub(super) fn error(&mut self, at: impl Into<Origin>, key: &str, message: impl Into<String>) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let problem = self.problem(at, key, &message.into());
        self.push(problem);
    }

    pub(super) fn syntax(&mut self, error: &SyntaxError) {
        self.error(error.at, "", shown(&error.message));
    }

    /// A value that is not what it has to be.
    pub(super) fn refuse(
        &mut self,
        at: impl Into<Origin>,
        key: &str,
        value: &str,
        expected: impl Into<String>,
        hint: Option<&str>,
    ) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let (value, expected) = (shown(value), expected.into());
        let mut message = format!("{} is not allowed, must be {expected}", quoted(&value));
        if let Some(hint) = hint {
            message.push_str("; did you mean `");
            message.push_str(hint);
            message.push_str("`?");
        }
        let mut problem = self.problem(at, key, &message);
        problem.value = Some(value);
        problem.expected = Some(expected);
        problem.hint = hint.map(str::to_owned);
        self.push(problem);
    }

    /// A key or a name that there is not.
    pub(super) fn unknown<'a>(
        &mut self,
        at: impl Into<Origin>,
        key: &str,
        what: &str,
        hint: Option<&str>,
        known: impl IntoIterator<Item = &'a str>,
        lenient: bool,
    ) {
        if self.is_full_of(lenient) {
            self.more += usize::from(!lenient);
            return;
        }
        let known = known.into_iter().map(shown).collect::<Vec<_>>().join(", ");
        let expected = if known.is_empty() { None } else { Some(format!("one of {known}")) };
        let message = match (hint, &expected) {
            (Some(hint), _) => format!("{what}, did you mean `{hint}`?"),
            (None, Some(expected)) => format!("{what}, must be {expected}"),
            (None, None) => what.to_owned(),
        };
        let mut problem = self.problem(at, key, &message);
        problem.expected = expected;
        problem.hint = hint.map(shown);
        if lenient { self.warnings.push(problem) } else { self.push(problem) }
    }

    pub(super) fn warn(&mut self, at: impl Into<Origin>, key: &str, message: impl Into<String>) {
        if self.warnings.len() < MOST {
            let problem = self.problem(at, key, &message.into());
            self.warnings.push(problem);
        }
    }

    /// Is what comes now only counted? Then nobody needs to find words for it.
    pub(super) const fn is_full(&self) -> bool {
        self.errors.len() >= MOST
    }

    /// The same where unknown keys are warnings.
    pub(super) const fn is_full_of(&self, lenient: bool) -> bool {
        if lenient { self.warnings.len() >= MOST } else { self.is_full() }
    }

    pub(super) const fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Is anything wrong with what is below a key?
    pub(super) fn has_errors_below(&self, key: &str) -> bool {
        self.errors.iter().any(|problem| problem.key.starts_with(key))
    }

    /// The warnings, if nothing is wrong.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, ConfigErrors> {
        if self.has_errors() {
            return Err(self.into_errors());
        }
        sort(&mut self.warnings);
        Ok(self.warnings)
    }

    fn into_errors(mut self) -> ConfigErrors {
        sort(&mut self.errors);
        ConfigErrors { problems: self.errors, more: self.more }
    }
}

impl From<Position> for Origin {
    fn from(at: Position) -> Self {
        Self::File(at)
    }
}

impl From<&Self> for Origin {
    fn from(origin: &Self) -> Self {
        origin.clone()
    }
}

/// In the order of the file; those from the environment come last.
fn sort(problems: &mut Vec<Problem>) {
    problems.sort_by_key(|problem| match &problem.origin {
        Origin::File(at) => (false, *at),
        Origin::Env(_) => (true, Position::START),
    });
    // What stands wrong in an anchor or in a shared config is wrong once a place, whoever takes it from there.
    let mut told = HashSet::new();
    problems.retain(|problem| told.insert(problem.to_string()));
}

/// On one line, without anything that moves the cursor, and not endless.
pub(super) fn shown(text: &str) -> String {
    one_line(text, LONGEST * 4)
}

fn one_line(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(longest) {
        // Marks that end a line, or that change the direction of what follows, are no control characters to Unicode.
        let moves = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if moves || c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

pub(super) fn quoted(value: &str) -> String {
    let mut chars = value.chars();
    let short: String = chars.by_ref().take(LONGEST).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    let plain = short.chars().all(|c| c.is_alphanumeric() || "-+._:/ $%".contains(c));
    if plain && !short.is_empty() && short.trim() == short {
        format!("{short}{more}")
    } else {
        format!("`{short}{more}`")
    }
}
