//! Permissions by cycle, given out ahead of time: Resilience4j's `AtomicRateLimiter`.
//!
//! Each cycle has `limit` slots, and requests take them in order, those of cycles to come included. So
//! a request knows at once how long it has to wait. What a dropped request gives back is usually the
//! end of that line. If not, it leaves a hole in some cycle, and later requests take holes first.

#[cfg(test)]
mod failsafe;
mod holes;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::holes::Holes;
use super::state::{Answer, Grid, Limiter, Patience, nanos};

/// Debt stays above this, so that sums of it cannot overflow.
const DEEPEST: i64 = i64::MIN / 4;

/// A request that spans more cycles than this and is then dropped gives back only the first so many,
/// unless it is the newest.
const MOST_HOLES: usize = 4096;

/// Permissions that lie in the future, of one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// When the last of them is there.
    ready: u64,
    /// The slots taken from the end of the line, counted from the limiter's first slot.
    first: i128,
    line: u32,
    /// The slots taken from holes: cycle and number.
    holes: Vec<(u64, u32)>,
    /// When and under which limit it was taken.
    cycle: u64,
    limit: u32,
    generation: u64,
}

/// The state of a limiter that gives out permissions by cycle.
#[derive(Debug)]
pub struct Cycles {
    grid: Grid,
    limit: u32,
    timeout: u64,
    /// The cycle that the permissions are those of, and when it ends.
    cycle: u64,
    end: u64,
    /// The same for a quick look: not after `end`, and earlier only if that is decades away.
    ends: Instant,
    /// What is left of the cycle; negative once slots of later cycles are taken.
    permissions: i64,
    holes: Holes,
    /// Counts changes of the limit: each moves the cycles that debt lies in.
    generation: u64,
}

impl Cycles {
    /// A limiter at the start of its first cycle.
    #[must_use]
    pub fn new(limit: u32, period: Duration, timeout: Duration, now: Instant) -> Self {
        let grid = Grid::new(now, period);
        Self {
            grid,
            limit,
            timeout: nanos(timeout),
            cycle: 0,
            end: grid.start(1),
            ends: grid.instant(grid.start(1)),
            permissions: limit.into(),
            holes: Holes::default(),
            generation: 0,
        }
    }

    /// Takes permissions, of cycles to come if need be.
    pub fn reserve(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<Claim> {
        if self.take(now, permits) {
            return Answer::Granted;
        }
        self.reserve_ahead(now, permits, patience)
    }

    /// Takes permissions if they are plainly there; if not, that is for `reserve_ahead` to find out.
    #[inline]
    pub(super) fn take(&mut self, now: Instant, permits: u32) -> bool {
        let wanted = i64::from(permits);
        if now >= self.ends {
            self.refresh(now);
        }
        let granted = wanted <= self.permissions && self.holes.is_empty();
        if granted {
            self.permissions -= wanted;
        }
        granted
    }

    #[cold]
    fn reserve_ahead(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<Claim> {
        let time = self.grid.time(now);
        let (ready_cycle, line) = self.place(permits);
        let ready = if ready_cycle == self.cycle { time } else { self.grid.start(ready_cycle) };
        let wait = Duration::from_nanos(ready.saturating_sub(time));
        if !wait.is_zero() && ready > self.grid.latest(time, self.timeout, patience) {
            return Answer::Refused(self.refusal(time, permits, patience, wait));
        }
        let left = self.permissions - i64::from(line);
        if left < DEEPEST {
            return Answer::Refused(None);
        }
        let first = self.next_slot();
        self.permissions = left;
        let holes = self.holes.take(permits - line);
        if wait.is_zero() {
            return Answer::Granted;
        }
        Answer::Wait(Claim {
            ready,
            first,
            line,
            holes,
            cycle: self.cycle,
            limit: self.limit,
            generation: self.generation,
        })
    }

    /// After which time a refused request succeeds.
    ///
    /// One for more than a cycle's worth is never granted at once: even with nobody before it, it has
    /// to wait for further cycles to begin, and must be patient enough for that.
    fn refusal(
        &self,
        time: u64,
        permits: u32,
        patience: Patience,
        wait: Duration,
    ) -> Option<Duration> {
        let further = u64::from(permits.div_ceil(self.limit)) - 1;
        if further == 0 {
            return Some(wait);
        }
        let longest = patience.longest(self.timeout);
        if longest <= self.grid.start(further - 1) {
            return None;
        }
        let (cycle, _) = self.place_behind(None, permits);
        let ready = self.grid.start(cycle.saturating_add(further));
        let again = self.grid.start(cycle).max(ready.saturating_sub(longest));
        Some(Duration::from_nanos(again.saturating_sub(time)))
    }

    /// Gives back what still lies in the future, if the whole of the request does.
    pub fn refund(&mut self, now: Instant, claim: &Claim) {
        let time = self.refresh(now);
        if claim.ready <= time {
            return;
        }
        let line = claim.first + i128::from(claim.line);
        let from = if self.cycle <= claim.cycle {
            claim.first
        } else {
            line.min(claim.first.max(i128::from(self.cycle) * i128::from(claim.limit)))
        };
        let holes = claim.holes.iter().copied().filter(|&(cycle, _)| cycle >= self.cycle);
        if claim.generation != self.generation {
            // The debt counts by another limit now: less of it is all that can be said.
            let freed = to_i64(line - from) + holes.map(|(_, slots)| i64::from(slots)).sum::<i64>();
            let most = self.permissions.max(self.limit.into());
            self.permissions = (self.permissions + freed).min(most);
            return;
        }
        for (cycle, slots) in holes {
            self.holes.add(cycle, slots);
        }
        if line == self.next_slot() {
            self.permissions += to_i64(line - from);
        } else {
            self.make_holes(from, line);
        }
        self.merge();
    }

    /// When the last permission of a claim is there.
    #[must_use]
    pub fn ready_at(&self, claim: &Claim) -> Instant {
        self.grid.instant(claim.ready)
    }

    /// How long a request for so many would wait now.
    pub fn wait_for(&mut self, now: Instant, permits: u32) -> Duration {
        let time = self.refresh(now);
        let (cycle, _) = self.place(permits);
        let wait =
            if cycle == self.cycle { 0 } else { self.grid.start(cycle).saturating_sub(time) };
        Duration::from_nanos(wait)
    }

    // ## Slots

    /// In which cycle a request would have all of its slots, and how many of them from the line.
    fn place(&self, permits: u32) -> (u64, u32) {
        let (last_hole, found) = self.holes.reach(permits);
        self.place_behind(last_hole, permits - found)
    }

    /// The same for one that takes so many from the line, and holes up to that cycle.
    fn place_behind(&self, last_hole: Option<u64>, line: u32) -> (u64, u32) {
        let missing = i64::from(line) - self.permissions;
        if line == 0 || missing <= 0 {
            return (last_hole.unwrap_or(self.cycle).max(self.cycle), line);
        }
        let limit = i64::from(self.limit);
        let cycles = (missing - limit).max(0) as u64;
        (self.cycle.saturating_add(1 + cycles.div_ceil(limit as u64)), line)
    }

    /// The number of the slot at the end of the line. The slot `n` belongs to cycle `n / limit`.
    fn next_slot(&self) -> i128 {
        (i128::from(self.cycle) + 1) * i128::from(self.limit) - i128::from(self.permissions)
    }

    fn cycle_of(&self, slot: i128) -> u64 {
        // Where the limit was lowered within this cycle, its slots have numbers of earlier ones.
        let cycle = slot.div_euclid(self.limit.into());
        u64::try_from(cycle).unwrap_or(0).max(self.cycle)
    }

    fn make_holes(&mut self, mut from: i128, to: i128) {
        for _ in 0..MOST_HOLES {
            if from >= to {
                return;
            }
            let cycle = self.cycle_of(from);
            let end = to.min((i128::from(cycle) + 1) * i128::from(self.limit));
            self.holes.add(cycle, u32::try_from(end - from).unwrap_or(u32::MAX));
            from = end;
        }
    }

    /// Holes at the end of the line are no holes.
    fn merge(&mut self) {
        while let Some(cycle) = self.holes.last()
            && cycle == self.cycle_of(self.next_slot() - 1)
        {
            self.permissions += self.holes.take_last();
        }
    }

    fn usable(&self) -> i64 {
        self.permissions.max(0) + self.holes.at(self.cycle)
    }

    // ## Time

    fn refresh(&mut self, now: Instant) -> u64 {
        let time = self.grid.time(now);
        // A caller that read the clock before another one got the lock changes nothing.
        if time >= self.end {
            self.advance(self.grid.cycle(time));
        }
        time
    }

    fn advance(&mut self, cycle: u64) {
        let gain = (cycle - self.cycle).saturating_mul(self.limit.into());
        let gain = i64::try_from(gain).unwrap_or(i64::MAX);
        self.permissions = self.permissions.saturating_add(gain).min(self.limit.into());
        self.cycle = cycle;
        self.end = self.grid.start(cycle + 1);
        self.ends = self.grid.instant(self.end);
        self.holes.before(cycle);
    }
}

impl Limiter for Cycles {
    fn drain(&mut self, now: Instant) -> u32 {
        self.refresh(now);
        let left = self.usable();
        self.permissions = self.permissions.min(0);
        self.holes.before(self.cycle + 1);
        left.try_into().unwrap_or(u32::MAX)
    }

    /// The current cycle keeps what it has; waits are reckoned by the new limit at once.
    fn set_limit(&mut self, now: Instant, limit: u32) {
        self.refresh(now);
        self.limit = limit;
        self.generation += 1;
        self.permissions += self.holes.clear();
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = nanos(timeout);
    }

    fn available(&mut self, now: Instant) -> i64 {
        self.refresh(now);
        match self.usable() {
            0 => self.permissions + self.holes.total(),
            usable => usable,
        }
    }

    fn wait_for_one(&mut self, now: Instant) -> Duration {
        self.wait_for(now, 1)
    }

    fn cycle(&mut self, now: Instant) -> u64 {
        self.refresh(now);
        self.cycle
    }
}

fn to_i64(slots: i128) -> i64 {
    i64::try_from(slots).unwrap_or(0)
}
