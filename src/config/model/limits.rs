//! The settings of bulkheads, rate limiters and time limiters.

use std::time::Duration;

use super::kind::{Field, JAVA_INT, Kind, NS, Setting, int, span};
use super::table::{Key, Model, Table, settings};
use super::{IDLE_BUFFER, IDLE_HEALTH, IDLE_STACK};

settings! {
    /// The settings of a [`Bulkhead`](crate::Bulkhead) in a file.
    BulkheadSettings, BULKHEAD = "bulkhead";

    /// How many calls may run at once.
    max_concurrent_calls: u32 = int(1, 1_000_000), default "25";
    /// How long a call may wait for a place; 0 is not at all.
    max_wait_duration: Duration = span(Duration::ZERO), default "0";
    /// Java's stack traces.
    writable_stack_trace_enabled: bool = Kind::Bool, default "true", idle IDLE_STACK;
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
    /// How many calls may wait at once. Not set: any number.
    queue_capacity: u32 = int(0, u32::MAX);
    /// Are those who wait let in strictly in the order in which they came?
    fair: bool = Kind::Bool, default "true", alias "fair_call_handling_enabled";
}

settings! {
    /// The settings of a thread-pool bulkhead in a file: a [`Bulkhead`](crate::Bulkhead) with a queue.
    ThreadPoolBulkheadSettings, THREAD_POOL_BULKHEAD = "thread_pool_bulkhead";

    /// How many calls may run at once; 0 is as many as there are processors.
    max_thread_pool_size: u32 = int(0, 1_000_000), default "0";
    /// How many threads Java keeps; 0 is one less than there are processors.
    core_thread_pool_size: u32 = int(0, 1_000_000), default "0", idle "there are no threads here that could be kept";
    /// How many calls may wait at once; -1 is 100.
    queue_capacity: i64 = Kind::Int { least: -1, most: i32::MAX as i64 }, default "100";
    /// How long Java keeps an idle thread.
    keep_alive_duration: Duration = span(Duration::ZERO), default "20ms", idle "there are no threads here that could be kept";
    /// Java's context propagators.
    context_propagators: Vec<String> = Kind::Classes, idle "a future takes its context along, and task-locals stay";
    /// Java's stack traces.
    writable_stack_trace_enabled: bool = Kind::Bool, default "true", idle IDLE_STACK;
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
    /// How long a call may wait for a place.
    max_wait_duration: Duration = span(Duration::ZERO), default "forever";
    /// Are those who wait let in strictly in the order in which they came?
    fair: bool = Kind::Bool, default "true";
}

const ALGORITHMS: Kind = Kind::Choice(&[
    ("cycles", &["atomic"]),
    ("semaphore", &[]),
    ("token_bucket", &[]),
    ("sliding_window", &[]),
]);

settings! {
    /// The settings of a [`RateLimiter`](crate::RateLimiter) in a file.
    RateLimiterSettings, RATE_LIMITER = "rate_limiter";

    /// So many permissions there are in each period; at most 1000000 with a sliding window.
    limit_for_period: u32 = int(1, u32::MAX), default "50";
    /// The length of a period.
    limit_refresh_period: Duration = Kind::Span { least: NS, most: Duration::from_nanos(i64::MAX as u64) }, default "500ns";
    /// A call waits at most so long for its permission.
    timeout_duration: Duration = span(Duration::ZERO), default "5s", alias "timeout";
    /// Java's buffers of events.
    subscribe_for_events: bool = Kind::Bool, default "false", idle IDLE_BUFFER;
    /// Java's health indicators.
    register_health_indicator: bool = Kind::Bool, default "false", idle IDLE_HEALTH;
    /// Java's health indicators.
    allow_health_indicator_to_fail: bool = Kind::Bool, default "false", idle IDLE_HEALTH;
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// Java's stack traces.
    writable_stack_trace_enabled: bool = Kind::Bool, default "true", idle IDLE_STACK;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
    /// How permissions are given out.
    algorithm: String = ALGORITHMS, default "cycles";
    /// Of a token bucket: so many permissions can be had at once after a quiet time.
    burst: u32 = int(1, u32::MAX);
    /// A failure with one of these causes gives up what is left of the current period.
    drain_on: Vec<String> = Kind::Matchers;
}

const SCOPES: Kind = Kind::Choice(&[("head", &[]), ("whole_body", &[])]);

settings! {
    /// The settings of a [`TimeLimiter`](crate::TimeLimiter) in a file.
    TimeLimiterSettings, TIME_LIMITER = "time_limiter";

    /// How long a call may take.
    timeout_duration: Duration = span(Duration::ZERO), default "1s", alias "timeout";
    /// May a call be dropped when its time is over?
    cancel_running_future: bool = Kind::Bool, default "true";
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
    /// What has to be over in time: the head of a response, or its body too.
    scope: String = SCOPES, default "head";
}
