//! The settings as a list, for people and programs to look at.

use super::config::TimerConfig;
use crate::telemetry::snapshot::Settings;

impl TimerConfig {
    pub(crate) fn described(&self) -> Settings {
        Settings::default()
            .with("metric_names", self.metric_names())
            .with("failure_tag", self.has_failure_tag())
    }
}
