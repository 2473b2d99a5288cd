//! The algorithms behind one door. What only one of them has is told apart here and nowhere else.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::task::Waker;

use tokio::time::Instant;

use super::bucket::{self, Bucket};
use super::config::{RateLimiterAlgorithm, RateLimiterConfig};
use super::cycles::{self, Cycles};
use super::semaphore::{Semaphore, Turn};
use super::state::{Answer, Limiter, Patience};
use super::window::{self, Window};

#[derive(Debug)]
pub(super) enum Core {
    Cycles(Cycles),
    Bucket(Bucket),
    Window(Window),
    Semaphore(Queue),
}

/// A core with a queue, and how to reach those in it.
#[derive(Debug)]
pub(super) struct Queue {
    core: Semaphore,
    wakers: BTreeMap<u64, Waker>,
}

/// Permissions taken ahead of time.
#[derive(Debug)]
pub(super) enum Claim {
    Cycles(cycles::Claim),
    Bucket(bucket::Claim),
    Window(window::Claim),
}

/// What is left to do for a request that was not answered at once.
#[derive(Debug)]
pub(super) enum Ahead {
    /// The permissions are there at this moment.
    Reserved(Claim, Instant),
    /// It has this number in the queue.
    Queued(u64),
}

/// Debt is taken over to another core for so many periods at most.
const MOST_PERIODS: u32 = 64;

impl Core {
    pub(super) fn new(config: &RateLimiterConfig, now: Instant) -> Self {
        let &RateLimiterConfig {
            limit_for_period: limit,
            limit_refresh_period: period,
            timeout,
            ..
        } = config;
        match config.algorithm {
            RateLimiterAlgorithm::Cycles => Self::Cycles(Cycles::new(limit, period, timeout, now)),
            RateLimiterAlgorithm::TokenBucket { burst } => {
                Self::Bucket(Bucket::new(limit, period, burst, timeout, now))
            }
            RateLimiterAlgorithm::SlidingWindow => {
                Self::Window(Window::new(limit, period, timeout, now))
            }
            RateLimiterAlgorithm::Semaphore => Self::Semaphore(Queue {
                core: Semaphore::new(limit, period, timeout, now),
                wakers: BTreeMap::new(),
            }),
        }
    }

    /// Takes permissions if they are plainly there; if not, `ask` has the answer.
    #[inline]
    pub(super) fn take(&mut self, now: Instant, permits: u32) -> bool {
        match self {
            Self::Cycles(core) => core.take(now, permits),
            Self::Bucket(core) => core.take(now, permits),
            Self::Window(core) => core.take(now, permits),
            Self::Semaphore(queue) => queue.core.take(now, permits),
        }
    }

    pub(super) fn ask(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<Ahead> {
        match self {
            Self::Cycles(core) => core.reserve(now, permits, patience).map(|claim| {
                let ready = core.ready_at(&claim);
                Ahead::Reserved(Claim::Cycles(claim), ready)
            }),
            Self::Bucket(core) => core.reserve(now, permits, patience).map(|claim| {
                let ready = core.ready_at(&claim);
                Ahead::Reserved(Claim::Bucket(claim), ready)
            }),
            Self::Window(core) => core.reserve(now, permits, patience).map(|claim| {
                let ready = core.ready_at(&claim);
                Ahead::Reserved(Claim::Window(claim), ready)
            }),
            Self::Semaphore(queue) => queue.core.acquire(now, permits, patience).map(Ahead::Queued),
        }
    }

    pub(super) fn refund(&mut self, now: Instant, claim: &Claim) {
        match (self, claim) {
            (Self::Cycles(core), Claim::Cycles(claim)) => core.refund(now, claim),
            (Self::Bucket(core), Claim::Bucket(claim)) => core.refund(now, claim),
            (Self::Window(core), Claim::Window(claim)) => core.refund(now, claim),
            _ => debug_assert!(false, "a claim of another algorithm"),
        }
    }

    pub(super) fn limiter(&mut self) -> &mut dyn Limiter {
        match self {
            Self::Cycles(core) => core,
            Self::Bucket(core) => core,
            Self::Window(core) => core,
            Self::Semaphore(queue) => &mut queue.core,
        }
    }

    // ## Coming after another core

    /// What can be had now, less what is taken ahead of time.
    pub(super) fn balance(&mut self, now: Instant) -> i64 {
        let available = self.limiter().available(now);
        match self {
            Self::Semaphore(queue) => available - queue.core.owed(now),
            _ => available,
        }
    }

    /// Begins no better than the one before stood, which had so many permissions, or so much debt.
    pub(super) fn settle_up(&mut self, now: Instant, had: i64, limit: u32) {
        let fresh = self.limiter().available(now);
        let spent = fresh.saturating_sub(had.max(0));
        if let Ok(spent) = u32::try_from(spent) {
            self.ask(now, spent, Patience::None);
        }
        // In parts that every algorithm can promise. Who owes more than so many periods has been forgiven the rest.
        let mut debt = had.saturating_neg();
        for _ in 0..MOST_PERIODS {
            let Ok(part @ 1..) = u32::try_from(debt.min(limit.into())) else { return };
            match self {
                Self::Semaphore(queue) => queue.core.owe(now, part),
                _ => drop(self.ask(now, part, Patience::Timeout(None))),
            }
            debt -= i64::from(part);
        }
    }

    /// Its wakers, if it has a queue.
    pub(super) fn into_wakers(self) -> impl Iterator<Item = Waker> {
        let wakers = match self {
            Self::Semaphore(queue) => queue.wakers,
            _ => BTreeMap::new(),
        };
        wakers.into_values()
    }

    // ## The queue, if there is one

    pub(super) const fn has_queue(&self) -> bool {
        matches!(self, Self::Semaphore(_))
    }

    /// How somebody in the queue stands.
    pub(super) fn look(&mut self, now: Instant, id: u64) -> Turn {
        match self {
            Self::Semaphore(queue) => queue.core.poll(now, id),
            _ => Turn::Refused(None),
        }
    }

    /// How somebody in the queue stands, and a waker that is not needed any more. `waker` is for when
    /// its turn comes.
    pub(super) fn turn(&mut self, now: Instant, id: u64, waker: Waker) -> (Turn, Option<Waker>) {
        let Self::Semaphore(queue) = self else { return (Turn::Granted, Some(waker)) };
        let turn = queue.core.poll(now, id);
        let old = match turn {
            Turn::Pending(_) => queue.wakers.insert(id, waker),
            Turn::Granted | Turn::Refused(_) => queue.wakers.remove(&id),
        };
        (turn, old)
    }

    /// Somebody leaves the queue, and its waker is not needed any more.
    pub(super) fn leave(&mut self, now: Instant, id: u64) -> Option<Waker> {
        let Self::Semaphore(queue) = self else { return None };
        queue.core.cancel(now, id);
        queue.wakers.remove(&id)
    }

    /// Whom to wake, once no lock is held.
    pub(super) fn woken(&mut self) -> Vec<Waker> {
        match self {
            Self::Semaphore(queue) => {
                queue.core.woken().filter_map(|id| queue.wakers.remove(&id)).collect()
            }
            _ => Vec::new(),
        }
    }
}
