//! The layer.

use tower_layer::Layer;

use super::{Detached, InPlace, TimeLimiter, TimeLimiterService};
use crate::ends::AtResponse;

/// Puts a [`TimeLimiter`] around a service.
///
/// `N` says when a call is over, which matters for the scope
/// [`WholeBody`](super::TimeLimitScope::WholeBody); by default that is with the response. Over HTTP see
/// [`http`](Self::http). `M` says where the call runs: in place, or [detached](Self::detach).
#[derive(Clone, Debug)]
pub struct TimeLimiterLayer<N = AtResponse, M = InPlace> {
    limiter: TimeLimiter,
    ends: N,
    run: M,
}

impl TimeLimiterLayer {
    /// A layer over this time limiter, which other layers may share.
    #[must_use]
    pub const fn new(limiter: TimeLimiter) -> Self {
        Self { limiter, ends: AtResponse, run: InPlace }
    }
}

impl<N, M> TimeLimiterLayer<N, M> {
    /// Says when a call is over.
    #[must_use]
    pub fn ends<N2>(self, ends: N2) -> TimeLimiterLayer<N2, M> {
        TimeLimiterLayer { limiter: self.limiter, ends, run: self.run }
    }

    /// Runs each call in a task of its own, and lets it go on when its time is over or its caller has gone: see
    /// [`call_detached`](TimeLimiter::call_detached). The layers inside go with it, and what they hold.
    ///
    /// Asks of the service inside that its future, its response and its error are `Send` and `'static`.
    ///
    /// ```
    /// use seawall::{Bulkhead, BulkheadLayer, ErrorLayer, TimeLimiter, TimeLimiterLayer};
    /// use tower::{ServiceBuilder, service_fn};
    ///
    /// // A place in the bulkhead is free when the work has ended, and not when its caller has given up.
    /// let service = ServiceBuilder::new()
    ///     .layer(TimeLimiterLayer::new(TimeLimiter::with_defaults("ledger")).detach())
    ///     .layer(BulkheadLayer::new(Bulkhead::with_defaults("ledger")))
    ///     .layer(ErrorLayer)
    ///     .service(service_fn(async |entry: u32| Ok::<u32, std::io::Error>(entry)));
    /// # fn check(_: impl tower::Service<u32>) {}
    /// # check(service);
    /// ```
    #[must_use]
    pub fn detach(self) -> TimeLimiterLayer<N, Detached> {
        TimeLimiterLayer { limiter: self.limiter, ends: self.ends, run: Detached }
    }

    /// For HTTP: with the scope [`WholeBody`](super::TimeLimitScope::WholeBody) the body of the response
    /// has to end in time too.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> TimeLimiterLayer<crate::AtBodyEnd, M> {
        self.ends(crate::AtBodyEnd)
    }
}

impl<N, M> TimeLimiterLayer<N, M> {
    pub(crate) const fn handle(&self) -> &TimeLimiter {
        &self.limiter
    }

    /// Puts this layer in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut TimeLimiterService<S, N, M>)
    where
        N: Clone,
        M: Clone,
    {
        let Self { limiter, ends, run } = self;
        service.refit(limiter.clone(), ends.clone(), run.clone());
    }
}

impl<S, N: Clone, M: Clone> Layer<S> for TimeLimiterLayer<N, M> {
    type Service = TimeLimiterService<S, N, M>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeLimiterService::new(inner, self.limiter.clone(), self.ends.clone(), self.run.clone())
    }
}
