//! The settings of a timer.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::outcome::Cause;
use crate::settings::ConfigError;
use crate::telemetry::meters;

/// What a failure is tagged with that has no tag of its own.
pub(super) const OTHER: &str = "other";

type FailureTag = Arc<dyn Fn(Cause) -> &'static str + Send + Sync>;

/// The settings of a [`Timer`](super::Timer). One that exists is valid.
#[derive(Clone, Default)]
pub struct TimerConfig {
    metric_names: Option<Arc<str>>,
    failure_tag: Option<FailureTag>,
}

impl TimerConfig {
    /// Starts from the defaults.
    pub fn builder() -> TimerConfigBuilder {
        Self::default().to_builder()
    }

    /// The name of the meter.
    #[must_use]
    pub fn metric_names(&self) -> &str {
        self.metric_names.as_deref().unwrap_or_else(|| meters::timer_by_default())
    }

    /// What the meter's tag `failure` says of a call that failed for this cause; `other` if the user's function panics.
    #[must_use]
    pub fn failure_tag(&self, cause: Cause) -> &'static str {
        let Some(tag) = &self.failure_tag else { return cause.key() };
        // It may be asked about a call that is being dropped, where a panic would end the program.
        catch_unwind(AssertUnwindSafe(|| tag(cause))).unwrap_or(OTHER)
    }

    pub(super) const fn has_failure_tag(&self) -> bool {
        self.failure_tag.is_some()
    }

    /// Starts from these settings.
    pub fn to_builder(&self) -> TimerConfigBuilder {
        TimerConfigBuilder { config: self.clone() }
    }
}

impl fmt::Debug for TimerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerConfig")
            .field("metric_names", &self.metric_names())
            .field("has_failure_tag", &self.has_failure_tag())
            .finish()
    }
}

/// Builds a [`TimerConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct TimerConfigBuilder {
    config: TimerConfig,
}

impl TimerConfigBuilder {
    /// The name of the meter that counts the calls.
    ///
    /// Range: 1 to 200 letters, digits, dots, underscores and dashes, a letter first, and not the name of another of the
    /// [meters](crate::telemetry::meters). A process remembers the name of each timer that it ever had, so names should not be
    /// made up without end. Default: `resilience4j.timer.calls`, as in Resilience4j.
    pub fn metric_names(mut self, name: impl Into<Arc<str>>) -> Self {
        self.config.metric_names = Some(name.into());
        self
    }

    /// What the meter's tag `failure` says of a call that failed for this cause.
    ///
    /// A timer keeps 32 of them apart; failures with further ones count under `other`, and so do those of which the function
    /// panics. Default: [`Cause::key`]. Resilience4j, whose `onFailureTagResolver` this is, has the name of the error's type.
    pub fn failure_tag(
        mut self,
        tag: impl Fn(Cause) -> &'static str + Send + Sync + 'static,
    ) -> Self {
        self.config.failure_tag = Some(Arc::new(tag));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the name is out of range.
    pub fn build(self) -> Result<TimerConfig, ConfigError> {
        meters::check_timer(self.config.metric_names())?;
        Ok(self.config)
    }
}
