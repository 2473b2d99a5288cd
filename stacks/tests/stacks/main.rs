//! Each stack recovers from faults, told through its own API.

mod axum;
mod kube;
mod middleware;
mod octocrab;
mod openapi;

use std::error::Error;
use std::time::Duration;

use seawall::{
    Backoff, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Reason, Rejected, RetryConfig,
    RetryConfigBuilder, SlidingWindow, TimeLimiterConfig, TimeLimiterConfigBuilder,
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The safe retry, with short pauses.
fn retry() -> RetryConfigBuilder {
    RetryConfig::safe().backoff(Backoff::fixed(ms(10)))
}

/// Opens at the second failure, for so long.
fn breaker(open: Duration) -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(2))
        .minimum_number_of_calls(2)
        .permitted_calls_in_half_open(1)
        .wait_duration_in_open_state(open)
}

fn attempt(timeout: Duration) -> TimeLimiterConfigBuilder {
    TimeLimiterConfig::builder().timeout(timeout)
}

/// Why seawall refused the call or gave it up, at whatever depth the stack's own error holds it.
fn reason(error: &(dyn Error + 'static)) -> Option<Reason> {
    Rejected::find(error).map(Rejected::reason)
}
