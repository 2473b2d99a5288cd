//! What people hold.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::attempts::{Attempts, Next};
use super::budget::{RetryBudget, Share};
use super::config::RetryConfig;
use crate::error::{Error, FromRejected};
use crate::outcome::{Classify, ResultClassifier, judge};
use crate::random::Random;
use crate::settings::Live;
use crate::sync::Lock;
use crate::telemetry::{EventKind, Observer, ObserverId, Observers, RetryEvent};

/// A named retry. Clones share their counters and budget; the attempts of a call are its own.
///
/// See the [module](super) for what it does and when to use it.
#[derive(Clone, Debug)]
pub struct Retry {
    pub(in crate::patterns) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(in crate::patterns) name: Arc<str>,
    pub(super) config: Live<RetryConfig>,
    /// What the start of a call asks of the settings.
    begins: AtomicU8,
    /// At hand for as long as it is not replaced.
    first_budget: Option<RetryBudget>,
    pub(super) random: Random,
    pub(super) counts: Counts,
    /// Updates come one after the other.
    updating: Lock<()>,
    observers: Observers,
}

/// Something looks at the time since a call began.
const TIMED: u8 = 1;
/// There is a budget.
const BUDGETED: u8 = 2;
/// It is not the one that the retry was made with.
const REPLACED: u8 = 4;

fn begins(config: &RetryConfig, first: Option<&RetryBudget>) -> u8 {
    let is_first = match (&config.budget, first) {
        (Some(budget), Some(first)) => budget.is(first),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let flag = |flag, is_set| if is_set { flag } else { 0 };
    flag(TIMED, config.is_timed())
        | flag(BUDGETED, config.budget.is_some())
        | flag(REPLACED, !is_first)
}

impl Shared {
    /// When a call began that begins now, if that matters, and its part in the budget.
    #[inline]
    pub(super) fn begin(&self) -> (Option<Instant>, Option<Share>) {
        match self.begins.load(Ordering::Relaxed) {
            0 => (None, None),
            begins => self.begin_with(begins),
        }
    }

    #[inline]
    fn begin_with(&self, begins: u8) -> (Option<Instant>, Option<Share>) {
        let started = (begins & TIMED != 0).then(Instant::now);
        let share = match begins & (BUDGETED | REPLACED) {
            BUDGETED => self.first_budget.as_ref().map(RetryBudget::enter),
            0 => None,
            _ => self.share(),
        };
        (started, share)
    }

    #[cold]
    fn share(&self) -> Option<Share> {
        self.config.load().budget.as_ref().map(RetryBudget::enter)
    }

    pub(in crate::patterns) fn settings(&self) -> Arc<RetryConfig> {
        self.config.get()
    }

    pub(in crate::patterns) fn attach(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        self.observers.add_as(id, observer);
    }

    pub(in crate::patterns) fn detach(&self, id: ObserverId) {
        self.observers.remove(id);
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> RetryEvent) {
        if self.observers.any_for_rare() {
            self.observers.tell_now(&self.name, EventKind::Retry(event()));
        }
    }
}

/// How the calls of a [`Retry`] ended; each call counts once among the first four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryMetrics {
    /// Calls whose first attempt succeeded.
    pub successful_without_retry: u64,
    /// Calls that succeeded after a retry.
    pub successful_with_retry: u64,
    /// Calls that failed with what is not retried, or with their only attempt.
    pub failed_without_retry: u64,
    /// Calls that failed although they were retried.
    pub failed_with_retry: u64,
    /// Attempts made again, of all calls together. One that is still waited for is not made yet.
    pub retries: u64,
    /// Calls, counted above too, that the budget denied a retry.
    pub budget_refused: u64,
    /// Calls by how many attempts were made: one, two, three, four, five, more.
    pub by_attempts: [u64; 6],
}

macro_rules! counts {
    ($($name:ident),*) => {
        #[derive(Debug, Default)]
        pub(super) struct Counts {
            $($name: AtomicU64,)*
            /// Calls with two attempts, three, four, five, and more; all others had one.
            by_attempts: [AtomicU64; 5],
        }

        impl Counts {
            $(#[inline] pub(super) fn $name(&self) { self.$name.fetch_add(1, Ordering::Relaxed); })*

            fn read(&self) -> RetryMetrics {
                RetryMetrics {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    by_attempts: [0; 6],
                }
                .with_attempts(&self.by_attempts)
            }
        }
    };
}

counts!(
    successful_without_retry,
    successful_with_retry,
    failed_without_retry,
    failed_with_retry,
    retries,
    budget_refused
);

impl Counts {
    /// A call ended after so many attempts.
    pub(super) fn ended_after(&self, attempts: u32) {
        if let Some(further) = attempts.checked_sub(2) {
            let place = (further as usize).min(self.by_attempts.len() - 1);
            self.by_attempts[place].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl RetryMetrics {
    fn with_attempts(mut self, further: &[AtomicU64; 5]) -> Self {
        let calls = self.successful_without_retry
            + self.successful_with_retry
            + self.failed_without_retry
            + self.failed_with_retry;
        for (place, count) in self.by_attempts[1..].iter_mut().zip(further) {
            *place = count.load(Ordering::Relaxed);
        }
        // A call that ends at this moment may be in one count and not yet in the other.
        self.by_attempts[0] = calls.saturating_sub(self.by_attempts[1..].iter().sum());
        self
    }
}

impl Retry {
    /// A retry with these settings.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: RetryConfig) -> Self {
        let random = config.random.clone().unwrap_or_default();
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                begins: AtomicU8::new(begins(&config, config.budget.as_ref())),
                first_budget: config.budget.clone(),
                config: Live::new(config),
                random,
                counts: Counts::default(),
                updating: Lock::new(()),
                observers: Observers::default(),
            }),
        }
    }

    /// A retry with Resilience4j's settings.
    #[must_use]
    pub fn with_defaults(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, RetryConfig::default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings as they stand now.
    #[must_use]
    pub fn config(&self) -> Arc<RetryConfig> {
        self.shared.settings()
    }

    /// Replaces the settings while calls run; see [the table](super#updates).
    pub fn update(&self, config: RetryConfig) {
        let Shared { config: live, begins: word, updating, first_budget, .. } = &*self.shared;
        let updating = updating.lock();
        word.store(begins(&config, first_budget.as_ref()), Ordering::Relaxed);
        let old = live.set(config);
        drop(updating);
        // It may end with this, and with it a user's function: no lock is held.
        drop(old);
    }

    /// Runs the futures that `make` makes, one after the other, until one succeeds or there shall be
    /// no further one. `Err` is a failure.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] with the last future's own error; [`Error::Rejected`] only if the call's
    /// [`Deadline`](crate::Deadline) or `max_duration` passed during a wait.
    pub fn call<F, Fut, T, E>(
        &self,
        mut make: F,
    ) -> impl Future<Output = Result<T, Error<E>>> + use<F, Fut, T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.call_with(ResultClassifier, move || {
            let attempt = make();
            async { attempt.await.map_err(Error::Service) }
        })
    }

    /// As [`call`](Self::call), for futures whose error can hold a rejection already: another handle's,
    /// or a boxed error. So handles nest, and the error stays flat.
    ///
    /// # Errors
    ///
    /// The last future's error, or one holding a [`Rejected`](crate::Rejected) if the call's
    /// [`Deadline`](crate::Deadline) passed during a wait.
    pub fn call_flat<F, Fut, T, E>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<T, E>> + use<F, Fut, T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        self.call_with(ResultClassifier, make)
    }

    /// As [`call_flat`](Self::call_flat), judged by `classifier`.
    ///
    /// # Errors
    ///
    /// As for `call_flat`; also if `fail_after_max_attempts` is set and the last `Ok` is judged a failure.
    pub fn call_with<C, F, Fut, T, E>(
        &self,
        classifier: C,
        mut make: F,
    ) -> impl Future<Output = Result<T, E>> + use<C, F, Fut, T, E>
    where
        C: Classify<Result<T, E>>,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        let this = self.clone();
        async move {
            let mut attempts = this.start();
            loop {
                let result = make().await;
                match attempts.judge(&judge(&classifier, &result), result.is_err(), || true) {
                    Next::Done => return attempts.finish(result),
                    Next::Fail(rejected) => return Err(E::from_rejected(rejected)),
                    Next::Wait(pause) => {
                        drop(result);
                        if !pause.is_zero() {
                            sleep(pause).await;
                        } else if attempts.has_hurried() {
                            yield_now().await;
                        }
                        attempts.resume().map_err(E::from_rejected)?;
                    }
                }
            }
        }
    }

    /// Counts the attempts of one call by hand.
    #[inline]
    #[must_use]
    pub fn start(&self) -> Attempts {
        Attempts::new(self.shared.clone())
    }

    /// How calls ended so far.
    #[must_use]
    pub fn metrics(&self) -> RetryMetrics {
        self.shared.counts.read()
    }

    /// Tells `observer` whatever this retry does from now on.
    pub fn observe(&self, observer: impl Observer) {
        self.shared.observers.add(Arc::new(observer));
    }
}
