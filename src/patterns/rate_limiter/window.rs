//! A log of a sliding window: never more than `limit` permissions in any span of one period.
//!
//! It remembers when permissions were, or will be, used, for as long as that matters. All permissions of
//! a request are used at one moment, the first one at which every span that contains it has room, and
//! nobody overtakes those who wait. Where a dropped request leaves a hole, a later one that fits into it
//! takes its moment; a hole whose moment has passed is closed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::state::{Answer, Grid, Limiter, Patience, nanos};

/// So many entries the log has room for from the start; a longer one grows once.
const ROOM: u32 = 1024;

/// Permissions that lie in the future, of one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    ready: u64,
    permits: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    /// Permissions of all entries up to this one, since the beginning.
    sum: u64,
}

/// The state of a sliding window.
#[derive(Debug)]
pub struct Window {
    grid: Grid,
    period: u64,
    limit: u32,
    timeout: u64,
    /// The latest moment that was ever looked at.
    seen: u64,
    /// By time. Those in the future are promised, or holes.
    log: VecDeque<Entry>,
    /// The sum of the last entry that has left the log.
    gone: u64,
    /// Permissions that were given back: their moment, and how many.
    holes: BTreeMap<u64, u64>,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(limit: u32, period: Duration, timeout: Duration, now: Instant) -> Self {
        Self {
            grid: Grid::new(now, period),
            period: nanos(period).max(1),
            limit,
            timeout: nanos(timeout),
            seen: 0,
            log: VecDeque::with_capacity(limit.min(ROOM) as usize),
            gone: 0,
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
        let time = self.refresh(now);
        if permits == 0 {
            return true;
        }
        let granted = self.last() <= time && u64::from(permits) + self.taken() <= self.limit.into();
        if granted {
            self.push(time, permits);
        }
        granted
    }

    #[cold]
    fn reserve_ahead(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<Claim> {
        let Some((ready, hole)) = self.place(permits) else { return Answer::Refused(None) };
        let time = self.grid.time(now);
        // One that read the clock before others looked does not come before them.
        let wait = ready.saturating_sub(time);
        if ready > self.seen && ready > self.grid.latest(time, self.timeout, patience) {
            return Answer::Refused(Some(Duration::from_nanos(wait)));
        }
        if hole {
            self.take_hole(ready, permits);
        } else {
            self.push(ready, permits);
        }
        if ready <= self.seen { Answer::Granted } else { Answer::Wait(Claim { ready, permits }) }
    }

    /// Gives back what still lies in the future.
    pub fn refund(&mut self, now: Instant, claim: &Claim) {
        if claim.ready <= self.refresh(now) {
            return;
        }
        *self.holes.entry(claim.ready).or_default() += u64::from(claim.permits);
        // Holes at the end of the log are no holes.
        while let Some(&Entry { at, .. }) = self.log.back()
            && let Some(free) = self.holes.remove(&at)
        {
            let left = self.sum() - free;
            self.log.pop_back();
            if left > self.sum() {
                self.log.push_back(Entry { at, sum: left });
            }
        }
    }

    /// When the permissions of a claim may be used.
    #[must_use]
    pub fn ready_at(&self, claim: &Claim) -> Instant {
        self.grid.instant(claim.ready)
    }

    // ## The log

    /// The moment of the last entry.
    fn last(&self) -> u64 {
        self.log.back().map_or(0, |entry| entry.at)
    }

    fn sum(&self) -> u64 {
        self.log.back().map_or(self.gone, |entry| entry.sum)
    }

    /// Permissions in the log, holes included.
    fn taken(&self) -> u64 {
        self.sum() - self.gone
    }

    /// Permissions of entries in the future, but not of holes.
    fn ahead(&self) -> u64 {
        let next = self.log.partition_point(|entry| entry.at <= self.seen);
        let before = next.checked_sub(1).map_or(self.gone, |last| self.log[last].sum);
        self.sum() - before - self.holes.values().sum::<u64>()
    }

    /// What can be had now.
    fn usable(&self) -> u64 {
        let taken = if self.last() > self.seen { u64::MAX } else { self.taken() };
        let here = self.holes.get(&self.seen).copied().unwrap_or(0);
        u64::from(self.limit).saturating_sub(taken).max(here)
    }

    /// When so many could be used, and whether that is a hole; never if they are more than the limit.
    fn place(&self, permits: u32) -> Option<(u64, bool)> {
        let others = u64::from(self.limit.checked_sub(permits)?);
        let hole = self.holes.iter().find(|&(_, &free)| free >= permits.into());
        if let Some((&at, _)) = hole {
            return Some((at, true));
        }
        let earliest = self.seen.max(self.last());
        if self.taken() <= others {
            return Some((earliest, false));
        }
        // The first after which no more than the others follow has to be a period old.
        let sum = self.sum();
        let leaves = self.log.partition_point(|entry| sum - entry.sum > others);
        Some((earliest.max(self.log[leaves].at.saturating_add(self.period)), false))
    }

    fn push(&mut self, at: u64, permits: u32) {
        let sum = self.sum() + u64::from(permits);
        match self.log.back_mut() {
            Some(last) if last.at == at => last.sum = sum,
            _ => self.log.push_back(Entry { at, sum }),
        }
    }

    fn take_hole(&mut self, at: u64, permits: u32) {
        if let Some(free) = self.holes.get_mut(&at) {
            *free -= u64::from(permits);
            if *free == 0 {
                self.holes.remove(&at);
            }
        }
    }

    // ## Time

    /// The time, which never goes back.
    #[inline]
    fn refresh(&mut self, now: Instant) -> u64 {
        self.seen = self.seen.max(self.grid.time(now));
        if !self.holes.is_empty() {
            self.close_holes();
        }
        while let Some(first) = self.log.front()
            && first.at.saturating_add(self.period) <= self.seen
        {
            self.gone = first.sum;
            self.log.pop_front();
        }
        self.seen
    }

    /// Nobody has used the holes whose moment has passed.
    #[cold]
    fn close_holes(&mut self) {
        let open = self.holes.split_off(&self.seen);
        let closed = std::mem::replace(&mut self.holes, open);
        let Some((&first, _)) = closed.first_key_value() else { return };
        let from = self.log.partition_point(|entry| entry.at < first);
        let mut free = 0;
        for entry in self.log.range_mut(from..) {
            free += closed.get(&entry.at).copied().unwrap_or(0);
            entry.sum -= free;
        }
    }
}

impl Limiter for Window {
    fn drain(&mut self, now: Instant) -> u32 {
        let time = self.refresh(now);
        let usable = self.usable() as u32;
        if self.holes.contains_key(&time) {
            self.take_hole(time, usable);
        } else if usable > 0 {
            self.push(time, usable);
        }
        usable
    }

    fn set_limit(&mut self, now: Instant, limit: u32) {
        self.refresh(now);
        self.limit = limit;
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = nanos(timeout);
    }

    fn available(&mut self, now: Instant) -> i64 {
        self.refresh(now);
        match self.usable() {
            0 => -i64::try_from(self.ahead()).unwrap_or(i64::MAX),
            usable => usable as i64,
        }
    }

    fn wait_for_one(&mut self, now: Instant) -> Duration {
        self.refresh(now);
        let ready = self.place(1).map_or(0, |(ready, _)| ready);
        Duration::from_nanos(ready.saturating_sub(self.grid.time(now)))
    }

    fn cycle(&mut self, now: Instant) -> u64 {
        self.grid.cycle(self.grid.time(now))
    }
}
