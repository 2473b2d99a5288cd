//! The settings as a list, for people and programs to look at.

use super::config::{CircuitBreakerConfig, SliceAlignment, SlidingWindow};
use crate::telemetry::snapshot::{Setting, Settings};

impl CircuitBreakerConfig {
    pub(crate) fn described(&self) -> Settings {
        let (window, size): (_, Setting) = match self.sliding_window {
            SlidingWindow::Count(calls) => ("count", calls.into()),
            SlidingWindow::Time { seconds } => ("time", seconds.into()),
            SlidingWindow::Consecutive(calls) => ("consecutive", calls.into()),
        };
        let alignment = match self.slice_alignment {
            SliceAlignment::FromStart => "from_start",
            SliceAlignment::WallClock => "wall_clock",
        };
        let settings = Settings::default()
            .with("failure_rate_threshold", self.failure_rate_threshold)
            .with("slow_call_rate_threshold", self.slow_call_rate_threshold)
            .with_span("slow_call_duration_threshold", self.slow_call_duration_threshold)
            .with("sliding_window_type", window)
            .with("sliding_window_size", size)
            .with("slice_alignment", alignment)
            .with("minimum_number_of_calls", self.minimum_number_of_calls)
            .with("permitted_calls_in_half_open", self.permitted_calls_in_half_open);
        self.open_wait
            .described("open_wait", settings)
            .with_span("max_wait_in_half_open", self.max_wait_in_half_open)
            .with("after_half_open_wait", self.after_half_open_wait.key())
            .with("automatic_transition_from_open_to_half_open", self.automatic_transition)
            .with("initial_state", self.initial_state.key())
            .with_span("cancelled_is_failure_after", self.cancelled_is_failure_after())
            .with("panic_is_failure", self.panic_is_failure)
            .with("transition_on_result", self.transition_on_result.is_some())
    }
}
