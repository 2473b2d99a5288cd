//! The layer.

use tower_layer::Layer;

use super::{Bulkhead, BulkheadService};
use crate::ends::AtResponse;

/// Puts a [`Bulkhead`] around a service.
///
/// `N` says when a call is over and its place free again; by default that is with the response. Over
/// HTTP see [`http`](Self::http).
#[derive(Clone, Debug)]
pub struct BulkheadLayer<N = AtResponse> {
    bulkhead: Bulkhead,
    ends: N,
}

impl BulkheadLayer {
    /// A layer over this bulkhead, which other layers may share.
    #[must_use]
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead, ends: AtResponse }
    }
}

impl<N> BulkheadLayer<N> {
    /// Says when a call is over.
    #[must_use]
    pub fn ends<N2>(self, ends: N2) -> BulkheadLayer<N2> {
        BulkheadLayer { bulkhead: self.bulkhead, ends }
    }

    /// For HTTP: a call is over when the body of its response has ended or was dropped.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> BulkheadLayer<crate::AtBodyEnd> {
        self.ends(crate::AtBodyEnd)
    }
}

impl<N> BulkheadLayer<N> {
    pub(crate) const fn handle(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// Puts this layer in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut BulkheadService<S, N>)
    where
        N: Clone,
    {
        let Self { bulkhead, ends } = self;
        service.refit(bulkhead.clone(), ends.clone());
    }
}

impl<S, N: Clone> Layer<S> for BulkheadLayer<N> {
    type Service = BulkheadService<S, N>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService::new(inner, self.bulkhead.clone(), self.ends.clone())
    }
}
