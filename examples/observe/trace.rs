//! A trace in the terminal: which call made which attempts, when, and what was said meanwhile.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// How wide the names are, and the bars.
const NAMES: usize = 58;
const BARS: usize = 32;

/// Keeps seawall's spans, to be printed as a tree. Clones share what is kept.
///
/// ```ignore
/// let tree = Tree::default();
/// tracing_subscriber::registry().with(tree.clone()).init();
/// // … calls …
/// print!("{}", tree.render());
/// ```
#[derive(Clone, Default)]
pub(crate) struct Tree(Arc<Mutex<Vec<Node>>>);

struct Node {
    id: u64,
    parent: Option<u64>,
    fields: Fields,
    begun: Instant,
    ended: Option<Instant>,
    lines: Vec<(Instant, String)>,
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

// ## Keeping

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Tree {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("seawall")
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = cx.span(id).and_then(|span| Some(span.parent()?.id().into_u64()));
        let (id, begun) = (id.into_u64(), Instant::now());
        let node = Node { id, parent, fields, begun, ended: None, lines: Vec::new() };
        self.0.lock().unwrap().push(node);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |node| record.record(&mut node.fields));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.event_span(event) else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let text = fields.0.remove("message").unwrap_or_default();
        self.change(&span.id(), |node| node.lines.push((Instant::now(), text)));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |node| node.ended = Some(Instant::now()));
    }
}

impl Tree {
    fn change(&self, id: &Id, change: impl FnOnce(&mut Node)) {
        // An id is given again when its span is closed.
        let mut nodes = self.0.lock().unwrap();
        let found = nodes.iter_mut().rfind(|node| node.id == id.into_u64() && node.ended.is_none());
        if let Some(node) = found {
            change(node);
        }
    }
}

// ## Printing

impl Tree {
    /// What is kept so far, one tree a call; and forgets it.
    pub(crate) fn render(&self) -> String {
        let nodes = std::mem::take(&mut *self.0.lock().unwrap());
        let mut text = String::new();
        for (at, root) in nodes.iter().enumerate().filter(|(_, node)| node.parent.is_none()) {
            let until = root.ended.unwrap_or_else(Instant::now);
            let scale = Scale { from: root.begun, span: until - root.begun };
            scale.print(&mut text, "", &root.title(), root);
            let within = |node: &&Node| node.parent == Some(root.id) && node.begun <= until;
            let children: Vec<_> = nodes[at..].iter().filter(within).collect();
            let lines = root.lines.iter().map(|(at, line)| (*at, Entry::Line(line)));
            let spans = children.iter().map(|child| (child.begun, Entry::Span(child)));
            let mut entries: Vec<_> = lines.chain(spans).collect();
            entries.sort_by_key(|(at, _)| *at);
            let last = entries.len().saturating_sub(1);
            for (i, (at, entry)) in entries.into_iter().enumerate() {
                let branch = if i == last { "└─ " } else { "├─ " };
                match entry {
                    Entry::Span(child) => scale.print(&mut text, branch, &child.title(), child),
                    Entry::Line(line) => scale.mark(&mut text, branch, line, at),
                }
            }
            text.push('\n');
        }
        text
    }
}

enum Entry<'a> {
    Span(&'a Node),
    Line(&'a str),
}

impl Node {
    fn get(&self, field: &str) -> Option<&str> {
        self.fields.0.get(field).map(String::as_str)
    }

    fn title(&self) -> String {
        let name = self.get("otel.name").unwrap_or("attempt");
        let status = self.get("http.response.status_code").or(self.get("rpc.response.status_code"));
        let said = self.get("seawall.outcome").or(status).or(self.get("error.type"));
        let path = self.get("url.full").and_then(|url| url.splitn(4, '/').nth(3));
        let mut title = name.to_owned();
        if let (Some(path), None) = (path, self.get("url.template")) {
            write!(title, " /{path}").unwrap();
        }
        write!(title, "  {}", said.unwrap_or("under way")).unwrap();
        if let Some(attempts) = self.get("seawall.attempts") {
            write!(title, ", attempts: {attempts}").unwrap();
        }
        title
    }
}

/// Where on the bar a moment is.
struct Scale {
    from: Instant,
    span: Duration,
}

impl Scale {
    fn at(&self, moment: Instant) -> usize {
        let share = (moment - self.from).as_secs_f64() / self.span.as_secs_f64().max(1e-9);
        (share * BARS as f64).round().min(BARS as f64) as usize
    }

    fn print(&self, text: &mut String, branch: &str, title: &str, node: &Node) {
        let ended = node.ended.unwrap_or(self.from + self.span);
        let (from, to) = (self.at(node.begun).min(BARS - 1), self.at(ended));
        let took = format!("{:.1} ms", (ended - node.begun).as_secs_f64() * 1000.0);
        let bar = format!("{}{}", " ".repeat(from), "█".repeat((to - from.min(to)).max(1)));
        writeln!(text, "{}{took:>12}  {bar}", names(branch, title)).unwrap();
    }

    fn mark(&self, text: &mut String, branch: &str, line: &str, at: Instant) {
        let space = " ".repeat(self.at(at).min(BARS - 1));
        writeln!(text, "{}{:>12}  {space}·", names(branch, line), "").unwrap();
    }
}

fn names(branch: &str, name: &str) -> String {
    let mut text: String = format!("{branch}{name}");
    if text.chars().count() > NAMES {
        text = text.chars().take(NAMES - 1).chain(['…']).collect();
    }
    format!("{text:<NAMES$}")
}
