//! The core and those who wait for what it has promised, who may have to be moved to another core.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::config::RateLimiterConfig;
use super::core::{Ahead, Claim, Core};
use super::semaphore::Turn;
use super::state::{Answer, Limiter, Patience};
use crate::deadline::later;

#[cfg(test)]
mod tests;

#[derive(Debug)]
pub(super) struct Room {
    core: Core,
    /// One more for every core that there was: a claim on one is nothing to the next.
    epoch: u64,
    config: Arc<RateLimiterConfig>,
    /// In the order of their coming.
    line: BTreeMap<u64, Waiter>,
    next: u64,
}

/// Somebody who waits.
#[derive(Debug)]
struct Waiter {
    permits: u32,
    /// Its wait has to end before this moment.
    latest: Instant,
    place: Place,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Place {
    /// The permissions are there at this moment.
    Reserved(Claim, Instant),
    /// It has this number in the core's queue.
    Queued(u64),
    /// There is nothing to wait for any more.
    Settled(Result<(), Option<Duration>>),
}

/// Permissions taken ahead of time, to be given back only to the core that they are of.
#[derive(Debug)]
pub(super) struct Promise {
    claim: Claim,
    epoch: u64,
}

impl Room {
    pub(super) fn new(config: Arc<RateLimiterConfig>, now: Instant) -> Self {
        let core = Core::new(&config, now);
        Self { core, epoch: 0, config, line: BTreeMap::new(), next: 0 }
    }

    pub(super) fn config(&self) -> &RateLimiterConfig {
        &self.config
    }

    /// Takes permissions if they are plainly there; if not, the others have the answer.
    #[inline]
    pub(super) fn take(&mut self, now: Instant, permits: u32) -> bool {
        self.core.take(now, permits)
    }

    /// Takes permissions that are there.
    pub(super) fn ask(&mut self, now: Instant, permits: u32) -> Answer<()> {
        self.core.ask(now, permits, Patience::None).map(|_| ())
    }

    /// Takes permissions ahead of time. A core with a queue gives out none.
    pub(super) fn reserve(
        &mut self,
        now: Instant,
        permits: u32,
        deadline: Option<Instant>,
    ) -> Answer<(Promise, Instant)> {
        let patience =
            if self.core.has_queue() { Patience::None } else { Patience::Timeout(deadline) };
        let epoch = self.epoch;
        match self.core.ask(now, permits, patience) {
            Answer::Granted => Answer::Granted,
            Answer::Wait(Ahead::Reserved(claim, ready)) => {
                Answer::Wait((Promise { claim, epoch }, ready))
            }
            Answer::Wait(Ahead::Queued(_)) => unreachable!("no patience, no wait"),
            Answer::Refused(wait) => Answer::Refused(wait),
        }
    }

    pub(super) fn refund(&mut self, now: Instant, promise: &Promise) {
        if promise.epoch == self.epoch {
            self.core.refund(now, &promise.claim);
        }
    }

    // ## The line

    /// Takes permissions, or a place in the line: then its number is the answer.
    pub(super) fn wait(
        &mut self,
        now: Instant,
        permits: u32,
        deadline: Option<Instant>,
    ) -> Answer<u64> {
        let answer = self.core.ask(now, permits, Patience::Timeout(deadline));
        answer.map(|ahead| {
            let end = later(later(now, self.config.timeout), Duration::from_nanos(1));
            let latest = deadline.map_or(end, |deadline| deadline.min(end));
            let id = self.next;
            self.next += 1;
            let place = ahead.into();
            self.line.insert(id, Waiter { permits, latest, place, waker: None });
            id
        })
    }

    /// How somebody in the line stands, and a waker that is not needed any more. `waker` is for when that changes.
    pub(super) fn turn(&mut self, now: Instant, id: u64, waker: Waker) -> (Turn, Option<Waker>) {
        let Some(waiter) = self.line.get_mut(&id) else { return (Turn::Granted, Some(waker)) };
        let (turn, old) = match waiter.place {
            Place::Queued(number) => self.core.turn(now, number, waker),
            Place::Reserved(_, ready) if now < ready => {
                (Turn::Pending(ready), waiter.waker.replace(waker))
            }
            Place::Reserved(..) => (Turn::Granted, Some(waker)),
            Place::Settled(Ok(())) => (Turn::Granted, Some(waker)),
            Place::Settled(Err(wait)) => (Turn::Refused(wait), Some(waker)),
        };
        if !matches!(turn, Turn::Pending(_)) {
            self.line.remove(&id);
        }
        (turn, old)
    }

    /// Somebody leaves the line, and its waker is not needed any more.
    pub(super) fn leave(&mut self, now: Instant, id: u64) -> Option<Waker> {
        let waiter = self.line.remove(&id)?;
        match waiter.place {
            Place::Reserved(claim, ready) => {
                if now < ready {
                    self.core.refund(now, &claim);
                }
                waiter.waker
            }
            Place::Queued(number) => self.core.leave(now, number),
            Place::Settled(_) => waiter.waker,
        }
    }

    /// Whom to wake, once no lock is held.
    pub(super) fn woken(&mut self) -> Vec<Waker> {
        self.core.woken()
    }

    // ## Looking, and by hand

    pub(super) fn limiter(&mut self) -> &mut dyn Limiter {
        self.core.limiter()
    }

    // ## Other settings

    /// Goes on with these settings. Whoever waits goes on waiting under them, in the same order, and never for longer than it
    /// would have waited; those who are to be woken are the answer.
    pub(super) fn update(&mut self, now: Instant, config: &Arc<RateLimiterConfig>) -> Vec<Waker> {
        let old = std::mem::replace(&mut self.config, config.clone());
        let (limit, timeout) = (config.limit_for_period, config.timeout);
        let is_another = old.algorithm != config.algorithm
            || old.limit_refresh_period != config.limit_refresh_period;
        let mut woken = Vec::new();
        if is_another {
            let moving = self.call_back(now);
            let had = self.core.balance(now);
            let next = Core::new(config, now);
            woken.extend(std::mem::replace(&mut self.core, next).into_wakers());
            self.epoch += 1;
            self.core.limiter().set_timeout(Duration::MAX);
            self.core.settle_up(now, had, limit);
            self.place(now, moving, &mut woken);
        } else if limit > old.limit_for_period && !self.core.has_queue() {
            let moving = self.call_back(now);
            self.core.limiter().set_limit(now, limit);
            self.core.limiter().set_timeout(Duration::MAX);
            self.place(now, moving, &mut woken);
        } else if limit != old.limit_for_period {
            // A queue moves up by itself, and what was promised before the limit was lowered stays so.
            self.core.limiter().set_limit(now, limit);
        }
        self.core.limiter().set_timeout(timeout);
        woken.extend(self.core.woken());
        woken
    }

    /// Takes back what those in line were promised. Says who they are.
    fn call_back(&mut self, now: Instant) -> Vec<u64> {
        let mut moving = Vec::new();
        // The last first: so the line becomes shorter from its end, and no holes are left.
        for (&id, waiter) in self.line.iter_mut().rev() {
            match &waiter.place {
                Place::Reserved(claim, ready) if now < *ready => {
                    self.core.refund(now, claim);
                    moving.push(id);
                }
                Place::Reserved(..) => waiter.place = Place::Settled(Ok(())),
                Place::Queued(number) => match self.core.look(now, *number) {
                    Turn::Granted => waiter.place = Place::Settled(Ok(())),
                    Turn::Refused(wait) => waiter.place = Place::Settled(Err(wait)),
                    Turn::Pending(_) => moving.push(id),
                },
                Place::Settled(_) => {}
            }
        }
        moving.reverse();
        moving
    }

    /// Gives everybody a new place.
    fn place(&mut self, now: Instant, moving: Vec<u64>, woken: &mut Vec<Waker>) {
        for id in moving {
            let Some(waiter) = self.line.get_mut(&id) else { continue };
            let patience = Patience::Timeout(Some(waiter.latest));
            waiter.place = match self.core.ask(now, waiter.permits, patience) {
                Answer::Granted => Place::Settled(Ok(())),
                Answer::Wait(ahead) => ahead.into(),
                Answer::Refused(wait) => Place::Settled(Err(wait)),
            };
            woken.extend(waiter.waker.take());
        }
    }
}

impl From<Ahead> for Place {
    fn from(ahead: Ahead) -> Self {
        match ahead {
            Ahead::Reserved(claim, ready) => Self::Reserved(claim, ready),
            Ahead::Queued(number) => Self::Queued(number),
        }
    }
}
