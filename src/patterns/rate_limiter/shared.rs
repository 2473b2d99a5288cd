//! The core behind its lock, and everything that has to happen outside that lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::config::{RateLimiterAlgorithm, RateLimiterConfig};
use super::cycles::{Claim, Cycles};
use super::semaphore::{Semaphore, Turn};
use super::state::{Answer, Patience};
use crate::error::{Reason, Rejected};
use crate::sync::Lock;
use crate::telemetry::{EventKind, Observers, RateLimiterEvent};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) config: RateLimiterConfig,
    pub(super) observers: Observers,
    waiting: AtomicUsize,
    core: Lock<Core>,
}

#[derive(Debug)]
enum Core {
    Cycles(Cycles),
    Semaphore(Queue),
}

/// A core with a queue, and how to reach those in it.
#[derive(Debug)]
struct Queue {
    core: Semaphore,
    wakers: BTreeMap<u64, Waker>,
}

/// What is left to do for a request that was not answered at once.
#[derive(Debug)]
pub(super) enum Ahead {
    /// The permissions are there at this moment.
    Reserved(Claim, Instant),
    /// It has this number in the queue.
    Queued(u64),
}

/// A rate limiter at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Permissions that can be had now. Negative: so many of later cycles are taken already.
    pub available_permissions: i64,
    /// Callers that wait for a permission.
    pub waiting: usize,
    /// How long a request for one permission would have to wait.
    pub wait_for_one: Duration,
    /// The current cycle, counted from the limiter's creation; the first is 0.
    pub cycle: u64,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, config: RateLimiterConfig) -> Arc<Self> {
        let now = Instant::now();
        let RateLimiterConfig { limit_for_period: limit, limit_refresh_period: period, .. } =
            config;
        let core = match config.algorithm {
            RateLimiterAlgorithm::Cycles => {
                Core::Cycles(Cycles::new(limit, period, config.timeout, now))
            }
            RateLimiterAlgorithm::Semaphore => Core::Semaphore(Queue {
                core: Semaphore::new(limit, period, config.timeout, now),
                wakers: BTreeMap::new(),
            }),
        };
        Arc::new(Self {
            name,
            config,
            observers: Observers::default(),
            waiting: AtomicUsize::new(0),
            core: Lock::new(core),
        })
    }

    /// Asks for permissions. Nothing is told yet.
    #[inline]
    pub(super) fn ask(&self, now: Instant, permits: u32, patience: Patience) -> Answer<Ahead> {
        let mut core = self.core.lock();
        match &mut *core {
            Core::Cycles(cycles) => match cycles.reserve(now, permits, patience) {
                Answer::Granted => Answer::Granted,
                Answer::Wait(claim) => {
                    let ready = cycles.ready_at(&claim);
                    Answer::Wait(Ahead::Reserved(claim, ready))
                }
                Answer::Refused(wait) => Answer::Refused(wait),
            },
            Core::Semaphore(queue) => {
                let answer = queue.core.acquire(now, permits, patience);
                let woken = queue.woken();
                drop(core);
                wake(woken);
                match answer {
                    Answer::Granted => Answer::Granted,
                    Answer::Wait(id) => Answer::Wait(Ahead::Queued(id)),
                    Answer::Refused(wait) => Answer::Refused(wait),
                }
            }
        }
    }

    pub(super) fn refund(&self, claim: &Claim) {
        self.apply(Instant::now(), |cycles, now| cycles.refund(now, claim), |_, _| ());
    }

    /// Asks how somebody in the queue stands; `waker` is for when that changes.
    pub(super) fn turn(&self, id: u64, waker: Waker) -> Turn {
        let now = Instant::now();
        let mut core = self.core.lock();
        let Core::Semaphore(queue) = &mut *core else { return Turn::Granted };
        let turn = queue.core.poll(now, id);
        let woken = queue.woken();
        let old = match turn {
            Turn::Pending(_) => queue.wakers.insert(id, waker),
            Turn::Granted | Turn::Refused(_) => queue.wakers.remove(&id),
        };
        drop(core);
        drop(old);
        wake(woken);
        turn
    }

    pub(super) fn leave(&self, id: u64) {
        let old = self.apply(
            Instant::now(),
            |_, _| None,
            |queue, now| {
                queue.core.cancel(now, id);
                queue.wakers.remove(&id)
            },
        );
        drop(old);
    }

    pub(super) fn drain(&self) -> u32 {
        let now = Instant::now();
        let permits = self.apply(now, Cycles::drain, |queue, now| queue.core.drain(now));
        self.tell(now, || RateLimiterEvent::Drained { permits });
        permits
    }

    pub(super) fn set_limit(&self, limit: u32) {
        self.apply(
            Instant::now(),
            |cycles, now| cycles.set_limit(now, limit),
            |queue, now| queue.core.set_limit(now, limit),
        );
    }

    pub(super) fn set_timeout(&self, timeout: Duration) {
        self.apply(
            Instant::now(),
            |cycles, _| cycles.set_timeout(timeout),
            |queue, _| queue.core.set_timeout(timeout),
        );
    }

    pub(super) fn metrics(&self) -> Metrics {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let metrics = |available_permissions, wait_for_one, cycle| Metrics {
            available_permissions,
            waiting,
            wait_for_one,
            cycle,
        };
        self.apply(
            Instant::now(),
            |core, now| metrics(core.available(now), core.wait_for(now, 1), core.cycle(now)),
            |queue, now| {
                let core = &mut queue.core;
                metrics(core.available(now), core.wait_for_one(now), core.cycle(now))
            },
        )
    }

    /// Uses the core, and wakes outside the lock whoever gained by it.
    fn apply<R>(
        &self,
        now: Instant,
        cycles: impl FnOnce(&mut Cycles, Instant) -> R,
        semaphore: impl FnOnce(&mut Queue, Instant) -> R,
    ) -> R {
        let mut core = self.core.lock();
        match &mut *core {
            Core::Cycles(core) => cycles(core, now),
            Core::Semaphore(queue) => {
                let result = semaphore(queue, now);
                let woken = queue.woken();
                drop(core);
                wake(woken);
                result
            }
        }
    }

    // ## Telling

    pub(super) fn count_in(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_out(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn granted(&self, now: Instant, permits: u32) {
        self.tell(now, || RateLimiterEvent::SuccessfulAcquire { permits });
    }

    #[cold]
    pub(super) fn refused(&self, now: Instant, permits: u32, wait: Option<Duration>) -> Rejected {
        self.tell(now, || RateLimiterEvent::FailedAcquire { permits });
        Rejected::new(self.name.clone(), Reason::RateLimited).with_retry_after(wait)
    }

    #[inline]
    fn tell(&self, now: Instant, event: impl FnOnce() -> RateLimiterEvent) {
        if self.observers.any() {
            self.observers.tell(&self.name, now, EventKind::RateLimiter(event()));
        }
    }
}

impl Queue {
    fn woken(&mut self) -> Vec<Waker> {
        self.core.woken().filter_map(|id| self.wakers.remove(&id)).collect()
    }
}

fn wake(woken: Vec<Waker>) {
    woken.into_iter().for_each(Waker::wake);
}
