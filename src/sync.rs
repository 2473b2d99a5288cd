//! A lock that shrugs off poison, and atomics; under `--cfg seawall_loom` loom's, for the models.

use std::fmt;
use std::sync::{PoisonError, TryLockError};

use self::primitives::Mutex;
pub(crate) use self::primitives::{AtomicBool, AtomicU64, MutexGuard};

#[cfg(not(all(test, seawall_loom)))]
mod primitives {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

#[cfg(all(test, seawall_loom))]
mod primitives {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

/// Plays a model with every order of steps in which no thread is interrupted more than three times.
#[cfg(all(test, seawall_loom))]
pub(crate) fn model(play: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(play);
}

/// A mutex for state that is consistent at every point where a panic could strike.
///
/// No user code runs under it, so a poisoned lock can only mean that a panic unwound through
/// one of our own critical sections, all of which leave their state whole.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Put together under the lock and written outside it: the writer is the user's.
impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let put =
            |value: &T| if f.alternate() { format!("{value:#?}") } else { format!("{value:?}") };
        let text = match self.0.try_lock() {
            Ok(value) => put(&value),
            Err(TryLockError::Poisoned(value)) => put(&value.into_inner()),
            Err(TryLockError::WouldBlock) => "<locked>".to_owned(),
        };
        f.write_str(&text)
    }
}
