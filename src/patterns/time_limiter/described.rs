//! The settings as a list, for people and programs to look at.

use super::config::{TimeLimitScope, TimeLimiterConfig};
use crate::telemetry::snapshot::Settings;

impl TimeLimiterConfig {
    pub(crate) fn described(&self) -> Settings {
        let scope = match self.scope {
            TimeLimitScope::Head => "head",
            TimeLimitScope::WholeBody => "whole_body",
        };
        Settings::default()
            .with_span("timeout", self.timeout)
            .with("scope", scope)
            .with("cancel_running_future", self.cancel_running_future)
    }
}
