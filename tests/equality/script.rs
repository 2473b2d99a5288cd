//! What is played: settings, a backend's behaviour, and callers.

use std::time::Duration;

use proptest::prelude::*;
use proptest::{collection, option};
use seawall::*;

/// Everything but who plays it.
#[derive(Clone, Debug)]
pub struct Script {
    pub steps: Settings,
    /// What the attempts of each caller meet with; the last goes on for ever.
    pub attempts: Vec<Vec<Answer>>,
    pub callers: Vec<Caller>,
}

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub retry: Option<RetrySettings>,
    pub breaker: Option<BreakerSettings>,
    pub rate: Option<RateSettings>,
    pub timeout: Option<Duration>,
    pub bulkhead: Option<BulkheadSettings>,
    pub has_timer: bool,
}

#[derive(Clone, Debug)]
pub struct RetrySettings {
    pub max_attempts: u32,
    pub pause: Pause,
    pub retry_refusals: bool,
    pub max_duration: Option<Duration>,
    pub max_retry_after: Option<Duration>,
    pub fail_after_max_attempts: bool,
    /// How many retries may run at once, whatever else runs.
    pub budget: Option<u32>,
    pub seed: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Pause {
    Fixed(Duration),
    Growing(Duration),
    Jitter(Duration),
}

#[derive(Clone, Debug)]
pub struct BreakerSettings {
    pub window: u32,
    pub minimum: u32,
    pub trials: u32,
    pub open_wait: Duration,
    pub slow_after: Duration,
    pub half_open_limit: Duration,
    pub automatic: bool,
}

#[derive(Clone, Debug)]
pub struct RateSettings {
    pub permits: u32,
    pub period: Duration,
    pub timeout: Duration,
    pub queue: bool,
    /// Which verdicts drain it.
    pub drain_on: Drain,
}

#[derive(Clone, Copy, Debug)]
pub enum Drain {
    Overload,
    Refusal,
    AllThatIsNotGood,
}

#[derive(Clone, Debug)]
pub struct BulkheadSettings {
    pub places: u32,
    pub wait: Duration,
    pub fair: bool,
}

/// What an attempt meets with.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub after: Duration,
    pub end: End,
}

#[derive(Clone, Copy, Debug)]
pub enum End {
    Good,
    /// A response that is judged a failure.
    Bad,
    /// One that says that the backend has too much to do.
    Overload,
    Error,
    /// A layer of seawall below refuses.
    Refusal,
    /// One says when to come back.
    RateLimited,
    /// One has given up.
    Timeout,
    Hang,
}

#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub start: Duration,
    /// When it stops waiting.
    pub leaves_after: Option<Duration>,
}

impl RetrySettings {
    pub fn build(&self) -> Retry {
        let mut config = RetryConfig::builder()
            .max_attempts(self.max_attempts)
            .backoff(match self.pause {
                Pause::Fixed(pause) => Backoff::fixed(pause),
                Pause::Growing(first) => Backoff::exponential(first, 2.0),
                Pause::Jitter(base) => Backoff::full_jitter(base, 4 * base),
            })
            .retry_refusals(self.retry_refusals)
            .fail_after_max_attempts(self.fail_after_max_attempts)
            .random(Random::seeded(self.seed));
        if let Some(limit) = self.max_duration {
            config = config.max_duration(limit);
        }
        if let Some(cap) = self.max_retry_after {
            config = config.max_retry_after(cap);
        }
        if let Some(least) = self.budget {
            config = config.budget(RetryBudget::new(0.2, least).unwrap());
        }
        Retry::new("retry", config.build().unwrap())
    }
}

impl BreakerSettings {
    pub fn build(&self) -> CircuitBreaker {
        let config = CircuitBreakerConfig::builder()
            .sliding_window(SlidingWindow::Count(self.window))
            .minimum_number_of_calls(self.minimum)
            .permitted_calls_in_half_open(self.trials)
            .wait_duration_in_open_state(self.open_wait)
            .slow_call_duration_threshold(self.slow_after)
            .max_wait_in_half_open(self.half_open_limit)
            .automatic_transition_from_open_to_half_open(self.automatic)
            .build();
        CircuitBreaker::new("breaker", config.unwrap())
    }
}

impl RateSettings {
    pub fn build(&self) -> RateLimiter {
        let config = RateLimiterConfig::builder()
            .limit_for_period(self.permits)
            .limit_refresh_period(self.period)
            .timeout(self.timeout)
            .algorithm(if self.queue {
                RateLimiterAlgorithm::Semaphore
            } else {
                RateLimiterAlgorithm::Cycles
            })
            .drain_on(match self.drain_on {
                Drain::Overload => |verdict: &Verdict| verdict.cause() == Some(Cause::Overloaded),
                Drain::Refusal => |verdict: &Verdict| verdict.cause() == Some(Cause::Refused),
                Drain::AllThatIsNotGood => |verdict: &Verdict| !verdict.is_success(),
            })
            .build();
        RateLimiter::new("rate", config.unwrap())
    }
}

impl BulkheadSettings {
    pub fn build(&self) -> Bulkhead {
        let config = BulkheadConfig::builder()
            .max_concurrent_calls(self.places)
            .max_wait(self.wait)
            .fair(self.fair)
            .build();
        Bulkhead::new("bulkhead", config.unwrap())
    }
}

pub fn time_limiter(timeout: Duration) -> TimeLimiter {
    let config = TimeLimiterConfig::builder().timeout(timeout).build();
    TimeLimiter::new("time", config.unwrap())
}

// ## Strategies

fn ms(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn retry() -> impl Strategy<Value = RetrySettings> {
    let pause = prop_oneof![
        ms(0..20).prop_map(Pause::Fixed),
        ms(1..10).prop_map(Pause::Growing),
        ms(1..20).prop_map(Pause::Jitter),
    ];
    let caps = (option::of(ms(1..80)), option::of(ms(0..30)));
    let budget = option::of(0..2_u32);
    (1..5_u32, pause, any::<bool>(), caps, any::<bool>(), budget, any::<u64>()).prop_map(
        |(max_attempts, pause, retry_refusals, caps, fail_after_max_attempts, budget, seed)| {
            let (max_duration, max_retry_after) = caps;
            RetrySettings {
                max_attempts,
                pause,
                retry_refusals,
                max_duration,
                max_retry_after,
                fail_after_max_attempts,
                budget,
                seed,
            }
        },
    )
}

fn breaker() -> impl Strategy<Value = BreakerSettings> {
    let limits = (ms(1..60), ms(1..40), prop_oneof![Just(Duration::ZERO), ms(1..40)]);
    (1..6_u32, 1..6_u32, 1..4_u32, limits, any::<bool>()).prop_map(
        |(window, minimum, trials, (open_wait, slow_after, half_open_limit), automatic)| {
            BreakerSettings {
                window,
                minimum,
                trials,
                open_wait,
                slow_after,
                half_open_limit,
                automatic,
            }
        },
    )
}

fn rate() -> impl Strategy<Value = RateSettings> {
    let drain_on =
        prop_oneof![Just(Drain::Overload), Just(Drain::Refusal), Just(Drain::AllThatIsNotGood)];
    (1..5_u32, ms(1..40), ms(0..60), any::<bool>(), drain_on).prop_map(
        |(permits, period, timeout, queue, drain_on)| RateSettings {
            permits,
            period,
            timeout,
            queue,
            drain_on,
        },
    )
}

fn bulkhead() -> impl Strategy<Value = BulkheadSettings> {
    (0..4_u32, ms(0..40), any::<bool>()).prop_map(|(places, wait, fair)| BulkheadSettings {
        places,
        wait,
        fair,
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let steps = (
        option::of(retry()),
        option::of(breaker()),
        option::of(rate()),
        option::of(ms(0..50)),
        option::of(bulkhead()),
        any::<bool>(),
    );
    steps.prop_map(|(retry, breaker, rate, timeout, mut bulkhead, has_timer)| {
        // The builder refuses a wait that is longer than the attempt.
        if let (Some(bulkhead), Some(timeout)) = (&mut bulkhead, timeout) {
            bulkhead.wait = bulkhead.wait.min(timeout);
        }
        Settings { retry, breaker, rate, timeout, bulkhead, has_timer }
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let end = prop_oneof![
        4 => Just(End::Good),
        3 => Just(End::Error),
        1 => Just(End::Bad),
        1 => Just(End::Overload),
        1 => Just(End::Refusal),
        1 => Just(End::RateLimited),
        1 => Just(End::Timeout),
        1 => Just(End::Hang),
    ];
    let after = prop_oneof![1 => Just(Duration::ZERO), 2 => ms(0..60)];
    (after, end).prop_map(|(after, end)| Answer { after, end })
}

pub fn script() -> impl Strategy<Value = Script> {
    let caller = (ms(0..120), option::weighted(0.3, ms(0..80)))
        .prop_map(|(start, leaves_after)| Caller { start, leaves_after });
    let callers = collection::vec((caller, collection::vec(answer(), 1..4)), 1..10);
    (settings(), callers).prop_map(|(steps, callers)| {
        let (callers, attempts) = callers.into_iter().unzip();
        Script { steps, attempts, callers }
    })
}
