//! New settings for a circuit breaker at work.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Core, Mode};
use crate::patterns::circuit_breaker::config::{CircuitBreakerConfig, SlidingWindow};
use crate::patterns::circuit_breaker::window::Slices;
use crate::telemetry::{CircuitBreakerEvent as Event, Outbox};

impl Core {
    /// Goes on with these settings. `slices` is where those of a window begin that is made now.
    ///
    /// What is due by now happens under the old ones. What the current state began with stays until it ends: the end of an
    /// open wait, the number of trials and the end of a half-open state. The window stays, unless it is to be another.
    pub fn update(
        &mut self,
        now: Instant,
        config: Arc<CircuitBreakerConfig>,
        slices: Slices,
        out: &mut Outbox<Event>,
    ) {
        self.tick(now, out);
        let old = std::mem::replace(&mut self.config, config);
        let window = self.config.sliding_window;
        let realigned = old.slice_alignment != self.config.slice_alignment;
        if realigned {
            (self.slices, self.created) = (slices, now);
        }
        // The window of these two is that of the state before, or of the trials; the next state has its own.
        if matches!(self.mode, Mode::Open { .. } | Mode::HalfOpen { .. }) {
            return;
        }
        let is_over_time = matches!(window, SlidingWindow::Time { .. });
        if old.sliding_window != window || realigned && is_over_time {
            self.start_window(now, self.state());
        } else {
            self.minimum = self.minimum_for(window);
        }
    }
}
