//! A token bucket that gives out permissions ahead of time.
//!
//! It is kept as a line of slots on a clock of its own, which goes `limit` steps a nanosecond; a slot is
//! one permission, and `period` steps long. So all is whole numbers, and exact. A permission is taken as
//! the next slot that does not begin in the past, and may be used as soon as its slot ends within `burst`
//! slots from now. No slot is taken twice, so no span of time sees more than `burst` permissions and
//! those that flow in meanwhile.
//!
//! Another limit makes the clock go at another speed, and moves nothing else. What a dropped request
//! gives back is usually the end of the line. If not, it leaves a hole, and a later request that fits
//! into it takes that first.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::state::{Answer, Grid, Limiter, Patience, nanos};

/// Permissions that lie in the future, of one request: neighbouring slots.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// When they may be used.
    ready: u64,
    start: u128,
    permits: u32,
}

/// The state of a token bucket.
///
/// No number in here overflows: a `u64` of nanoseconds times a `u32` of permissions is below 2⁹⁶.
#[derive(Debug)]
pub struct Bucket {
    grid: Grid,
    limit: u32,
    timeout: u64,
    /// The length of a slot.
    slot: u128,
    /// The length of all slots that may be used at once.
    room: u128,
    /// The moment at which the limit was changed, and where the bucket's clock stood then.
    since: u64,
    stood: u128,
    /// Where the next slot begins, unless that lies in the past.
    line: u128,
    /// Slots that were given back before the end of the line: the first one's start, and how many.
    holes: BTreeMap<u128, u32>,
}

impl Bucket {
    /// A full bucket of `burst` permissions, into which `limit` flow in each period.
    #[must_use]
    pub fn new(limit: u32, period: Duration, burst: u32, timeout: Duration, now: Instant) -> Self {
        let slot = u128::from(nanos(period).max(1));
        Self {
            grid: Grid::new(now, period),
            limit,
            timeout: nanos(timeout),
            slot,
            room: slot * u128::from(burst),
            since: 0,
            stood: 0,
            line: 0,
            holes: BTreeMap::new(),
        }
    }

    /// Takes permissions, ahead of time if need be.
    pub fn reserve(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<Claim> {
        if self.take(now, permits) {
            return Answer::Granted;
        }
        self.reserve_ahead(now, permits, patience)
    }

    /// Takes permissions if they are plainly there; if not, that is for `reserve_ahead` to find out.
    pub(super) fn take(&mut self, now: Instant, permits: u32) -> bool {
        let clock = self.clock(self.grid.time(now));
        let end = self.line.max(clock) + self.length(permits);
        let granted = end <= clock + self.room && self.holes.is_empty();
        if granted {
            self.line = end;
        }
        granted
    }

    #[cold]
    fn reserve_ahead(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<Claim> {
        let time = self.grid.time(now);
        let clock = self.clock(time);
        self.forget(clock);
        if u128::from(permits) <= self.usable(clock) {
            self.take_now(clock, permits);
            return Answer::Granted;
        }
        let start = self.place(clock, permits);
        let ready = self.ready(start, permits);
        if ready > self.grid.latest(time, self.timeout, patience) {
            return Answer::Refused(self.refusal(time, clock, permits, patience));
        }
        match self.holes.remove(&start) {
            Some(free) => self.add_hole(start + self.length(permits), free - permits),
            None => self.line = start + self.length(permits),
        }
        Answer::Wait(Claim { ready, start, permits })
    }

    /// After which time a refused request succeeds.
    ///
    /// One for more than the burst is never granted at once: even a full bucket goes into debt for it,
    /// and it must be patient enough for that.
    fn refusal(
        &self,
        time: u64,
        clock: u128,
        permits: u32,
        patience: Patience,
    ) -> Option<Duration> {
        let start = match self.length(permits).checked_sub(self.room) {
            None | Some(0) => self.place(clock, permits),
            Some(debt) => {
                let alone = debt.div_ceil(self.limit.into());
                if alone > patience.longest(self.timeout).into() {
                    return None;
                }
                self.line.max(clock)
            }
        };
        Some(Duration::from_nanos(self.ready(start, permits).saturating_sub(time)))
    }

    /// Gives back what still lies in the future, if the whole of the request does.
    pub fn refund(&mut self, now: Instant, claim: &Claim) {
        let time = self.grid.time(now);
        if claim.ready <= time {
            return;
        }
        if claim.start + self.length(claim.permits) == self.line {
            self.line = claim.start;
        } else {
            self.add_hole(claim.start, claim.permits);
        }
        // Holes at the end of the line are no holes.
        while let Some((&start, &free)) = self.holes.last_key_value()
            && start + self.length(free) == self.line
        {
            self.line = start;
            self.holes.remove(&start);
        }
        self.forget(self.clock(time));
    }

    /// When the permissions of a claim may be used.
    #[must_use]
    pub fn ready_at(&self, claim: &Claim) -> Instant {
        self.grid.instant(claim.ready)
    }

    // ## Slots

    const fn length(&self, permits: u32) -> u128 {
        self.slot * permits as u128
    }

    fn add_hole(&mut self, start: u128, free: u32) {
        if free > 0 {
            self.holes.insert(start, free);
        }
    }

    /// Forgets the slots of holes that began a nanosecond ago or more: as waits are rounded up, the
    /// moment of a slot may lie within the nanosecond before.
    fn forget(&mut self, clock: u128) {
        let limit = u128::from(self.limit);
        while let Some((&start, &free)) = self.holes.first_key_value()
            && start + limit <= clock
        {
            self.holes.remove(&start);
            let over = ((clock - limit - start) / self.slot + 1).min(free.into());
            self.add_hole(start + over * self.slot, free - over as u32);
        }
    }

    /// Slots of the line, and of a hole, that may be used now.
    fn usable_of_line(&self, clock: u128) -> u128 {
        (clock + self.room).saturating_sub(self.line.max(clock)) / self.slot
    }

    fn usable_of_hole(&self, clock: u128, start: u128, free: u32) -> u128 {
        ((clock + self.room).saturating_sub(start) / self.slot).min(free.into())
    }

    /// All slots that may be used now. Holes of the past are forgotten by now.
    fn usable(&self, clock: u128) -> u128 {
        let reach = clock + self.room;
        let holes = self.holes.range(..reach);
        let holes: u128 = holes.map(|(&at, &free)| self.usable_of_hole(clock, at, free)).sum();
        (holes + self.usable_of_line(clock)).min(self.room / self.slot)
    }

    /// Takes slots that may be used now, those of holes first.
    fn take_now(&mut self, clock: u128, permits: u32) {
        let mut left = u128::from(permits);
        while left != 0
            && let Some((&start, &free)) = self.holes.first_key_value()
        {
            let part = self.usable_of_hole(clock, start, free).min(left);
            if part == 0 {
                break;
            }
            self.holes.remove(&start);
            self.add_hole(start + part * self.slot, free - part as u32);
            left -= part;
        }
        if left != 0 {
            self.line = self.line.max(clock) + left * self.slot;
        }
    }

    /// Where a request that cannot be granted now begins: in the first hole that is large enough, as
    /// slots that lie apart must not be used at once; else at the end of the line.
    fn place(&self, clock: u128, permits: u32) -> u128 {
        let hole = self.holes.iter().find(|&(_, &free)| free >= permits);
        hole.map_or(self.line.max(clock), |(&start, _)| start)
    }

    /// When slots that begin there may be used: the last of them has to be within reach.
    fn ready(&self, start: u128, permits: u32) -> u64 {
        let clock = (start + self.length(permits)).saturating_sub(self.room);
        let steps = clock.saturating_sub(self.stood).div_ceil(self.limit.into());
        self.since.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX))
    }

    /// Where the bucket's clock stands.
    fn clock(&self, time: u64) -> u128 {
        self.stood + u128::from(time.saturating_sub(self.since)) * u128::from(self.limit)
    }

    fn look(&mut self, now: Instant) -> (u64, u128) {
        let time = self.grid.time(now);
        let clock = self.clock(time);
        self.forget(clock);
        (time, clock)
    }
}

impl Limiter for Bucket {
    fn drain(&mut self, now: Instant) -> u32 {
        let (_, clock) = self.look(now);
        let usable = u32::try_from(self.usable(clock)).unwrap_or(u32::MAX);
        self.take_now(clock, usable);
        usable
    }

    fn set_limit(&mut self, now: Instant, limit: u32) {
        let (time, clock) = self.look(now);
        self.since = time.max(self.since);
        self.stood = clock;
        self.limit = limit;
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = nanos(timeout);
    }

    fn available(&mut self, now: Instant) -> i64 {
        let (_, clock) = self.look(now);
        let usable = self.usable(clock);
        if usable > 0 {
            return i64::try_from(usable).unwrap_or(i64::MAX);
        }
        let ahead = self.line.saturating_sub(clock + self.room).div_ceil(self.slot);
        let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
        self.holes.values().fold(-ahead, |debt, &free| debt + i64::from(free))
    }

    fn wait_for_one(&mut self, now: Instant) -> Duration {
        let (time, clock) = self.look(now);
        if self.usable(clock) > 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.ready(self.place(clock, 1), 1).saturating_sub(time))
    }

    fn cycle(&mut self, now: Instant) -> u64 {
        self.grid.cycle(self.grid.time(now))
    }
}
