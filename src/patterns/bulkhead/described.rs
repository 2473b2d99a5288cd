//! The settings as a list, for people and programs to look at.

use super::config::BulkheadConfig;
use crate::telemetry::snapshot::Settings;

impl BulkheadConfig {
    pub(crate) fn described(&self) -> Settings {
        Settings::default()
            .with("max_concurrent_calls", self.max_concurrent_calls)
            .with_span("max_wait", self.max_wait)
            .with("queue_capacity", self.queue_capacity)
            .with("fair", self.fair)
            .with("core_pool_size", self.core_pool_size)
            .with_span("keep_alive", self.keep_alive)
    }
}
