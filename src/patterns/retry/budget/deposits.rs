//! Deposits in a window of time.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::{RetryBudget, Rule};
use crate::settings::ConfigError;
use crate::sync::Lock;

/// Slots of the window that are over, beside the one that runs.
const SLOTS: usize = 10;

/// What calls deposited and retries withdrew, slot by slot. What a slot saw counts for the time to live, and at
/// most a slot longer.
pub(super) struct Deposits {
    /// What a call brings in, and what a retry costs.
    deposit: i64,
    withdrawal: i64,
    /// Is always there.
    reserve: i64,
    slot: Duration,
    began: Option<Instant>,
    /// The number of the slot that runs.
    running: u128,
    cells: [i64; SLOTS + 1],
}

impl fmt::Debug for Deposits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deposits")
            .field("deposit", &self.deposit)
            .field("withdrawal", &self.withdrawal)
            .field("reserve", &self.reserve)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

impl Deposits {
    fn new(settings: &DepositBudgetBuilder) -> Self {
        let DepositBudgetBuilder { time_to_live, min_per_second, share } = *settings;
        // Whole numbers, so that nothing is lost to rounding over time.
        let (deposit, withdrawal) = match share {
            0.0 => (0, 1),
            ..=1.0 => (1, (1.0 / share) as i64),
            _ => (1000, (1000.0 / share) as i64),
        };
        let reserve = f64::from(min_per_second) * time_to_live.as_secs_f64();
        Self {
            deposit,
            withdrawal,
            reserve: (reserve as i64).saturating_mul(withdrawal),
            slot: time_to_live / SLOTS as u32,
            began: None,
            running: 0,
            cells: [0; SLOTS + 1],
        }
    }

    pub(super) const fn terms(&self) -> (i64, i64, i64, Duration) {
        (self.deposit, self.withdrawal, self.reserve, self.slot)
    }

    /// A call began.
    pub(super) fn deposit(&mut self, now: Instant) {
        self.book(self.deposit, now);
    }

    /// A retry is wanted. If there is not enough, nothing is withdrawn.
    pub(super) fn withdraw(&mut self, now: Instant) -> bool {
        self.age(now);
        let balance = self.cells.iter().fold(self.reserve, |sum, cell| sum.saturating_add(*cell));
        if balance < self.withdrawal {
            return false;
        }
        self.book(-self.withdrawal, now);
        true
    }

    fn book(&mut self, amount: i64, now: Instant) {
        self.age(now);
        let cell = &mut self.cells[(self.running % (SLOTS as u128 + 1)) as usize];
        *cell = cell.saturating_add(amount);
    }

    /// Forgets the slots that are too old. A clock that steps back changes nothing.
    fn age(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let running = now.saturating_duration_since(began).as_nanos() / self.slot.as_nanos();
        let cells = self.cells.len() as u128;
        let passed = running.saturating_sub(self.running).min(cells);
        for number in 0..passed {
            self.cells[((running - number) % cells) as usize] = 0;
        }
        self.running = self.running.max(running);
    }
}

/// Builds a [`RetryBudget`] of deposits in a window of time, as tower has.
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct DepositBudgetBuilder {
    time_to_live: Duration,
    min_per_second: u32,
    share: f64,
}

impl Default for DepositBudgetBuilder {
    fn default() -> Self {
        Self { time_to_live: Duration::from_secs(10), min_per_second: 10, share: 0.2 }
    }
}

impl DepositBudgetBuilder {
    /// How long a deposit counts, and a retry against it. It is kept in ten slots, and may count for a slot longer.
    ///
    /// Range: 1 s to 60 s. Default: 10 s, as in tower.
    pub const fn time_to_live(mut self, span: Duration) -> Self {
        self.time_to_live = span;
        self
    }

    /// So many retries a second are let through however few calls there are.
    ///
    /// The reserve is that of the whole time to live, and may be used at once: 10 a second are 100 in 10 s. Range:
    /// from 0. Default: 10, as in tower.
    pub const fn min_per_second(mut self, retries: u32) -> Self {
        self.min_per_second = retries;
        self
    }

    /// Retries per call. Above 1 a call pays for several.
    ///
    /// 0 leaves the reserve alone. What a retry costs is cut to a whole number of deposits: 0.3 is a retry for 3 calls.
    /// Range: 0 to 1000. Default: 0.2, as in tower.
    pub const fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<RetryBudget, ConfigError> {
        let Self { time_to_live, share, .. } = self;
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&time_to_live) {
            let value = format_args!("{time_to_live:?}");
            return Err(ConfigError::new("time_to_live", value, "from 1s to 60s"));
        }
        if !(0.0..=1000.0).contains(&share) {
            return Err(ConfigError::new("share", share, "from 0 to 1000"));
        }
        Ok(RetryBudget::of(Rule::Deposits(Lock::new(Deposits::new(&self)))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deposits(min_per_second: u32, share: f64) -> Deposits {
        Deposits::new(&RetryBudget::deposits().min_per_second(min_per_second).share(share))
    }

    /// Retries that are let through now.
    fn retries(deposits: &mut Deposits, now: Instant) -> usize {
        (0..100_000).take_while(|_| deposits.withdraw(now)).count()
    }

    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn bu5_a_hundred_from_the_reserve_and_one_for_every_five_calls() {
        let (mut deposits, now) = (deposits(10, 0.2), Instant::now());
        assert_eq!(retries(&mut deposits, now), 100);
        for calls in 1..=20 {
            deposits.deposit(now);
            assert_eq!(deposits.withdraw(now), calls % 5 == 0, "after {calls} calls");
        }
    }

    #[test]
    fn bu5_a_share_of_nothing_leaves_the_reserve_alone() {
        let (mut deposits, now) = (deposits(2, 0.0), Instant::now());
        (0..1000).for_each(|_| deposits.deposit(now));
        assert_eq!(retries(&mut deposits, now), 20);
    }

    #[test]
    fn bu5_a_share_above_one_pays_for_several() {
        for (share, expected) in [(1.0, 1), (2.0, 2), (3.0, 3), (1000.0, 1000)] {
            let (mut deposits, now) = (deposits(0, share), Instant::now());
            assert_eq!(retries(&mut deposits, now), 0);
            deposits.deposit(now);
            assert_eq!(retries(&mut deposits, now), expected, "{share}");
        }
    }

    #[test]
    fn bu5_a_deposit_counts_for_its_time_and_a_slot_at_most() {
        let began = Instant::now();
        for (begun, after, expected) in
            [(0, 10, 1), (0, 10_999, 1), (0, 11_000, 0), (999, 10_999, 1), (999, 11_000, 0)]
        {
            let at = |millis: u64| began + Duration::from_millis(millis);
            let after = if after == 10 { 10_000 } else { after };
            let mut deposits = deposits(0, 1.0);
            deposits.age(began);
            deposits.deposit(at(begun));
            assert_eq!(retries(&mut deposits, at(after)), expected, "{begun} {after}");
        }
    }

    #[test]
    fn bu5_the_reserve_comes_back_when_what_was_taken_is_too_old() {
        let (mut deposits, began) = (deposits(10, 0.2), Instant::now());
        assert_eq!(retries(&mut deposits, began), 100);
        assert_eq!(retries(&mut deposits, began + 10 * SEC), 0);
        assert_eq!(retries(&mut deposits, began + 11 * SEC), 100);
        assert_eq!(retries(&mut deposits, began + 10_000_000 * SEC), 100);
        assert_eq!(retries(&mut deposits, began), 0, "a clock that steps back gives nothing");
    }

    proptest! {
        /// Against a list of all that ever happened.
        #[test]
        fn the_slots_are_a_window_over_all_that_happened(
            steps in prop::collection::vec((0..3000_u64, any::<bool>()), 1..200),
            share in prop_oneof![Just(0.0), 0.01..3.0],
            min_per_second in 0..3_u32,
        ) {
            let mut deposits = deposits(min_per_second, share);
            let (deposit, cost) = (deposits.deposit, deposits.withdrawal);
            let began = Instant::now();
            let (mut millis, mut all) = (0, Vec::<(u64, i64)>::new());
            for (gap, retry) in steps {
                // The first call starts the window.
                millis += if all.is_empty() { 0 } else { gap };
                let now = began + Duration::from_millis(millis);
                if all.is_empty() {
                    deposits.age(now);
                    all.push((0, 0));
                }
                let slot = millis / 1000;
                if retry {
                    let lately = all.iter().filter(|(at, _)| at + 10 >= slot);
                    let balance = lately.map(|(_, amount)| amount).sum::<i64>()
                        + i64::from(min_per_second) * 10 * cost;
                    prop_assert_eq!(deposits.withdraw(now), balance >= cost);
                    if balance >= cost {
                        all.push((slot, -cost));
                    }
                } else {
                    deposits.deposit(now);
                    all.push((slot, deposit));
                }
            }
        }
    }
}
