//! The settings of a retry budget.

use std::time::Duration;

use super::kind::{Bounds, Field, Kind, Setting, float, int};
use super::table::{Key, Model, Table, settings};

const KINDS: Kind =
    Kind::Choice(&[("none", &[]), ("share", &["in_flight"]), ("deposits", &[]), ("tokens", &[])]);

settings! {
    /// What bounds the retries of all calls together; see [`RetryBudget`](crate::RetryBudget).
    BudgetSettings, BUDGET = "budget";

    /// The rule: by `share` of what is in flight, by `deposits` in a window of time, by `tokens`.
    kind: String = KINDS, default "none";
    /// Of a `share`: retries per call in flight.
    max_share: f64 = float(0.0, 1.0), default "0.2";
    /// Of a `share`: so many retries may always be in flight.
    min_concurrency: u32 = int(0, u32::MAX), default "3";
    /// Of `deposits`: how long one counts.
    time_to_live: Duration = Kind::Span { least: Duration::from_secs(1), most: Duration::from_secs(60) }, default "10s";
    /// Of `deposits`: so many retries a second are let through however few calls there are.
    min_per_second: u32 = int(0, u32::MAX), default "10";
    /// Of `deposits`: retries per call.
    share: f64 = float(0.0, 1000.0), default "0.2";
    /// Of `tokens`: how many there are in the full bucket.
    capacity: u32 = int(1, u32::MAX), default "500";
    /// Of `tokens`: what a retry takes; at most the capacity.
    retry_cost: u32 = int(0, u32::MAX), default "5";
    /// Of `tokens`: what a retry after a timeout takes; at most the capacity.
    timeout_cost: u32 = int(0, u32::MAX), default "10";
    /// Of `tokens`: what a retry takes after the backend said that it has too much to do; at most the capacity.
    throttling_cost: u32 = int(0, u32::MAX), default "5";
    /// Of `tokens`: what a call puts in that succeeds at once.
    first_success_reward: u32 = int(0, u32::MAX), default "1";
    /// Of `tokens`: how many come in by themselves, every second.
    refill_per_second: f64 = Kind::Float { least: 0.0, most: f64::MAX, bounds: Bounds::From }, default "0";
}
