//! What all algorithms have in common: how a request is answered, what can be done beside asking, and
//! the grid of cycles.

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

impl Patience {
    /// How long a request may wait that has no deadline.
    pub(super) const fn longest(self, timeout: u64) -> u64 {
        match self {
            Self::None => 0,
            Self::Timeout(_) => timeout,
        }
    }
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The permissions are there.
    Granted,
    /// The permissions will be there.
    Wait(T),
    /// Nothing was taken. After so long the same request succeeds if nobody else comes; nothing if it
    /// never does.
    Refused(Option<Duration>),
}

impl<T> Answer<T> {
    #[inline]
    pub(super) fn map<U>(self, wait: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Granted => Answer::Granted,
            Self::Wait(it) => Answer::Wait(wait(it)),
            Self::Refused(wait) => Answer::Refused(wait),
        }
    }
}

/// What every algorithm can do beside answering requests.
pub trait Limiter {
    /// Gives up what could be had now, and says how much that was. Debt stays.
    fn drain(&mut self, now: Instant) -> u32;

    /// There are so many permissions a period. What is granted or promised already stays so.
    fn set_limit(&mut self, now: Instant, limit: u32);

    /// Later requests wait at most so long.
    fn set_timeout(&mut self, timeout: Duration);

    /// What can be had now; if nothing, then minus what is taken ahead of time.
    fn available(&mut self, now: Instant) -> i64;

    /// How long a request for one permission would wait now.
    fn wait_for_one(&mut self, now: Instant) -> Duration;

    /// The current cycle; the first is 0.
    fn cycle(&mut self, now: Instant) -> u64;
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
