//! Sliding windows over the outcomes of calls. Exact, and as dear with a million slots as with one.

use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::later;

/// What one call adds to a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measurement {
    /// It failed.
    pub failed: bool,
    /// It took longer than the slow-call threshold.
    pub slow: bool,
    /// How long it took; counted in whole milliseconds.
    pub elapsed: Duration,
}

impl Measurement {
    #[inline]
    fn millis(&self) -> u64 {
        let whole = self.elapsed.as_secs().saturating_mul(1000);
        whole.saturating_add(self.elapsed.subsec_millis().into())
    }
}

/// The sums over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls.
    pub calls: u32,
    /// Calls that failed, slow ones included.
    pub failed: u32,
    /// Calls that were slow, failed ones included.
    pub slow: u32,
    /// Calls that were slow and failed.
    pub slow_failed: u32,
    /// Time spent in all of them, in whole milliseconds each.
    pub millis: u64,
}

impl Totals {
    #[inline]
    fn add(&mut self, call: Measurement) {
        self.calls += 1;
        self.failed += u32::from(call.failed);
        self.slow += u32::from(call.slow);
        self.slow_failed += u32::from(call.slow && call.failed);
        self.millis = self.millis.saturating_add(call.millis());
    }

    /// Did nothing fail, and was nothing slow?
    const fn is_plain(&self) -> bool {
        self.failed | self.slow == 0
    }

    fn subtract(&mut self, gone: &Self) {
        self.calls -= gone.calls;
        self.failed -= gone.failed;
        self.slow -= gone.slow;
        self.slow_failed -= gone.slow_failed;
        self.millis = self.millis.saturating_sub(gone.millis);
    }

    /// Failed calls in percent of all.
    #[must_use]
    pub fn failure_rate(&self) -> f32 {
        percent(self.failed, self.calls)
    }

    /// Slow calls in percent of all.
    #[must_use]
    pub fn slow_call_rate(&self) -> f32 {
        percent(self.slow, self.calls)
    }
}

/// In 32-bit floats and in this order of operations, as Resilience4j counts.
fn percent(part: u32, calls: u32) -> f32 {
    if calls == 0 { 0.0 } else { part as f32 * 100.0 / calls as f32 }
}

/// The last `size` calls: two bits each, and their sum.
#[derive(Debug)]
pub struct CountWindow {
    size: u32,
    head: u32,
    slots: Box<[u64]>,
    /// Milliseconds of each call; empty unless durations are asked for.
    durations: Box<[u64]>,
    totals: Totals,
}

const SLOTS_A_WORD: u32 = 32;

impl CountWindow {
    /// A window over the last `size` calls, with or without their durations.
    #[must_use]
    pub fn new(size: u32, durations: bool) -> Self {
        Self {
            size,
            head: 0,
            slots: vec![0; size.div_ceil(SLOTS_A_WORD) as usize].into(),
            durations: vec![0; if durations { size as usize } else { 0 }].into(),
            totals: Totals::default(),
        }
    }

    /// One in, and one out once the window is full; a slot that was never filled takes nothing out.
    #[inline]
    pub fn record(&mut self, call: Measurement) -> Totals {
        let (word, shift) = ((self.head / SLOTS_A_WORD) as usize, self.head % SLOTS_A_WORD * 2);
        let new = u64::from(call.failed) | u64::from(call.slow) << 1;
        let word = &mut self.slots[word];
        let old = *word >> shift & 0b11;
        *word ^= (old ^ new) << shift;

        let totals = &mut self.totals;
        totals.calls += u32::from(totals.calls < self.size);
        totals.failed = totals.failed + (new & 1) as u32 - (old & 1) as u32;
        totals.slow = totals.slow + (new >> 1) as u32 - (old >> 1) as u32;
        totals.slow_failed = totals.slow_failed + u32::from(new == 0b11) - u32::from(old == 0b11);
        if let Some(slot) = self.durations.get_mut(self.head as usize) {
            let gone = std::mem::replace(slot, call.millis());
            totals.millis = totals.millis.saturating_sub(gone).saturating_add(*slot);
        }
        self.head = if self.head + 1 == self.size { 0 } else { self.head + 1 };
        *totals
    }

    /// Does it hold nothing but successes, so that a further one changes no slot?
    const fn is_plain(&self) -> bool {
        self.totals.is_plain() && self.durations.is_empty()
    }

    /// Records so many successes among nothing but successes.
    fn record_plain_successes(&mut self, count: u32) {
        self.totals.calls = self.totals.calls.saturating_add(count).min(self.size);
        self.head = ((u64::from(self.head) + u64::from(count)) % u64::from(self.size)) as u32;
    }

    /// The sums.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }
}

/// Where the one-second slices of a time window begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slices {
    /// At the window's creation. After more than a whole window without use, a slice begins with the
    /// next use.
    FromStart,
    /// On a grid that lay so far before the window's creation, for ever.
    Grid(Duration),
}

/// The calls of the last `seconds` seconds, in one-second slices, the current one included.
#[derive(Debug)]
pub struct TimeWindow {
    /// The clock's zero for `head_second`.
    zero: Instant,
    phase: Duration,
    restarts: bool,
    head_second: u64,
    /// The slice of that second.
    head: usize,
    /// When that second ends, for a quick look; earlier only if that is decades away.
    head_ends: Instant,
    slices: Box<[Totals]>,
    totals: Totals,
}

impl TimeWindow {
    /// An empty window of so many slices, created now.
    #[must_use]
    pub fn new(seconds: u32, slices: Slices, now: Instant) -> Self {
        let (phase, restarts) = match slices {
            Slices::FromStart => (Duration::ZERO, true),
            Slices::Grid(phase) => (phase, false),
        };
        let head_second = phase.as_secs();
        Self {
            zero: now,
            phase,
            restarts,
            head_second,
            head: (head_second % u64::from(seconds)) as usize,
            head_ends: end(now, phase, head_second),
            slices: vec![Totals::default(); seconds as usize].into(),
            totals: Totals::default(),
        }
    }

    /// Adds a call to the current slice.
    #[inline]
    pub fn record(&mut self, now: Instant, call: Measurement) -> Totals {
        self.advance(now);
        self.add(call);
        self.totals
    }

    #[inline]
    fn add(&mut self, call: Measurement) {
        // Full to the brim: a sum that stopped counting could not be subtracted from.
        if self.totals.calls < u32::MAX {
            self.slices[self.head].add(call);
            self.totals.add(call);
        }
    }

    /// Records a success among nothing but successes, if that is what the window holds. Its duration
    /// is left out: no breaker asks for it.
    #[inline(always)]
    pub(super) fn record_plain_success(&mut self, now: Instant) -> bool {
        self.advance(now);
        let plain = self.totals.is_plain();
        if plain && self.totals.calls < u32::MAX {
            self.slices[self.head].calls += 1;
            self.totals.calls += 1;
        }
        plain
    }

    /// The sums as of now.
    pub fn totals(&mut self, now: Instant) -> Totals {
        self.advance(now);
        self.totals
    }

    fn index(&self, second: u64) -> usize {
        (second % self.slices.len() as u64) as usize
    }

    /// Drops the slices that are over. A clock that steps back stays in its slice.
    #[inline]
    fn advance(&mut self, now: Instant) {
        if now >= self.head_ends {
            self.leave_head(now);
        }
    }

    #[cold]
    fn leave_head(&mut self, now: Instant) {
        let second = (now.saturating_duration_since(self.zero) + self.phase).as_secs();
        let gap = second.saturating_sub(self.head_second);
        if gap == 0 {
            return;
        }
        let size = self.slices.len() as u64;
        if gap >= size {
            // Empty for as long is empty already, however long the pause was.
            if self.totals.calls != 0 {
                self.slices.fill(Totals::default());
                self.totals = Totals::default();
            }
        } else {
            for passed in self.head_second + 1..=second {
                let passed = self.index(passed);
                self.totals.subtract(&std::mem::take(&mut self.slices[passed]));
            }
        }
        if self.restarts && gap > size {
            self.zero = now;
            self.head_second = 0;
        } else {
            self.head_second = second;
        }
        self.head = self.index(self.head_second);
        self.head_ends = end(self.zero, self.phase, self.head_second);
    }
}

/// The end of a second on a clock that began at `zero` with `phase`.
fn end(zero: Instant, phase: Duration, second: u64) -> Instant {
    later(zero, Duration::from_secs(second + 1).saturating_sub(phase))
}

/// The window of a circuit breaker, of either kind.
#[derive(Debug)]
pub(super) enum Window {
    Count(CountWindow),
    Time(TimeWindow),
    Runs(Runs),
}

impl Window {
    pub(super) fn record(&mut self, now: Instant, call: Measurement) -> Totals {
        match self {
            Self::Count(window) => window.record(call),
            Self::Time(window) => window.record(now, call),
            Self::Runs(runs) => runs.record(call),
        }
    }

    /// Does a further success change no more than the number of calls, whenever it comes?
    pub(super) const fn is_plain(&self) -> bool {
        match self {
            Self::Count(window) => window.is_plain(),
            Self::Time(_) => false,
            Self::Runs(runs) => runs.failed | runs.slow == 0,
        }
    }

    /// Records so many successes in a plain window.
    pub(super) fn record_plain_successes(&mut self, count: u32) {
        if let Self::Count(window) = self {
            window.record_plain_successes(count);
        }
    }

    pub(super) fn totals(&mut self, now: Instant) -> Totals {
        match self {
            Self::Count(window) => window.totals(),
            Self::Time(window) => window.totals(now),
            Self::Runs(runs) => runs.totals(),
        }
    }
}

/// The current run of failed calls and the current run of slow calls, however long.
#[derive(Debug, Default)]
pub(super) struct Runs {
    failed: u32,
    slow: u32,
}

impl Runs {
    pub(super) fn record(&mut self, call: Measurement) -> Totals {
        self.failed = if call.failed { self.failed.saturating_add(1) } else { 0 };
        self.slow = if call.slow { self.slow.saturating_add(1) } else { 0 };
        self.totals()
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            calls: self.failed.max(self.slow),
            failed: self.failed,
            slow: self.slow,
            slow_failed: self.failed.min(self.slow),
            millis: 0,
        }
    }
}

#[cfg(test)]
mod tests;
