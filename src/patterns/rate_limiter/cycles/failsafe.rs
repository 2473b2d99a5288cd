//! failsafe-go's two limiters, as its formulas say, against this one.

use proptest::prelude::*;
use tokio::time::{Duration, Instant};

use super::{Answer, Cycles, Patience};

/// Grants are one interval apart, on a grid.
struct Smooth {
    interval: u64,
    next_free: u64,
}

impl Smooth {
    fn acquire(&mut self, time: u64, permits: u64, most: u64) -> Result<u64, ()> {
        let from = if time >= self.next_free {
            time / self.interval * self.interval
        } else {
            self.next_free
        };
        let next = from + permits * self.interval;
        let wait = next.saturating_sub(time + self.interval);
        if wait > most {
            return Err(());
        }
        self.next_free = next;
        Ok(wait)
    }
}

/// What is left over is replaced, what is owed is carried on.
struct Bursty {
    permits: i64,
    period: u64,
    cycle: u64,
    left: i64,
}

impl Bursty {
    fn acquire(&mut self, time: u64, permits: i64, most: u64) -> Result<u64, ()> {
        let cycle = time / self.period;
        if cycle > self.cycle {
            let refill = i64::try_from(cycle - self.cycle).unwrap() * self.permits;
            self.left = if self.left < 0 { self.left + refill } else { self.permits };
            self.left = self.left.min(self.permits);
            self.cycle = cycle;
        }
        let left = self.left - permits;
        let wait = if left < 0 {
            let to_next = (cycle + 1) * self.period - time;
            let periods = u64::try_from(-left).unwrap().div_ceil(self.permits.unsigned_abs());
            to_next + (periods - 1) * self.period
        } else {
            0
        };
        if wait > most {
            return Err(());
        }
        self.left = left;
        Ok(wait)
    }
}

fn ask(cycles: &mut Cycles, now: Instant, permits: u64, most: u64) -> Result<u64, ()> {
    cycles.timeout = most;
    match cycles.reserve(now, u32::try_from(permits).unwrap(), Patience::Timeout(None)) {
        Answer::Granted => Ok(0),
        Answer::Wait(claim) => {
            Ok(u64::try_from((cycles.ready_at(&claim) - now).as_nanos()).unwrap())
        }
        Answer::Refused(_) => Err(()),
    }
}

fn requests() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let most = prop_oneof![Just(0), 0..300_u64];
    prop::collection::vec((0..60_u64, 1..5_u64, most), 1..80)
}

proptest! {
    /// Statement of the manual: the smooth limiter is one of cycles with one permission each.
    #[test]
    fn one_permission_a_cycle_is_the_smooth_limiter(
        interval in 1..40_u64,
        requests in requests(),
    ) {
        let start = Instant::now();
        let mut cycles = Cycles::new(1, Duration::from_nanos(interval), Duration::ZERO, start);
        let mut smooth = Smooth { interval, next_free: 0 };
        let mut time = 0;
        for (by, permits, most) in requests {
            time += by;
            let now = start + Duration::from_nanos(time);
            let expected = smooth.acquire(time, permits, most);
            prop_assert_eq!(ask(&mut cycles, now, permits, most), expected);
        }
    }

    /// Statement of the manual: the bursty limiter is one of cycles, with no difference at all.
    #[test]
    fn cycles_are_the_bursty_limiter(
        limit in 1..6_u32,
        period in 1..40_u64,
        requests in requests(),
    ) {
        let start = Instant::now();
        let mut cycles = Cycles::new(limit, Duration::from_nanos(period), Duration::ZERO, start);
        let mut bursty = Bursty { permits: limit.into(), period, cycle: 0, left: limit.into() };
        let mut time = 0;
        for (by, permits, most) in requests {
            time += by;
            let now = start + Duration::from_nanos(time);
            let expected = bursty.acquire(time, permits.try_into().unwrap(), most);
            prop_assert_eq!(ask(&mut cycles, now, permits, most), expected);
        }
    }
}
