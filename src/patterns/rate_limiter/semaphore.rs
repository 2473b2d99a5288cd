//! Permissions by cycle with a queue and without debt: Resilience4j's `SemaphoreBasedRateLimiter`.
//!
//! When a cycle begins, there are `limit` permissions again, and those who wait get theirs in the order
//! of their coming. No timer does it: whoever looks first makes up for the cycles since the last look.
//! As permissions come at known times and nobody overtakes, each one's turn is known beforehand, so a
//! turn that would come too late is refused at once, and nobody ever waits in vain.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::state::{Answer, Grid, Limiter, Patience, nanos};

/// Somebody in the queue.
#[derive(Debug)]
struct Waiter {
    id: u64,
    /// What another algorithm had given out ahead of time: nobody comes back for it.
    is_debt: bool,
    permits: u32,
    /// The last moment at which its turn may come.
    latest: u64,
    /// The cycle of its turn, as far as known: others may leave, and then it is earlier.
    turn: u64,
    /// When it will look by itself.
    alarm: u64,
}

/// What became of somebody who was in the queue and does not know it yet.
#[derive(Debug)]
enum Settled {
    Granted { cycle: u64, permits: u32 },
    Refused(Option<Duration>),
}

/// How a waiter stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// The permissions are there; it has left the queue.
    Granted,
    /// The limit was lowered, and now its turn cannot come in time; it has left the queue.
    Refused(Option<Duration>),
    /// It has to look again at this moment, or when it is woken.
    Pending(Instant),
}

/// The state of a limiter with a queue.
#[derive(Debug)]
pub struct Semaphore {
    grid: Grid,
    limit: u32,
    timeout: u64,
    cycle: u64,
    end: u64,
    available: u32,
    queue: VecDeque<Waiter>,
    settled: BTreeMap<u64, Settled>,
    /// Who has to be told that something has changed for them.
    woken: Vec<u64>,
    next_id: u64,
    /// The cycle of the last one's turn, and what it leaves of that cycle's permissions.
    tail: (u64, u32),
    /// Somebody has left the queue since the turns were reckoned.
    stale: bool,
}

impl Semaphore {
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
            available: limit,
            queue: VecDeque::new(),
            settled: BTreeMap::new(),
            woken: Vec::new(),
            next_id: 0,
            tail: (0, 0),
            stale: false,
        }
    }

    /// Takes permissions, or a place in the queue: then its number is the answer.
    pub fn acquire(&mut self, now: Instant, permits: u32, patience: Patience) -> Answer<u64> {
        let time = self.refresh(now);
        if permits == 0 || self.take(now, permits) {
            return Answer::Granted;
        }
        if permits > self.limit {
            return Answer::Refused(None);
        }
        self.reckon(time);
        let (turn, left) = self.behind(self.tail(), permits);
        let alarm = self.grid.start(turn);
        let latest = self.grid.latest(time, self.timeout, patience);
        if alarm > latest {
            return Answer::Refused(Some(Duration::from_nanos(alarm.saturating_sub(time))));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.tail = (turn, left);
        self.queue.push_back(Waiter { id, is_debt: false, permits, latest, turn, alarm });
        Answer::Wait(id)
    }

    /// So many permissions are used already, ahead of time: whoever comes from now on stands behind them.
    pub(super) fn owe(&mut self, now: Instant, permits: u32) {
        if let Answer::Wait(_) = self.acquire(now, permits, Patience::Timeout(None))
            && let Some(last) = self.queue.back_mut()
        {
            (last.is_debt, last.latest) = (true, u64::MAX);
        }
    }

    /// How many of those are still to come.
    pub(super) fn owed(&mut self, now: Instant) -> i64 {
        self.refresh(now);
        let debts = self.queue.iter().filter(|waiter| waiter.is_debt);
        debts.map(|debt| i64::from(debt.permits)).sum()
    }

    /// Takes permissions if nobody waits and they are there.
    ///
    /// With nobody in the queue the clock calls nobody's turn, so nobody has to be woken after this.
    pub(super) fn take(&mut self, now: Instant, permits: u32) -> bool {
        if !self.queue.is_empty() {
            return false;
        }
        self.refresh(now);
        let granted = permits <= self.available;
        if granted {
            self.available -= permits;
        }
        granted
    }

    /// Has its turn come?
    pub fn poll(&mut self, now: Instant, id: u64) -> Turn {
        let time = self.refresh(now);
        match self.settled.remove(&id) {
            Some(Settled::Granted { .. }) => return Turn::Granted,
            Some(Settled::Refused(wait)) => return Turn::Refused(wait),
            None => {}
        }
        let Some(place) = self.place(id) else { return Turn::Refused(None) };
        let waiter = &mut self.queue[place];
        if waiter.alarm <= time {
            // Its turn was put off when the limit was lowered. The head's is always the next cycle's,
            // whatever was reckoned before others left.
            let turn = if place == 0 { 0 } else { waiter.turn };
            waiter.alarm = self.grid.start(turn.max(self.cycle + 1));
        }
        Turn::Pending(self.grid.instant(waiter.alarm))
    }

    /// Whoever it was will not come back: a place in the queue is left, an unused permission passed on.
    pub fn cancel(&mut self, now: Instant, id: u64) {
        self.refresh(now);
        match self.settled.remove(&id) {
            Some(Settled::Granted { cycle, permits }) if cycle == self.cycle => {
                self.available += permits;
            }
            Some(_) => return,
            None => {
                let Some(place) = self.place(id) else { return };
                self.queue.remove(place);
            }
        }
        self.stale = true;
        self.serve();
        self.set_alarm();
    }

    /// Those who have to look again since the last time this was asked.
    pub fn woken(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.woken.drain(..)
    }

    // ## The queue

    fn place(&self, id: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&id, |waiter| waiter.id).ok()
    }

    /// Gives the current permissions to those at the head.
    fn serve(&mut self) {
        while let Some(head) = self.queue.front()
            && head.permits <= self.available
        {
            self.available -= head.permits;
            if !head.is_debt {
                let granted = Settled::Granted { cycle: self.cycle, permits: head.permits };
                self.settled.insert(head.id, granted);
                self.woken.push(head.id);
            }
            self.queue.pop_front();
        }
    }

    /// The head has to look when the next cycle begins; one who got there early has set another alarm.
    fn set_alarm(&mut self) {
        if let Some(head) = self.queue.front_mut()
            && head.alarm > self.end
        {
            head.alarm = self.end;
            self.woken.push(head.id);
        }
    }

    fn tail(&self) -> (u64, u32) {
        if self.queue.is_empty() { (self.cycle, self.available) } else { self.tail }
    }

    /// The cycle of the turn behind `tail`, and what is left of that cycle then.
    const fn behind(&self, (cycle, left): (u64, u32), permits: u32) -> (u64, u32) {
        if permits <= left {
            (cycle, left - permits)
        } else {
            (cycle.saturating_add(1), self.limit.saturating_sub(permits))
        }
    }

    /// Reckons everybody's turn anew, if need be.
    fn reckon(&mut self, time: u64) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let mut tail = (self.cycle, self.available);
        for mut waiter in std::mem::take(&mut self.queue) {
            if waiter.is_debt {
                // More than one period's worth would never be there at once.
                waiter.permits = waiter.permits.min(self.limit);
            }
            let (turn, left) = self.behind(tail, waiter.permits);
            let start = self.grid.start(turn);
            let never = turn > tail.0 && waiter.permits > self.limit;
            if never || start > waiter.latest {
                let wait = (!never).then(|| Duration::from_nanos(start.saturating_sub(time)));
                self.settled.insert(waiter.id, Settled::Refused(wait));
                self.woken.push(waiter.id);
                continue;
            }
            tail = (turn, left);
            waiter.turn = turn;
            self.queue.push_back(waiter);
        }
        self.tail = tail;
    }

    // ## Time

    fn refresh(&mut self, now: Instant) -> u64 {
        let time = self.grid.time(now);
        if time >= self.end {
            self.advance(self.grid.cycle(time));
        }
        time
    }

    /// Each cycle serves at least one of those who wait, so this takes no longer than the queue is.
    fn advance(&mut self, to: u64) {
        while self.cycle < to {
            self.cycle = if self.queue.is_empty() { to } else { self.cycle + 1 };
            self.available = self.limit;
            self.serve();
        }
        self.end = self.grid.start(to + 1);
        self.set_alarm();
    }
}

impl Limiter for Semaphore {
    fn drain(&mut self, now: Instant) -> u32 {
        self.refresh(now);
        std::mem::take(&mut self.available)
    }

    /// The current cycle keeps what it has. Those whose turn cannot come in time any more are refused
    /// at once.
    fn set_limit(&mut self, now: Instant, limit: u32) {
        let time = self.refresh(now);
        self.limit = limit;
        self.stale = true;
        self.reckon(time);
        self.serve();
        self.set_alarm();
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = nanos(timeout);
    }

    fn available(&mut self, now: Instant) -> i64 {
        self.refresh(now);
        self.available.into()
    }

    fn wait_for_one(&mut self, now: Instant) -> Duration {
        let time = self.refresh(now);
        if self.queue.is_empty() && self.available > 0 {
            return Duration::ZERO;
        }
        self.reckon(time);
        let (turn, _) = self.behind(self.tail(), 1);
        Duration::from_nanos(self.grid.start(turn).saturating_sub(time))
    }

    fn cycle(&mut self, now: Instant) -> u64 {
        self.refresh(now);
        self.cycle
    }
}
