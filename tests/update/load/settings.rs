//! Settings by the dice: every field of every pattern.

use std::time::Duration;

use seawall::patterns::circuit_breaker::State;
use seawall::{
    Backoff, BulkheadConfig, CircuitBreakerConfig, OpenFor, Random, RateLimiterAlgorithm,
    RateLimiterConfig, RetryBudget, RetryConfig, SliceAlignment, SlidingWindow, TimeLimitScope,
    TimeLimiterConfig, TimerConfig,
};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn generous_retry() -> RetryConfig {
    RetryConfig::builder().max_attempts(2).backoff(Backoff::fixed(ms(1))).build().unwrap()
}

pub(super) fn generous_breaker() -> CircuitBreakerConfig {
    let config = CircuitBreakerConfig::builder().failure_rate_threshold(100.0);
    config.wait_duration_in_open_state(ms(1)).build().unwrap()
}

pub(super) fn generous_limiter() -> RateLimiterConfig {
    let config = RateLimiterConfig::builder().limit_for_period(1_000_000);
    config.limit_refresh_period(ms(1)).timeout(Duration::MAX).build().unwrap()
}

pub(super) fn generous_time_limiter() -> TimeLimiterConfig {
    TimeLimiterConfig::builder().timeout(Duration::from_secs(100)).build().unwrap()
}

pub(super) fn generous_bulkhead() -> BulkheadConfig {
    let config = BulkheadConfig::builder().max_concurrent_calls(20_000);
    config.max_wait(Duration::MAX).build().unwrap()
}

pub(super) fn budgets() -> [RetryBudget; 3] {
    [
        RetryBudget::new(0.5, 100).unwrap(),
        RetryBudget::deposits().build().unwrap(),
        RetryBudget::tokens().build().unwrap(),
    ]
}

/// Small dice of our own, so that a seed means the same for ever.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub(super) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn number(&mut self, least: u32, most: u32) -> u32 {
        least + self.roll(u64::from(most - least) + 1) as u32
    }

    fn span(&mut self, least: u64, most: u64) -> Duration {
        ms(least + self.roll(most - least + 1))
    }

    fn any<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize]
    }

    fn backoff(&mut self) -> Backoff {
        let (base, cap) = (self.span(1, 5), self.span(5, 10));
        match self.roll(6) {
            0 => Backoff::fixed(base),
            1 => Backoff::exponential(base, 2.0).capped(cap).randomized(0.5),
            2 => Backoff::decorrelated(base, cap),
            3 => Backoff::sequence(move || std::iter::repeat(base)),
            4 => Backoff::full_jitter(base, cap),
            _ => Backoff::custom(move |_| Some(base)),
        }
    }

    pub(super) fn retry(&mut self, budgets: &[RetryBudget; 3]) -> RetryConfig {
        let mut config = RetryConfig::builder()
            .max_attempts(self.number(1, 4))
            .backoff(self.backoff())
            .retry_refusals(self.one_in(2))
            .retry_after_spread(0.1)
            .fail_after_max_attempts(self.one_in(2))
            .fail_when_budget_spent(self.one_in(3))
            .random(Random::seeded(self.roll(100)));
        if self.one_in(3) {
            config = config.retry_when(|context| context.attempt.get() < 3);
        }
        if self.one_in(3) {
            config = config.max_duration(self.span(1, 1000));
        }
        if self.one_in(3) {
            config = config.max_retry_after(self.span(0, 5));
        }
        if self.one_in(3) {
            config = config.before_retry(|_| {});
        }
        let budget = self.roll(4) as usize;
        if let Some(budget) = budgets.get(budget) {
            config = config.budget(budget.clone());
        }
        config.build().unwrap()
    }

    pub(super) fn breaker(&mut self) -> CircuitBreakerConfig {
        let window = match self.roll(3) {
            0 => SlidingWindow::Count(self.number(1, 200)),
            1 => SlidingWindow::Time { seconds: self.number(1, 5) },
            _ => SlidingWindow::Consecutive(self.number(5, 50)),
        };
        let config = CircuitBreakerConfig::builder()
            .failure_rate_threshold(self.number(30, 100) as f32)
            .slow_call_rate_threshold(self.number(10, 100) as f32)
            .sliding_window(window)
            .slice_alignment(self.any(&[SliceAlignment::FromStart, SliceAlignment::WallClock]))
            .minimum_number_of_calls(self.number(1, 100))
            .permitted_calls_in_half_open(self.number(1, 20))
            .max_wait_in_half_open(self.span(0, 5))
            .after_half_open_wait(self.any(&[State::Open, State::Closed]))
            .automatic_transition_from_open_to_half_open(self.one_in(2))
            .initial_state(self.any(&[State::Closed, State::Open, State::Disabled]))
            .cancelled_is_failure_after(self.span(0, 500))
            .panic_is_failure(self.one_in(2))
            .random(Random::seeded(self.roll(100)));
        let slow = if self.one_in(3) { Duration::MAX } else { self.span(1, 2000) };
        let config = config.slow_call_duration_threshold(slow);
        let config = if self.one_in(2) {
            config.wait_duration_in_open_state(self.span(1, 3))
        } else {
            config.open_wait(self.backoff())
        };
        match self.roll(4) {
            0 => config.transition_on_result(|verdict| {
                (verdict.is_failure() && verdict.retry_after().is_some()).then_some(OpenFor::Usual)
            }),
            1 => config.open_on_retry_after(ms(3)),
            _ => config,
        }
        .build()
        .unwrap()
    }

    pub(super) fn limiter(&mut self) -> RateLimiterConfig {
        let config = RateLimiterConfig::builder()
            .limit_for_period(self.number(1, 30))
            .limit_refresh_period(self.span(1, 5))
            .timeout(self.any(&[Duration::MAX, ms(0), ms(10), ms(1000)]))
            .algorithm(match self.roll(4) {
                0 => RateLimiterAlgorithm::Cycles,
                1 => RateLimiterAlgorithm::Semaphore,
                2 => RateLimiterAlgorithm::TokenBucket { burst: self.number(1, 100) },
                _ => RateLimiterAlgorithm::SlidingWindow,
            });
        if self.one_in(5) { config.drain_on(seawall::Verdict::is_failure) } else { config }
            .build()
            .unwrap()
    }

    pub(super) fn time_limiter(&mut self) -> TimeLimiterConfig {
        TimeLimiterConfig::builder()
            .timeout(self.any(&[ms(5), ms(100), Duration::from_secs(10), Duration::MAX]))
            .scope(self.any(&[TimeLimitScope::Head, TimeLimitScope::WholeBody]))
            .cancel_running_future(true)
            .build()
            .unwrap()
    }

    pub(super) fn timer(&mut self) -> TimerConfig {
        let mut config = TimerConfig::builder();
        if self.one_in(2) {
            config = config.metric_names(self.any(&["timer.tests.load-a", "timer.tests.load-b"]));
        }
        if self.one_in(2) {
            // More than are kept apart.
            const TAGS: [&str; 40] = [
                "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13",
                "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27",
                "28", "29", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39",
            ];
            let tag = self.any(&TAGS);
            config = config.failure_tag(move |_| tag);
        }
        config.build().unwrap()
    }

    pub(super) fn bulkhead(&mut self) -> BulkheadConfig {
        let limit = self.any(&[0, 1, 30, 100, 5000]);
        let mut config = BulkheadConfig::builder()
            .max_concurrent_calls(limit)
            .max_wait(self.any(&[Duration::MAX, ms(0), ms(20)]))
            .fair(self.one_in(2))
            .keep_alive(self.span(0, 100));
        if self.one_in(2) {
            config = config.queue_capacity(self.number(0, 5000));
        }
        if limit > 0 {
            config = config.core_pool_size(1);
        }
        config.build().unwrap()
    }
}
