//! A subscriber that keeps everything.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

pub(crate) type Fields = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub(crate) struct Span {
    id: u64,
    pub(crate) name: &'static str,
    pub(crate) parent: Option<u64>,
    pub(crate) fields: Fields,
    pub(crate) closed: bool,
}

impl Span {
    /// A field's value; empty if there is none.
    pub(crate) fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) fields: Fields,
    /// The name of the span that it is in.
    pub(crate) span: Option<&'static str>,
}

/// Stays subscribed on this thread until it is dropped.
pub(crate) struct Collector {
    kept: Kept,
    _guard: DefaultGuard,
}

#[derive(Clone)]
struct Kept {
    all: Arc<Mutex<(Vec<Span>, Vec<Line>)>>,
    wanted: fn(&Metadata<'_>) -> bool,
}

impl Collector {
    pub(crate) fn new() -> Self {
        Self::filtered(|_| true)
    }

    pub(crate) fn filtered(wanted: fn(&Metadata<'_>) -> bool) -> Self {
        // As long as there is but one subscriber, tracing asks that of the current thread whether a place in the code is of
        // interest, and remembers the answer for all: a test of another thread might answer no.
        static ANOTHER: LazyLock<[Dispatch; 2]> =
            LazyLock::new(|| [(); 2].map(|()| Dispatch::new(Registry::default())));
        LazyLock::force(&ANOTHER);
        let kept = Kept { all: Arc::default(), wanted };
        let subscriber = Registry::default().with(kept.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        Self { kept, _guard: guard }
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.kept.all.lock().unwrap().0.clone()
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.kept.all.lock().unwrap().1.clone()
    }

    /// The only call, and its attempts.
    pub(crate) fn call(&self) -> (Span, Vec<Span>) {
        let spans = self.spans();
        let (calls, attempts): (Vec<_>, Vec<_>) =
            spans.into_iter().partition(|span| span.name == "call");
        assert_eq!(calls.len(), 1, "{calls:#?}");
        let call = calls.into_iter().next().unwrap();
        for attempt in &attempts {
            assert_eq!((attempt.name, attempt.parent), ("attempt", Some(call.id)));
        }
        (call, attempts)
    }
}

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let old = self.0.insert(field.name().to_owned(), format!("{value:?}"));
        assert!(old.is_none(), "`{field}` was told twice");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Kept {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("seawall") && (self.wanted)(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        let mut fields = Fields::new();
        attributes.record(&mut Into(&mut fields));
        let parent = span.parent().map(|parent| parent.id().into_u64());
        let (id, name) = (id.into_u64(), span.name());
        self.all.lock().unwrap().0.push(Span { id, name, parent, fields, closed: false });
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        self.with(id, |span| record.record(&mut Into(&mut span.fields)));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Into(&mut fields));
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let span = cx.event_span(event).map(|span| span.name());
        self.all.lock().unwrap().1.push(Line { level, target, fields, span });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.with(&id, |span| span.closed = true);
    }
}

impl Kept {
    /// An id may be given again once its span is closed: the newest is meant.
    fn with(&self, id: &Id, change: impl FnOnce(&mut Span)) {
        let mut kept = self.all.lock().unwrap();
        let span = kept.0.iter_mut().rfind(|span| span.id == id.into_u64());
        change(span.expect("a span that was opened"));
    }
}
