//! What a snapshot says of one instance. The one place where instances are read for it.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    BulkheadSnapshot, CircuitBreakerCounters, CircuitBreakerSnapshot, RateLimiterSnapshot,
    RetryCounters, RetrySnapshot, Snapshot, TimeLimiterCounters, TimeLimiterSnapshot,
    TimerSnapshot, TimingSnapshot, TransitionSnapshot, WindowSnapshot,
};
use crate::patterns::bulkhead::Bulkhead;
use crate::patterns::circuit_breaker::{CircuitBreaker, Transition, TransitionReason};
use crate::patterns::rate_limiter::RateLimiter;
use crate::patterns::retry::Retry;
use crate::patterns::time_limiter::TimeLimiter;
use crate::patterns::timer::Timer;
use crate::registry::Tags;
use crate::telemetry::meters::Timing;

fn tags(given: &Tags) -> BTreeMap<String, String> {
    given.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A rate, if there is one yet.
fn rate(percent: f32) -> Option<f32> {
    (percent >= 0.0).then_some(percent)
}

/// Seconds from 1970 to a moment, by the clock on the wall as it stands now.
pub(super) fn unix_seconds(at: Instant) -> f64 {
    let (now, wall) = (Instant::now(), crate::clock::since_epoch().as_secs_f64());
    let ago = now.saturating_duration_since(at).as_secs_f64();
    wall - ago + at.saturating_duration_since(now).as_secs_f64()
}

impl TransitionSnapshot {
    fn new(of: &Transition) -> Self {
        let (reason, failures, slow) = match of.reason {
            TransitionReason::FailureRate { rate } => ("failure_rate", Some(rate), None),
            TransitionReason::SlowCallRate { rate } => ("slow_call_rate", None, Some(rate)),
            TransitionReason::TrialsFailed { failure_rate, slow_rate } => {
                ("trials_failed", Some(failure_rate), Some(slow_rate))
            }
            TransitionReason::TrialsPassed => ("trials_passed", None, None),
            TransitionReason::WaitOver => ("wait_over", None, None),
            TransitionReason::HalfOpenWaitOver => ("half_open_wait_over", None, None),
            TransitionReason::Hand => ("hand", None, None),
            TransitionReason::Result => ("result", None, None),
            TransitionReason::Reset => ("reset", None, None),
        };
        Self {
            at_unix_seconds: unix_seconds(of.at),
            from: of.from.key(),
            to: of.to.key(),
            reason,
            failure_rate_percent: failures.and_then(rate),
            slow_call_rate_percent: slow.and_then(rate),
        }
    }
}

impl TimingSnapshot {
    fn new(of: &Timing) -> Self {
        let (sum, max) = (of.sum().as_secs_f64(), of.max().as_secs_f64());
        Self { count: of.count(), sum_seconds: sum, max_seconds: max }
    }
}

impl Snapshot {
    pub(in crate::telemetry) fn new() -> Self {
        let since_1970 = crate::clock::since_epoch();
        Self { version: 1, taken_at_unix_seconds: since_1970.as_secs_f64(), ..Self::default() }
    }

    /// Brings the lists into their order.
    pub(in crate::telemetry) fn sorted(mut self) -> Self {
        self.circuit_breakers.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        self.retries.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        self.bulkheads.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        self.rate_limiters.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        self.time_limiters.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        self.timers.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        self
    }

    pub(in crate::telemetry) fn circuit_breaker(&mut self, of: &CircuitBreaker, given: &Tags) {
        let state = of.state();
        let (now, counters) = (of.metrics(), of.counters());
        self.circuit_breakers.push(CircuitBreakerSnapshot {
            name: of.name().to_owned(),
            tags: tags(given),
            state: state.key(),
            failure_rate_percent: rate(now.failure_rate),
            slow_call_rate_percent: rate(now.slow_call_rate),
            window: WindowSnapshot {
                buffered_calls: now.buffered_calls,
                failed_calls: now.failed_calls,
                slow_calls: now.slow_calls,
                slow_failed_calls: now.slow_failed_calls,
            },
            counters: CircuitBreakerCounters {
                successful: counters.successful,
                failed: counters.failed,
                slow: counters.slow,
                ignored: counters.ignored,
                cancelled: counters.cancelled,
                not_permitted: counters.not_permitted,
                late: counters.late,
                transitions: counters.transitions,
            },
            transitions: of.transitions().iter().map(TransitionSnapshot::new).collect(),
            settings: of.config().described(),
        });
    }

    pub(in crate::telemetry) fn retry(&mut self, of: &Retry, given: &Tags) {
        let now = of.metrics();
        self.retries.push(RetrySnapshot {
            name: of.name().to_owned(),
            tags: tags(given),
            counters: RetryCounters {
                successful_without_retry: now.successful_without_retry,
                successful_with_retry: now.successful_with_retry,
                failed_without_retry: now.failed_without_retry,
                failed_with_retry: now.failed_with_retry,
                retries: now.retries,
                budget_refused: now.budget_refused,
                by_attempts: now.by_attempts,
            },
            settings: of.config().described(),
        });
    }

    pub(in crate::telemetry) fn bulkhead(&mut self, of: &Bulkhead, given: &Tags) {
        let now = of.metrics();
        self.bulkheads.push(BulkheadSnapshot {
            name: of.name().to_owned(),
            tags: tags(given),
            in_flight: now.in_flight,
            waiting: now.waiting,
            available: now.available,
            queue_remaining: now.queue_remaining,
            settings: of.config().described(),
        });
    }

    pub(in crate::telemetry) fn rate_limiter(&mut self, of: &RateLimiter, given: &Tags) {
        let now = of.metrics();
        self.rate_limiters.push(RateLimiterSnapshot {
            name: of.name().to_owned(),
            tags: tags(given),
            available_permissions: now.available_permissions,
            waiting: now.waiting,
            wait_for_one_seconds: now.wait_for_one.as_secs_f64(),
            cycle: now.cycle,
            settings: of.config().described(),
        });
    }

    pub(in crate::telemetry) fn time_limiter(&mut self, of: &TimeLimiter, given: &Tags) {
        let now = of.metrics();
        self.time_limiters.push(TimeLimiterSnapshot {
            name: of.name().to_owned(),
            tags: tags(given),
            counters: TimeLimiterCounters {
                success: now.success,
                error: now.error,
                timeout: now.timeout,
            },
            settings: of.config().described(),
        });
    }

    pub(in crate::telemetry) fn timer(&mut self, of: &Timer, given: &Tags) {
        let failed = of.failures();
        self.timers.push(TimerSnapshot {
            name: of.name().to_owned(),
            tags: tags(given),
            successful: TimingSnapshot::new(&of.successes()),
            failed: failed.iter().map(|(tag, of)| (*tag, TimingSnapshot::new(of))).collect(),
            settings: of.config().described(),
        });
    }
}
