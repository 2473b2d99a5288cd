//! The layer.

use tower_layer::Layer;

use super::{TimeLimiter, TimeLimiterService};
use crate::ends::AtResponse;

/// Puts a [`TimeLimiter`] around a service.
///
/// `N` says when a call is over, which matters for the scope
/// [`WholeBody`](super::TimeLimitScope::WholeBody); by default that is with the response. Over HTTP see
/// [`http`](Self::http).
#[derive(Clone, Debug)]
pub struct TimeLimiterLayer<N = AtResponse> {
    limiter: TimeLimiter,
    ends: N,
}

impl TimeLimiterLayer {
    /// A layer over this time limiter, which other layers may share.
    #[must_use]
    pub const fn new(limiter: TimeLimiter) -> Self {
        Self { limiter, ends: AtResponse }
    }
}

impl<N> TimeLimiterLayer<N> {
    /// Says when a call is over.
    #[must_use]
    pub fn ends<N2>(self, ends: N2) -> TimeLimiterLayer<N2> {
        TimeLimiterLayer { limiter: self.limiter, ends }
    }

    /// For HTTP: with the scope [`WholeBody`](super::TimeLimitScope::WholeBody) the body of the response
    /// has to end in time too.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> TimeLimiterLayer<crate::AtBodyEnd> {
        self.ends(crate::AtBodyEnd)
    }
}

impl<S, N: Clone> Layer<S> for TimeLimiterLayer<N> {
    type Service = TimeLimiterService<S, N>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeLimiterService::new(inner, self.limiter.clone(), self.ends.clone())
    }
}
