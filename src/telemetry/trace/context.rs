//! The W3C trace context under which code runs.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::num::{NonZeroU64, NonZeroU128};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{otel, wire};
use crate::random::Random;

thread_local! {
    // Apart from the context, for it is read by every call, and this needs no destructor.
    static STANDS: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

const SAMPLED: u8 = 1;
/// Sampled, and "the trace id is random" of the specification's second level. Others are not ours to pass on.
const KNOWN_FLAGS: u8 = SAMPLED | 2;

/// A place in a distributed trace, by the [W3C's trace context](https://www.w3.org/TR/trace-context/): what `traceparent` and
/// `tracestate` say.
///
/// While one stands (by [`enter`](Self::enter) or [`scope`](Self::scope), or, with feature `otel`, by OpenTelemetry's current
/// context), a pipeline sends it on with every attempt, and each attempt gets a parent id of its own. Where none stands,
/// nothing is sent.
///
/// ```
/// use seawall::telemetry::TraceContext;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::parse(incoming, None).unwrap();
/// context.scope(async {
///     let current = TraceContext::current().unwrap();
///     assert_eq!(current.to_string(), incoming);
/// }).await;
/// # }
/// ```
#[derive(Clone)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    parent_id: NonZeroU64,
    flags: u8,
    state: Option<Arc<str>>,
    dice: Option<Random>,
}

impl TraceContext {
    /// A place in a trace that is sampled. Nothing if an id is zero, which the specification forbids.
    #[must_use]
    pub fn new(trace_id: u128, parent_id: u64) -> Option<Self> {
        Some(Self {
            trace_id: NonZeroU128::new(trace_id)?,
            parent_id: NonZeroU64::new(parent_id)?,
            flags: SAMPLED,
            state: None,
            dice: None,
        })
    }

    /// Begins a trace, sampled, with ids from these dice; see [`random`](Self::random).
    #[must_use]
    pub fn start(dice: Random) -> Self {
        let trace_id = NonZeroU128::from(id(&dice)) | u128::from(dice.number()) << 64;
        let (parent_id, flags) = (id(&dice), KNOWN_FLAGS);
        Self { trace_id, parent_id, flags, state: None, dice: Some(dice) }
    }

    /// Reads `traceparent`, and `tracestate` if there is one.
    ///
    /// Nothing if `traceparent` is malformed. Version `ff` is; later versions than `00` are read as far as they are known. A
    /// malformed `tracestate` is dropped, and of one longer than 512 characters entries are: first the last ones that are
    /// longer than 128, then the last ones.
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let (trace_id, parent_id, flags) = wire::read(traceparent)?;
        let context = Self::new(trace_id, parent_id)?.flags(flags);
        Some(match tracestate {
            Some(state) => context.trace_state_of(state),
            None => context,
        })
    }

    /// Says whether the trace is recorded.
    #[must_use]
    pub const fn sampled(mut self, sampled: bool) -> Self {
        self.flags = if sampled { self.flags | SAMPLED } else { self.flags & !SAMPLED };
        self
    }

    /// Draws the parent ids of attempts from these dice; a test seeds them. Default: dice seeded by the operating system.
    #[must_use]
    pub fn random(mut self, dice: Random) -> Self {
        self.dice = Some(dice);
        self
    }

    pub(super) const fn flags(mut self, flags: u8) -> Self {
        self.flags = flags & KNOWN_FLAGS;
        self
    }

    pub(super) fn trace_state_of(mut self, state: &str) -> Self {
        self.state = wire::state(state);
        self
    }

    /// The id of the whole trace.
    #[must_use]
    pub const fn trace_id(&self) -> u128 {
        self.trace_id.get()
    }

    /// The id of what the next one is to hang under.
    #[must_use]
    pub const fn parent_id(&self) -> u64 {
        self.parent_id.get()
    }

    /// Is the trace recorded?
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// What vendors have to say, as it came.
    #[must_use]
    pub fn trace_state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The same trace with a parent id of its own.
    #[must_use]
    pub fn child(&self) -> Self {
        static DICE: LazyLock<Random> = LazyLock::new(Random::default);
        let parent_id = id(self.dice.as_ref().unwrap_or_else(|| &DICE));
        Self { parent_id, ..self.clone() }
    }

    /// What goes out with an attempt made under this one: OpenTelemetry's own place, if the attempt's span has one there,
    /// else a child.
    pub(super) fn of_attempt(&self) -> Self {
        match otel::current() {
            Some(own) if own.trace_id == self.trace_id && own.parent_id != self.parent_id => own,
            _ => self.child(),
        }
    }

    /// This place for what belongs to `other`'s trace.
    #[cfg(feature = "http")]
    pub(super) fn within(&self, other: Self) -> Self {
        Self { parent_id: self.parent_id, ..other }
    }

    // ## What stands

    /// The context under which the running code was called: the one last entered, else, with feature `otel`,
    /// OpenTelemetry's.
    ///
    /// As a [`Deadline`](crate::Deadline) it is known while a future is polled, and not in a task that was spawned: read it
    /// before and carry it there.
    #[must_use]
    pub fn current() -> Option<Self> {
        if STANDS.get() {
            CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
        } else {
            otel::current()
        }
    }

    /// Might [`current`](Self::current) have an answer? That is all a call without one asks.
    #[inline]
    pub(crate) fn stands() -> bool {
        STANDS.get() || otel::stands()
    }

    /// Has this context stand on this thread until the returned guard is dropped. In async code use
    /// [`scope`](Self::scope): a guard must not be held over an await.
    pub fn enter(self) -> EnteredTrace {
        EnteredTrace { outer: swap(Some(self)), stays: PhantomData }
    }

    /// Runs `future` under this context.
    pub const fn scope<F>(self, future: F) -> Traced<F> {
        Traced { context: Some(self), future: Some(future) }
    }
}

fn id(dice: &Random) -> NonZeroU64 {
    loop {
        if let Some(id) = NonZeroU64::new(dice.number()) {
            return id;
        }
    }
}

fn swap(context: Option<TraceContext>) -> Option<TraceContext> {
    let stands = context.is_some();
    let outer = CURRENT.try_with(|current| current.replace(context)).ok().flatten();
    STANDS.set(stands);
    outer
}

/// Two are the same if they are sent in the same words.
impl PartialEq for TraceContext {
    fn eq(&self, other: &Self) -> bool {
        let ids = |it: &Self| (it.trace_id, it.parent_id, it.flags);
        ids(self) == ids(other) && self.state == other.state
    }
}

impl Eq for TraceContext {}

/// As in `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceContext")
            .field("traceparent", &format_args!("{self}"))
            .field("tracestate", &self.state)
            .finish()
    }
}

/// Puts the outer context back when it is dropped. See [`TraceContext::enter`].
#[derive(Debug)]
#[must_use = "the context stands until this is dropped"]
pub struct EnteredTrace {
    outer: Option<TraceContext>,
    /// It must be dropped on the thread on which it was made.
    stays: PhantomData<*const ()>,
}

impl Drop for EnteredTrace {
    fn drop(&mut self) {
        swap(self.outer.take());
    }
}

pin_project! {
    /// A future under a [`TraceContext`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Traced<F> {
        context: Option<TraceContext>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Traced<F> {
        // What is dropped unfinished learns its context too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.context.take().map(TraceContext::enter);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.context.clone().map(TraceContext::enter);
        this.future.as_pin_mut().expect("the future is there until the drop").poll(cx)
    }
}
