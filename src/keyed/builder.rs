//! The bounds of a group.

use std::sync::Arc;
use std::time::Duration;

use super::Keyed;
use super::evict::Ages;
use super::parts::Keyable;
use crate::settings::{self, ConfigError};

/// Sets up a [`Keyed`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct KeyedBuilder {
    pub(super) name: Arc<str>,
    pub(super) max_entries: usize,
    pub(super) idle_expiry: Duration,
    pub(super) forget_after: Duration,
    pub(super) max_key_length: usize,
}

/// The most instances that may be asked for.
const MOST: u64 = 1_000_000;

const _: () = assert!(MOST < super::table::MOST as u64);

impl<T: Keyable> Keyed<T> {
    /// Starts from the default bounds.
    pub fn builder(name: impl Into<Arc<str>>) -> KeyedBuilder {
        KeyedBuilder {
            name: name.into(),
            max_entries: 1024,
            idle_expiry: Duration::from_secs(600),
            forget_after: Duration::MAX,
            max_key_length: 256,
        }
    }
}

impl KeyedBuilder {
    /// So many instances there are at most, beside the one for overflow.
    ///
    /// Range: from 1 to 1 000 000. Default: 1024.
    pub const fn max_entries(mut self, instances: usize) -> Self {
        self.max_entries = instances;
        self
    }

    /// An instance that nobody has used for this long is given up, if no call is under way through it, nobody holds a handle, and
    /// its circuit breaker is at rest.
    ///
    /// Range: from 1 s; 97 days and more stand for never. Default: 10 min.
    pub const fn idle_expiry(mut self, span: Duration) -> Self {
        self.idle_expiry = span;
        self
    }

    /// An instance that nobody has used for this long is given up even if its circuit breaker is not at rest: one that opened stays
    /// open until somebody calls, and hosts that are gone for good are never called again.
    ///
    /// Range: from the idle expiry; 97 days and more stand for never. Default: never.
    pub const fn forget_after(mut self, span: Duration) -> Self {
        self.forget_after = span;
        self
    }

    /// Longer keys share the instance for overflow.
    ///
    /// Unit: bytes. Range: from 1 to 65 536. Default: 256, which holds any host with its port.
    pub const fn max_key_length(mut self, bytes: usize) -> Self {
        self.max_key_length = bytes;
        self
    }

    /// Makes the map. `template` makes the instance for a key, which it is given for a name. It is asked once at once, with the name
    /// `overflow`.
    ///
    /// It runs under no lock; where several calls ask for a new key at the same time each may make an instance, and the first is
    /// everybody's. If it fails later, the key shares the instance for overflow.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: a bound out of range, or the template's own.
    pub fn build<T: Keyable>(
        self,
        template: impl Fn(Arc<str>) -> Result<T, ConfigError> + Send + Sync + 'static,
    ) -> Result<Keyed<T>, ConfigError> {
        settings::number("max_entries", self.max_entries as u64, 1..=MOST)?;
        settings::number("max_key_length", self.max_key_length as u64, 1..=65_536)?;
        settings::at_least("idle_expiry", self.idle_expiry, Duration::from_secs(1))?;
        settings::at_least("forget_after", self.forget_after, self.idle_expiry)?;
        let ages = Ages {
            idle: Ages::seconds(self.idle_expiry),
            forget: Ages::seconds(self.forget_after),
        };
        Keyed::with(self, ages, Box::new(template))
    }
}
