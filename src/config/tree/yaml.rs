//! YAML: documents, anchors and merge keys, with all that aliases can do to memory bounded.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Budget, Entry, MOST_DEPTH, Node, Position, SyntaxError, Value};

pub(super) fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let at = position(*error.marker());
            match error.info() {
                info if info.contains("recursion limit") => SyntaxError::too_deep(at),
                info => SyntaxError::new(at, info),
            }
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

fn position(marker: saphyr_parser::Marker) -> Position {
    Position::new(marker.line(), marker.col() + 1)
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    budget: Budget,
}

/// A list or a mapping whose end has not come.
struct Open {
    at: Position,
    anchor: usize,
    nodes: usize,
    height: usize,
    what: What,
}

enum What {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, merges: Vec<Node>, key: Option<(Key, Position)> },
}

enum Key {
    Text(Arc<str>),
    Merge,
}

/// A finished node, how many there are in it, and how deep it is.
#[derive(Clone)]
struct Built {
    node: Node,
    nodes: usize,
    height: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let at = position(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            // An anchor belongs to its document.
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Alias(anchor) => {
                let Some(built) = self.anchors.get(&anchor).cloned() else {
                    return Err(SyntaxError::new(at, "an anchor cannot stand within itself"));
                };
                if self.open.len() + built.height > MOST_DEPTH {
                    return Err(SyntaxError::too_deep(at));
                }
                self.budget.spend(built.nodes, at)?;
                self.place(built, 0, at, true)
            }
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(tag.as_deref(), at)?;
                self.budget.spend(1, at)?;
                let plain = style == ScalarStyle::Plain;
                let is_key = matches!(
                    self.open.last(),
                    Some(Open { what: What::Map { key: None, .. }, .. })
                );
                let value = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain && !is_key => Value::Null,
                    text => Value::Scalar(text.into()),
                };
                let node = Node { at, value };
                self.place(Built { node, nodes: 1, height: 0 }, anchor, at, plain)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), at)?;
                self.open(anchor, at, What::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), at)?;
                let what = What::Map { entries: Vec::new(), merges: Vec::new(), key: None };
                self.open(anchor, at, what)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
        }
    }

    fn open(&mut self, anchor: usize, at: Position, what: What) -> Result<(), SyntaxError> {
        if self.open.len() >= MOST_DEPTH {
            return Err(SyntaxError::too_deep(at));
        }
        self.budget.spend(1, at)?;
        self.open.push(Open { at, anchor, nodes: 1, height: 0, what });
        Ok(())
    }

    fn close(&mut self, end: Position) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let Open { at, anchor, mut nodes, height, what } = open;
        let value = match what {
            What::List(items) => Value::List(Arc::new(items)),
            What::Map { mut entries, merges, .. } => {
                let before = entries.len();
                merge(&mut entries, &merges, &mut self.budget)?;
                nodes += entries.len() - before;
                Value::Map(Arc::new(entries))
            }
        };
        let node = Node { at, value };
        self.place(Built { node, nodes, height: height + 1 }, anchor, end, false)
    }

    /// Puts a finished node where it belongs: a document, an item, a key or a key's value.
    fn place(
        &mut self,
        built: Built,
        anchor: usize,
        at: Position,
        plain: bool,
    ) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Built { node, nodes, height } = built;
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.nodes = open.nodes.saturating_add(nodes);
        open.height = open.height.max(height);
        match &mut open.what {
            What::List(items) => items.push(node),
            What::Map { entries, merges, key } => match key.take() {
                None => {
                    let at = if matches!(node.value, Value::Scalar(_)) { node.at } else { at };
                    *key = Some((as_key(node, plain, at)?, at));
                }
                Some((Key::Merge, _)) => merges.push(node),
                Some((Key::Text(key), at)) => entries.push(Entry { key, at, merged: 0, node }),
            },
        }
        Ok(())
    }
}

fn as_key(node: Node, plain: bool, at: Position) -> Result<Key, SyntaxError> {
    match node.value {
        Value::Scalar(text) if plain && &*text == "<<" => Ok(Key::Merge),
        Value::Scalar(text) => Ok(Key::Text(text)),
        Value::Null => Ok(Key::Text("".into())),
        Value::List(_) | Value::Map(_) => Err(SyntaxError::new(at, "a key must be a plain text")),
    }
}

/// Brings in what merge keys name. What stands there itself wins, then what was named first.
fn merge(
    entries: &mut Vec<Entry>,
    merges: &[Node],
    budget: &mut Budget,
) -> Result<(), SyntaxError> {
    let sources = merges.iter().flat_map(|node| match &node.value {
        Value::List(nodes) => nodes.iter().collect(),
        _ => vec![node],
    });
    let mut turn = 0;
    let mut there: std::collections::HashSet<_> =
        entries.iter().map(|entry| entry.key.clone()).collect();
    for node in sources {
        let Value::Map(map) = &node.value else {
            return Err(SyntaxError::new(node.at, "a merge key takes a mapping or a list of them"));
        };
        budget.spend(map.len(), node.at)?;
        let first = turn;
        let mut fresh = Vec::new();
        for entry in map.iter().filter(|entry| !there.contains(&entry.key)) {
            turn = turn.max(first + entry.merged + 1);
            fresh.push(Entry { merged: first + entry.merged + 1, ..entry.clone() });
        }
        // Only now: what is there twice in one mapping is there twice after the merge too.
        there.extend(fresh.iter().map(|entry| entry.key.clone()));
        entries.extend(fresh);
    }
    Ok(())
}

fn check_tag(tag: Option<&Tag>, at: Position) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() && !tag.suffix.is_empty() => {
            let message = format!("the tag `{}{}` has no meaning here", tag.handle, tag.suffix);
            Err(SyntaxError::new(at, message))
        }
        _ => Ok(()),
    }
}
