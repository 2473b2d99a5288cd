//! What both kinds of limiter have in common: the grid of cycles, and how a request is answered.

use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::later;

/// About 292 years, as far as Resilience4j reaches. No sum of two of these overflows.
const FAR: u64 = i64::MAX as u64;

/// In nanoseconds, at most about 292 years.
pub(super) fn nanos(span: Duration) -> u64 {
    let whole = span.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(span.subsec_nanos().into()).min(FAR)
}

/// How long a request may wait for its permissions.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Not at all.
    None,
    /// As long as the limiter's timeout says, but its wait has to end before this moment.
    Timeout(Option<Instant>),
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The permissions are there.
    Granted,
    /// The permissions will be there.
    Wait(T),
    /// Nothing was taken. The wait would have been so long; nothing if no wait helps.
    Refused(Option<Duration>),
}

/// Divides time into cycles of equal length, beginning with the limiter's creation.
///
/// Times are nanoseconds since then, and saturate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    created: Instant,
    period: u64,
}

impl Grid {
    pub(super) fn new(created: Instant, period: Duration) -> Self {
        Self { created, period: nanos(period).max(1) }
    }

    pub(super) fn time(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.created))
    }

    pub(super) fn instant(&self, time: u64) -> Instant {
        later(self.created, Duration::from_nanos(time))
    }

    pub(super) const fn cycle(&self, time: u64) -> u64 {
        time / self.period
    }

    pub(super) const fn start(&self, cycle: u64) -> u64 {
        cycle.saturating_mul(self.period)
    }

    /// The last moment at which a wait that begins at `time` may end.
    pub(super) fn latest(&self, time: u64, timeout: u64, patience: Patience) -> u64 {
        match patience {
            Patience::None => time,
            Patience::Timeout(None) => time + timeout,
            // A call that begins when its time is over is of no use.
            Patience::Timeout(Some(until)) => {
                (time + timeout).min(self.time(until).saturating_sub(1))
            }
        }
    }
}
