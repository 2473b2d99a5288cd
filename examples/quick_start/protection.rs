//! The protection: one pipeline for each server. This is the part to copy.

use std::fmt;
use std::time::Duration;

use seawall::pipeline::{HttpPipeline, Step};
use seawall::{
    Backoff, BulkheadConfig, CircuitBreakerConfig, ConfigError, Pipeline, RateLimiterConfig,
    RetryBudget, RetryConfig, SlidingWindow, TimeLimiterConfig,
};

use crate::scenario::{Kind, Scenario};

/// How long any call may take as a whole, with and without seawall.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// How long "slow" may take for one attempt, and how many it gets.
pub(crate) const SLOW_TIMEOUT: Duration = Duration::from_millis(500);
pub(crate) const SLOW_ATTEMPTS: u32 = 2;

/// What `--bare` and `--without` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    Full,
    Without(Step),
    Bare,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("with seawall"),
            Self::Without(step) => write!(f, "without {}", step.to_string().replace('_', " ")),
            Self::Bare => f.write_str("without seawall"),
        }
    }
}

/// Safe defaults for HTTP, and on top of them what is known of each server.
pub(crate) fn pipeline(
    kind: Kind,
    scenario: Scenario,
    without: Option<Step>,
) -> Result<HttpPipeline, ConfigError> {
    let attempt = if kind == Kind::Slow { SLOW_TIMEOUT } else { Duration::from_secs(2) };
    let safe = Pipeline::http(kind.name())
        .deadline(PATIENCE)
        .time_limiter(TimeLimiterConfig::builder().timeout(attempt));
    // How long an open circuit waits; in step with the scenario, so that a short run tells the same story.
    let open_wait = Backoff::exponential(scenario.part(0.3), 2.0).capped(scenario.part(1.0));

    let pipeline = match kind {
        // Has a quota of 60 calls in half a second. Bursts are spread out to 30.
        Kind::Healthy => safe.rate_limiter(
            RateLimiterConfig::builder()
                .limit_for_period(3)
                .limit_refresh_period(Duration::from_millis(50))
                .timeout(Duration::from_millis(1500)),
        ),
        // Fails three times in ten: try often and soon, and let no breaker cut it off for that.
        Kind::Flaky => safe
            .retry(
                RetryConfig::safe()
                    .max_attempts(5)
                    .backoff(Backoff::full_jitter(
                        Duration::from_millis(20),
                        Duration::from_millis(200),
                    ))
                    .budget(RetryBudget::new(0.5, 20)?),
            )
            .circuit_breaker(CircuitBreakerConfig::builder().failure_rate_threshold(80.0)),
        // Takes 15 at once: stay below, give up early, and leave it alone while it hangs.
        Kind::Slow => safe
            .retry(RetryConfig::safe().max_attempts(SLOW_ATTEMPTS))
            .circuit_breaker(
                CircuitBreakerConfig::builder()
                    .sliding_window(SlidingWindow::Count(40))
                    .minimum_number_of_calls(20)
                    .permitted_calls_in_half_open(2)
                    .open_wait(open_wait),
            )
            .bulkhead(
                BulkheadConfig::builder()
                    .max_concurrent_calls(10)
                    .max_wait(Duration::from_millis(350)),
            ),
        // Is well or dead: five failures in a row say which, of ten calls at once.
        Kind::Dying => safe
            .circuit_breaker(
                CircuitBreakerConfig::builder()
                    .sliding_window(SlidingWindow::Consecutive(5))
                    .permitted_calls_in_half_open(2)
                    .open_wait(open_wait),
            )
            .bulkhead(BulkheadConfig::builder().max_concurrent_calls(10)),
    };
    match without {
        Some(step) => pipeline.without(step).build(),
        None => pipeline.build(),
    }
}
