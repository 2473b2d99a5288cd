//! The steps of a pipeline, and what may be given for one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::patterns::bulkhead::{Bulkhead, BulkheadConfig, BulkheadConfigBuilder};
use crate::patterns::circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder,
};
use crate::patterns::rate_limiter::{RateLimiter, RateLimiterConfig, RateLimiterConfigBuilder};
use crate::patterns::retry::{Retry, RetryConfig, RetryConfigBuilder};
use crate::patterns::time_limiter::{TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder};
use crate::patterns::timer::{Timer, TimerConfig, TimerConfigBuilder};
use crate::patterns::{Instance, listen};
use crate::settings::{self, ConfigError};
use crate::telemetry::meters::{Metered, Out};
use crate::telemetry::{Detach, Observer, ObserverId};

/// The steps of a finished pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    pub(crate) name: Arc<str>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry: Option<Retry>,
    pub(crate) circuit_breaker: Option<CircuitBreaker>,
    pub(crate) rate_limiter: Option<RateLimiter>,
    pub(crate) time_limiter: Option<TimeLimiter>,
    pub(crate) bulkhead: Option<Bulkhead>,
    pub(crate) timer: Option<Timer>,
    /// Steps that others held too when the pipeline was made, so that nothing follows from it.
    pub(crate) common: Vec<Step>,
}

/// Does the same for each step that there is.
macro_rules! each_step {
    ($steps:expr, $step:ident => $work:expr) => {{
        let steps: &Steps = $steps;
        steps.retry.iter().for_each(|$step| $work);
        steps.circuit_breaker.iter().for_each(|$step| $work);
        steps.rate_limiter.iter().for_each(|$step| $work);
        steps.time_limiter.iter().for_each(|$step| $work);
        steps.bulkhead.iter().for_each(|$step| $work);
        steps.timer.iter().for_each(|$step| $work);
    }};
}

const fn step_of<H: Instance>(_: &H) -> Step {
    H::STEP
}

impl Steps {
    /// No step at all.
    pub(crate) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            deadline: None,
            retry: None,
            circuit_breaker: None,
            rate_limiter: None,
            time_limiter: None,
            bulkhead: None,
            timer: None,
            common: Vec::new(),
        }
    }

    /// Notes which steps others hold: from now on only the rest tells whether the pipeline is in use.
    pub(super) fn note_common(&mut self) {
        self.common.clear();
        self.common = self.held();
    }

    /// Does anyone else hold a step that was the pipeline's own?
    pub(super) fn is_held(&self) -> bool {
        !self.held().is_empty()
    }

    /// Steps that somebody else holds and that are not known for it.
    fn held(&self) -> Vec<Step> {
        let mut held = Vec::new();
        each_step!(self, step => if step.is_shared() && self.is_own(step) { held.push(step_of(step)) });
        held
    }

    /// Was it the pipeline's own when that was made?
    fn is_own<H: Instance>(&self, _: &H) -> bool {
        !self.common.contains(&H::STEP)
    }

    /// Attaches an observer, under this id, to the steps that are the pipeline's own.
    pub(super) fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>) {
        each_step!(self, step => if self.is_own(step) { step.attach_as(id, observer.clone()) });
    }

    /// Takes it off again.
    pub(super) fn detach(&self, id: ObserverId) {
        each_step!(self, step => if self.is_own(step) { Instance::detach(step, id) });
    }

    /// Attaches an observer to all steps but those whose addresses are known. What comes back takes it off.
    pub(super) fn listen(
        &self,
        observer: &Arc<dyn Observer>,
        is_known: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Detach)> {
        let mut attached = Vec::new();
        each_step!(self, step => if !is_known(step.address()) {
            attached.push((step.address(), listen(step, observer)));
        });
        attached
    }

    /// Where the steps are.
    pub(super) fn addresses(&self) -> Vec<usize> {
        let mut addresses = Vec::new();
        each_step!(self, step => addresses.push(step.address()));
        addresses
    }

    /// What the meters of the steps say that are the pipeline's own.
    pub(super) fn read(&self, out: &mut Out<'_>) {
        each_step!(self, step => if self.is_own(step) { Metered::read(step, out) });
    }

    /// What of the settings, as they stand, has to fit together.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            deadline: self.deadline,
            time_limiter: self.time_limiter.as_ref().map(TimeLimiter::config),
            bulkhead: self.bulkhead.as_ref().map(Bulkhead::config),
        }
    }

    /// Does every step let calls pass as ever?
    pub(super) fn is_at_rest(&self) -> bool {
        // Only a circuit breaker knows anything else.
        self.circuit_breaker.as_ref().is_none_or(Instance::is_at_rest)
    }
}

/// Settings of different steps that must not contradict each other: as they stand, or as they are about to be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) deadline: Option<Duration>,
    pub(crate) time_limiter: Option<TimeLimiterConfig>,
    pub(crate) bulkhead: Option<BulkheadConfig>,
}

impl Terms {
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that cannot stand beside another.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if let Some(deadline) = self.deadline {
            settings::at_least("deadline", deadline, Duration::from_millis(1))?;
        }
        let Some(limiter) = self.time_limiter else { return Ok(()) };
        if !limiter.cancel_running_future() {
            let expected = "true in a pipeline; stand a detached `TimeLimiterLayer` between two pipelines, or \
                            between single layers";
            let key = "time_limiter.cancel_running_future";
            return Err(ConfigError::new(key, false, expected));
        }
        let timeout = limiter.timeout();
        if let Some(deadline) = self.deadline.filter(|deadline| *deadline < timeout) {
            return Err(not_beyond("time_limiter.timeout", timeout, "deadline", deadline));
        }
        let wait = self.bulkhead.map(|bulkhead| bulkhead.max_wait());
        // One without a limit of its own ends with the attempt.
        if let Some(wait) = wait.filter(|wait| *wait > timeout && *wait < Duration::MAX) {
            return Err(not_beyond("bulkhead.max_wait", wait, "time_limiter.timeout", timeout));
        }
        Ok(())
    }
}

fn not_beyond(key: &'static str, value: Duration, other: &str, limit: Duration) -> ConfigError {
    let value = format_args!("{value:?}");
    ConfigError::new(key, value, format_args!("at most {limit:?}, as `{other}` is"))
}

/// A step of a pipeline, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The deadline of the whole call.
    Deadline,
    /// The retry.
    Retry,
    /// The circuit breaker.
    CircuitBreaker,
    /// The rate limiter.
    RateLimiter,
    /// The limit of one attempt.
    TimeLimiter,
    /// The bulkhead.
    Bulkhead,
    /// The timer.
    Timer,
}

impl Step {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Retry => "retry",
            Self::CircuitBreaker => "circuit_breaker",
            Self::RateLimiter => "rate_limiter",
            Self::TimeLimiter => "time_limiter",
            Self::Bulkhead => "bulkhead",
            Self::Timer => "timer",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What a pipeline takes for a step: an instance (which others may share), its settings, or the
/// builder of its settings. What is no instance yet gets the pipeline's name.
pub trait IntoStep<H>: private::Sealed {
    /// The instance.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is a builder with a setting out of range.
    fn into_step(self, name: &Arc<str>) -> Result<H, ConfigError>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! into_step {
    ($($handle:ident, $config:ident, $builder:ident;)*) => {
        $(
            impl private::Sealed for $handle {}
            impl private::Sealed for $config {}
            impl private::Sealed for $builder {}

            impl IntoStep<$handle> for $handle {
                fn into_step(self, _: &Arc<str>) -> Result<$handle, ConfigError> {
                    Ok(self)
                }
            }

            impl IntoStep<$handle> for $config {
                fn into_step(self, name: &Arc<str>) -> Result<$handle, ConfigError> {
                    Ok($handle::new(name.clone(), self))
                }
            }

            impl IntoStep<$handle> for $builder {
                fn into_step(self, name: &Arc<str>) -> Result<$handle, ConfigError> {
                    self.build()?.into_step(name)
                }
            }
        )*
    };
}

into_step! {
    Retry, RetryConfig, RetryConfigBuilder;
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder;
    RateLimiter, RateLimiterConfig, RateLimiterConfigBuilder;
    TimeLimiter, TimeLimiterConfig, TimeLimiterConfigBuilder;
    Bulkhead, BulkheadConfig, BulkheadConfigBuilder;
    Timer, TimerConfig, TimerConfigBuilder;
}
