//! What is asked of a layer.

use std::fmt;

/// A law for layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Law {
    /// `call` uses the very instance of the inner service that was made ready.
    ReadyInstance,
    /// A clone of the service is not ready because its original was.
    CleanClone,
    /// `poll_ready` takes nothing of the layer's own: not called, a ready service harms nobody.
    FreeReadiness,
    /// `poll_ready` never refuses; that is for the response future.
    RefusalInCall,
    /// A future dropped at any point gives everything back, and lets the others go on.
    DropGivesBack,
    /// A call that is over holds nothing, even while its future is still there.
    EndGivesBack,
    /// A pending future or service has not just woken its own task.
    NoSelfWake,
    /// Whoever waits for something is woken when it comes, by the last waker it was polled with.
    NoLostWake,
    /// A panic below or in a callback fails its call and nothing else.
    PanicGivesBack,
    /// Polled after its end, a future panics with a clear message or is ready, but never pending.
    AfterTheEnd,
    /// While a call waits in the layer, it keeps no place in the inner service.
    WaitHoldsNothing,
    /// A service that was called keeps no place in the inner service, not even if it refused the call.
    CallSpendsReadiness,
    /// Neither poll nor call nor drop changes the [`Deadline`](crate::Deadline) of the code around it.
    DeadlineStays,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadyInstance => "`call` uses the instance that was made ready",
            Self::CleanClone => "a clone is not ready by inheritance",
            Self::FreeReadiness => "`poll_ready` consumes no permission",
            Self::RefusalInCall => "refusals come from the response future",
            Self::DropGivesBack => "a dropped future gives everything back",
            Self::EndGivesBack => "a call that is over holds nothing",
            Self::NoSelfWake => "no self-wake",
            Self::NoLostWake => "no lost wake",
            Self::PanicGivesBack => "a panic gives everything back",
            Self::AfterTheEnd => "a future polled after its end does not hang",
            Self::WaitHoldsNothing => "a waiting call holds no readiness of the inner service",
            Self::CallSpendsReadiness => "a service that was called keeps no readiness",
            Self::DeadlineStays => "the deadline outside stays as it was",
        })
    }
}
