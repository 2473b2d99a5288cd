//! What a wait may depend on.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::outcome::Verdict;

/// What a wait may depend on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackoffContext {
    /// Which wait this is, from 1: tries that failed so far, or times that the circuit opened.
    pub attempt: NonZeroU32,
    /// The verdict on the last try; nothing when a circuit breaker asks.
    pub verdict: Option<Verdict>,
    /// Did the last try end with an error (and not with a response that is judged a failure)?
    pub is_error: bool,
    /// Time since the call began; zero when a circuit breaker asks.
    pub elapsed: Duration,
    /// Time left until the call's deadline, if it has one.
    pub remaining: Option<Duration>,
}

impl BackoffContext {
    /// The context of the given attempt, with nothing else known.
    #[must_use]
    pub const fn new(attempt: NonZeroU32) -> Self {
        Self { attempt, verdict: None, is_error: false, elapsed: Duration::ZERO, remaining: None }
    }
}
