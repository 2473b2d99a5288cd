//! The layer.

use tower_layer::Layer;

use super::{Timer, TimerService};
use crate::ends::AtResponse;
use crate::outcome::ResultClassifier;

/// Puts a [`Timer`] around a service.
///
/// `C` judges what a call ends with, `N` says when it has ended; the defaults take any `Err` for a failure and the response for
/// the end. Over HTTP both come with [`http`](Self::http).
#[derive(Clone, Debug)]
pub struct TimerLayer<C = ResultClassifier, N = AtResponse> {
    timer: Timer,
    classifier: C,
    ends: N,
}

impl TimerLayer {
    /// A layer over this timer, which other layers may share.
    #[must_use]
    pub const fn new(timer: Timer) -> Self {
        Self { timer, classifier: ResultClassifier, ends: AtResponse }
    }
}

impl<C, N> TimerLayer<C, N> {
    /// Judges calls by `classifier`.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> TimerLayer<C2, N> {
        TimerLayer { timer: self.timer, classifier, ends: self.ends }
    }

    /// Says when a call has ended.
    #[must_use]
    pub fn ends<N2>(self, ends: N2) -> TimerLayer<C, N2> {
        TimerLayer { timer: self.timer, classifier: self.classifier, ends }
    }

    /// For HTTP: judges by status and kind of error, and measures to the end of the response's body. To measure to its head,
    /// give the classifier alone.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(self) -> TimerLayer<crate::http::HttpClassifier, crate::AtBodyEnd> {
        self.classifier(crate::http::HttpClassifier::default()).ends(crate::AtBodyEnd)
    }
}

impl<C, N> TimerLayer<C, N> {
    pub(crate) const fn handle(&self) -> &Timer {
        &self.timer
    }

    /// Puts this layer in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut TimerService<S, C, N>)
    where
        C: Clone,
        N: Clone,
    {
        let Self { timer, classifier, ends } = self;
        service.refit(timer.clone(), classifier.clone(), ends.clone());
    }
}

impl<S, C: Clone, N: Clone> Layer<S> for TimerLayer<C, N> {
    type Service = TimerService<S, C, N>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { timer, classifier, ends } = self;
        TimerService::new(inner, timer.clone(), classifier.clone(), ends.clone())
    }
}
