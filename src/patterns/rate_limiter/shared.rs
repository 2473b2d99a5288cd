//! The core behind its lock, and everything that has to happen outside that lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::config::RateLimiterConfig;
use super::room::{Promise, Room};
use super::semaphore::Turn;
use super::state::Answer;
use crate::error::{Reason, Rejected};
use crate::outcome::Verdict;
use crate::settings::{ConfigError, Live};
use crate::sync::Lock;
use crate::telemetry::{EventKind, Observer, ObserverId, Observers, RateLimiterEvent};

#[derive(Debug)]
pub(in crate::patterns) struct Shared {
    pub(in crate::patterns) name: Arc<str>,
    pub(super) config: Live<RateLimiterConfig>,
    /// There is a rule of the user's for which verdicts drain.
    drains: AtomicBool,
    pub(super) observers: Observers,
    waiting: AtomicUsize,
    room: Lock<Room>,
}

/// A rate limiter at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Permissions that can be had now. Negative: so many are taken ahead of time already.
    pub available_permissions: i64,
    /// Callers that wait for a permission.
    pub waiting: usize,
    /// How long a request for one permission would have to wait.
    pub wait_for_one: Duration,
    /// The current cycle, counted from the limiter's creation; the first is 0. With an algorithm that
    /// knows no cycles: periods that are over.
    pub cycle: u64,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, config: RateLimiterConfig) -> Arc<Self> {
        let config = Arc::new(config);
        let room = Room::new(config.clone(), Instant::now());
        Arc::new(Self {
            name,
            drains: AtomicBool::new(config.drain_on.is_some()),
            config: Live::new(config),
            observers: Observers::default(),
            waiting: AtomicUsize::new(0),
            room: Lock::new(room),
        })
    }

    /// Takes permissions if they are plainly there; if not, `ask` has the answer. Nothing is told yet.
    #[inline]
    pub(super) fn take(&self, now: Instant, permits: u32) -> bool {
        self.room.lock().take(now, permits)
    }

    /// Asks for permissions that are there. Nothing is told yet.
    pub(super) fn ask(&self, now: Instant, permits: u32) -> Answer<()> {
        self.apply(|room| room.ask(now, permits))
    }

    /// Asks for permissions, or for a place in the line. Nothing is told yet.
    pub(super) fn wait(
        &self,
        now: Instant,
        permits: u32,
        deadline: Option<Instant>,
    ) -> Answer<u64> {
        self.apply(|room| room.wait(now, permits, deadline))
    }

    /// Asks for permissions that may lie in the future. Nothing is told yet.
    pub(super) fn reserve(
        &self,
        now: Instant,
        permits: u32,
        deadline: Option<Instant>,
    ) -> Answer<(Promise, Instant)> {
        self.apply(|room| room.reserve(now, permits, deadline))
    }

    pub(super) fn refund(&self, promise: &Promise) {
        self.apply(|room| room.refund(Instant::now(), promise));
    }

    /// Asks how somebody in the line stands; `waker` is for when that changes.
    pub(super) fn turn(&self, id: u64, waker: Waker) -> Turn {
        let (turn, _old) = self.apply(|room| room.turn(Instant::now(), id, waker));
        turn
    }

    pub(super) fn leave(&self, id: u64) {
        let _old = self.apply(|room| room.leave(Instant::now(), id));
    }

    pub(super) fn drain(&self) -> u32 {
        let now = Instant::now();
        let permits = self.apply(|room| room.limiter().drain(now));
        self.tell(now, || RateLimiterEvent::Drained { permits });
        permits
    }

    /// Does the user's rule say that a call that ended so drains? May panic; no lock is held.
    #[inline]
    pub(super) fn drains_on(&self, verdict: &Verdict) -> bool {
        self.drains.load(Ordering::Relaxed) && self.ask_drain_on(verdict)
    }

    #[cold]
    fn ask_drain_on(&self, verdict: &Verdict) -> bool {
        self.config.get().drain_on.as_ref().is_some_and(|drain| drain(verdict))
    }

    pub(in crate::patterns) fn settings(&self) -> Arc<RateLimiterConfig> {
        self.config.get()
    }

    pub(in crate::patterns) fn attach(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        self.observers.add_as(id, observer);
    }

    pub(in crate::patterns) fn detach(&self, id: ObserverId) {
        self.observers.remove(id);
    }

    /// Goes on with other settings, made out of those that stand, and wakes whoever has to look again.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&RateLimiterConfig) -> Result<RateLimiterConfig, ConfigError>,
    ) -> Result<(), ConfigError> {
        let mut room = self.room.lock();
        let config = Arc::new(change(room.config())?);
        self.drains.store(config.drain_on.is_some(), Ordering::Relaxed);
        let woken = room.update(Instant::now(), &config);
        let old = self.config.set(config);
        drop(room);
        woken.into_iter().for_each(Waker::wake);
        // They may end with this, and with them a user's function: no lock is held.
        drop(old);
        Ok(())
    }

    pub(super) fn metrics(&self) -> Metrics {
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.apply(|room| {
            let (now, limiter) = (Instant::now(), room.limiter());
            Metrics {
                available_permissions: limiter.available(now),
                waiting,
                wait_for_one: limiter.wait_for_one(now),
                cycle: limiter.cycle(now),
            }
        })
    }

    /// Uses the room, and wakes outside the lock whoever gained by it.
    fn apply<R>(&self, change: impl FnOnce(&mut Room) -> R) -> R {
        let mut room = self.room.lock();
        let result = change(&mut room);
        let woken = room.woken();
        drop(room);
        woken.into_iter().for_each(Waker::wake);
        result
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
        Rejected::new_with(self.name.clone(), Reason::RateLimited, wait)
    }

    #[inline]
    fn tell(&self, now: Instant, event: impl FnOnce() -> RateLimiterEvent) {
        if self.observers.any() {
            self.observers.tell(&self.name, now, EventKind::RateLimiter(event()));
        }
    }
}
