//! A circuit breaker's settings.

use std::time::Duration;

use super::backoff::WaitKeys;
use super::{CauseKeys, Converter, matchers};
use crate::config::document::Named;
use crate::config::inherit::OPEN_WAIT;
use crate::config::model::CircuitBreakerSettings;
use crate::config::read::model;
use crate::outcome::Verdict;
use crate::patterns::circuit_breaker::{
    CircuitBreakerConfig, OpenFor, SliceAlignment, SlidingWindow, State,
};
use crate::random::Random;

const WAITS: WaitKeys = WaitKeys {
    wait: "wait_duration_in_open_state",
    max_wait: "exponential_max_wait_duration_in_open_state",
    flags: OPEN_WAIT,
    group: "open_wait",
    default: Duration::from_secs(60),
    both: false,
};

const CAUSES: CauseKeys = CauseKeys {
    record_classes: "record_exceptions",
    record_predicate: "record_failure_predicate",
    record: "record",
    ignore_classes: "ignore_exceptions",
    ignore_predicate: Some("ignore_exception_predicate"),
    ignore: "ignore",
};

pub(in crate::config) fn circuit_breaker(
    to: &mut Converter<'_>,
    named: &Named,
) -> Option<CircuitBreakerConfig> {
    let record = &named.record;
    let set: CircuitBreakerSettings = model(record);
    let mut builder = CircuitBreakerConfig::builder();
    // A file has percentages with a few digits.
    #[expect(clippy::cast_possible_truncation, reason = "as precise as the breaker counts")]
    let percent = |percent: f64| percent as f32;
    if let Some(rate) = set.failure_rate_threshold {
        builder = builder.failure_rate_threshold(percent(rate));
    }
    if let Some(rate) = set.slow_call_rate_threshold {
        builder = builder.slow_call_rate_threshold(percent(rate));
    }
    if let Some(threshold) = set.slow_call_duration_threshold {
        builder = builder.slow_call_duration_threshold(threshold);
    }
    if let Some(wait) = to.waits(record, &WAITS) {
        builder = builder.open_wait(wait);
    }
    if let Some(wait) = set.max_wait_duration_in_half_open_state {
        builder = builder.max_wait_in_half_open(wait);
    }
    if set.transition_to_state_after_wait_duration.as_deref() == Some("closed") {
        builder = builder.after_half_open_wait(State::Closed);
    }
    let size = set.sliding_window_size.unwrap_or(100);
    builder = builder.sliding_window(match set.sliding_window_type.as_deref() {
        Some("time_based") => {
            if let Some(size_set) = record.get("sliding_window_size").filter(|_| size > 86_400) {
                to.refuse(size_set, "from 1 to 86400 seconds in a time-based window");
            }
            SlidingWindow::Time { seconds: size }
        }
        Some("consecutive") => SlidingWindow::Consecutive(size),
        _ => SlidingWindow::Count(size),
    });
    if let Some(calls) = set.minimum_number_of_calls {
        builder = builder.minimum_number_of_calls(calls);
    }
    if let Some(calls) = set.permitted_number_of_calls_in_half_open_state {
        builder = builder.permitted_calls_in_half_open(calls);
    }
    if let Some(automatic) = set.automatic_transition_from_open_to_half_open_enabled {
        builder = builder.automatic_transition_from_open_to_half_open(automatic);
    }
    if let Some(state) = set.initial_state.as_deref() {
        builder = builder.initial_state(match state {
            "open" => State::Open,
            "half_open" => State::HalfOpen,
            "disabled" => State::Disabled,
            "metrics_only" => State::MetricsOnly,
            "forced_open" => State::ForcedOpen,
            _ => State::Closed,
        });
    }
    if set.slice_alignment.as_deref() == Some("wall_clock") {
        builder = builder.slice_alignment(SliceAlignment::WallClock);
    }
    if let Some(age) = set.cancelled_is_failure_after {
        builder = builder.cancelled_is_failure_after(age);
    }
    if let Some(failure) = set.panic_is_failure {
        builder = builder.panic_is_failure(failure);
    }
    if let Some(seed) = set.random_seed {
        builder = builder.random(Random::seeded(seed.unsigned_abs()));
    }
    builder = builder.causes(to.causes(record, &CAUSES));
    to.result_predicate(record, "record_result_predicate");
    let (open_on, cap) = (matchers(record, "open_on"), set.open_on_retry_after);
    if !open_on.is_empty() || cap.is_some() {
        builder = builder.transition_on_result(move |verdict: &Verdict| {
            let cause = verdict.cause().filter(|_| verdict.is_failure())?;
            if let (Some(cap), Some(wait)) = (cap, verdict.retry_after()) {
                return Some(OpenFor::Span(wait.min(cap)));
            }
            open_on.iter().any(|matcher| matcher.matches(cause)).then_some(OpenFor::Usual)
        });
    }
    to.built(named, builder.build())
}
