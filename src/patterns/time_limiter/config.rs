//! The settings of a time limiter.

use std::time::Duration;

use crate::settings::ConfigError;

/// What has to be over in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimitScope {
    /// The call, up to its response. Over HTTP that is the response's head; the body may take as
    /// long as it likes.
    #[default]
    Head,
    /// The body of the response too. Needs a layer that knows about bodies
    /// ([`ends`](super::TimeLimiterLayer::ends)); anywhere else it is the same as `Head`.
    WholeBody,
}

/// The settings of a [`TimeLimiter`](super::TimeLimiter). One that exists is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimiterConfig {
    pub(super) timeout: Duration,
    pub(super) scope: TimeLimitScope,
    pub(super) cancel_running_future: bool,
}

impl Default for TimeLimiterConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            scope: TimeLimitScope::Head,
            cancel_running_future: true,
        }
    }
}

impl TimeLimiterConfig {
    /// Starts from the defaults, which are Resilience4j's.
    pub fn builder() -> TimeLimiterConfigBuilder {
        TimeLimiterConfigBuilder::default()
    }

    /// How long a call may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What has to be over in that time.
    #[must_use]
    pub const fn scope(&self) -> TimeLimitScope {
        self.scope
    }

    /// May a call be dropped when its time is over?
    #[must_use]
    pub const fn cancel_running_future(&self) -> bool {
        self.cancel_running_future
    }

    pub(super) const fn is_whole_body(&self) -> bool {
        matches!(self.scope, TimeLimitScope::WholeBody)
    }

    /// Starts from these settings.
    pub const fn to_builder(self) -> TimeLimiterConfigBuilder {
        TimeLimiterConfigBuilder { config: self }
    }
}

/// Builds a [`TimeLimiterConfig`].
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct TimeLimiterConfigBuilder {
    config: TimeLimiterConfig,
}

impl TimeLimiterConfigBuilder {
    /// How long a call may take.
    ///
    /// Range: from zero, which gives up whatever is not ready at its first poll, to
    /// [`Duration::MAX`]; what is longer than thirty years is thirty years. Default: 1 s, as in
    /// Resilience4j.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// What has to be over in that time. Default: the call up to its response.
    pub const fn scope(mut self, scope: TimeLimitScope) -> Self {
        self.config.scope = scope;
        self
    }

    /// May a call be dropped when its time is over?
    ///
    /// If not, it has to be made in a form that lets it go on:
    /// [`call_detached`](super::TimeLimiter::call_detached), or a layer with
    /// [`detach`](super::TimeLimiterLayer::detach). Any other form of this limiter refuses its calls with
    /// [`Reason::CannotDetach`](crate::Reason::CannotDetach), and a pipeline refuses the setting. Default: yes, as in
    /// Resilience4j.
    pub const fn cancel_running_future(mut self, cancel: bool) -> Self {
        self.config.cancel_running_future = cancel;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// None as yet: all values are valid.
    pub const fn build(self) -> Result<TimeLimiterConfig, ConfigError> {
        Ok(self.config)
    }
}
