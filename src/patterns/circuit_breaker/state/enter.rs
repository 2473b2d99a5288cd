//! Entering states: by hand, and what each begins with.

use tokio::time::Instant;

use super::{Core, Mode, Until};
use crate::deadline::later;
use crate::patterns::circuit_breaker::config::{OpenFor, SlidingWindow};
use crate::patterns::circuit_breaker::view::{State, Transition, TransitionReason as Why};
use crate::patterns::circuit_breaker::window::{CountWindow, Runs, Slices, TimeWindow, Window};
use crate::telemetry::{CircuitBreakerEvent as Event, Outbox};

impl Core {
    // ## By hand

    /// Enters a state by hand. Entering the current one anew is allowed and makes it fresh.
    ///
    /// # Errors
    ///
    /// The state that it is in, if that cannot be left for `to`.
    pub fn transition(
        &mut self,
        now: Instant,
        to: State,
        open: Option<OpenFor>,
        out: &mut Outbox<Event>,
    ) -> Result<(), State> {
        self.tick(now, out);
        let from = self.state();
        if !from.can_go_to(to) {
            return Err(from);
        }
        match to {
            State::Open => self.go_open(now, open, Why::Hand, out),
            _ => self.go(now, to, Why::Hand, out),
        }
        Ok(())
    }

    /// Closes the circuit and forgets everything but the lifetime counters.
    pub fn reset(&mut self, now: Instant, out: &mut Outbox<Event>) {
        self.tick(now, out);
        self.go(now, State::Closed, Why::Reset, out);
        out.push(now, Event::Reset);
    }

    // ## Entering states

    pub(super) fn go(&mut self, now: Instant, to: State, why: Why, out: &mut Outbox<Event>) {
        match to {
            State::Open => self.go_open(now, None, why, out),
            _ => {
                let from = self.state();
                self.enter(now, to);
                self.tell_transition(now, from, why, out);
            }
        }
    }

    pub(super) fn go_open(
        &mut self,
        now: Instant,
        open: Option<OpenFor>,
        why: Why,
        out: &mut Outbox<Event>,
    ) {
        let from = self.state();
        self.enter_open(now, open);
        self.tell_transition(now, from, why, out);
    }

    fn tell_transition(&mut self, now: Instant, from: State, why: Why, out: &mut Outbox<Event>) {
        let to = self.state();
        if from != to {
            self.counters.transitions += 1;
            if self.transitions.len() == Transition::KEPT {
                self.transitions.pop_front();
            }
            self.transitions.push_back(Transition { from, to, at: now, reason: why });
            out.push(now, Event::StateTransition { from, to });
        }
    }

    /// Every state but open starts fresh.
    pub(super) fn enter(&mut self, now: Instant, to: State) {
        self.generation += 1;
        self.not_permitted = 0;
        self.start_window(now, to);
        match to {
            State::Closed | State::Disabled | State::MetricsOnly => self.opening = 0,
            State::ForcedOpen => self.opening = self.opening.saturating_add(1),
            State::Open | State::HalfOpen => {}
        }
        self.mode = match to {
            State::HalfOpen => Mode::HalfOpen {
                permits: self.config.permitted_calls_in_half_open,
                until: (!self.config.max_wait_in_half_open.is_zero())
                    .then(|| later(now, self.config.max_wait_in_half_open)),
            },
            State::ForcedOpen => Mode::ForcedOpen,
            State::Disabled => Mode::Disabled,
            State::MetricsOnly => Mode::MetricsOnly { failure_told: false, slow_told: false },
            State::Closed | State::Open => Mode::Closed,
        };
    }

    /// Open keeps the window and the counter of the state that it follows.
    pub(super) fn enter_open(&mut self, now: Instant, open: Option<OpenFor>) {
        self.generation += 1;
        let until = match open {
            None | Some(OpenFor::Usual) => {
                self.opening = self.opening.saturating_add(1);
                Until::Wanted
            }
            Some(OpenFor::Span(span)) => Until::At(later(now, span)),
            Some(OpenFor::Until(instant)) => Until::At(instant.max(now)),
        };
        self.mode = Mode::Open { since: now, until };
    }

    pub(super) fn start_window(&mut self, now: Instant, state: State) {
        let window = match state {
            // Even a breaker that looks back on time judges its trials by number.
            State::HalfOpen => SlidingWindow::Count(self.config.permitted_calls_in_half_open),
            _ => self.config.sliding_window,
        };
        self.minimum = self.minimum_for(window);
        self.window = match window {
            SlidingWindow::Count(size) => Window::Count(CountWindow::new(size, false)),
            SlidingWindow::Time { seconds } => {
                // The grid stays where it was when the breaker was made.
                let slices = match self.slices {
                    Slices::FromStart => Slices::FromStart,
                    Slices::Grid(phase) => {
                        Slices::Grid(phase + now.saturating_duration_since(self.created))
                    }
                };
                Window::Time(TimeWindow::new(seconds, slices, now))
            }
            SlidingWindow::Consecutive(_) => Window::Runs(Runs::default()),
        };
    }

    /// Calls that such a window must hold before its rates count.
    pub(super) fn minimum_for(&self, window: SlidingWindow) -> u32 {
        let minimum = self.config.minimum_number_of_calls;
        match window {
            SlidingWindow::Count(size) => minimum.min(size),
            SlidingWindow::Time { .. } => minimum,
            SlidingWindow::Consecutive(run) => run,
        }
    }
}
