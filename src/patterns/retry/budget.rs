//! How much of the work in flight may be retries.

#[cfg(all(test, seawall_loom))]
mod loom;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::settings::ConfigError;
use crate::sync::AtomicU64;

/// Bounds retries to a share of the calls in flight, so that an outage cannot multiply the load.
///
/// A retry is refused when at least `min_concurrency` retries are in flight already and they make
/// up more than `max_share` of all calls in flight. A call waiting for its retry is in flight. Clones
/// share one budget; give one to everything that calls the same backend.
///
/// ```
/// use seawall::RetryBudget;
///
/// let budget = RetryBudget::new(0.2, 3)?; // the defaults, as in failsafe-go
/// assert!(RetryBudget::new(1.5, 3).is_err());
/// # Ok::<(), seawall::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    max_share: f64,
    min_concurrency: u32,
    /// Calls in flight in the upper half, retries among them in the lower: one word, so that a
    /// decision sees both at the same moment.
    in_flight: AtomicU64,
}

const CALL: u64 = 1 << 32;

impl RetryBudget {
    /// A budget of its own.
    ///
    /// `max_share`: retries per call in flight; range 0 to 1, usually 0.2. `min_concurrency`:
    /// so many retries may always be in flight; usually 3. As the share has to be *exceeded*, one retry
    /// at a time is let through even with 0 and 0; to have none, use no retry.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the share is out of range.
    pub fn new(max_share: f64, min_concurrency: u32) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&max_share) {
            return Err(ConfigError::new("max_share", max_share, "from 0 to 1"));
        }
        Ok(Self::of(max_share, min_concurrency))
    }

    fn of(max_share: f64, min_concurrency: u32) -> Self {
        let in_flight = AtomicU64::new(0);
        Self { inner: Arc::new(Inner { max_share, min_concurrency, in_flight }) }
    }

    /// Calls in flight, and how many of them are retries (or wait to be).
    #[must_use]
    pub fn in_flight(&self) -> (u32, u32) {
        split(self.inner.in_flight.load(Ordering::Acquire))
    }

    /// Counts a call until the share is dropped.
    pub(super) fn enter(&self) -> Share {
        self.inner.in_flight.fetch_add(CALL, Ordering::AcqRel);
        Share { budget: self.clone(), retrying: false }
    }
}

impl Default for RetryBudget {
    /// A fifth of what is in flight, but always three.
    fn default() -> Self {
        Self::of(0.2, 3)
    }
}

fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// One call's part in a budget.
#[derive(Debug)]
pub(super) struct Share {
    budget: RetryBudget,
    retrying: bool,
}

impl Share {
    /// The call wants to retry. An earlier retry of the same call is over by now.
    pub(super) fn try_retry(&mut self) -> bool {
        self.end_retry();
        let Inner { max_share, min_concurrency, ref in_flight } = *self.budget.inner;
        let room = |word| {
            let (calls, retries) = split(word);
            let spent =
                retries >= min_concurrency && f64::from(retries) > f64::from(calls) * max_share;
            (!spent).then_some(word + 1)
        };
        self.retrying = in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok();
        self.retrying
    }

    fn end_retry(&mut self) {
        if std::mem::take(&mut self.retrying) {
            self.budget.inner.in_flight.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.end_retry();
        self.budget.inner.in_flight.fetch_sub(CALL, Ordering::AcqRel);
    }
}
