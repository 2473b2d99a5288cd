//! What the meters say of one instance. The one place where instances are read for them.

use super::families::Out;
use super::list as meters;
use super::recorder::{ENDS, Recorder};
use crate::patterns::Instance;
use crate::patterns::bulkhead::Bulkhead;
use crate::patterns::circuit_breaker::{CircuitBreaker, State};
use crate::patterns::rate_limiter::RateLimiter;
use crate::patterns::retry::Retry;
use crate::patterns::time_limiter::TimeLimiter;
use crate::patterns::timer::Timer;
use crate::registry::Tags;
use crate::telemetry::snapshot::Snapshot;

/// An instance that has meters: that of any pattern.
pub trait Metered: Instance {
    #[doc(hidden)]
    fn recorder() -> Option<Recorder>;

    /// What the instance counts by itself.
    #[doc(hidden)]
    fn read(&self, out: &mut Out<'_>);

    /// What its recorder has counted.
    #[doc(hidden)]
    fn read_recorded(_: &Recorder, _: &mut Out<'_>) {}

    #[doc(hidden)]
    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot);
}

impl Metered for CircuitBreaker {
    fn recorder() -> Option<Recorder> {
        Some(Recorder::timing())
    }

    fn read_recorded(recorder: &Recorder, out: &mut Out<'_>) {
        for (kind, timing) in ENDS.iter().zip(recorder.timings().iter().flatten()) {
            out.timer(&meters::BREAKER_CALLS, &[kind], *timing);
        }
    }

    fn read(&self, out: &mut Out<'_>) {
        let not_permitted = self.counters().not_permitted;
        out.counter(&meters::BREAKER_NOT_PERMITTED, &["not_permitted"], not_permitted);
        let state = self.state();
        for each in State::ALL {
            out.gauge(&meters::BREAKER_STATE, &[each.key()], u8::from(each == state));
        }
        let now = self.metrics();
        let successful = now.buffered_calls.saturating_sub(now.failed_calls);
        out.gauge(&meters::BREAKER_BUFFERED, &["failed"], now.failed_calls);
        out.gauge(&meters::BREAKER_BUFFERED, &["successful"], successful);
        let slow_successful = now.slow_calls.saturating_sub(now.slow_failed_calls);
        out.gauge(&meters::BREAKER_SLOW, &["failed"], now.slow_failed_calls);
        out.gauge(&meters::BREAKER_SLOW, &["successful"], slow_successful);
        out.gauge(&meters::BREAKER_FAILURE_RATE, &[], now.failure_rate);
        out.gauge(&meters::BREAKER_SLOW_RATE, &[], now.slow_call_rate);
    }

    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot) {
        snapshot.circuit_breaker(self, tags);
    }
}

impl Metered for Bulkhead {
    fn recorder() -> Option<Recorder> {
        Some(Recorder::counting())
    }

    fn read_recorded(recorder: &Recorder, out: &mut Out<'_>) {
        out.counter(&meters::BULKHEAD_CALLS, &["permitted"], recorder.good());
        out.counter(&meters::BULKHEAD_CALLS, &["rejected"], recorder.bad());
    }

    fn read(&self, out: &mut Out<'_>) {
        let now = self.metrics();
        match now.queue_capacity {
            // One with a bounded queue is what Resilience4j calls a thread pool bulkhead.
            Some(capacity) => {
                let depth = u32::try_from(now.waiting).unwrap_or(u32::MAX);
                out.gauge(&meters::POOL_QUEUE_DEPTH, &[], depth);
                out.gauge(&meters::POOL_QUEUE_CAPACITY, &[], capacity);
                out.gauge(&meters::POOL_SIZE, &[], now.in_flight);
                out.gauge(&meters::POOL_MAX_SIZE, &[], now.max_concurrent_calls);
                out.gauge(&meters::POOL_CORE_SIZE, &[], self.config().core_pool_size());
                out.gauge(&meters::POOL_ACTIVE, &[], now.in_flight);
                out.gauge(&meters::POOL_AVAILABLE, &[], now.available);
            }
            None => {
                out.gauge(&meters::BULKHEAD_AVAILABLE, &[], now.available);
                out.gauge(&meters::BULKHEAD_MAX, &[], now.max_concurrent_calls);
            }
        }
    }

    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot) {
        snapshot.bulkhead(self, tags);
    }
}

impl Metered for RateLimiter {
    fn recorder() -> Option<Recorder> {
        Some(Recorder::counting())
    }

    fn read_recorded(recorder: &Recorder, out: &mut Out<'_>) {
        out.counter(&meters::LIMITER_CALLS, &["successful"], recorder.good());
        out.counter(&meters::LIMITER_CALLS, &["failed"], recorder.bad());
        out.counter(&meters::LIMITER_DRAINED, &[], recorder.drained());
    }

    fn read(&self, out: &mut Out<'_>) {
        let now = self.metrics();
        out.gauge(&meters::LIMITER_AVAILABLE, &[], now.available_permissions as f64);
        out.gauge(&meters::LIMITER_WAITING, &[], now.waiting as f64);
    }

    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot) {
        snapshot.rate_limiter(self, tags);
    }
}

impl Metered for Retry {
    fn recorder() -> Option<Recorder> {
        None
    }

    fn read(&self, out: &mut Out<'_>) {
        let now = self.metrics();
        for (kind, calls) in [
            ("successful_without_retry", now.successful_without_retry),
            ("successful_with_retry", now.successful_with_retry),
            ("failed_without_retry", now.failed_without_retry),
            ("failed_with_retry", now.failed_with_retry),
        ] {
            out.counter(&meters::RETRY_CALLS, &[kind], calls);
        }
        for (attempts, calls) in ["1", "2", "3", "4", "5", "more"].into_iter().zip(now.by_attempts)
        {
            out.counter(&meters::RETRY_ATTEMPTS, &[attempts], calls);
        }
        out.counter(&meters::RETRY_RETRIES, &[], now.retries);
        out.counter(&meters::RETRY_BUDGET, &[], now.budget_refused);
    }

    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot) {
        snapshot.retry(self, tags);
    }
}

impl Metered for TimeLimiter {
    fn recorder() -> Option<Recorder> {
        None
    }

    fn read(&self, out: &mut Out<'_>) {
        let now = self.metrics();
        out.counter(&meters::TIME_LIMITER_CALLS, &["successful"], now.success);
        out.counter(&meters::TIME_LIMITER_CALLS, &["failed"], now.error);
        out.counter(&meters::TIME_LIMITER_CALLS, &["timeout"], now.timeout);
    }

    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot) {
        snapshot.time_limiter(self, tags);
    }
}

impl Metered for Timer {
    fn recorder() -> Option<Recorder> {
        None
    }

    fn read(&self, out: &mut Out<'_>) {
        let meter = self.meter();
        out.timer(meter, &["successful", ""], self.successes());
        for (tag, timing) in self.failures() {
            out.timer(meter, &["failed", tag], timing);
        }
    }

    fn describe(&self, tags: &Tags, snapshot: &mut Snapshot) {
        snapshot.timer(self, tags);
    }
}
