//! The decisions of a circuit breaker, without clock, lock or future.
//!
//! The open wait is a user's function, so the core never calls it: [`Core::wanted`] says that one
//! is needed, and the owner answers with [`Core::set_wait`]. Until then the circuit simply refuses.

mod enter;
mod judge;
mod update;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::config::{CircuitBreakerConfig, OpenFor};
use super::view::{Counters, State, Transition, TransitionReason as Why};
use super::window::{Measurement, Runs, Slices, Window};
use crate::deadline::later;
use crate::outcome::Cause;
use crate::telemetry::{CircuitBreakerEvent as Event, Outbox};

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The state that refused it.
    pub state: State,
    /// When the state may let calls pass, where that is known.
    pub retry_after: Option<Duration>,
}

/// An open circuit needs its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitWanted {
    /// The state that needs it.
    pub generation: u64,
    /// How many times in a row the circuit has opened.
    pub opening: NonZeroU32,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why it failed; nothing for a success.
    pub failure: Option<Cause>,
    /// From the permission to the end.
    pub elapsed: Duration,
    /// Open a closed circuit in any case?
    pub open: Option<OpenFor>,
}

#[derive(Debug)]
enum Mode {
    Closed,
    Open { since: Instant, until: Until },
    HalfOpen { permits: u32, until: Option<Instant> },
    ForcedOpen,
    Disabled,
    MetricsOnly { failure_told: bool, slow_told: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Nobody knows yet.
    Wanted,
    /// The owner is about to say.
    Asked,
    /// Calls are refused up to and including this moment.
    At(Instant),
}

/// The state machine. See the module's text.
#[derive(Debug)]
pub struct Core {
    config: Arc<CircuitBreakerConfig>,
    slices: Slices,
    created: Instant,
    mode: Mode,
    /// One more for every state entered, so that late reports are told from those that count.
    generation: u64,
    /// How many times in a row the circuit has opened.
    opening: u32,
    window: Window,
    /// Calls that the window must hold before its rates count.
    minimum: u32,
    not_permitted: u64,
    counters: Counters,
    /// The last changes of state, the oldest first.
    transitions: VecDeque<Transition>,
    /// Timers fired at the latest look, and when that was.
    fired: (u32, Instant),
}

/// More timers than these cannot fall due in one look: after so many the clock has moved further
/// than anyone waited, and the next timer is set from now.
const MOST_TIMERS: u32 = 64;

impl Core {
    /// A core in its initial state.
    #[must_use]
    pub fn new(config: Arc<CircuitBreakerConfig>, slices: Slices, now: Instant) -> Self {
        let initial = config.initial_state;
        let mut core = Self {
            config,
            slices,
            created: now,
            mode: Mode::Closed,
            generation: 0,
            opening: 0,
            window: Window::Runs(Runs::default()),
            minimum: 1,
            not_permitted: 0,
            counters: Counters::default(),
            transitions: VecDeque::new(),
            fired: (0, now),
        };
        core.start_window(now, State::Closed);
        match initial {
            State::Open => core.enter_open(now, None),
            State::HalfOpen => core.opening = 1,
            _ => {}
        }
        if initial != State::Open {
            core.enter(now, initial);
        }
        core
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.mode {
            Mode::Closed => State::Closed,
            Mode::Open { .. } => State::Open,
            Mode::HalfOpen { .. } => State::HalfOpen,
            Mode::ForcedOpen => State::ForcedOpen,
            Mode::Disabled => State::Disabled,
            Mode::MetricsOnly { .. } => State::MetricsOnly,
        }
    }

    /// The number of the state: one more for every state entered.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Does an outcome's duration matter to anything?
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.config.is_timed()
    }

    /// Do calls pass without asking the core?
    #[must_use]
    pub const fn lets_all_pass(&self) -> bool {
        matches!(self.mode, Mode::Closed | Mode::Disabled | Mode::MetricsOnly { .. })
    }

    /// When the state changes by itself, if it does.
    #[inline]
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        match self.mode {
            Mode::Open { until: Until::At(until), .. } if self.config.automatic_transition => {
                Some(until)
            }
            Mode::HalfOpen { until, .. } => until,
            _ => None,
        }
    }

    /// The wait that an open circuit needs, if it needs one. Said once for every opening: whoever
    /// hears it has to answer.
    #[must_use]
    pub fn wanted(&mut self) -> Option<WaitWanted> {
        match &mut self.mode {
            Mode::Open { until: until @ Until::Wanted, .. } => {
                *until = Until::Asked;
                Some(WaitWanted {
                    generation: self.generation,
                    opening: NonZeroU32::new(self.opening).unwrap_or(NonZeroU32::MIN),
                })
            }
            _ => None,
        }
    }

    /// Answers [`wanted`](Self::wanted); too late an answer is dropped.
    pub fn set_wait(&mut self, generation: u64, wait: Duration) {
        if let Mode::Open { since, until: until @ (Until::Wanted | Until::Asked) } = &mut self.mode
            && generation == self.generation
        {
            *until = Until::At(later(*since, wait));
        }
    }

    /// Lets the timers fire that are due by now.
    #[inline]
    pub fn tick(&mut self, now: Instant, out: &mut Outbox<Event>) {
        while let Some(due) = self.due().filter(|due| *due <= now) {
            // Not anew for an earlier moment: two threads may look by turns.
            if self.fired.1 < now {
                self.fired = (0, now);
            }
            self.fired.0 = self.fired.0.saturating_add(1);
            let at = if self.fired.0 < MOST_TIMERS { due } else { now };
            match self.mode {
                Mode::Open { .. } => self.go(at, State::HalfOpen, Why::WaitOver, out),
                _ => {
                    let to = self.config.after_half_open_wait;
                    self.go(at, to, Why::HalfOpenWaitOver, out);
                }
            }
        }
    }

    /// Asks to let a call pass. The permission belongs to the returned generation.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the state does not let it pass.
    pub fn try_acquire(&mut self, now: Instant, out: &mut Outbox<Event>) -> Result<u64, Refusal> {
        self.tick(now, out);
        if let Mode::Open { until: Until::At(until), .. } = self.mode
            && now > until
        {
            self.go(now, State::HalfOpen, Why::WaitOver, out);
        }
        let retry_after = match &mut self.mode {
            Mode::Closed | Mode::Disabled | Mode::MetricsOnly { .. } => return Ok(self.generation),
            Mode::HalfOpen { permits: permits @ 1.., .. } => {
                *permits -= 1;
                return Ok(self.generation);
            }
            Mode::HalfOpen { .. }
            | Mode::ForcedOpen
            | Mode::Open { until: Until::Wanted | Until::Asked, .. } => None,
            // The wait is over only after its last moment.
            Mode::Open { until: Until::At(until), .. } => {
                Some(until.saturating_duration_since(now) + Duration::from_nanos(1))
            }
        };
        self.not_permitted += 1;
        self.counters.not_permitted += 1;
        self.tell(now, Event::NotPermitted, out);
        Err(Refusal { state: self.state(), retry_after })
    }

    // ## The usual case in short
    //
    // A success in time among nothing but the like decides nothing, for no threshold is zero.

    /// Is the number all there is to learn of further successes in time, until something else
    /// happens? They are [credited](Self::credit_successes) before that.
    #[must_use]
    pub fn tallies_successes(&self) -> bool {
        let plain = match self.mode {
            Mode::Closed | Mode::MetricsOnly { .. } => self.window.is_plain(),
            Mode::Disabled => true,
            Mode::Open { .. } | Mode::HalfOpen { .. } | Mode::ForcedOpen => false,
        };
        plain && self.config.transition_on_result.is_none()
    }

    /// So many successes of this kind, all of this state.
    pub fn credit_successes(&mut self, count: u32) {
        if !matches!(self.mode, Mode::Disabled) {
            self.window.record_plain_successes(count);
        }
        self.counters.successful += u64::from(count);
    }

    /// The moment before which every call is refused, with nothing to do but to count it. They are
    /// [credited](Self::credit_refusals) before anything else happens.
    #[must_use]
    pub fn refuses_until(&self) -> Option<Instant> {
        match self.mode {
            // A timer needs looking after.
            Mode::Open { until: Until::At(until), .. } if !self.config.automatic_transition => {
                Some(until)
            }
            _ => None,
        }
    }

    /// So many refusals of this kind, all by this state.
    pub const fn credit_refusals(&mut self, count: u32) {
        self.not_permitted += count as u64;
        self.counters.not_permitted += count as u64;
    }

    /// Records a success in time, if the circuit is closed over a window of time that holds nothing
    /// but the like. Otherwise nothing is done but to say so, and [`record`](Self::record) has to be
    /// called.
    #[inline]
    pub fn record_plain_success(&mut self, now: Instant, generation: u64) -> bool {
        let Window::Time(window) = &mut self.window else { return false };
        let plain = generation == self.generation
            && matches!(self.mode, Mode::Closed)
            && window.record_plain_success(now);
        self.counters.successful += u64::from(plain);
        plain
    }

    /// A call ended in a way that counts.
    pub fn record(
        &mut self,
        now: Instant,
        generation: u64,
        ending: Ending,
        out: &mut Outbox<Event>,
    ) {
        self.tick(now, out);
        let Ending { failure, elapsed, open } = ending;
        let slow = elapsed > self.config.slow_call_duration_threshold;
        if out.is_wanted() {
            let event = match failure {
                Some(cause) => Event::Error { elapsed, cause },
                None => Event::Success { elapsed },
            };
            self.tell(now, event, out);
        }
        let failed = failure.is_some();
        self.counters.successful += u64::from(!failed);
        self.counters.failed += u64::from(failed);
        self.counters.slow += u64::from(slow);
        if generation != self.generation {
            self.counters.late += 1;
            return;
        }
        if !matches!(self.mode, Mode::Closed | Mode::HalfOpen { .. } | Mode::MetricsOnly { .. }) {
            return;
        }
        let call = Measurement { failed, slow, elapsed };
        let totals = self.window.record(now, call);
        self.judge(now, totals, out);
        if let (Mode::Closed, Some(open)) = (&self.mode, open) {
            self.go_open(now, Some(open), Why::Result, out);
        }
    }

    /// A call ended in a way that counts nowhere.
    pub fn ignore(
        &mut self,
        now: Instant,
        generation: u64,
        (elapsed, cause): (Duration, Cause),
        out: &mut Outbox<Event>,
    ) {
        self.tick(now, out);
        self.give_back(generation);
        self.counters.ignored += 1;
        self.tell(now, Event::IgnoredError { elapsed, cause }, out);
    }

    /// A call was given up before it had an outcome.
    pub fn release(&mut self, now: Instant, generation: u64, out: &mut Outbox<Event>) {
        self.tick(now, out);
        self.give_back(generation);
        self.counters.cancelled += 1;
    }

    fn give_back(&mut self, generation: u64) {
        if let Mode::HalfOpen { permits, .. } = &mut self.mode
            && generation == self.generation
        {
            *permits += 1;
        }
    }

    /// Everything since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The last changes of state, the oldest first.
    #[must_use]
    pub fn transitions(&self) -> Vec<Transition> {
        self.transitions.iter().copied().collect()
    }

    /// Ordinary events are not told in the two states that do not count.
    fn tell(&self, now: Instant, event: Event, out: &mut Outbox<Event>) {
        if !matches!(self.mode, Mode::Disabled | Mode::ForcedOpen) {
            out.push(now, event);
        }
    }
}

#[cfg(test)]
mod tests;
