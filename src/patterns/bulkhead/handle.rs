//! What people hold: the bulkhead itself, and the permission for one call.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::acquire::Acquire;
use super::config::{self, BulkheadConfig};
use super::shared::{Joined, Shared};
use crate::ends::Guard;
use crate::error::{Error, FromRejected, Rejected};
use crate::outcome::Cause;
use crate::settings::ConfigError;
use crate::telemetry::Observer;

/// A named bulkhead. Clones share one state.
///
/// See the [module](super) for what it does and when to use it.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    pub(in crate::patterns) shared: Arc<Shared>,
}

impl Bulkhead {
    /// A bulkhead with these settings.
    ///
    /// Needs no runtime: it may live in a `static`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: BulkheadConfig) -> Self {
        Self { shared: Arc::new(Shared::new(name.into(), config)) }
    }

    /// A bulkhead with Resilience4j's settings.
    #[must_use]
    pub fn with_defaults(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, BulkheadConfig::default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings as they stand now.
    #[must_use]
    pub fn config(&self) -> BulkheadConfig {
        self.shared.config()
    }

    // ## Calls

    /// Runs `future` once there is a place for it.
    ///
    /// The place is asked for at the first poll, and free again when `future` has ended or is dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bulkhead = seawall::Bulkhead::with_defaults("inventory");
    /// let stock = bulkhead.call(async { Ok::<u32, std::io::Error>(42) }).await;
    /// assert_eq!(stock.unwrap(), 42);
    /// # }
    /// ```
    ///
    /// A future that is another handle's call already has the right error: give it to
    /// [`call_flat`](Self::call_flat).
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the bulkhead is full for as long as the call may wait, or if too many
    /// wait already, [`Error::Service`] with the future's own error.
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
    /// The future's own error type, holding the [`Rejected`] if the bulkhead is full.
    pub fn call_flat<F, T, E>(&self, future: F) -> impl Future<Output = Result<T, E>> + use<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        let acquire = self.acquire();
        async move {
            let permit = acquire.await.map_err(E::from_rejected)?;
            let result = future.await;
            drop(permit);
            result
        }
    }

    /// Asks for a place that is free now. Never waits.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if there is none, or if somebody waits for it already and the bulkhead is fair.
    pub fn try_acquire(&self) -> Result<BulkheadPermit, Rejected> {
        self.enter().ok_or_else(|| self.shared.reject())
    }

    /// Asks for a place at the first poll, and waits for it as long as the settings and the current
    /// [`Deadline`](crate::Deadline) allow.
    ///
    /// The waiting needs tokio's timer. Dropping the future leaves the queue.
    pub fn acquire(&self) -> Acquire {
        Acquire::asking(self.shared.clone())
    }

    /// A free place, without a word if there is none.
    #[inline]
    pub(crate) fn enter(&self) -> Option<BulkheadPermit> {
        self.shared.enter()
    }

    /// For one that `enter` had no place for: queues up for at most the wait of the settings, but never
    /// beyond `latest`.
    #[inline]
    pub(crate) fn begin(&self, latest: Option<Instant>) -> Result<Begun, Rejected> {
        Ok(match self.shared.join(latest)? {
            Joined::Permit(permit) => Begun::Permit(permit),
            Joined::Waiter(waiter) => Begun::Wait(Acquire::waiting(waiter)),
        })
    }

    // ## Looking

    /// How full it is now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Shared { gate, .. } = &*self.shared;
        let (word, waiting) = (gate.word(), gate.waiting());
        let queue_capacity = self.shared.config().queue_capacity;
        let waiting_calls = u32::try_from(waiting).unwrap_or(u32::MAX);
        Metrics {
            available: word.available(),
            max_concurrent_calls: word.limit(),
            in_flight: word.in_flight(),
            waiting,
            queue_capacity,
            queue_remaining: queue_capacity.map(|room| room.saturating_sub(waiting_calls)),
        }
    }

    /// Tells `observer` whatever this bulkhead does from now on.
    pub fn observe(&self, observer: impl Observer) {
        self.shared.observers.add(Arc::new(observer));
    }

    // ## Changing

    /// Replaces the settings while calls run and wait; see [the table](super#updates).
    pub fn update(&self, config: BulkheadConfig) {
        self.shared.update(config);
    }

    /// Lets so many calls in at once from now on.
    ///
    /// Raised, it lets in those who wait and now have room. Lowered, it interrupts no call; nobody
    /// comes in until fewer calls run than the new limit allows.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `calls` is above 1 000 000.
    pub fn change_max_concurrent_calls(&self, calls: u32) -> Result<(), ConfigError> {
        config::limit(calls)?;
        self.shared.change(|config| config.max_concurrent_calls = calls);
        Ok(())
    }

    /// Lets those who come from now on wait so long. Those who wait already are not concerned.
    pub fn change_max_wait(&self, wait: Duration) {
        self.shared.change(|config| config.max_wait = wait);
    }
}

/// How full a bulkhead is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Free places; none while more calls run than a lowered limit allows.
    pub available: u32,
    /// Places.
    pub max_concurrent_calls: u32,
    /// Places that are taken.
    pub in_flight: u32,
    /// Calls that wait for a place: the depth of the queue.
    pub waiting: usize,
    /// Calls that may wait at once; nothing if any number may.
    pub queue_capacity: Option<u32>,
    /// How many more may wait; nothing if any number may.
    pub queue_remaining: Option<u32>,
}

/// The answer to one who may wait.
#[derive(Debug)]
pub(crate) enum Begun {
    /// There was a place.
    Permit(BulkheadPermit),
    /// It has queued up.
    Wait(Acquire),
}

/// A place in a bulkhead. Dropped, it says that the call is over.
#[derive(Debug)]
#[must_use = "a permit that is dropped gives its place back"]
pub struct BulkheadPermit {
    pub(super) shared: Option<Arc<Shared>>,
}

impl BulkheadPermit {
    /// Gives the place back unused: no call was made, and no end of one is told.
    pub fn release(mut self) {
        if let Some(shared) = self.shared.take() {
            shared.gate.leave();
        }
    }
}

impl Drop for BulkheadPermit {
    #[inline]
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.finish();
        }
    }
}

/// The place is taken for as long as the response's body lives; how that ends does not matter.
impl Guard for BulkheadPermit {
    fn fail(self, _: Cause) {}
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Begun, Bulkhead, BulkheadConfig};

    fn bulkhead(calls: u32, wait: Duration) -> Bulkhead {
        let config = BulkheadConfig::builder().max_concurrent_calls(calls).max_wait(wait);
        Bulkhead::new("shop", config.build().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_may_wait_is_in_line_at_once() {
        let bulkhead = bulkhead(1, Duration::from_secs(1));
        let Ok(Begun::Permit(permit)) = bulkhead.begin(None) else { panic!("it is empty") };
        let Ok(Begun::Wait(first)) = bulkhead.begin(None) else { panic!("it is full") };
        let Ok(Begun::Wait(second)) = bulkhead.begin(None) else { panic!("it is full") };
        assert_eq!(bulkhead.metrics().waiting, 2, "although nothing was polled");
        drop(permit);
        assert_eq!((bulkhead.metrics().in_flight, bulkhead.metrics().waiting), (1, 1));
        drop((first, second));
        assert_eq!((bulkhead.metrics().in_flight, bulkhead.metrics().waiting), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_no_time_to_wait_never_stands_in_line() {
        let now = Instant::now();
        let full = bulkhead(0, Duration::ZERO);
        assert!(full.begin(None).is_err());
        full.change_max_wait(Duration::MAX);
        assert!(full.begin(Some(now)).is_err());
        assert!(full.begin(now.checked_sub(Duration::from_nanos(1))).is_err());
        assert!(full.begin(Some(now + Duration::from_nanos(1))).is_ok());
    }
}
