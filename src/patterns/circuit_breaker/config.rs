//! The settings of a circuit breaker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::view::State;
use crate::backoff::Backoff;
use crate::outcome::{CauseFilter, Verdict};
use crate::random::Random;
use crate::settings::{self, ConfigError};

/// Which calls a circuit breaker looks back on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlidingWindow {
    /// The last so many calls. Range: 1 to 10 000 000.
    Count(u32),
    /// The calls of the last so many seconds, the current one included. Range: 1 to 86 400.
    Time {
        /// The window's length.
        seconds: u32,
    },
    /// The current run: so many calls in a row must fail (or be slow). Range: from 1. The minimum
    /// number of calls plays no part. Half-open trials are judged by rate as ever.
    Consecutive(u32),
}

/// Where the one-second slices of a time window begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SliceAlignment {
    /// With the window's creation (and anew after a long silence), as Resilience4j's lock-free
    /// window does.
    #[default]
    FromStart,
    /// With the seconds of the wall clock, as it stood when the breaker was made: as Resilience4j's
    /// default window does. Steps of the wall clock do not matter.
    WallClock,
}

/// How long a result opens the circuit for: the answer of
/// [`transition_on_result`](CircuitBreakerConfigBuilder::transition_on_result).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFor {
    /// As long as the open wait says.
    Usual,
    /// This long.
    Span(Duration),
    /// Until this moment; one that has passed opens with no wait.
    Until(Instant),
}

type TransitionOnResult = Arc<dyn Fn(&Verdict) -> Option<OpenFor> + Send + Sync>;

/// The settings of a [`CircuitBreaker`](super::CircuitBreaker). One that exists is valid.
#[derive(Clone)]
pub struct CircuitBreakerConfig {
    pub(super) failure_rate_threshold: f32,
    pub(super) slow_call_rate_threshold: f32,
    pub(super) slow_call_duration_threshold: Duration,
    pub(super) sliding_window: SlidingWindow,
    pub(super) slice_alignment: SliceAlignment,
    pub(super) minimum_number_of_calls: u32,
    pub(super) permitted_calls_in_half_open: u32,
    pub(super) open_wait: Backoff,
    pub(super) max_wait_in_half_open: Duration,
    pub(super) after_half_open_wait: State,
    pub(super) automatic_transition: bool,
    pub(super) initial_state: State,
    pub(super) cancelled_is_failure_after: Option<Duration>,
    pub(super) panic_is_failure: bool,
    pub(super) causes: Option<Arc<CauseFilter>>,
    pub(super) transition_on_result: Option<TransitionOnResult>,
    pub(super) random: Option<Random>,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            failure_rate_threshold: 50.0,
            slow_call_rate_threshold: 100.0,
            slow_call_duration_threshold: Duration::from_secs(60),
            sliding_window: SlidingWindow::Count(100),
            slice_alignment: SliceAlignment::default(),
            minimum_number_of_calls: 100,
            permitted_calls_in_half_open: 10,
            open_wait: Backoff::fixed(Duration::from_secs(60)),
            max_wait_in_half_open: Duration::ZERO,
            after_half_open_wait: State::Open,
            automatic_transition: false,
            initial_state: State::Closed,
            cancelled_is_failure_after: None,
            panic_is_failure: false,
            causes: None,
            transition_on_result: None,
            random: None,
        }
    }
}

impl CircuitBreakerConfig {
    /// Starts from the defaults, which are Resilience4j's.
    pub fn builder() -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder::default()
    }

    /// For calls to a service over a network: judges from 20 calls on, waits 5 s when it opens, twice as
    /// long each time up to 60 s, ± 20 %, and then makes 5 trials, which must decide within 30 s. All else is
    /// as in [`builder`](Self::builder).
    pub fn safe() -> CircuitBreakerConfigBuilder {
        let open_wait = Backoff::exponential(Duration::from_secs(5), 2.0)
            .randomized(0.2)
            .capped(Duration::from_secs(60));
        Self::builder()
            .minimum_number_of_calls(20)
            .permitted_calls_in_half_open(5)
            .max_wait_in_half_open(Duration::from_secs(30))
            .preset_open_wait(open_wait)
    }

    /// Starts from these settings.
    pub fn to_builder(&self) -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder { config: self.clone(), wait: None }
    }

    /// Does an outcome's duration matter to anything?
    pub(super) const fn is_timed(&self) -> bool {
        self.slow_call_duration_threshold.as_nanos() < Duration::MAX.as_nanos()
            || self.cancelled_is_failure_after.is_some()
    }

    pub(super) fn cancelled_is_failure_after(&self) -> Duration {
        self.cancelled_is_failure_after.unwrap_or(self.slow_call_duration_threshold)
    }
}

impl fmt::Debug for CircuitBreakerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerConfig")
            .field("failure_rate_threshold", &self.failure_rate_threshold)
            .field("slow_call_rate_threshold", &self.slow_call_rate_threshold)
            .field("slow_call_duration_threshold", &self.slow_call_duration_threshold)
            .field("sliding_window", &self.sliding_window)
            .field("slice_alignment", &self.slice_alignment)
            .field("minimum_number_of_calls", &self.minimum_number_of_calls)
            .field("permitted_calls_in_half_open", &self.permitted_calls_in_half_open)
            .field("open_wait", &self.open_wait)
            .field("max_wait_in_half_open", &self.max_wait_in_half_open)
            .field("after_half_open_wait", &self.after_half_open_wait)
            .field("automatic_transition", &self.automatic_transition)
            .field("initial_state", &self.initial_state)
            .field("cancelled_is_failure_after", &self.cancelled_is_failure_after())
            .field("panic_is_failure", &self.panic_is_failure)
            .field("causes", &self.causes)
            .field("transition_on_result", &self.transition_on_result.is_some())
            .finish_non_exhaustive()
    }
}

/// Builds a [`CircuitBreakerConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct CircuitBreakerConfigBuilder {
    config: CircuitBreakerConfig,
    /// Which of the two settings for the open wait was used; both is a contradiction.
    wait: Option<&'static str>,
}

impl CircuitBreakerConfigBuilder {
    /// The circuit opens when this share of the calls in the window failed.
    ///
    /// Unit: percent. Range: above 0, at most 100. Default: 50, as in Resilience4j.
    pub const fn failure_rate_threshold(mut self, percent: f32) -> Self {
        self.config.failure_rate_threshold = percent;
        self
    }

    /// The circuit opens when this share of the calls in the window was slow.
    ///
    /// Unit: percent. Range: above 0, at most 100. Default: 100, as in Resilience4j.
    pub const fn slow_call_rate_threshold(mut self, percent: f32) -> Self {
        self.config.slow_call_rate_threshold = percent;
        self
    }

    /// A call that takes longer than this is slow.
    ///
    /// Range: from 1 ns; [`Duration::MAX`] switches the detection off. Default: 60 s, as in
    /// Resilience4j.
    pub const fn slow_call_duration_threshold(mut self, threshold: Duration) -> Self {
        self.config.slow_call_duration_threshold = threshold;
        self
    }

    /// Which calls are looked back on. Default: the last 100, as in Resilience4j.
    pub const fn sliding_window(mut self, window: SlidingWindow) -> Self {
        self.config.sliding_window = window;
        self
    }

    /// Where the slices of a time window begin. Default: with the breaker's creation.
    pub const fn slice_alignment(mut self, alignment: SliceAlignment) -> Self {
        self.config.slice_alignment = alignment;
        self
    }

    /// No rate is judged before the window holds this many calls.
    ///
    /// Range: from 1. Never more than a count window holds. Default: 100, as in Resilience4j.
    pub const fn minimum_number_of_calls(mut self, calls: u32) -> Self {
        self.config.minimum_number_of_calls = calls;
        self
    }

    /// How many trial calls a half-open circuit lets through.
    ///
    /// Range: 1 to 10 000 000. Default: 10, as in Resilience4j.
    pub const fn permitted_calls_in_half_open(mut self, calls: u32) -> Self {
        self.config.permitted_calls_in_half_open = calls;
        self
    }

    /// How long the circuit stays open. Short for a fixed [`open_wait`](Self::open_wait).
    ///
    /// Range: from 1 ms. Default: 60 s, as in Resilience4j.
    pub fn wait_duration_in_open_state(mut self, wait: Duration) -> Self {
        self.config.open_wait = Backoff::fixed(wait);
        self.said("wait_duration_in_open_state")
    }

    /// How long the circuit stays open when it opens for the *n*-th time in a row.
    ///
    /// Default: 60 s each time, as in Resilience4j.
    pub fn open_wait(mut self, wait: Backoff) -> Self {
        self.config.open_wait = wait;
        self.said("open_wait")
    }

    /// A half-open circuit that has not decided after so long leaves that state.
    ///
    /// Default: zero, which sets no limit, as in Resilience4j.
    pub const fn max_wait_in_half_open(mut self, wait: Duration) -> Self {
        self.config.max_wait_in_half_open = wait;
        self
    }

    /// Where it goes then: [`State::Open`] or [`State::Closed`]. Default: open, as in Resilience4j.
    pub const fn after_half_open_wait(mut self, state: State) -> Self {
        self.config.after_half_open_wait = state;
        self
    }

    /// Does an open circuit become half-open by itself when its wait is over, with no call?
    ///
    /// Default: no, as in Resilience4j: the next call after the wait is the first trial.
    /// A task on the runtime of whoever uses the breaker sees to it. Where there is none, or it does
    /// not run, the change happens at the next look.
    pub const fn automatic_transition_from_open_to_half_open(mut self, automatic: bool) -> Self {
        self.config.automatic_transition = automatic;
        self
    }

    /// The state at the start. Default: closed, as in Resilience4j.
    pub const fn initial_state(mut self, state: State) -> Self {
        self.config.initial_state = state;
        self
    }

    /// A call that its caller gave up counts as a failure if it had run for longer than this;
    /// a younger one counts for nothing.
    ///
    /// So a backend that hangs opens the circuit even where the timeout stands outside the breaker.
    /// Default: the slow-call threshold. A call given up at or after its
    /// [`Deadline`](crate::Deadline) always counts as a failure.
    pub const fn cancelled_is_failure_after(mut self, age: Duration) -> Self {
        self.config.cancelled_is_failure_after = Some(age);
        self
    }

    /// Does a call that panics count as a failure? Default: no, it counts as cancelled.
    pub const fn panic_is_failure(mut self, failure: bool) -> Self {
        self.config.panic_is_failure = failure;
        self
    }

    /// Which failures count: the others are successes to this breaker, or count nowhere.
    ///
    /// Looked at before all else that looks at a failure. Default: all of them.
    pub fn causes(mut self, filter: CauseFilter) -> Self {
        self.config.causes = if filter.is_empty() { None } else { Some(Arc::new(filter)) };
        self
    }

    /// Looks at every verdict that is not ignored, and may open a closed circuit at once.
    ///
    /// Called outside every lock. Default: none.
    pub fn transition_on_result(
        mut self,
        decide: impl Fn(&Verdict) -> Option<OpenFor> + Send + Sync + 'static,
    ) -> Self {
        self.config.transition_on_result = Some(Arc::new(decide));
        self
    }

    /// Opens a closed circuit for as long as a failure's `Retry-After` says, at most for `cap`.
    pub fn open_on_retry_after(self, cap: Duration) -> Self {
        self.transition_on_result(move |verdict| {
            let wait = verdict.retry_after().filter(|_| verdict.is_failure())?;
            Some(OpenFor::Span(wait.min(cap)))
        })
    }

    /// The dice for a random open wait. Default: seeded by the operating system.
    pub fn random(mut self, random: Random) -> Self {
        self.config.random = Some(random);
        self
    }

    /// May be replaced by either setting for the open wait.
    fn preset_open_wait(mut self, wait: Backoff) -> Self {
        self.config.open_wait = wait;
        self
    }

    fn said(mut self, key: &'static str) -> Self {
        self.wait = match self.wait {
            Some(other) if other != key => Some("both"),
            _ => Some(key),
        };
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<CircuitBreakerConfig, ConfigError> {
        let config = &self.config;
        settings::percentage("failure_rate_threshold", config.failure_rate_threshold)?;
        settings::percentage("slow_call_rate_threshold", config.slow_call_rate_threshold)?;
        settings::at_least(
            "slow_call_duration_threshold",
            config.slow_call_duration_threshold,
            Duration::from_nanos(1),
        )?;
        let (size, most) = match config.sliding_window {
            SlidingWindow::Count(size) => (size, 10_000_000),
            SlidingWindow::Time { seconds } => (seconds, 86_400),
            SlidingWindow::Consecutive(run) => (run, u32::MAX),
        };
        settings::number("sliding_window", size.into(), 1..=most.into())?;
        settings::number(
            "minimum_number_of_calls",
            config.minimum_number_of_calls.into(),
            1..=u32::MAX.into(),
        )?;
        settings::number(
            "permitted_calls_in_half_open",
            config.permitted_calls_in_half_open.into(),
            1..=10_000_000,
        )?;
        let key = match self.wait {
            Some("both") => {
                return Err(ConfigError::new(
                    "wait_duration_in_open_state",
                    "set beside `open_wait`",
                    "the only one of the two",
                ));
            }
            Some(key) => key,
            None => "open_wait",
        };
        config.open_wait.validate(key)?;
        if let Some(wait) = config.open_wait.as_fixed() {
            settings::at_least(key, wait, Duration::from_millis(1))?;
        }
        if !matches!(config.after_half_open_wait, State::Open | State::Closed) {
            let state = config.after_half_open_wait;
            return Err(ConfigError::new("after_half_open_wait", state, "open or closed"));
        }
        Ok(self.config)
    }
}
