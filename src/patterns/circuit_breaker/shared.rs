//! The core behind its lock, and everything that has to happen outside that lock.

#[cfg(all(test, seawall_loom))]
mod loom;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::config::{CircuitBreakerConfig, OpenFor, SliceAlignment, SlidingWindow};
use super::driver::Driver;
use super::gate::{Gate, Shown, Tally};
use super::state::{Core, Ending, Refusal, WaitWanted};
use super::view::State;
use super::window::Slices;
use crate::backoff::{BackoffContext, Waits};
use crate::deadline::Deadline;
use crate::error::{Reason, Rejected};
use crate::outcome::{Cause, Outcome, Verdict};
use crate::random::Random;
use crate::settings::{Live, Span};
use crate::sync::{Lock, MutexGuard};
use crate::telemetry::{CircuitBreakerEvent, EventKind, Observer, ObserverId, Observers, Outbox};

pub(crate) struct Shared {
    pub(in crate::patterns) name: Arc<str>,
    /// What the core has, for whoever has no need of the core. Changes only under the core's lock.
    config: Live<CircuitBreakerConfig>,
    /// What a success reads of it.
    terms: Terms,
    observers: Observers,
    random: Random,
    core: Lock<Core>,
    /// What the open wait's formula remembers from opening to opening.
    waits: Lock<Waits>,
    gate: Gate,
    pub(super) driver: Driver,
}

/// What a call needs to report back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(super) generation: u64,
    /// Nothing where no duration matters.
    started: Option<Instant>,
    /// Known at the start only: the call may be given up anywhere.
    deadline: Option<Deadline>,
}

impl Ticket {
    /// Does the call's duration matter?
    #[inline]
    pub(super) const fn is_timed(&self) -> bool {
        self.started.is_some()
    }

    /// How long the call has run; nothing where no duration matters.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        self.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started))
    }

    /// Is that at most `most`? Spares the subtraction, which costs twice as much.
    #[inline]
    fn elapsed_at_most(&self, most: Duration, now: Instant) -> bool {
        let end = self.started.and_then(|started| started.checked_add(most));
        end.is_none_or(|end| now <= end)
    }
}

/// The core, locked, with everything credited that was counted at the gate. Let go, it has the gate
/// say what it now would answer.
pub(super) struct Locked<'a> {
    core: MutexGuard<'a, Core>,
    shared: &'a Shared,
}

impl Deref for Locked<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let observed = self.shared.observers.any();
        self.shared.gate.show(Shown {
            generation: self.core.generation(),
            passes: self.core.lets_all_pass(),
            is_timed: observed || self.core.is_timed(),
            tallies: !observed && self.core.tallies_successes(),
            refuses_until: if observed { None } else { self.core.refuses_until() },
        });
    }
}

impl Shared {
    pub(super) fn new(name: Arc<str>, config: CircuitBreakerConfig) -> Arc<Self> {
        let config = Arc::new(config);
        let now = Instant::now();
        let core = Core::new(config.clone(), slices(&config), now);
        let shared = Arc::new(Self {
            name,
            random: config.random.clone().unwrap_or_default(),
            gate: Gate::new(now),
            core: Lock::new(core),
            waits: Lock::new(Waits::default()),
            terms: Terms::new(&config),
            config: Live::new(config),
            observers: Observers::default(),
            driver: Driver::default(),
        });
        drop(shared.settled(now));
        shared
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        let mut core = self.core.lock();
        match self.gate.close() {
            Some(Tally::Successes(count)) => core.credit_successes(count),
            Some(Tally::Refusals(count)) => core.credit_refusals(count),
            None => {}
        }
        Locked { core, shared: self }
    }

    /// The core with all timers fired that are due, and with the open wait asked for.
    pub(super) fn settled(self: &Arc<Self>, now: Instant) -> Locked<'_> {
        let mut watched = false;
        loop {
            let mut out = self.observers.outbox();
            let mut core = self.lock();
            core.tick(now, &mut out);
            let wanted = core.wanted();
            let done = out.is_empty() && wanted.is_none();
            if done && (watched || core.due().is_none() || self.driver.runs()) {
                return core;
            }
            drop(core);
            self.send(out);
            if let Some(wanted) = wanted {
                self.answer(wanted);
            }
            if done {
                self.driver.ensure(self);
                watched = true;
            }
        }
    }

    /// Changes the core, and then does outside the lock what that gives rise to.
    pub(super) fn apply<R>(
        self: &Arc<Self>,
        now: Instant,
        change: impl FnOnce(&mut Core, Instant, &mut Outbox<CircuitBreakerEvent>) -> R,
    ) -> R {
        let mut out = self.observers.outbox();
        let mut core = self.lock();
        if core.due().is_some_and(|due| due <= now) {
            drop(core);
            core = self.settled(now);
        }
        let before = core.generation();
        let result = change(&mut core, now, &mut out);
        let moved = core.generation() != before;
        let timed = core.due().is_some();
        drop(core);
        if moved || timed || !out.is_empty() {
            self.follow_up(now, out, moved);
        }
        result
    }

    #[cold]
    fn follow_up(self: &Arc<Self>, now: Instant, out: Outbox<CircuitBreakerEvent>, moved: bool) {
        self.send(out);
        if moved {
            drop(self.settled(now));
            self.driver.wake();
        } else {
            // The timer may have been set outside any runtime, or in one that is gone.
            let timed = self.lock().due().is_some();
            if timed {
                self.driver.ensure(self);
            }
        }
    }

    pub(super) fn next_due(self: &Arc<Self>) -> Option<Instant> {
        self.settled(Instant::now()).due()
    }

    // ## Managing

    pub(in crate::patterns) fn settings(&self) -> Arc<CircuitBreakerConfig> {
        self.config.get()
    }

    pub(super) fn update(self: &Arc<Self>, config: CircuitBreakerConfig) {
        let (config, now) = (Arc::new(config), Instant::now());
        let slices = slices(&config);
        // The old settings may end with this, and with them a user's function: no lock is held by then.
        let _old = self.apply(now, |core, now, out| {
            core.update(now, config.clone(), slices, out);
            self.terms.set(&config);
            self.config.set(config)
        });
    }

    pub(in crate::patterns) fn attach(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        self.observers.add_as(id, observer);
        // From here on nothing is only counted.
        drop(self.lock());
    }

    pub(in crate::patterns) fn detach(&self, id: ObserverId) {
        self.observers.remove(id);
        // Calls are counted at the gate again, if that was the last one.
        drop(self.lock());
    }

    /// Asks the user's function how long the circuit stays open. No lock is held.
    fn answer(&self, wanted: WaitWanted) {
        let context = BackoffContext::new(wanted.opening);
        let mut waits = std::mem::take(&mut *self.waits.lock());
        let ask = || {
            let wait = waits.next(&self.config.get().open_wait, &context, &self.random);
            wait.unwrap_or(Duration::MAX)
        };
        // A circuit whose wait cannot be had must still come back by itself.
        let wait = catch_unwind(AssertUnwindSafe(ask)).unwrap_or(Duration::from_secs(60));
        let old = std::mem::replace(&mut *self.waits.lock(), waits);
        self.lock().set_wait(wanted.generation, wait);
        // The circuit may have opened once more meanwhile. With what was remembered then may end a user's iterator.
        drop(old);
    }

    fn send(&self, out: Outbox<CircuitBreakerEvent>) {
        self.observers.send(&self.name, out, EventKind::CircuitBreaker);
    }

    // ## One call

    /// Lets a call pass, or says why not. A closed circuit costs one atomic read.
    #[inline]
    pub(crate) fn admit(
        self: &Arc<Self>,
        clock: impl FnOnce() -> Instant,
    ) -> Result<Ticket, Rejected> {
        let sight = self.gate.look();
        let (generation, started) = if sight.passes() {
            (sight.generation(), sight.is_timed().then(clock))
        } else {
            let now = clock();
            (self.ask(now)?, sight.is_timed().then_some(now))
        };
        Ok(Ticket { generation, started, deadline: Deadline::current() })
    }

    #[cold]
    fn ask(self: &Arc<Self>, now: Instant) -> Result<u64, Rejected> {
        match self.gate.count_refusal(now) {
            Some(left) => Err(self.refusal(Reason::CircuitOpen, Some(left))),
            None => self.ask_core(now),
        }
    }

    #[inline(never)]
    fn ask_core(self: &Arc<Self>, now: Instant) -> Result<u64, Rejected> {
        self.apply(now, Core::try_acquire).map_err(|Refusal { state, retry_after }| {
            let reason = match state {
                State::HalfOpen => Reason::CircuitHalfOpen,
                State::ForcedOpen => Reason::CircuitForcedOpen,
                _ => Reason::CircuitOpen,
            };
            self.refusal(reason, retry_after)
        })
    }

    fn refusal(&self, reason: Reason, retry_after: Option<Duration>) -> Rejected {
        Rejected::new_with(self.name.clone(), reason, retry_after)
    }

    /// The verdict as it counts here. May panic where the user's function does; no lock is held.
    pub(super) fn filtered(&self, verdict: &Verdict) -> Verdict {
        if !verdict.is_failure() {
            return *verdict;
        }
        let config = self.config.get();
        config.causes.as_ref().map_or(*verdict, |causes| causes.apply(*verdict))
    }

    /// What the user's function makes of a verdict. May panic; no lock is held.
    #[inline]
    pub(crate) fn transition_on_result(&self, verdict: &Verdict) -> Option<OpenFor> {
        if !self.terms.asks_result() || verdict.outcome() == Outcome::Ignored {
            return None;
        }
        let config = self.config.get();
        config.transition_on_result.as_ref()?(verdict)
    }

    /// Counts a success that was in time and decides nothing. Otherwise nothing is done but to say so,
    /// with the moment if it is known by now.
    #[inline]
    pub(super) fn count_success(&self, ticket: &Ticket) -> Result<(), Option<Instant>> {
        if !ticket.is_timed() && self.gate.count_success(ticket.generation) {
            return Ok(());
        }
        match self.count_success_by_clock(ticket) {
            None => Ok(()),
            now => Err(now),
        }
    }

    /// The moment, if it did not count.
    fn count_success_by_clock(&self, ticket: &Ticket) -> Option<Instant> {
        let now = Instant::now();
        let counted = ticket.elapsed_at_most(self.terms.slow_after.get(), now)
            && self.count_success_at(ticket.generation, now);
        (!counted).then_some(now)
    }

    /// Counts a success in time that decides nothing.
    ///
    /// A window of time has to know when, so it is told under its lock. In a closed circuit it counts
    /// nothing at the gate, and in another it does nothing here: the gate can stay as it is.
    #[inline(always)]
    fn count_success_at(&self, generation: u64, now: Instant) -> bool {
        if self.terms.is_over_time.load(Ordering::Relaxed) {
            !self.terms.asks_result()
                && !self.observers.any()
                && self.core.lock().record_plain_success(now, generation)
        } else {
            self.gate.count_success(generation)
        }
    }

    /// A success after so much time, whenever the call ended. The user's function is not asked.
    pub(super) fn record_success(self: &Arc<Self>, generation: u64, elapsed: Duration) {
        let in_time = elapsed <= self.terms.slow_after.get();
        if in_time && self.gate.count_success(generation) {
            return;
        }
        let now = Instant::now();
        if !(in_time && self.count_success_at(generation, now)) {
            self.record(generation, &Verdict::success(), now, elapsed, None);
        }
    }

    #[cold]
    pub(super) fn record(
        self: &Arc<Self>,
        generation: u64,
        verdict: &Verdict,
        now: Instant,
        elapsed: Duration,
        open: Option<OpenFor>,
    ) {
        let cause = verdict.cause().unwrap_or(Cause::Other);
        let failure = match verdict.outcome() {
            Outcome::Success => None,
            Outcome::Failure => Some(cause),
            Outcome::Ignored => {
                return self.apply(now, |core, now, out| {
                    core.ignore(now, generation, (elapsed, cause), out);
                });
            }
        };
        let ending = Ending { failure, elapsed, open };
        self.apply(now, |core, now, out| core.record(now, generation, ending, out));
    }

    /// The caller gave the call up. One that had run for long was hung, and counts as failed.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel(self: Arc<Self>, ticket: &Ticket) {
        let now = Instant::now();
        let elapsed = ticket.elapsed(now);
        let config = self.config.load();
        let hung = ticket.is_timed() && elapsed > config.cancelled_is_failure_after();
        let late = ticket.deadline.is_some_and(|deadline| deadline.has_passed(now));
        let panicked = config.panic_is_failure && std::thread::panicking();
        drop(config);
        if hung || late || panicked {
            self.record(ticket.generation, &Verdict::failure(Cause::Cancelled), now, elapsed, None);
        } else {
            self.apply(now, |core, now, out| core.release(now, ticket.generation, out));
        }
    }

    /// Can the body of this call still matter? A bad head is final, and so is the head of a trial: an
    /// endless body must not hold it.
    pub(crate) fn waits_for_body(&self, ticket: &Ticket, verdict: &Verdict) -> bool {
        verdict.is_success()
            && !self.terms.asks_result()
            && self.gate.look().passes_as(ticket.generation)
    }
}

/// The settings that a success reads.
struct Terms {
    slow_after: Span,
    /// The window looks back on time.
    is_over_time: AtomicBool,
    /// A result may open the circuit.
    asks_result: AtomicBool,
}

impl Terms {
    fn new(config: &CircuitBreakerConfig) -> Self {
        let terms = Self {
            slow_after: Span::new(Duration::ZERO),
            is_over_time: AtomicBool::new(false),
            asks_result: AtomicBool::new(false),
        };
        terms.set(config);
        terms
    }

    fn set(&self, config: &CircuitBreakerConfig) {
        let is_over_time = matches!(config.sliding_window, SlidingWindow::Time { .. });
        self.slow_after.set(config.slow_call_duration_threshold);
        self.is_over_time.store(is_over_time, Ordering::Relaxed);
        self.asks_result.store(config.transition_on_result.is_some(), Ordering::Relaxed);
    }

    #[inline]
    fn asks_result(&self) -> bool {
        self.asks_result.load(Ordering::Relaxed)
    }
}

/// Where the slices of a window begin that is made now.
fn slices(config: &CircuitBreakerConfig) -> Slices {
    match config.slice_alignment {
        SliceAlignment::FromStart => Slices::FromStart,
        SliceAlignment::WallClock => Slices::Grid(crate::clock::phase_of_second()),
    }
}

/// Short, and written outside the lock: the writer is the user's.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, counters) = {
            let core = self.lock();
            (core.state(), core.counters())
        };
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("state", &state)
            .field("counters", &counters)
            .finish_non_exhaustive()
    }
}
