//! The settings of a retry.

use std::time::Duration;

use super::IDLE_BUFFER;
use super::backoff::{BACKOFF, BackoffSettings};
use super::budget::{BUDGET, BudgetSettings};
use super::kind::{Bounds, Field, JAVA_INT, Kind, MS, Setting, float, int, span};
use super::table::{Key, Model, Table, settings};

settings! {
    /// The settings of a [`Retry`](crate::Retry) in a file.
    RetrySettings, RETRY = "retry";

    /// Calls made at most, the first included.
    max_attempts: u32 = int(1, u32::MAX), default "3";
    /// The pause before each retry.
    wait_duration: Duration = span(Duration::ZERO), default "500ms";
    /// Does the pause grow from retry to retry?
    enable_exponential_backoff: bool = Kind::Bool, default "false";
    /// What it is multiplied by each time.
    exponential_backoff_multiplier: f64 = Kind::Float { least: 0.0, most: f64::MAX, bounds: Bounds::Above }, default "1.5";
    /// It grows to no more than this.
    exponential_max_wait_duration: Duration = span(Duration::ZERO);
    /// Is the pause spread at random?
    enable_randomized_wait: bool = Kind::Bool, default "false";
    /// By which share of it, either way.
    randomized_wait_factor: f64 = Kind::Float { least: 0.0, most: 1.0, bounds: Bounds::Least }, default "0.5";
    /// Only errors of these classes are retried, and what `retry` lists.
    retry_exceptions: Vec<String> = Kind::Classes;
    /// Errors of these classes are not retried, nor what `ignore` lists.
    ignore_exceptions: Vec<String> = Kind::Classes;
    /// A class that says which errors are retried.
    retry_exception_predicate: String = Kind::Class;
    /// A class that says which results are retried. Here a classifier does.
    result_predicate: String = Kind::Class;
    /// A class that says how long each pause is; it wins over all other settings for that.
    interval_bi_function: String = Kind::Class;
    /// A class that gets the result before the pause.
    consume_result_before_retry_attempt: String = Kind::Class;
    /// When the last attempt brings a response that is judged a failure: does the call fail instead of returning it?
    fail_after_max_attempts: bool = Kind::Bool, default "false";
    /// Is a class without a mapping left out with a warning instead of refused?
    ignore_class_binding_exceptions: bool = Kind::Bool, default "false";
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
    /// Only failures with these causes are retried.
    retry: Vec<String> = Kind::Matchers, alias "record";
    /// Failures with these causes are not retried.
    ignore: Vec<String> = Kind::Matchers;
    /// Is a refusal by an inner layer retried?
    retry_refusals: bool = Kind::Bool, default "false";
    /// No retry begins later than so long after the first attempt.
    max_duration: Duration = span(MS);
    /// How long a pause the server may ask for. Not set: it is not listened to.
    max_retry_after: Duration = span(Duration::ZERO);
    /// By which share such a pause is lengthened at random.
    retry_after_spread: f64 = float(0.0, 1.0), default "0";
    /// When the budget is spent: does the call fail instead of returning the last outcome?
    fail_when_budget_spent: bool = Kind::Bool, default "false";
    /// The seed of the dice for jitter. Not set: the operating system's.
    random_seed: i64 = Kind::Int { least: 0, most: i64::MAX };
    @group backoff: BackoffSettings = BACKOFF;
    @group budget: BudgetSettings = BUDGET;
}
