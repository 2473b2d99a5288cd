//! What exporters need that are told durations at once.

use super::families::Labels;
use super::list::{BREAKER_CALLS, Meter};
use super::recorder::ENDS;
use super::watch::Watched;
use crate::pipeline::Step;

/// The timer that instances of this pattern have.
pub(in crate::telemetry) const fn timer_of(step: Step) -> Option<&'static Meter> {
    match step {
        Step::CircuitBreaker => Some(&BREAKER_CALLS),
        _ => None,
    }
}

/// The labels of its series for one of [`ENDS`].
pub(in crate::telemetry) fn labels_of_end(watched: &Watched<'_>, end: usize) -> Labels {
    Labels::new(Some(watched.name), &BREAKER_CALLS, &[ENDS[end]], watched.tags)
}
