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

/// The span of a call or of an attempt while it is polled. Boxed, so that a call without spans keeps a word alone.
pub(crate) struct Entered(#[allow(dead_code)] Option<Box<EnteredSpan>>);

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

    /// Work for the call begins that ends when the guard is dropped.
    #[inline]
    pub(crate) fn enter_call(&self) -> Entered {
        match &self.0 {
            Some(active) => active.enter_call(),
            None => Entered(None),
        }
    }

    /// The same for the attempt under way.
    #[inline]
    pub(crate) fn enter_attempt(&self) -> Entered {
        match &self.0 {
            Some(active) => active.enter_attempt(),
            None => Entered(None),
        }
    }

    /// An attempt goes out, within the call's span.
    #[inline]
    pub(crate) fn launch<Req, R: Replay<Req>>(
        &mut self,
        replay: &R,
        attempt: &mut R::Attempt,
    ) -> Entered {
        match &mut self.0 {
            Some(active) => active.launch(replay, attempt),
            None => Entered(None),
        }
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
    fn enter_call(&self) -> Entered {
        Entered(self.spans.enter_call().map(Box::new))
    }

    #[cold]
    fn enter_attempt(&self) -> Entered {
        Entered(self.spans.enter_attempt().map(Box::new))
    }

    #[cold]
    fn launch<Req, R: Replay<Req>>(&mut self, replay: &R, attempt: &mut R::Attempt) -> Entered {
        let before = self.attempts;
        self.attempts = before.saturating_add(1);
        self.spans.open_attempt(before, || replay.describe(attempt));
        let entered = self.enter_attempt();
        if let Some(context) = &self.context {
            let own = context.of_attempt();
            if let Some(sent) = replay.inject(attempt, &own) {
                self.spans.sent(&sent);
            }
        }
        entered
    }
}

impl Active {
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
