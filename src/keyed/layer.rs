//! The layer.

use std::fmt;

use tower_layer::Layer;

use super::parts::Keyable;
use super::{Keyed, KeyedService};

/// Puts, for each request, the instance of its key around a service.
///
/// `T` is a layer or a pipeline, `K` draws the [`Key`](super::Key) from the request. See the [module](super).
#[derive(Clone)]
pub struct KeyedLayer<T: Keyable, K> {
    keyed: Keyed<T>,
    key: K,
}

impl<T: Keyable, K> KeyedLayer<T, K> {
    /// The instance of `key` out of `keyed`, which other layers may share.
    #[must_use]
    pub const fn new(keyed: Keyed<T>, key: K) -> Self {
        Self { keyed, key }
    }

    /// The instances.
    #[must_use]
    pub const fn keyed(&self) -> &Keyed<T> {
        &self.keyed
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn into_parts(self) -> (Keyed<T>, K) {
        (self.keyed, self.key)
    }
}

#[cfg(feature = "http")]
impl<T: Keyable> KeyedLayer<T, super::Host> {
    /// One instance per host and port: see [`Host`](super::Host).
    #[must_use]
    pub const fn per_host(keyed: Keyed<T>) -> Self {
        Self::new(keyed, super::Host)
    }
}

impl<S, T: Keyable + Layer<S>, K: Clone> Layer<S> for KeyedLayer<T, K> {
    type Service = KeyedService<S, T, K>;

    fn layer(&self, inner: S) -> Self::Service {
        let service = self.keyed.overflow().layer(inner);
        KeyedService::new(service, self.keyed.clone(), self.key.clone())
    }
}

impl<T: Keyable, K> fmt::Debug for KeyedLayer<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLayer").field("keyed", &self.keyed).finish_non_exhaustive()
    }
}
