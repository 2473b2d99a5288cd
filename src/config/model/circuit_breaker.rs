//! The settings of a circuit breaker.

use std::time::Duration;

use super::backoff::{BACKOFF, BackoffSettings};
use super::kind::{Bounds, Field, JAVA_INT, Kind, MS, NS, Setting, float, int, span};
use super::table::{Key, Model, Table, settings};
use super::{IDLE_BUFFER, IDLE_HEALTH, IDLE_STACK};

const WINDOWS: Kind =
    Kind::Choice(&[("count_based", &[]), ("time_based", &[]), ("consecutive", &[])]);
const ALIGNMENTS: Kind =
    Kind::Choice(&[("from_start", &["lock_free"]), ("wall_clock", &["synchronized"])]);
const STATES: Kind = Kind::Choice(&[
    ("closed", &[]),
    ("open", &[]),
    ("half_open", &[]),
    ("disabled", &[]),
    ("metrics_only", &[]),
    ("forced_open", &[]),
]);
const AFTER: Kind = Kind::Choice(&[("open", &[]), ("closed", &[])]);

settings! {
    /// The settings of a [`CircuitBreaker`](crate::CircuitBreaker) in a file.
    CircuitBreakerSettings, CIRCUIT_BREAKER = "circuit_breaker";

    /// The circuit opens when this share of the calls in the window failed, in percent.
    failure_rate_threshold: f64 = float(1.0, 100.0), default "50";
    /// The circuit opens when this share of the calls in the window was slow, in percent.
    slow_call_rate_threshold: f64 = float(1.0, 100.0), default "100";
    /// A call that takes longer than this is slow.
    slow_call_duration_threshold: Duration = span(NS), default "60s";
    /// How long the circuit stays open.
    wait_duration_in_open_state: Duration = span(MS), default "60s";
    /// A half-open circuit that has not decided after so long leaves that state; 0 sets no limit.
    max_wait_duration_in_half_open_state: Duration = span(Duration::ZERO), default "0";
    /// Where it goes then.
    transition_to_state_after_wait_duration: String = AFTER, default "open";
    /// What is looked back on: the last calls, those of the last seconds, or a run of calls that all failed.
    sliding_window_type: String = WINDOWS, default "count_based";
    /// How many calls, or seconds (at most 86400), or calls in a row.
    sliding_window_size: u32 = int(1, 10_000_000), default "100";
    /// No rate is judged before the window holds this many calls.
    minimum_number_of_calls: u32 = int(1, u32::MAX), default "100";
    /// How many trial calls a half-open circuit lets through.
    permitted_number_of_calls_in_half_open_state: u32 = int(1, 10_000_000), default "10",
        alias "permitted_calls_in_half_open";
    /// Does an open circuit become half-open by itself when its wait is over, with no call?
    automatic_transition_from_open_to_half_open_enabled: bool = Kind::Bool, default "false",
        alias "automatic_transition_from_open_to_half_open";
    /// The state at the start.
    initial_state: String = STATES, default "closed";
    /// Java's stack traces.
    writable_stack_trace_enabled: bool = Kind::Bool, default "true", idle IDLE_STACK;
    /// Only errors of these classes are failures, and what `record` lists.
    record_exceptions: Vec<String> = Kind::Classes;
    /// Errors of these classes count nowhere, nor what `ignore` lists.
    ignore_exceptions: Vec<String> = Kind::Classes;
    /// A class that says which errors are failures.
    record_failure_predicate: String = Kind::Class, alias "record_exception_predicate";
    /// A class that says which results are failures. Here a classifier does.
    record_result_predicate: String = Kind::Class;
    /// A class that says which errors count nowhere.
    ignore_exception_predicate: String = Kind::Class;
    /// Does the open wait grow from opening to opening?
    enable_exponential_backoff: bool = Kind::Bool, default "false";
    /// What it is multiplied by each time.
    exponential_backoff_multiplier: f64 = Kind::Float { least: 0.0, most: f64::MAX, bounds: Bounds::Above }, default "1.5";
    /// It grows to no more than this.
    exponential_max_wait_duration_in_open_state: Duration = span(MS);
    /// Is the open wait spread at random?
    enable_randomized_wait: bool = Kind::Bool, default "false";
    /// By which share of it, either way.
    randomized_wait_factor: f64 = Kind::Float { least: 0.0, most: 1.0, bounds: Bounds::Least }, default "0.5";
    /// Is a class without a mapping left out with a warning instead of refused?
    ignore_class_binding_exceptions: bool = Kind::Bool, default "false";
    /// Java's health indicators.
    register_health_indicator: bool = Kind::Bool, default "false", idle IDLE_HEALTH;
    /// Java's health indicators.
    allow_health_indicator_to_fail: bool = Kind::Bool, default "false", idle IDLE_HEALTH;
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
    /// Only failures with these causes are failures, the others successes.
    record: Vec<String> = Kind::Matchers;
    /// Failures with these causes count nowhere.
    ignore: Vec<String> = Kind::Matchers;
    /// Resilience4j's builder has it; what is ignored is looked at first at any rate.
    ignore_exceptions_precedence_enabled: bool = Kind::Bool, default "false",
        idle "what is ignored is looked at first in any case";
    /// Where the seconds of a time window begin.
    slice_alignment: String = ALIGNMENTS, default "from_start", alias "sliding_window_synchronization_strategy";
    /// A call that its caller gave up counts as a failure if it had run for longer. Not set: the slow-call threshold.
    cancelled_is_failure_after: Duration = span(Duration::ZERO);
    /// Does a call that panics count as a failure?
    panic_is_failure: bool = Kind::Bool, default "false";
    /// A failure with one of these causes opens a closed circuit at once.
    open_on: Vec<String> = Kind::Matchers;
    /// A failure's `Retry-After` opens a closed circuit for so long, at most for this.
    open_on_retry_after: Duration = span(MS);
    /// The seed of the dice for a random open wait. Not set: the operating system's.
    random_seed: i64 = Kind::Int { least: 0, most: i64::MAX };
    @group open_wait: BackoffSettings = BACKOFF;
}
