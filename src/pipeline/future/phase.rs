//! Where a call through a pipeline stands.

use std::pin::Pin;

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::error::Rejected;
use crate::patterns::oneshot::Oneshot;
use crate::patterns::retry::Pause;
use crate::patterns::{bulkhead, rate_limiter};
use crate::pipeline::attempt::Gate;
use crate::replay::Replay;
use crate::telemetry::Trace;

pin_project! {
    #[project = PhaseProj]
    /// Where a call stands.
    pub(super) enum Phase<S, A, D>
    where
        S: Service<A>,
    {
        Calling { #[pin] call: Oneshot<S, A> },
        // Boxed, so that a call that need not wait is no larger for those that do.
        Limited { wait: Pin<Box<rate_limiter::Acquire>>, attempt: Option<A> },
        Queued { wait: Pin<Box<bulkhead::Acquire>>, attempt: Option<A> },
        // Nothing for a pause of no length.
        Pausing { pause: Option<Pin<Box<Pause<D>>>>, attempt: Option<A> },
        Shut { rejected: Option<Rejected> },
    }
}

impl<S: Service<A>, A, D> Phase<S, A, D> {
    /// What follows a gate; an open one is passed by `call`.
    #[inline]
    pub(super) fn behind<Req, R: Replay<Req, Attempt = A>>(
        gate: Gate,
        attempt: A,
        (trace, replay): (&mut Trace, &R),
        call: impl FnOnce(A) -> Oneshot<S, A>,
    ) -> Self {
        match gate {
            Gate::Open => Self::Calling { call: trace.launch(replay, attempt, call) },
            Gate::Limited(wait) => Self::Limited { wait: Box::pin(wait), attempt: Some(attempt) },
            Gate::Queued(wait) => Self::Queued { wait: Box::pin(wait), attempt: Some(attempt) },
            Gate::Shut(rejected) => Self::Shut { rejected: Some(rejected) },
        }
    }
}

/// What became of a wait before an attempt.
pub(super) enum Waited {
    /// It is over, and the next thing has begun.
    Over,
    /// A step refuses the attempt.
    Shut(Rejected),
    /// A pause ends too late for another attempt: there is none to be judged.
    Late(Rejected),
    Pending,
}
