//! What people hold.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::acquire::{Acquire, Reservation};
use super::config::{RateLimiterConfig, check_limit};
use super::shared::{Metrics, Shared};
use super::state::Answer;
use crate::deadline::Deadline;
use crate::error::{Error, FromRejected, Rejected};
use crate::outcome::{Classify, ResultClassifier, Verdict, judge};
use crate::settings::ConfigError;
use crate::telemetry::Observer;

/// A named rate limiter. Clones share one state.
///
/// See the [module](super) for what it does and when to use it.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    pub(in crate::patterns) shared: Arc<Shared>,
}

impl RateLimiter {
    /// A limiter with these settings. Its first cycle begins now.
    ///
    /// Needs no runtime: it may live in a `static`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: RateLimiterConfig) -> Self {
        Self { shared: Shared::new(name.into(), config) }
    }

    /// A limiter with Resilience4j's settings.
    #[must_use]
    pub fn with_defaults(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, RateLimiterConfig::default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings as they stand now.
    #[must_use]
    pub fn config(&self) -> Arc<RateLimiterConfig> {
        self.shared.settings()
    }

    /// Replaces the settings while calls run and wait; see [the table](super#updates).
    pub fn update(&self, config: RateLimiterConfig) {
        let done = self.shared.change(|_| Ok(config));
        debug_assert!(done.is_ok(), "settings that exist are valid");
    }

    // ## Calls

    /// Runs `future` as soon as there is a permission.
    ///
    /// The permission is asked for at the first poll.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let limiter = seawall::RateLimiter::with_defaults("inventory");
    /// let stock = limiter.call(async { Ok::<u32, std::io::Error>(42) }).await;
    /// assert_eq!(stock.unwrap(), 42);
    /// # }
    /// ```
    ///
    /// A future that is another handle's call already has the right error: give it to
    /// [`call_flat`](Self::call_flat).
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the wait would be too long, [`Error::Service`] with the future's own
    /// error.
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
    /// The future's own error type, holding the [`Rejected`] if the limiter refuses.
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
    /// The future's own error type, holding the [`Rejected`] if the limiter refuses.
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
            let begun = this.begin(1, Instant::now(), Deadline::current());
            if let Some(acquire) = begun.map_err(E::from_rejected)? {
                acquire.await.map_err(E::from_rejected)?;
            }
            let result = future.await;
            this.on_verdict(&judge(&classifier, &result));
            result
        }
    }

    /// Takes so many permissions if they are there, and never waits. None at all can always be had.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if they are not there, or if others wait for theirs.
    pub fn try_acquire(&self, permits: u32) -> Result<(), Rejected> {
        let now = Instant::now();
        if self.shared.take(now, permits) {
            self.shared.granted(now, permits);
            return Ok(());
        }
        match self.shared.ask(now, permits) {
            Answer::Granted | Answer::Wait(()) => {
                self.shared.granted(now, permits);
                Ok(())
            }
            Answer::Refused(wait) => Err(self.shared.refused(now, permits, wait)),
        }
    }

    /// Takes so many permissions, which may lie in the future. They are asked for at the first poll.
    ///
    /// Dropped while it waits, it gives them back. It does not begin a wait that is longer than the
    /// timeout or does not end before the current [`Deadline`].
    #[must_use = "futures do nothing unless polled"]
    pub fn acquire(&self, permits: u32) -> Acquire {
        Acquire::new(self.clone(), permits)
    }

    /// Takes so many permissions now, and says how long the caller must wait before it uses them.
    ///
    /// A limiter with a queue ([`Semaphore`](super::RateLimiterAlgorithm::Semaphore)) gives out
    /// nothing ahead of time: there it is the same as [`try_acquire`](Self::try_acquire).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use std::time::Duration;
    /// use seawall::{RateLimiter, RateLimiterConfig};
    ///
    /// let config = RateLimiterConfig::builder()
    ///     .limit_for_period(1)
    ///     .limit_refresh_period(Duration::from_secs(1))
    ///     .build()
    ///     .unwrap();
    /// let limiter = RateLimiter::new("inventory", config);
    ///
    /// assert_eq!(limiter.reserve(1).unwrap().wait(), Duration::ZERO);
    /// let second = limiter.reserve(1).unwrap();
    /// assert_eq!(second.wait(), Duration::from_secs(1));
    /// second.await;
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the wait would be longer than the timeout or would not end before the current
    /// [`Deadline`].
    pub fn reserve(&self, permits: u32) -> Result<Reservation, Rejected> {
        let now = Instant::now();
        let deadline = Deadline::current().map(Deadline::instant);
        match self.shared.reserve(now, permits, deadline) {
            Answer::Granted => {
                self.shared.granted(now, permits);
                Ok(Reservation::now())
            }
            Answer::Wait((promise, ready)) => {
                self.shared.granted(now, permits);
                Ok(Reservation::ahead(&self.shared, promise, ready))
            }
            Answer::Refused(wait) => Err(self.shared.refused(now, permits, wait)),
        }
    }

    /// Takes so many permissions: nothing if they are there now, else the wait for them, which has
    /// begun.
    #[inline]
    pub(crate) fn begin(
        &self,
        permits: u32,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Result<Option<Acquire>, Rejected> {
        if self.shared.take(now, permits) {
            self.shared.granted(now, permits);
            return Ok(None);
        }
        self.begin_ahead(permits, now, deadline)
    }

    #[cold]
    fn begin_ahead(
        &self,
        permits: u32,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Result<Option<Acquire>, Rejected> {
        match self.shared.wait(now, permits, deadline.map(Deadline::instant)) {
            Answer::Granted => {
                self.shared.granted(now, permits);
                Ok(None)
            }
            Answer::Wait(id) => Ok(Some(Acquire::waiting(&self.shared, id, permits))),
            Answer::Refused(wait) => Err(self.shared.refused(now, permits, wait)),
        }
    }

    /// A call has ended so. Gives up what is left of the cycle if the verdict
    /// [asks for that](Verdict::drains), or if
    /// [`drain_on`](super::RateLimiterConfigBuilder::drain_on) says so.
    #[inline]
    pub fn on_verdict(&self, verdict: &Verdict) {
        if verdict.drains() || self.shared.drains_on(verdict) {
            self.drain();
        }
    }

    // ## Looking

    /// How it stands now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Tells `observer` whatever this limiter does from now on.
    pub fn observe(&self, observer: impl Observer) {
        self.shared.observers.add(Arc::new(observer));
    }

    // ## By hand

    /// Gives up the permissions that could be had now, and says how many those were.
    ///
    /// What is taken ahead of time stays taken. New permissions come as if these had been used.
    pub fn drain(&self) -> u32 {
        self.shared.drain()
    }

    /// From the next cycle on there are so many permissions. Waits are reckoned by it at once.
    ///
    /// The current cycle keeps what it has. Who holds a reservation keeps it, and who waits for permissions of its own moves up
    /// if there are more; who stands in a queue and cannot have its turn in time any more is refused at once. A token bucket keeps what is in it
    /// and is filled at the new rate from now on; its burst stays. A sliding window heeds the new limit
    /// at once.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for 0, and for more than 1 000 000 with a sliding window; then nothing is
    /// changed.
    pub fn change_limit_for_period(&self, permits: u32) -> Result<(), ConfigError> {
        self.shared.change(|config| {
            check_limit(config.algorithm, permits)?;
            Ok(RateLimiterConfig { limit_for_period: permits, ..config.clone() })
        })
    }

    /// Later calls wait at most so long. Whoever waits already is not touched.
    pub fn change_timeout(&self, timeout: Duration) {
        let done = self.shared.change(|config| Ok(RateLimiterConfig { timeout, ..config.clone() }));
        debug_assert!(done.is_ok(), "every timeout is valid");
    }
}
