//! Everything that instances are and do, at one moment.
//!
//! [`Snapshot::of`] takes one of a registry, [`Meters::snapshot`](super::Meters::snapshot) of whatever is watched; neither makes
//! anybody listen. It is plain data; with the feature `snapshot` it is `serde::Serialize`,
//! and this is its JSON:
//!
//! ```json
//! {
//!   "version": 1,
//!   "taken_at_unix_seconds": 1767225600.25,
//!   "circuit_breakers": [{
//!     "name": "inventory", "tags": {"team": "shop"}, "state": "closed",
//!     "failure_rate_percent": null, "slow_call_rate_percent": null,
//!     "window": {"buffered_calls": 3, "failed_calls": 1, "slow_calls": 0, "slow_failed_calls": 0},
//!     "counters": {"successful": 2, "failed": 1, "slow": 0, "ignored": 0, "cancelled": 0, "not_permitted": 0, "late": 0, "transitions": 0},
//!     "transitions": [{"at_unix_seconds": 1767225590.5, "from": "closed", "to": "open", "reason": "failure_rate",
//!                      "failure_rate_percent": 55.0, "slow_call_rate_percent": null}],
//!     "settings": {"failure_rate_threshold": 50.0, "sliding_window_type": "count", "…": "…"}
//!   }],
//!   "retries": [{"name": "…", "tags": {}, "counters": {}, "settings": {}}],
//!   "bulkheads": [{"name": "…", "tags": {}, "in_flight": 1, "waiting": 0, "available": 24, "queue_remaining": null, "settings": {}}],
//!   "rate_limiters": [{"name": "…", "tags": {}, "available_permissions": 50, "waiting": 0, "wait_for_one_seconds": 0.0, "cycle": 7, "settings": {}}],
//!   "time_limiters": [{"name": "…", "tags": {}, "counters": {}, "settings": {}}],
//!   "timers": [{"name": "…", "tags": {}, "successful": {"count": 3, "sum_seconds": 0.25, "max_seconds": 0.125},
//!               "failed": {"timeout": {"count": 1, "sum_seconds": 1.0, "max_seconds": 1.0}}, "settings": {}}],
//!   "pipelines": [{"name": "inventory", "deadline_seconds": 5.0, "steps": {"circuit_breaker": "inventory", "retry": "patient"}}],
//!   "keyed_groups": [{"name": "hosts", "entries": 12, "max_entries": 1024, "is_overflowing": false, "counters": {}, "states": {"closed": 11, "open": 1}}],
//!   "last_reload": {"at_unix_seconds": 1767225500.0, "file": "application.yml", "is_applied": true, "created": 0, "updated": 2, "errors": 0}
//! }
//! ```
//!
//! What holds for all of it:
//!
//! - A field may be added; none changes its meaning, is renamed or taken away while `version` stays 1.
//! - A span of time is a number of seconds, and its key ends in `_seconds`; a moment is a number of seconds since 1970, and its
//!   key ends in `_unix_seconds`.
//! - `null` is "none": no rate yet, no limit, no such setting. A number is always finite.
//! - Names of states, kinds and settings are in `snake_case`; a setting is called as its builder method is.
//! - Lists are in the order of names, but for transitions: the oldest is the first.

mod registry;
mod settings;
mod write;

use std::collections::BTreeMap;

pub use settings::{Setting, Settings};

/// A plain struct that can grow, and that serde can write.
macro_rules! plain {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, Default, PartialEq)]
            #[cfg_attr(feature = "snapshot", derive(serde::Serialize))]
            #[non_exhaustive]
            pub struct $name { $($body)* }
        )*
    };
}

plain! {
    /// Everything, at one moment. See the [module](self) for how it is written.
    pub struct Snapshot {
        /// Of the form; 1.
        pub version: u32,
        /// When it was taken, by the clock on the wall.
        pub taken_at_unix_seconds: f64,
        /// All circuit breakers.
        pub circuit_breakers: Vec<CircuitBreakerSnapshot>,
        /// All retries.
        pub retries: Vec<RetrySnapshot>,
        /// All bulkheads.
        pub bulkheads: Vec<BulkheadSnapshot>,
        /// All rate limiters.
        pub rate_limiters: Vec<RateLimiterSnapshot>,
        /// All time limiters.
        pub time_limiters: Vec<TimeLimiterSnapshot>,
        /// All timers.
        pub timers: Vec<TimerSnapshot>,
        /// The registry's pipelines: those that are defined, and those that were asked for.
        pub pipelines: Vec<PipelineSnapshot>,
        /// The keyed groups that the registry knows.
        pub keyed_groups: Vec<KeyedGroupSnapshot>,
        /// What came of the file of settings when it had changed last.
        pub last_reload: Option<ReloadSnapshot>,
    }

    /// One circuit breaker.
    pub struct CircuitBreakerSnapshot {
        /// The name.
        pub name: String,
        /// The tags that it is watched with.
        pub tags: BTreeMap<String, String>,
        /// `closed`, `open`, `half_open`, `forced_open`, `disabled` or `metrics_only`.
        pub state: &'static str,
        /// Failed calls in percent; nothing below the minimum number of calls.
        pub failure_rate_percent: Option<f32>,
        /// Slow calls in percent; nothing below the minimum number of calls.
        pub slow_call_rate_percent: Option<f32>,
        /// What the window holds.
        pub window: WindowSnapshot,
        /// Everything that it ever saw.
        pub counters: CircuitBreakerCounters,
        /// The last changes of its state, the oldest first.
        pub transitions: Vec<TransitionSnapshot>,
        /// Its settings.
        pub settings: Settings,
    }

    /// What a circuit breaker's window holds.
    pub struct WindowSnapshot {
        /// Calls.
        pub buffered_calls: u32,
        /// Failed ones among them.
        pub failed_calls: u32,
        /// Slow ones among them.
        pub slow_calls: u32,
        /// Those that were slow and failed.
        pub slow_failed_calls: u32,
    }

    /// Everything that a circuit breaker ever saw.
    pub struct CircuitBreakerCounters {
        /// Calls that succeeded.
        pub successful: u64,
        /// Calls that failed.
        pub failed: u64,
        /// Calls, successful or failed, that were slow.
        pub slow: u64,
        /// Calls whose outcome counts nowhere.
        pub ignored: u64,
        /// Calls that were given up before an outcome, and too young to count as failed.
        pub cancelled: u64,
        /// Calls that were refused.
        pub not_permitted: u64,
        /// Outcomes that came after the state had changed.
        pub late: u64,
        /// Changes of state.
        pub transitions: u64,
    }

    /// One retry.
    pub struct RetrySnapshot {
        /// The name.
        pub name: String,
        /// The tags that it is watched with.
        pub tags: BTreeMap<String, String>,
        /// How its calls ended.
        pub counters: RetryCounters,
        /// Its settings.
        pub settings: Settings,
    }

    /// How the calls of a retry ended.
    pub struct RetryCounters {
        /// Calls whose first attempt succeeded.
        pub successful_without_retry: u64,
        /// Calls that succeeded after a retry.
        pub successful_with_retry: u64,
        /// Calls that failed with what is not retried, or with their only attempt.
        pub failed_without_retry: u64,
        /// Calls that failed although they were retried.
        pub failed_with_retry: u64,
        /// Attempts made again.
        pub retries: u64,
        /// Calls, counted above too, that the budget denied a retry.
        pub budget_refused: u64,
        /// Calls by how many attempts were made: one, two, three, four, five, more.
        pub by_attempts: [u64; 6],
    }

    /// One bulkhead.
    pub struct BulkheadSnapshot {
        /// The name.
        pub name: String,
        /// The tags that it is watched with.
        pub tags: BTreeMap<String, String>,
        /// Calls that run.
        pub in_flight: u32,
        /// Calls that wait for a place.
        pub waiting: usize,
        /// Free places.
        pub available: u32,
        /// How many more may wait; nothing if any number may.
        pub queue_remaining: Option<u32>,
        /// Its settings.
        pub settings: Settings,
    }

    /// One rate limiter.
    pub struct RateLimiterSnapshot {
        /// The name.
        pub name: String,
        /// The tags that it is watched with.
        pub tags: BTreeMap<String, String>,
        /// Permissions that can be had now; negative where they are taken ahead of time.
        pub available_permissions: i64,
        /// Callers that wait for a permission.
        pub waiting: usize,
        /// How long a request for one permission would have to wait.
        pub wait_for_one_seconds: f64,
        /// The current cycle, counted from the limiter's creation.
        pub cycle: u64,
        /// Its settings.
        pub settings: Settings,
    }

    /// One time limiter.
    pub struct TimeLimiterSnapshot {
        /// The name.
        pub name: String,
        /// The tags that it is watched with.
        pub tags: BTreeMap<String, String>,
        /// How its calls ended.
        pub counters: TimeLimiterCounters,
        /// Its settings.
        pub settings: Settings,
    }

    /// How the calls of a time limiter ended.
    pub struct TimeLimiterCounters {
        /// In time, without an error.
        pub success: u64,
        /// In time, with an error.
        pub error: u64,
        /// Given up.
        pub timeout: u64,
    }

    /// One timer.
    pub struct TimerSnapshot {
        /// The name.
        pub name: String,
        /// The tags that it is watched with.
        pub tags: BTreeMap<String, String>,
        /// Calls that succeeded.
        pub successful: TimingSnapshot,
        /// Calls that failed, by the tag that says why.
        pub failed: BTreeMap<&'static str, TimingSnapshot>,
        /// Its settings.
        pub settings: Settings,
    }

    /// How long calls took.
    pub struct TimingSnapshot {
        /// How many there were.
        pub count: u64,
        /// All together.
        pub sum_seconds: f64,
        /// The longest of the last two to three minutes.
        pub max_seconds: f64,
    }

    /// One change of a circuit breaker's state.
    pub struct TransitionSnapshot {
        /// When.
        pub at_unix_seconds: f64,
        /// The state left.
        pub from: &'static str,
        /// The state entered.
        pub to: &'static str,
        /// Why: `failure_rate`, `slow_call_rate`, `trials_failed`, `trials_passed`, `wait_over`, `half_open_wait_over`, `hand`,
        /// `result` or `reset`.
        pub reason: &'static str,
        /// The failure rate that was the reason.
        pub failure_rate_percent: Option<f32>,
        /// The rate of slow calls that was the reason.
        pub slow_call_rate_percent: Option<f32>,
    }

    /// One pipeline of a registry.
    pub struct PipelineSnapshot {
        /// The name.
        pub name: String,
        /// The deadline of the whole call.
        pub deadline_seconds: Option<f64>,
        /// The pattern and the instance's name.
        pub steps: BTreeMap<&'static str, String>,
    }

    /// One keyed group.
    pub struct KeyedGroupSnapshot {
        /// The name.
        pub name: String,
        /// Instances there are.
        pub entries: usize,
        /// Instances there may be.
        pub max_entries: usize,
        /// Did the last new key find no room?
        pub is_overflowing: bool,
        /// What happened to its keys.
        pub counters: KeyedCounters,
        /// How many circuit breakers are in each state; nothing for none.
        pub states: BTreeMap<&'static str, usize>,
    }

    /// What happened to the keys of a group.
    pub struct KeyedCounters {
        /// Instances that were made.
        pub made: u64,
        /// Instances that were given up because nobody had used them.
        pub evicted_idle: u64,
        /// Instances that were given up to make room.
        pub evicted_for_room: u64,
        /// Calls that had to share an instance because there was no room.
        pub overflowed: u64,
        /// Calls without a key, which share that instance too.
        pub without_key: u64,
        /// Calls with a key that is too long, which share it too.
        pub long_keys: u64,
        /// Calls that share it because the template had failed.
        pub not_made: u64,
    }

    /// What came of a changed file of settings.
    pub struct ReloadSnapshot {
        /// When it was seen.
        pub at_unix_seconds: f64,
        /// The file.
        pub file: String,
        /// Do its settings hold now? Else all is as it was.
        pub is_applied: bool,
        /// Instances that were made.
        pub created: usize,
        /// Instances whose settings are others now.
        pub updated: usize,
        /// How much is wrong with it.
        pub errors: usize,
    }
}
