//! The service.

use std::fmt;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::fit::Fit;
use super::{Key, Keyable, Keyed};

/// A service behind a [`KeyedLayer`](super::KeyedLayer).
pub struct KeyedService<S, T: Keyable + Layer<S>, K> {
    /// Around the client, with an instance that each call replaces by its own.
    service: T::Service,
    keyed: Keyed<T>,
    key: K,
}

impl<S, T: Keyable + Layer<S>, K> KeyedService<S, T, K> {
    pub(super) const fn new(service: T::Service, keyed: Keyed<T>, key: K) -> Self {
        Self { service, keyed, key }
    }

    /// The instances.
    #[must_use]
    pub const fn keyed(&self) -> &Keyed<T> {
        &self.keyed
    }
}

impl<S, T, K, Req> Service<Req> for KeyedService<S, T, K>
where
    T: Keyable + Fit<S>,
    T::Service: Service<Req> + Clone,
    K: Key<Req>,
{
    type Response = <T::Service as Service<Req>>::Response;
    type Error = <T::Service as Service<Req>>::Error;
    /// The instance's own, which holds on to it: what is in use is not given up.
    type Future = <T::Service as Service<Req>>::Future;

    /// Whatever the instance, it only asks the client.
    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let instance = self.keyed.get_or_shared(self.key.key(&request).as_deref());
        let clone = self.service.clone();
        let mut ready = std::mem::replace(&mut self.service, clone);
        instance.fit(&mut ready);
        ready.call(request)
    }
}

impl<S, T, K> Clone for KeyedService<S, T, K>
where
    T: Keyable + Layer<S>,
    T::Service: Clone,
    K: Clone,
{
    fn clone(&self) -> Self {
        let Self { service, keyed, key } = self;
        Self { service: service.clone(), keyed: keyed.clone(), key: key.clone() }
    }
}

impl<S, T: Keyable + Layer<S>, K> fmt::Debug for KeyedService<S, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedService").field("keyed", &self.keyed).finish_non_exhaustive()
    }
}
