//! A lock that shrugs off poison.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex for state that is consistent at every point where a panic could strike.
///
/// No user code runs under it, so a poisoned lock can only mean that a panic unwound through
/// one of our own critical sections, all of which leave their state whole.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
