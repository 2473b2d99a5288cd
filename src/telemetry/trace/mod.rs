//! Spans and trace context of a pipeline's calls.
//!
//! Without a context that stands and without a subscriber that wants spans, a call carries an empty `Trace` and asks at each
//! point whether it is empty. All that is conditional on the feature `tracing` is in `spans.rs` and `lines.rs`.

mod context;
#[cfg(feature = "http")]
mod headers;
mod info;
mod lines;
mod otel;
mod spans;
mod wire;
#[cfg(feature = "tracing")]
mod words;

use std::fmt;
use std::sync::Arc;

pub use context::{EnteredTrace, TraceContext, Traced};
pub use info::{RequestInfo, ResponseInfo};
pub(crate) use lines::{is_wanted, note, rejected};
use spans::{EnteredSpan, Spans};

use crate::error::{FromRejected, Rejected};
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;

/// What one call leaves in traces. Dropped, it ends them.
#[derive(Default)]
pub(crate) struct Trace(Option<Box<Active>>);

struct Active {
    /// What stood when the call began.
    context: Option<TraceContext>,
    /// Attempts that went out.
    attempts: u32,
    spans: Spans,
}

impl Trace {
    /// A call begins.
    #[inline]
    pub(crate) fn begin(name: &Arc<str>) -> Self {
        if Spans::are_wanted() || TraceContext::stands() { Self::open(name) } else { Self(None) }
    }

    #[cold]
    fn open(name: &str) -> Self {
        let context = TraceContext::current();
        let spans = Spans::open(name);
        let unused = context.is_none() && spans.is_none();
        let active = |spans| Box::new(Active { context, attempts: 0, spans });
        Self((!unused).then(|| active(spans.unwrap_or_default())))
    }

    /// Is there nothing to trace?
    #[inline]
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Within the span of the call until the guard is dropped.
    pub(crate) fn enter_call(&self) -> Option<EnteredSpan> {
        self.0.as_ref()?.spans.enter_call()
    }

    /// Works on the attempt under way, within its span.
    #[inline]
    pub(crate) fn in_attempt<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(active) => active.in_attempt(work),
            None => work(),
        }
    }

    /// Begins an attempt, within a span of its own.
    #[inline]
    pub(crate) fn launch<Req, R: Replay<Req>, T>(
        &mut self,
        replay: &R,
        mut attempt: R::Attempt,
        begin: impl FnOnce(R::Attempt) -> T,
    ) -> T {
        if let Some(active) = &mut self.0 {
            active.prepare(replay, &mut attempt);
        }
        self.in_attempt(|| begin(attempt))
    }

    /// An attempt's outcome is known. `response` is asked for only if somebody wants to know.
    #[inline]
    pub(crate) fn judged(
        &mut self,
        verdict: &Verdict,
        response: impl FnOnce() -> Option<ResponseInfo>,
    ) {
        if let Some(active) = &mut self.0 {
            active.end_attempt(verdict, response);
        }
    }

    /// The call's outcome is known. It may still break.
    #[inline]
    pub(crate) fn finish<T, E: FromRejected>(&mut self, verdict: &Verdict, end: &Result<T, E>) {
        if let Some(active) = &mut self.0 {
            active.end_call(verdict, end.as_ref().err().and_then(FromRejected::as_rejected));
        }
    }

    /// The call has failed with this after it was finished.
    #[inline]
    pub(crate) fn fail(&mut self, cause: Cause) {
        if let Some(active) = &mut self.0 {
            active.spans.fail_call(cause);
        }
    }

    /// The call ends with this and nothing else.
    #[inline]
    pub(crate) fn reject(&mut self, rejected: &Rejected) {
        if let Some(active) = &mut self.0 {
            active.end_call(&rejected.verdict(), Some(rejected));
        }
    }

    /// Is there anything that lasts to the end of the body?
    #[inline]
    pub(crate) fn lasts(&self) -> bool {
        self.0.as_ref().is_some_and(|active| active.spans.is_open())
    }
}

impl Active {
    #[cold]
    fn in_attempt<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.spans.enter_attempt();
        work()
    }

    /// Opens the attempt's span, and has the attempt say where in the trace it is.
    #[cold]
    fn prepare<Req, R: Replay<Req>>(&mut self, replay: &R, attempt: &mut R::Attempt) {
        let before = self.attempts;
        self.attempts = before.saturating_add(1);
        self.spans.open_attempt(before, || replay.describe(attempt));
        let Some(context) = &self.context else { return };
        // OpenTelemetry may have the attempt's own place once the span is entered.
        let context = self.in_attempt(|| context.of_attempt());
        if let Some(sent) = replay.inject(attempt, &context) {
            self.spans.sent(&sent);
        }
    }

    #[cold]
    fn end_attempt(&mut self, verdict: &Verdict, response: impl FnOnce() -> Option<ResponseInfo>) {
        self.spans.end_attempt(verdict, response);
    }

    #[cold]
    fn end_call(&mut self, verdict: &Verdict, rejected: Option<&Rejected>) {
        self.spans.end_call(verdict, rejected);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.spans.close(self.attempts);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_struct("Trace");
        if let Some(active) = &self.0 {
            list.field("context", &active.context).field("attempts", &active.attempts);
        }
        list.finish_non_exhaustive()
    }
}
