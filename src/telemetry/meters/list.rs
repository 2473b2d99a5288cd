//! Every meter there is.

/// One kind of measurement.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meter {
    /// Its name, with dots, as Resilience4j has it.
    pub name: &'static str,
    /// What it does.
    pub kind: MeterKind,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// The tags that it has of its own, beside `name`.
    pub tags: &'static [&'static str],
    pub(super) merge: Merge,
}

/// What a meter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeterKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations: how many, all together, the longest, and how many in each bucket.
    Timer,
}

/// What becomes of the gauges of several instances of one name: of the keyed ones of a group, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    Sum,
    Max,
}

macro_rules! meters {
    ($($id:ident: $kind:ident $name:literal $tags:tt $merge:ident $help:literal;)*) => {
        $(
            pub(super) static $id: Meter = Meter {
                name: concat!("resilience4j.", $name),
                kind: MeterKind::$kind,
                help: $help,
                tags: &$tags,
                merge: Merge::$merge,
            };
        )*

        /// All meters.
        pub static METERS: &[&Meter] = &[$(&$id),*];
    };
}

meters! {
    BREAKER_CALLS: Timer "circuitbreaker.calls" ["kind"] Sum
        "Calls that ended, by how they counted, and how long they took";
    BREAKER_NOT_PERMITTED: Counter "circuitbreaker.not.permitted.calls" ["kind"] Sum
        "Calls that the circuit breaker refused";
    BREAKER_STATE: Gauge "circuitbreaker.state" ["state"] Sum
        "1 for the state that the circuit breaker is in, 0 for the others";
    BREAKER_BUFFERED: Gauge "circuitbreaker.buffered.calls" ["kind"] Sum
        "Calls in the window, by how they counted";
    BREAKER_SLOW: Gauge "circuitbreaker.slow.calls" ["kind"] Sum
        "Slow calls in the window, by how they counted";
    BREAKER_FAILURE_RATE: Gauge "circuitbreaker.failure.rate" [] Max
        "Failed calls in percent, -1 below the minimum number of calls";
    BREAKER_SLOW_RATE: Gauge "circuitbreaker.slow.call.rate" [] Max
        "Slow calls in percent, -1 below the minimum number of calls";

    BULKHEAD_AVAILABLE: Gauge "bulkhead.available.concurrent.calls" [] Sum
        "Free places";
    BULKHEAD_MAX: Gauge "bulkhead.max.allowed.concurrent.calls" [] Sum
        "Places";
    BULKHEAD_CALLS: Counter "bulkhead.calls" ["kind"] Sum
        "Calls that were let in or refused";
    POOL_QUEUE_DEPTH: Gauge "bulkhead.queue.depth" [] Sum
        "Calls that wait for a place";
    POOL_QUEUE_CAPACITY: Gauge "bulkhead.queue.capacity" [] Sum
        "Calls that may wait for a place at once";
    POOL_SIZE: Gauge "bulkhead.thread.pool.size" [] Sum
        "Threads that a pool would have now: as many as calls run";
    POOL_MAX_SIZE: Gauge "bulkhead.max.thread.pool.size" [] Sum
        "Calls that may run at once";
    POOL_CORE_SIZE: Gauge "bulkhead.core.thread.pool.size" [] Sum
        "The core size as it is set, which has no effect";
    POOL_ACTIVE: Gauge "bulkhead.active.thread.count" [] Sum
        "Calls that run";
    POOL_AVAILABLE: Gauge "bulkhead.available.thread.count" [] Sum
        "Calls that could run beside these";

    LIMITER_AVAILABLE: Gauge "ratelimiter.available.permissions" [] Sum
        "Permissions that can be had now, negative where they are taken ahead of time";
    LIMITER_WAITING: Gauge "ratelimiter.waiting_threads" [] Sum
        "Callers that wait for a permission";
    LIMITER_CALLS: Counter "ratelimiter.calls" ["kind"] Sum
        "Requests for permissions that were granted or refused";
    LIMITER_DRAINED: Counter "ratelimiter.drained.permissions" [] Sum
        "Permissions that were given up";

    RETRY_CALLS: Counter "retry.calls" ["kind"] Sum
        "Calls that ended, by outcome and by whether they were retried";
    RETRY_ATTEMPTS: Counter "retry.calls.by.attempts" ["attempts"] Sum
        "Calls that ended, by how many attempts were made";
    RETRY_RETRIES: Counter "retry.retries" [] Sum
        "Attempts that were made again";
    RETRY_BUDGET: Counter "retry.budget.refused.calls" [] Sum
        "Calls that the retry budget denied a further attempt";

    TIME_LIMITER_CALLS: Counter "timelimiter.calls" ["kind"] Sum
        "Calls that ended, by how";

    TIMER_CALLS: Timer "timer.calls" ["kind", "failure"] Sum
        "Calls that ended, by how, and how long they took";

    VIRTUAL_THREADS: Gauge "thread.virtual_thread_enabled" [] Max
        "0: calls run as tasks, and no thread is made for any";
}
