//! Settings that can be replaced while calls run.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

/// The settings as they stand. Readers never wait for whoever replaces them.
pub(crate) struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    pub(crate) fn new(value: impl Into<Arc<T>>) -> Self {
        Self(ArcSwap::new(value.into()))
    }

    /// For a look. Cheaper than [`get`](Self::get), but not to be held over a user's function.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        self.0.load()
    }

    /// To be kept.
    pub(crate) fn get(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Gives back what stood before.
    pub(crate) fn set(&self, value: impl Into<Arc<T>>) -> Arc<T> {
        self.0.swap(value.into())
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
