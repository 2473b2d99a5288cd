//! What people hold.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::config::{CircuitBreakerConfig, OpenFor};
use super::permit::Permit;
use super::shared::{Locked, Shared};
use super::state::Core;
use super::view::{Counters, Metrics, State, Transition};
use crate::error::{Error, FromRejected, Rejected};
use crate::outcome::{Classify, ResultClassifier, judge};
use crate::patterns::Instance;
use crate::telemetry::Observer;

/// A named circuit breaker. Clones share one state.
///
/// See the [module](super) for what it does and when to use it.
#[derive(Clone)]
pub struct CircuitBreaker {
    pub(in crate::patterns) shared: Arc<Shared>,
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl CircuitBreaker {
    /// A breaker with these settings.
    ///
    /// Needs no runtime: it may live in a `static`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: CircuitBreakerConfig) -> Self {
        Self { shared: Shared::new(name.into(), config) }
    }

    /// A breaker with Resilience4j's settings.
    #[must_use]
    pub fn with_defaults(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, CircuitBreakerConfig::default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings as they stand now.
    #[must_use]
    pub fn config(&self) -> Arc<CircuitBreakerConfig> {
        self.shared.settings()
    }

    /// Replaces the settings while calls run; see [the table](super#updates).
    pub fn update(&self, config: CircuitBreakerConfig) {
        self.shared.update(config);
    }

    // ## Calls

    /// Runs `future` if the circuit lets it pass, and learns from how it ends: `Err` is a failure.
    ///
    /// The permission is asked for at the first poll.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let breaker = seawall::CircuitBreaker::with_defaults("inventory");
    /// let stock = breaker.call(async { Ok::<u32, std::io::Error>(42) }).await;
    /// assert_eq!(stock.unwrap(), 42);
    /// # }
    /// ```
    ///
    /// A future that is another handle's call already has the right error: give it to
    /// [`call_flat`](Self::call_flat).
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the circuit refuses, [`Error::Service`] with the future's own error.
    pub fn call<F, T, E>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, Error<E>>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_with(ResultClassifier, async { future.await.map_err(Error::Service) })
    }

    /// As [`call`](Self::call), for a future whose error can hold a rejection already: another handle's,
    /// or a boxed error. So handles nest, and the error stays flat.
    ///
    /// # Errors
    ///
    /// The future's own error type, holding the [`Rejected`] if the circuit refuses.
    pub fn call_flat<F, T, E>(&self, future: F) -> impl Future<Output = Result<T, E>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        self.call_with(ResultClassifier, future)
    }

    /// As [`call_flat`](Self::call_flat), judged by `classifier`.
    ///
    /// # Errors
    ///
    /// The future's own error type, holding the [`Rejected`] if the circuit refuses.
    pub fn call_with<C, F, T, E>(
        &self,
        classifier: C,
        future: F,
    ) -> impl Future<Output = Result<T, E>> + use<C, F, T, E>
    where
        C: Classify<Result<T, E>>,
        F: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        let this = self.clone();
        async move {
            let permit = this.try_acquire().map_err(E::from_rejected)?;
            let result = future.await;
            permit.record(&judge(&classifier, &result));
            result
        }
    }

    /// Asks to make one call, by hand. The permit must be told how the call ended.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit refuses.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        self.admit(Instant::now)
    }

    /// The same, with the moment from `clock`, which is asked only if it matters.
    #[inline]
    pub(crate) fn admit(&self, clock: impl FnOnce() -> Instant) -> Result<Permit, Rejected> {
        let ticket = self.shared.admit(clock)?;
        Ok(Permit { shared: Some(self.shared.clone()), ticket })
    }

    // ## Looking

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.core().state()
    }

    /// What the window holds now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.core().metrics(Instant::now())
    }

    /// Everything that it ever saw; transitions and resets do not touch these.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.core().counters()
    }

    /// The last 8 changes of state and why they happened, the oldest first.
    ///
    /// ```
    /// use seawall::CircuitBreaker;
    /// use seawall::patterns::circuit_breaker::TransitionReason;
    ///
    /// let breaker = CircuitBreaker::with_defaults("inventory");
    /// breaker.transition_to_forced_open();
    /// breaker.reset();
    /// let why: Vec<_> = breaker.transitions().iter().map(|it| it.reason).collect();
    /// assert_eq!(why, [TransitionReason::Hand, TransitionReason::Reset]);
    /// ```
    #[must_use]
    pub fn transitions(&self) -> Vec<Transition> {
        self.core().transitions()
    }

    /// Tells `observer` whatever this breaker does from now on.
    pub fn observe(&self, observer: impl Observer) {
        Instance::attach(self, Arc::new(observer));
    }

    /// Does it neither keep calls off nor try them? Nothing follows from the question, so it may be asked under a lock.
    pub(in crate::patterns) fn is_at_rest(&self) -> bool {
        self.shared.lock().lets_all_pass()
    }

    fn core(&self) -> Locked<'_> {
        self.shared.settled(Instant::now())
    }

    // ## By hand

    /// Closes the circuit.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if the current state cannot be left for this one, as for all of these;
    /// a closed circuit can be entered from every state.
    pub fn transition_to_closed(&self) -> Result<(), IllegalTransition> {
        self.transition(State::Closed, None)
    }

    /// Opens the circuit for as long as the open wait says.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] from [`State::MetricsOnly`].
    pub fn transition_to_open(&self) -> Result<(), IllegalTransition> {
        self.transition(State::Open, None)
    }

    /// Opens the circuit for this long.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] from [`State::MetricsOnly`].
    pub fn transition_to_open_for(&self, wait: Duration) -> Result<(), IllegalTransition> {
        self.transition(State::Open, Some(OpenFor::Span(wait)))
    }

    /// Opens the circuit until this moment.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] from [`State::MetricsOnly`].
    pub fn transition_to_open_until(&self, until: Instant) -> Result<(), IllegalTransition> {
        self.transition(State::Open, Some(OpenFor::Until(until)))
    }

    /// Lets trial calls pass.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] from [`State::Closed`] and [`State::MetricsOnly`].
    pub fn transition_to_half_open(&self) -> Result<(), IllegalTransition> {
        self.transition(State::HalfOpen, None)
    }

    /// Opens the circuit until the state is changed by hand.
    pub fn transition_to_forced_open(&self) {
        self.always(State::ForcedOpen);
    }

    /// Lets all calls pass, uncounted.
    pub fn transition_to_disabled(&self) {
        self.always(State::Disabled);
    }

    /// Lets all calls pass, counted.
    pub fn transition_to_metrics_only(&self) {
        self.always(State::MetricsOnly);
    }

    /// Closes the circuit from any state and empties its window.
    pub fn reset(&self) {
        self.shared.apply(Instant::now(), Core::reset);
    }

    fn always(&self, to: State) {
        let done = self.transition(to, None);
        debug_assert!(done.is_ok(), "every state can be left for this one");
    }

    fn transition(&self, to: State, open: Option<OpenFor>) -> Result<(), IllegalTransition> {
        self.shared
            .apply(Instant::now(), |core, now, out| core.transition(now, to, open, out))
            .map_err(|from| IllegalTransition { name: self.shared.name.clone(), from, to })
    }
}

/// A state cannot be left for another by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalTransition {
    name: Arc<str>,
    from: State,
    to: State,
}

impl IllegalTransition {
    /// The state that the breaker is in, and stays in.
    #[must_use]
    pub const fn from(&self) -> State {
        self.from
    }

    /// The state asked for.
    #[must_use]
    pub const fn to(&self) -> State {
        self.to
    }
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, to } = self;
        write!(f, "circuit breaker `{name}` cannot go from {from} to {to}")
    }
}

impl std::error::Error for IllegalTransition {}
