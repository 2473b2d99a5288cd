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
    pub(super) queue_capacity: Option<u32>,
    pub(super) fair: bool,
    pub(super) core_pool_size: Option<u32>,
    pub(super) keep_alive: Duration,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self {
            max_concurrent_calls: 25,
            max_wait: Duration::ZERO,
            queue_capacity: None,
            fair: true,
            core_pool_size: None,
            keep_alive: Duration::from_millis(20),
        }
    }
}

impl BulkheadConfig {
    /// Starts from the defaults, which are Resilience4j's.
    pub fn builder() -> BulkheadConfigBuilder {
        BulkheadConfigBuilder::default()
    }

    /// Starts from the defaults of Resilience4j's `ThreadPoolBulkhead`: as many calls at once as there are
    /// processors, and 100 that wait, for as long as it takes.
    ///
    /// There are no threads here. What differs: Java runs `coreThreadPoolSize` calls, then fills the
    /// queue, and only then runs more; this one runs `max_concurrent_calls` before anybody waits.
    ///
    /// ```
    /// use seawall::BulkheadConfig;
    ///
    /// let config = BulkheadConfig::thread_pool().max_concurrent_calls(8).build()?;
    /// assert_eq!(config.queue_capacity(), Some(100));
    /// # Ok::<(), seawall::ConfigError>(())
    /// ```
    pub fn thread_pool() -> BulkheadConfigBuilder {
        Self::builder()
            .max_concurrent_calls(processors())
            .queue_capacity(100)
            .max_wait(Duration::MAX)
    }

    /// Calls that may run at once.
    #[must_use]
    pub const fn max_concurrent_calls(&self) -> u32 {
        self.max_concurrent_calls
    }

    /// How long a call may wait for a place; [`Duration::MAX`] if for as long as it takes.
    #[must_use]
    pub const fn max_wait(&self) -> Duration {
        self.max_wait
    }

    /// How many calls may wait at once; nothing if any number may.
    #[must_use]
    pub const fn queue_capacity(&self) -> Option<u32> {
        self.queue_capacity
    }

    /// As it was given, else as Resilience4j has it: one less than there are processors, but at least
    /// one and not more than run at once. Has no effect.
    #[must_use]
    pub fn core_pool_size(&self) -> u32 {
        let most = self.max_concurrent_calls.max(1);
        self.core_pool_size.unwrap_or_else(|| (processors() - 1).clamp(1, most))
    }

    /// As it was given. Has no effect.
    #[must_use]
    pub const fn keep_alive(&self) -> Duration {
        self.keep_alive
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
    /// Unit: calls. Range: 0 (lets nobody in) to 1 000 000. Default: 25, as in Resilience4j; of a
    /// [`thread_pool`](BulkheadConfig::thread_pool) the number of processors.
    pub const fn max_concurrent_calls(mut self, calls: u32) -> Self {
        self.config.max_concurrent_calls = calls;
        self
    }

    /// How long a call may wait for a place.
    ///
    /// A shorter [`Deadline`](crate::Deadline) of the call shortens the wait. Range: from zero, which
    /// refuses at once, to [`Duration::MAX`], which waits for as long as it takes. Default: zero, as
    /// in Resilience4j; of a [`thread_pool`](BulkheadConfig::thread_pool) no limit.
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.config.max_wait = wait;
        self
    }

    /// How many calls may wait at once; one more is refused at once.
    ///
    /// It bounds only those who may wait at all, so it needs a [`max_wait`](Self::max_wait). Unit:
    /// calls. Range: from 0, with which nobody waits. Default: any number; of a
    /// [`thread_pool`](BulkheadConfig::thread_pool) 100, as in Resilience4j.
    pub const fn queue_capacity(mut self, calls: u32) -> Self {
        self.config.queue_capacity = Some(calls);
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

    /// Resilience4j's `coreThreadPoolSize`. It is checked and kept for looking, and has no effect: there
    /// are no threads that could be kept.
    ///
    /// Unit: calls. Range: from 1 to `max_concurrent_calls`. Default: see
    /// [`BulkheadConfig::core_pool_size`].
    pub const fn core_pool_size(mut self, calls: u32) -> Self {
        self.config.core_pool_size = Some(calls);
        self
    }

    /// Resilience4j's `keepAliveDuration`. It is kept for looking, and has no effect.
    ///
    /// Default: 20 ms, as in Resilience4j.
    pub const fn keep_alive(mut self, idle: Duration) -> Self {
        self.config.keep_alive = idle;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<BulkheadConfig, ConfigError> {
        limit(self.config.max_concurrent_calls)?;
        if let Some(core) = self.config.core_pool_size {
            let most = self.config.max_concurrent_calls;
            settings::number("core_pool_size", core.into(), 1..=most.into())?;
        }
        Ok(self.config)
    }
}

pub(super) fn limit(calls: u32) -> Result<(), ConfigError> {
    settings::number("max_concurrent_calls", calls.into(), 0..=MOST)
}

fn processors() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(processors).unwrap_or(u32::MAX)
}
