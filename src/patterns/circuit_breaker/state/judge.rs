//! Judging the window: what its rates are, and what they decide.

use tokio::time::Instant;

use super::{Core, Mode};
use crate::patterns::circuit_breaker::view::{Metrics, State, TransitionReason as Why};
use crate::patterns::circuit_breaker::window::{Totals, Window};
use crate::telemetry::{CircuitBreakerEvent as Event, Outbox};

impl Core {
    // ## Closed => Open, HalfOpen => (Open | Closed)

    /// Looks whether the call just recorded decides anything.
    pub(super) fn judge(&mut self, now: Instant, totals: Totals, out: &mut Outbox<Event>) {
        let (failure_rate, slow_rate) = self.rates(totals);
        if failure_rate < 0.0 {
            return;
        }
        let failures = failure_rate >= self.config.failure_rate_threshold;
        let slow = slow_rate >= self.config.slow_call_rate_threshold;
        let why = match (&self.mode, failures) {
            (Mode::HalfOpen { .. }, _) => Why::TrialsFailed { failure_rate, slow_rate },
            (_, true) => Why::FailureRate { rate: failure_rate },
            (_, false) => Why::SlowCallRate { rate: slow_rate },
        };
        match &mut self.mode {
            Mode::HalfOpen { .. } => {
                if failures || slow {
                    self.go(now, State::Open, why, out);
                } else {
                    self.go(now, State::Closed, Why::TrialsPassed, out);
                }
            }
            Mode::Closed => {
                if failures {
                    out.push(now, Event::FailureRateExceeded { rate: failure_rate });
                }
                if slow {
                    out.push(now, Event::SlowCallRateExceeded { rate: slow_rate });
                }
                if failures || slow {
                    self.go(now, State::Open, why, out);
                }
            }
            Mode::MetricsOnly { failure_told, slow_told } => {
                if failures && !std::mem::replace(failure_told, true) {
                    out.push(now, Event::FailureRateExceeded { rate: failure_rate });
                }
                if slow && !std::mem::replace(slow_told, true) {
                    out.push(now, Event::SlowCallRateExceeded { rate: slow_rate });
                }
            }
            Mode::Open { .. } | Mode::ForcedOpen | Mode::Disabled => {}
        }
    }

    /// Both rates, or −1 for both below the minimum.
    fn rates(&self, totals: Totals) -> (f32, f32) {
        match self.window {
            // A run is judged by its length alone.
            Window::Runs(_) => {
                let rate = |run| if run >= self.minimum { 100.0 } else { 0.0 };
                if totals.calls < self.minimum {
                    (-1.0, -1.0)
                } else {
                    (rate(totals.failed), rate(totals.slow))
                }
            }
            _ if totals.calls == 0 || totals.calls < self.minimum => (-1.0, -1.0),
            _ => (totals.failure_rate(), totals.slow_call_rate()),
        }
    }

    /// What the window holds now.
    pub fn metrics(&mut self, now: Instant) -> Metrics {
        let totals = self.window.totals(now);
        let (failure_rate, slow_call_rate) = self.rates(totals);
        Metrics {
            failure_rate,
            slow_call_rate,
            buffered_calls: totals.calls,
            failed_calls: totals.failed,
            slow_calls: totals.slow,
            slow_failed_calls: totals.slow_failed,
            not_permitted_calls: self.not_permitted,
        }
    }
}
