//! The settings of a bulkhead.

use std::time::Duration;

use crate::settings::{self, ConfigError};

/// The most calls that a bulkhead can be told to let in.
const MOST: u64 = 1_000_000;

/// The settings of a [`Bulkhead`](super::Bulkhead). One that exists is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadConfig {
    pub(super) max_concurrent_calls: u32,
    pub(super) max_wait: Duration,
    pub(super) fair: bool,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self { max_concurrent_calls: 25, max_wait: Duration::ZERO, fair: true }
    }
}

impl BulkheadConfig {
    /// Starts from the defaults, which are Resilience4j's.
    pub fn builder() -> BulkheadConfigBuilder {
        BulkheadConfigBuilder::default()
    }

    /// Calls that may run at once.
    #[must_use]
    pub const fn max_concurrent_calls(&self) -> u32 {
        self.max_concurrent_calls
    }

    /// How long a call may wait for a place.
    #[must_use]
    pub const fn max_wait(&self) -> Duration {
        self.max_wait
    }

    /// Starts from these settings.
    pub const fn to_builder(self) -> BulkheadConfigBuilder {
        BulkheadConfigBuilder { config: self }
    }
}

/// Builds a [`BulkheadConfig`].
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct BulkheadConfigBuilder {
    config: BulkheadConfig,
}

impl BulkheadConfigBuilder {
    /// How many calls may run at once, over all clones.
    ///
    /// Unit: calls. Range: 0 (lets nobody in) to 1 000 000. Default: 25, as in Resilience4j.
    pub const fn max_concurrent_calls(mut self, calls: u32) -> Self {
        self.config.max_concurrent_calls = calls;
        self
    }

    /// How long a call may wait for a place.
    ///
    /// A shorter [`Deadline`](crate::Deadline) of the call shortens the wait. Range: from zero, which
    /// refuses at once. Default: zero, as in Resilience4j.
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.config.max_wait = wait;
        self
    }

    /// Are those who wait let in strictly in the order in which they came?
    ///
    /// If not, a newcomer may take a place that has just become free before the one who waits for it
    /// wakes up. Default: yes, as in Resilience4j.
    pub const fn fair(mut self, fair: bool) -> Self {
        self.config.fair = fair;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<BulkheadConfig, ConfigError> {
        limit(self.config.max_concurrent_calls)?;
        Ok(self.config)
    }
}

pub(super) fn limit(calls: u32) -> Result<(), ConfigError> {
    settings::number("max_concurrent_calls", calls.into(), 0..=MOST)
}
