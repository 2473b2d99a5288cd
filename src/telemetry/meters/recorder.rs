//! What has to be counted when it happens, since no instance counts it by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::timing::{Histogram, Timing};
use crate::telemetry::{
    BulkheadEvent, CircuitBreakerEvent, Event, EventKind, Observer, RateLimiterEvent,
};

/// The kinds of ends that a circuit breaker times, as its meter tags them.
pub(super) const ENDS: [&str; 3] = ["successful", "failed", "ignored"];

/// Which of [`ENDS`] an event is, and how long the call took.
pub(super) const fn breaker_end(event: &CircuitBreakerEvent) -> Option<(usize, Duration)> {
    match event {
        CircuitBreakerEvent::Success { elapsed } => Some((0, *elapsed)),
        CircuitBreakerEvent::Error { elapsed, .. } => Some((1, *elapsed)),
        CircuitBreakerEvent::IgnoredError { elapsed, .. } => Some((2, *elapsed)),
        _ => None,
    }
}

/// Counts the events of one instance. Takes no lock and no memory at an event.
#[derive(Debug)]
pub struct Recorder {
    timers: Option<Box<[Histogram; ENDS.len()]>>,
    good: AtomicU64,
    bad: AtomicU64,
    drained: AtomicU64,
}

impl Recorder {
    /// One that counts.
    pub(super) const fn counting() -> Self {
        Self {
            timers: None,
            good: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            drained: AtomicU64::new(0),
        }
    }

    /// One that measures time.
    pub(super) fn timing() -> Self {
        let now = Instant::now();
        let timers = std::array::from_fn(|_| Histogram::new(now));
        Self { timers: Some(Box::new(timers)), ..Self::counting() }
    }

    pub(super) fn timings(&self) -> Option<[Timing; ENDS.len()]> {
        let now = Instant::now();
        self.timers.as_ref().map(|timers| timers.each_ref().map(|timer| timer.read(now)))
    }

    /// Let in.
    pub(super) fn good(&self) -> u64 {
        self.good.load(Ordering::Relaxed)
    }

    /// Refused.
    pub(super) fn bad(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }

    /// Given up.
    pub(super) fn drained(&self) -> u64 {
        self.drained.load(Ordering::Relaxed)
    }
}

impl Observer for Recorder {
    fn on_event(&self, event: &Event<'_>) {
        let (counter, by) = match event.kind {
            EventKind::CircuitBreaker(kind) => {
                if let Some(((end, elapsed), timers)) = breaker_end(&kind).zip(self.timers.as_ref())
                {
                    timers[end].record(event.at, elapsed);
                }
                return;
            }
            EventKind::Bulkhead(BulkheadEvent::CallPermitted) => (&self.good, 1),
            EventKind::Bulkhead(BulkheadEvent::CallRejected) => (&self.bad, 1),
            EventKind::RateLimiter(RateLimiterEvent::SuccessfulAcquire { .. }) => (&self.good, 1),
            EventKind::RateLimiter(RateLimiterEvent::FailedAcquire { .. }) => (&self.bad, 1),
            EventKind::RateLimiter(RateLimiterEvent::Drained { permits }) => {
                (&self.drained, permits.into())
            }
            _ => return,
        };
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
