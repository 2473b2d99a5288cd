//! A file as a tree of keys and values, each with its place: the same for YAML, TOML and JSON.
//!
//! Nothing in here knows a setting. What is in a file is never trusted: its size, its depth and the number of nodes (those that
//! aliases stand for included) are bounded before anything walks over them.

pub(super) mod branch;
mod json;
pub(super) mod path;
mod toml;
mod yaml;

use std::fmt;
use std::sync::Arc;

/// The largest file that is read.
pub(super) const MOST_BYTES: usize = 1 << 20;
/// How deep a file may be nested.
const MOST_DEPTH: usize = 64;
/// How many nodes a file may have, those that aliases stand for counted each time.
const MOST_NODES: usize = 200_000;

/// A format that settings are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// YAML, with several documents, anchors and merge keys: an `application.yml`.
    Yaml,
    /// TOML.
    Toml,
    /// JSON, without comments or trailing commas.
    Json,
}

impl Format {
    /// The format that a file's name ends in: `.yml`, `.yaml`, `.toml` or `.json`.
    #[must_use]
    pub fn of(path: &std::path::Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "yml" | "yaml" => Self::Yaml,
            "toml" => Self::Toml,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yaml => "YAML",
            Self::Toml => "TOML",
            Self::Json => "JSON",
        })
    }
}

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn new(line: usize, column: usize) -> Self {
        let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: short(line), column: short(column) }
    }
}

/// A value and where it begins. Cheap to clone: what is below it is shared.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    /// As it is written, without quotes: what it means is for the setting to say.
    Scalar(Arc<str>),
    List(Arc<Vec<Node>>),
    Map(Arc<Vec<Entry>>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Arc<str>,
    pub(super) at: Position,
    /// Brought in by a merge key, and which in turn; 0 is what stands there itself. The lower one wins.
    pub(super) merged: u32,
    pub(super) node: Node,
}

impl Value {
    /// For messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Scalar(text) => text.to_string(),
            Self::List(items) if items.is_empty() => "an empty list".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a section".to_owned(),
        }
    }
}

/// A file is not what its format says.
#[derive(Clone, Debug)]
pub(super) struct SyntaxError {
    pub(super) at: Position,
    pub(super) message: String,
}

impl SyntaxError {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    fn too_deep(at: Position) -> Self {
        Self::new(at, format!("nested more than {MOST_DEPTH} levels deep"))
    }

    fn too_many(at: Position) -> Self {
        Self::new(
            at,
            format!("more than {MOST_NODES} values, those that aliases stand for included"),
        )
    }
}

/// The documents in `bytes`; only YAML has more than one.
pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<Vec<Node>, SyntaxError> {
    if bytes.len() > MOST_BYTES {
        let message = format!("larger than {MOST_BYTES} bytes");
        return Err(SyntaxError::new(Position::START, message));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = Lines::new(bytes).position(error.valid_up_to());
            return Err(SyntaxError::new(at, "not UTF-8"));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Yaml => yaml::parse(text),
        Format::Toml => toml::parse(text).map(|node| vec![node]),
        Format::Json => json::parse(text).map(|node| vec![node]),
    }
}

/// Turns offsets into places.
struct Lines<'a> {
    bytes: &'a [u8],
    starts: Vec<usize>,
    /// How many characters there are before each block: a file may well be one long line.
    before: Vec<usize>,
}

/// How many bytes one of the blocks has in which characters are counted.
const BLOCK: usize = 256;

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        let mut before = vec![0];
        for block in bytes.chunks(BLOCK) {
            before.push(before[before.len() - 1] + characters(block));
        }
        Self { bytes, starts, before }
    }

    fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.bytes.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let column = self.characters_to(offset) - self.characters_to(self.starts[line - 1]);
        Position::new(line, column + 1)
    }

    fn characters_to(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        self.before[block] + characters(&self.bytes[block * BLOCK..offset])
    }
}

/// Characters and not bytes: whatever does not continue one.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Counts what a parser makes.
#[derive(Default)]
struct Budget {
    nodes: usize,
}

impl Budget {
    fn spend(&mut self, nodes: usize, at: Position) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES { Err(SyntaxError::too_many(at)) } else { Ok(()) }
    }
}
