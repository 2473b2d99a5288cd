//! What people hold.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::Instant;

use super::config::TimeLimiterConfig;
use super::limited::Limited;
use super::run::{Detached, InPlace, Run};
use super::time_limit::TimeLimit;
use crate::deadline::{Deadline, reachable};
use crate::error::{Error, FromRejected, Reason, Rejected};
use crate::settings::Span;
use crate::sync::Lock;
use crate::telemetry::{EventKind, Observer, ObserverId, Observers, TimeLimiterEvent};

/// A named time limiter. Clones share one state.
///
/// See the [module](super) for what it does and when to use it.
#[derive(Clone, Debug)]
pub struct TimeLimiter {
    pub(in crate::patterns) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(in crate::patterns) struct Shared {
    pub(in crate::patterns) name: Arc<str>,
    /// What calls read: the timeout, cut to what a timer can reach, and the other two.
    span: Span,
    is_whole_body: AtomicBool,
    must_detach: AtomicBool,
    config: Lock<TimeLimiterConfig>,
    observers: Observers,
    success: AtomicU64,
    error: AtomicU64,
    timeout: AtomicU64,
}

impl Shared {
    pub(in crate::patterns) fn settings(&self) -> Arc<TimeLimiterConfig> {
        Arc::new(*self.config.lock())
    }

    pub(in crate::patterns) fn attach(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        self.observers.add_as(id, observer);
    }

    pub(in crate::patterns) fn detach(&self, id: ObserverId) {
        self.observers.remove(id);
    }
}

impl TimeLimiter {
    /// A time limiter with these settings.
    ///
    /// Needs no runtime: it may live in a `static`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: TimeLimiterConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                span: Span::new(reachable(config.timeout)),
                is_whole_body: AtomicBool::new(config.is_whole_body()),
                must_detach: AtomicBool::new(!config.cancel_running_future),
                config: Lock::new(config),
                observers: Observers::default(),
                success: AtomicU64::new(0),
                error: AtomicU64::new(0),
                timeout: AtomicU64::new(0),
            }),
        }
    }

    /// A time limiter with Resilience4j's settings.
    #[must_use]
    pub fn with_defaults(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, TimeLimiterConfig::default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings as they stand now.
    #[must_use]
    pub fn config(&self) -> TimeLimiterConfig {
        *self.shared.config.lock()
    }

    /// Replaces the settings while calls run; see [the table](super#updates).
    pub fn update(&self, config: TimeLimiterConfig) {
        let Shared { config: current, span, is_whole_body, must_detach, .. } = &*self.shared;
        let mut current = current.lock();
        *current = config;
        span.set(reachable(config.timeout));
        is_whole_body.store(config.is_whole_body(), Ordering::Relaxed);
        must_detach.store(!config.cancel_running_future, Ordering::Relaxed);
    }

    // ## Calls

    /// Runs `future`, and drops it if it has not ended in time. For work that must not be dropped there is
    /// [`call_detached`](Self::call_detached).
    ///
    /// The time runs from the first poll. The waiting needs tokio's timer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let limiter = seawall::TimeLimiter::with_defaults("inventory");
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
    /// [`Error::Rejected`] if the time is over, [`Error::Service`] with the future's own error.
    pub fn call<F, T, E>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, Error<E>>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_flat(async { future.await.map_err(Error::Service) })
    }

    /// As [`call`](Self::call), for a future whose error can hold a rejection already: another
    /// handle's, or a boxed error.
    ///
    /// # Errors
    ///
    /// The future's own error type, holding the [`Rejected`] if the time is over.
    pub fn call_flat<F, T, E>(&self, future: F) -> impl Future<Output = Result<T, E>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        self.limit(future, InPlace)
    }

    /// As [`call`](Self::call), but the work runs in a task of its own and is never dropped half-way: when
    /// its time is over, or its caller has gone, it goes on, and what it ends with is thrown away.
    ///
    /// The task is spawned at the first poll. Dropped before that, the work is never begun. It takes the caller's
    /// [`Deadline`] along, but knows nothing of this limit, which is none to it; and it holds what it holds (a
    /// bulkhead's place, say) until it ends. A panic in it is the caller's, as if it had been awaited in place, if the caller is still there. With a limit
    /// of zero nobody waits for anything: even work that is over at once is given up.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let write_to_the_ledger = async { Ok::<u32, std::io::Error>(42) };
    /// let limiter = seawall::TimeLimiter::with_defaults("ledger");
    /// let entry = limiter.call_detached(write_to_the_ledger).await;
    /// assert_eq!(entry.unwrap(), 42);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the time is over or the runtime shuts down, [`Error::Service`] with the work's own
    /// error.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, when it is polled.
    pub fn call_detached<F, T, E>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, Error<E>>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.call_detached_flat(async { future.await.map_err(Error::Service) })
    }

    /// As [`call_detached`](Self::call_detached), for a future whose error can hold a rejection already.
    ///
    /// # Errors
    ///
    /// The work's own error type, holding the [`Rejected`] if the time is over or the runtime shuts down.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, when it is polled.
    pub fn call_detached_flat<F, T, E>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, E>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: FromRejected + Send + 'static,
    {
        self.limit(future, Detached)
    }

    fn limit<F, M, T, E>(
        &self,
        future: F,
        run: M,
    ) -> impl Future<Output = Result<T, E>> + use<F, M, T, E>
    where
        F: Future<Output = Result<T, E>>,
        M: Run<F>,
        E: FromRejected,
    {
        let this = self.clone();
        async move {
            if !this.fits(M::DETACHES) {
                return this.refused();
            }
            let deadline = this.deadline(Instant::now());
            let call = Limited::new(run.run(future, &this), deadline, !M::DETACHES);
            match call.await {
                Some(result) => {
                    this.record(&result);
                    result
                }
                None => Err(E::from_rejected(this.time_out())),
            }
        }
    }

    // ## Looking

    /// How its calls ended, from the start on.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Shared { success, error, timeout, .. } = &*self.shared;
        Metrics {
            success: success.load(Ordering::Relaxed),
            error: error.load(Ordering::Relaxed),
            timeout: timeout.load(Ordering::Relaxed),
        }
    }

    /// Tells `observer` whatever this time limiter does from now on.
    pub fn observe(&self, observer: impl Observer) {
        self.shared.observers.add(Arc::new(observer));
    }

    // ## One call

    /// When a call has to be over that begins now.
    #[inline]
    pub(crate) fn deadline(&self, now: Instant) -> Deadline {
        Deadline::at(now.checked_add(self.shared.span.get()).unwrap_or(now))
    }

    /// The call ended in time, body and all as far as that matters.
    #[inline]
    pub(crate) fn record<T, E: FromRejected>(&self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.tell(TimeLimiterEvent::Success),
            Err(error) => self.record_error(error),
        }
    }

    // The ends that are no success, as results made apart: a success is not moved along with them.

    #[cold]
    #[inline(never)]
    pub(super) fn failed<T, E: FromRejected>(&self, error: E) -> Result<T, E> {
        self.record_error(&error);
        Err(error)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn timed_out<T, E: FromRejected>(&self) -> Result<T, E> {
        Err(E::from_rejected(self.time_out()))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refused<T, E: FromRejected>(&self) -> Result<T, E> {
        Err(E::from_rejected(self.rejected(Reason::CannotDetach)))
    }

    /// The call ended in time, with an error.
    #[cold]
    pub(super) fn record_error<E: FromRejected>(&self, error: &E) {
        let is_timeout = error.as_rejected().is_some_and(Rejected::is_timeout);
        self.tell(if is_timeout { TimeLimiterEvent::Timeout } else { TimeLimiterEvent::Error });
    }

    /// The response came in time. If its body matters, the rest of the limit.
    #[inline]
    pub(crate) fn record_head<T, E: FromRejected>(
        &self,
        result: &Result<T, E>,
        deadline: Deadline,
    ) -> Option<TimeLimit> {
        match result {
            Ok(_) => self.record_response(deadline),
            Err(error) => {
                self.record_error(error);
                None
            }
        }
    }

    /// As [`record_head`](Self::record_head), of a call without an error.
    #[inline]
    pub(super) fn record_response(&self, deadline: Deadline) -> Option<TimeLimit> {
        if self.shared.is_whole_body.load(Ordering::Relaxed) {
            return Some(TimeLimit { limiter: Some(self.clone()), at: deadline.instant() });
        }
        self.tell(TimeLimiterEvent::Success);
        None
    }

    /// The call was given up.
    #[cold]
    pub(crate) fn time_out(&self) -> Rejected {
        self.tell(TimeLimiterEvent::Timeout);
        self.rejected(Reason::AttemptTimedOut)
    }

    /// Can this form of a call do as it is told?
    #[inline]
    pub(super) fn fits(&self, detaches: bool) -> bool {
        detaches || !self.shared.must_detach.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn rejected(&self, reason: Reason) -> Rejected {
        Rejected::new(self.shared.name.clone(), reason)
    }

    #[inline]
    pub(super) fn tell(&self, event: TimeLimiterEvent) {
        let Shared { name, observers, success, error, timeout, .. } = &*self.shared;
        let counter = match event {
            TimeLimiterEvent::Success => success,
            TimeLimiterEvent::Error => error,
            TimeLimiterEvent::Timeout => timeout,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if observers.any() {
            observers.tell_now(name, EventKind::TimeLimiter(event));
        }
    }
}

/// How the calls of a time limiter ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// In time, without an error.
    pub success: u64,
    /// In time, with an error.
    pub error: u64,
    /// Given up, by this limiter or by one inside.
    pub timeout: u64,
}
