//! The settings as a list, for people and programs to look at.

use super::config::RetryConfig;
use crate::telemetry::snapshot::Settings;

impl RetryConfig {
    pub(crate) fn described(&self) -> Settings {
        let settings = Settings::default().with("max_attempts", self.max_attempts);
        self.backoff
            .described("backoff", settings)
            .with("retry_when", self.retry_when.is_some())
            .with("retry_refusals", self.retry_refusals)
            .with_span("max_duration", self.max_duration)
            .with_span("max_retry_after", self.max_retry_after)
            .with("retry_after_spread", self.retry_after_spread)
            .with("fail_after_max_attempts", self.fail_after_max_attempts)
            .with("budget", self.budget.as_ref().map(|budget| budget.kind()))
            .with("fail_when_budget_spent", self.fail_when_budget_spent)
            .with("before_retry", self.before_retry.is_some())
    }
}
