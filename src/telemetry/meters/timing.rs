//! Durations, counted in fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The upper ends of all buckets but the last, which has none.
pub const BUCKETS: [Duration; 15] = [
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// How long things took, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    counts: [u64; BUCKETS.len() + 1],
    sum: Duration,
    max: Duration,
}

impl Timing {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All together.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The longest of the last two to three minutes.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// Each bucket's upper end, and how many took at most that long. The last has no end and holds all.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let ends = BUCKETS.into_iter().map(Some).chain([None]);
        ends.zip(&self.counts).scan(0, |so_far, (end, count)| {
            *so_far += count;
            Some((end, *so_far))
        })
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

/// The same, while it grows. Takes no lock and no memory.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS.len() + 1],
    sum: Sum,
    max: RecentMax,
}

impl Histogram {
    pub(crate) fn new(now: Instant) -> Self {
        Self { counts: Default::default(), sum: Sum::default(), max: RecentMax::new(now) }
    }

    pub(crate) fn record(&self, now: Instant, elapsed: Duration) {
        let nanos = elapsed.as_nanos();
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        self.sum.add(nanos);
        self.max.record(now, elapsed);
    }

    pub(crate) fn read(&self, now: Instant) -> Timing {
        Timing {
            counts: std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed)),
            sum: self.sum.read(),
            max: self.max.read(now),
        }
    }
}

/// The ends as plain numbers, which are quicker to compare.
const NANOS: [u64; BUCKETS.len()] = {
    let (mut ends, mut at) = ([0; BUCKETS.len()], 0);
    while at < ends.len() {
        ends[at] = BUCKETS[at].as_nanos() as u64;
        at += 1;
    }
    ends
};

#[inline]
fn bucket(nanos: u128) -> usize {
    u64::try_from(nanos).map_or(NANOS.len(), |nanos| NANOS.partition_point(|end| *end < nanos))
}

/// Nanoseconds, in two words: ten thousand calls at a time fill one within three weeks.
#[derive(Debug, Default)]
struct Sum {
    low: AtomicU64,
    /// Grows when `low` begins anew. Who looks just in between sees too little, once.
    high: AtomicU64,
}

impl Sum {
    #[inline]
    fn add(&self, nanos: u128) {
        let low = nanos as u64;
        let before = self.low.fetch_add(low, Ordering::Relaxed);
        let carry = (nanos >> u64::BITS) as u64 + u64::from(before.checked_add(low).is_none());
        if carry > 0 {
            self.high.fetch_add(carry, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Duration {
        const SECOND: u128 = 1_000_000_000;
        let [high, low] = [&self.high, &self.low].map(|word| word.load(Ordering::Relaxed));
        let nanos = u128::from(high) << u64::BITS | u128::from(low);
        let seconds = u64::try_from(nanos / SECOND);
        seconds.map_or(Duration::MAX, |seconds| Duration::new(seconds, (nanos % SECOND) as u32))
    }
}

/// The greatest of the last minutes, as Micrometer has it: one that never fell would tell of an outage for ever.
///
/// Three slots, each for one minute and used again after three: its minute in the upper bits, the greatest of that
/// minute in microseconds in the lower ones.
#[derive(Debug)]
struct RecentMax {
    start: Instant,
    slots: [AtomicU64; 3],
}

const MICROS: u32 = 44;
const MINUTES: u64 = (1 << (u64::BITS - MICROS)) - 1;

impl RecentMax {
    fn new(start: Instant) -> Self {
        Self { start, slots: Default::default() }
    }

    fn minute(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / 60
    }

    fn record(&self, now: Instant, elapsed: Duration) {
        let minute = self.minute(now);
        let most = (1 << MICROS) - 1;
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(most).min(most);
        let word = (minute & MINUTES) << MICROS | micros;
        let greater = |old: u64| {
            let is_this_minute = old >> MICROS == minute & MINUTES;
            (!is_this_minute || old < word).then_some(word)
        };
        let slot = &self.slots[(minute % 3) as usize];
        // An `Err` says that there is a greater one already.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, greater);
    }

    fn read(&self, now: Instant) -> Duration {
        let minute = self.minute(now);
        let recent = (minute.saturating_sub(2)..=minute).filter_map(|minute| {
            let word = self.slots[(minute % 3) as usize].load(Ordering::Relaxed);
            (word >> MICROS == minute & MINUTES).then_some(word & ((1 << MICROS) - 1))
        });
        Duration::from_micros(recent.max().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{BUCKETS, Histogram};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_duration_at_the_end_of_a_bucket_belongs_to_it() {
        let now = Instant::now();
        let histogram = Histogram::new(now);
        for elapsed in [Duration::ZERO, ms(1), ms(5), ms(6), Duration::MAX] {
            histogram.record(now, elapsed);
        }
        let timing = histogram.read(now);
        let at = |end| timing.cumulative().find(|(is, _)| *is == end).unwrap().1;
        assert_eq!((at(Some(ms(1))), at(Some(ms(5))), at(Some(ms(10)))), (2, 3, 4));
        assert_eq!((at(Some(ms(60_000))), at(None), timing.count()), (4, 5, 5));
    }

    #[test]
    fn a_sum_goes_on_where_a_word_is_full() {
        let now = Instant::now();
        let histogram = Histogram::new(now);
        let word = Duration::from_nanos(u64::MAX);
        let mut expected = Duration::ZERO;
        for elapsed in [word, Duration::from_nanos(1), ms(7), 3 * word, Duration::ZERO, word] {
            histogram.record(now, elapsed);
            expected += elapsed;
            assert_eq!(histogram.read(now).sum(), expected);
        }
        for _ in 0..3 {
            histogram.record(now, Duration::MAX);
        }
        assert_eq!(histogram.read(now).sum(), Duration::MAX);
    }

    #[test]
    fn buckets_rise() {
        assert!(BUCKETS.is_sorted());
    }

    #[test]
    fn the_greatest_is_forgotten_after_three_minutes() {
        let start = Instant::now();
        let histogram = Histogram::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        histogram.record(at(0), ms(900));
        histogram.record(at(1), ms(300));
        assert_eq!(histogram.read(at(2)).max(), ms(900));
        histogram.record(at(70), ms(500));
        assert_eq!(histogram.read(at(179)).max(), ms(900));
        assert_eq!(histogram.read(at(180)).max(), ms(500));
        assert_eq!(histogram.read(at(240)).max(), Duration::ZERO);
        // The slot of the first minute is used again.
        histogram.record(at(241), ms(1));
        assert_eq!(histogram.read(at(242)).max(), ms(1));
        assert_eq!(histogram.read(at(242)).sum(), ms(1701));
    }
}
