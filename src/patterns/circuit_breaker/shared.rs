//! The core behind its lock, and everything that has to happen outside that lock.

#[cfg(all(test, seawall_loom))]
mod loom;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::config::{CircuitBreakerConfig, OpenFor, SliceAlignment, SlidingWindow};
use super::driver::Driver;
use super::state::{Core, Ending, Refusal, WaitWanted};
use super::view::State;
use super::window::Slices;
use crate::backoff::BackoffContext;
use crate::deadline::Deadline;
use crate::error::{Reason, Rejected};
use crate::outcome::{Cause, Outcome, Verdict};
use crate::random::Random;
use crate::sync::{AtomicU64, Lock, MutexGuard};
use crate::telemetry::{CircuitBreakerEvent, EventKind, Observers, Outbox};

pub(crate) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) config: Arc<CircuitBreakerConfig>,
    pub(super) observers: Observers,
    random: Random,
    core: Lock<Core>,
    /// The generation, and in the lowest bit whether it lets all calls pass: a closed circuit is asked
    /// without a lock.
    gate: AtomicU64,
    timed: bool,
    pub(super) driver: Driver,
}

/// What a call needs to report back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    generation: u64,
    /// Nothing where no duration matters.
    started: Option<Instant>,
    deadline: Option<Deadline>,
}

impl Ticket {
    #[inline]
    pub(crate) fn elapsed(&self, now: Option<Instant>) -> Duration {
        match (self.started, now) {
            (Some(started), Some(now)) => now.saturating_duration_since(started),
            _ => Duration::ZERO,
        }
    }
}

impl Shared {
    pub(super) fn new(name: Arc<str>, config: CircuitBreakerConfig) -> Arc<Self> {
        let config = Arc::new(config);
        let slices = match config.slice_alignment {
            SliceAlignment::FromStart => Slices::FromStart,
            SliceAlignment::WallClock => Slices::Grid(crate::clock::phase_of_second()),
        };
        let now = Instant::now();
        let core = Core::new(config.clone(), slices, now);
        let shared = Arc::new(Self {
            name,
            random: config.random.clone().unwrap_or_default(),
            gate: AtomicU64::new(gate(&core)),
            core: Lock::new(core),
            timed: config.is_timed(),
            config,
            observers: Observers::default(),
            driver: Driver::default(),
        });
        drop(shared.settled(now));
        shared
    }

    /// The core with all timers fired that are due, and with the open wait asked for.
    pub(super) fn settled(self: &Arc<Self>, now: Instant) -> MutexGuard<'_, Core> {
        let mut watched = false;
        loop {
            let mut out = self.observers.outbox();
            let mut core = self.core.lock();
            core.tick(now, &mut out);
            let wanted = core.wanted();
            self.gate.store(gate(&core), Ordering::Release);
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
    #[inline]
    pub(super) fn apply<R>(
        self: &Arc<Self>,
        now: Instant,
        change: impl FnOnce(&mut Core, Instant, &mut Outbox<CircuitBreakerEvent>) -> R,
    ) -> R {
        self.apply_to(self.core.lock(), now, change)
    }

    fn apply_to<'a, R>(
        self: &'a Arc<Self>,
        mut core: MutexGuard<'a, Core>,
        now: Instant,
        change: impl FnOnce(&mut Core, Instant, &mut Outbox<CircuitBreakerEvent>) -> R,
    ) -> R {
        let mut out = self.observers.outbox();
        if core.due().is_some_and(|due| due <= now) {
            drop(core);
            core = self.settled(now);
        }
        let before = core.generation();
        let result = change(&mut core, now, &mut out);
        let moved = core.generation() != before;
        if moved {
            self.gate.store(gate(&core), Ordering::Release);
        }
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
            let timed = self.core.lock().due().is_some();
            if timed {
                self.driver.ensure(self);
            }
        }
    }

    pub(super) fn next_due(self: &Arc<Self>) -> Option<Instant> {
        self.settled(Instant::now()).due()
    }

    /// Asks the user's function how long the circuit stays open. No lock is held.
    fn answer(&self, wanted: WaitWanted) {
        let context = BackoffContext::new(wanted.opening);
        let ask = || self.config.open_wait.wait(&context, &self.random).unwrap_or(Duration::MAX);
        // A circuit whose wait cannot be had must still come back by itself.
        let wait = catch_unwind(AssertUnwindSafe(ask)).unwrap_or(Duration::from_secs(60));
        self.core.lock().set_wait(wanted.generation, wait);
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
        let gate = self.gate.load(Ordering::Acquire);
        let timed = self.timed || self.observers.any();
        let (generation, started) = if gate & 1 == 1 {
            (gate >> 1, timed.then(clock))
        } else {
            let now = clock();
            (self.ask(now)?, timed.then_some(now))
        };
        Ok(Ticket { generation, started, deadline: Deadline::current() })
    }

    #[cold]
    fn ask(self: &Arc<Self>, now: Instant) -> Result<u64, Rejected> {
        self.apply(now, Core::try_acquire).map_err(|Refusal { state, retry_after }| {
            let reason = match state {
                State::HalfOpen => Reason::CircuitHalfOpen,
                State::ForcedOpen => Reason::CircuitForcedOpen,
                _ => Reason::CircuitOpen,
            };
            Rejected::new(self.name.clone(), reason).with_retry_after(retry_after)
        })
    }

    /// What the user's function makes of a verdict. May panic; no lock is held.
    #[inline]
    pub(crate) fn transition_on_result(&self, verdict: &Verdict) -> Option<OpenFor> {
        let decide = self.config.transition_on_result.as_ref()?;
        if verdict.outcome() == Outcome::Ignored { None } else { decide(verdict) }
    }

    /// The moment at which a call ends, if a plain success needs one.
    #[inline]
    pub(crate) fn now_for(&self, ticket: &Ticket) -> Option<Instant> {
        let by_time = matches!(self.config.sliding_window, SlidingWindow::Time { .. });
        (by_time || ticket.started.is_some()).then(Instant::now)
    }

    #[inline]
    pub(crate) fn record(
        self: &Arc<Self>,
        ticket: &Ticket,
        verdict: &Verdict,
        now: Option<Instant>,
        elapsed: Duration,
        open: Option<OpenFor>,
    ) {
        let mut core = self.core.lock();
        let plain = verdict.is_success() && open.is_none() && !self.observers.any();
        if plain && core.record_plain_success(now, ticket.generation, elapsed) {
            return;
        }
        let now = now.unwrap_or_else(Instant::now);
        self.record_in_full(core, ticket, verdict, now, elapsed, open);
    }

    #[cold]
    fn record_in_full<'a>(
        self: &'a Arc<Self>,
        core: MutexGuard<'a, Core>,
        ticket: &Ticket,
        verdict: &Verdict,
        now: Instant,
        elapsed: Duration,
        open: Option<OpenFor>,
    ) {
        let generation = ticket.generation;
        let cause = verdict.cause().unwrap_or(Cause::Other);
        let failure = match verdict.outcome() {
            Outcome::Success => None,
            Outcome::Failure => Some(cause),
            Outcome::Ignored => {
                return self.apply_to(core, now, |core, now, out| {
                    core.ignore(now, generation, (elapsed, cause), out);
                });
            }
        };
        let ending = Ending { failure, elapsed, open };
        self.apply_to(core, now, |core, now, out| core.record(now, generation, ending, out));
    }

    /// The caller gave the call up. One that had run for long was hung, and counts as failed.
    #[cold]
    pub(crate) fn cancel(self: &Arc<Self>, ticket: &Ticket) {
        let now = Instant::now();
        let hung = ticket.started.is_some_and(|started| {
            now.saturating_duration_since(started) > self.config.cancelled_is_failure_after()
        });
        let late = ticket.deadline.is_some_and(|deadline| deadline.instant() <= now);
        let panicked = self.config.panic_is_failure && std::thread::panicking();
        if hung || late || panicked {
            let verdict = Verdict::failure(Cause::Cancelled);
            self.record(ticket, &verdict, Some(now), ticket.elapsed(Some(now)), None);
        } else {
            self.apply(now, |core, now, out| core.release(now, ticket.generation, out));
        }
    }

    /// Can the body of this call still matter? A bad head is final, and so is the head of a trial: an
    /// endless body must not hold it.
    pub(crate) fn waits_for_body(&self, ticket: &Ticket, verdict: &Verdict) -> bool {
        verdict.is_success()
            && self.config.transition_on_result.is_none()
            && self.gate.load(Ordering::Acquire) == (ticket.generation << 1 | 1)
    }
}

/// Short, and written outside the lock: the writer is the user's.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, counters) = {
            let core = self.core.lock();
            (core.state(), core.counters())
        };
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("state", &state)
            .field("counters", &counters)
            .finish_non_exhaustive()
    }
}

fn gate(core: &Core) -> u64 {
    core.generation() << 1 | u64::from(core.lets_all_pass())
}
