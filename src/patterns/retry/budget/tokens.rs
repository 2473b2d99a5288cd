//! A bucket of tokens.

use std::fmt;

use tokio::time::Instant;

use super::{RetryBudget, Rule};
use crate::outcome::Cause;
use crate::settings::{self, ConfigError};
use crate::sync::Lock;

/// Retries take tokens out, successes put them back.
pub(super) struct Tokens {
    settings: TokenBudgetBuilder,
    available: f64,
    /// When it was last refilled.
    refilled: Option<Instant>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl Tokens {
    const fn new(settings: TokenBudgetBuilder) -> Self {
        Self { settings, available: settings.capacity as f64, refilled: None }
    }

    pub(super) const fn terms(&self) -> TokenBudgetBuilder {
        self.settings
    }

    /// A retry is wanted because of `cause`: what it took, if there is enough.
    pub(super) fn take(&mut self, cause: Cause, now: Instant) -> Option<u32> {
        self.refill(now);
        let cost = self.settings.cost(cause);
        let left = self.available - f64::from(cost);
        (left >= 0.0).then(|| {
            self.available = left;
            cost
        })
    }

    /// A call succeeded, by a retry that had paid so much, or at once.
    pub(super) fn succeed(&mut self, paid: Option<u32>, now: Instant) {
        self.refill(now);
        self.put(paid.unwrap_or(self.settings.first_success_reward).into());
    }

    fn refill(&mut self, now: Instant) {
        let since = self.refilled.replace(now).map(|then| now.saturating_duration_since(then));
        let seconds = since.unwrap_or_default().as_secs_f64();
        self.put(seconds * self.settings.refill_per_second);
    }

    fn put(&mut self, tokens: f64) {
        self.available = (self.available + tokens).min(self.settings.capacity.into());
    }
}

/// Builds a [`RetryBudget`] of tokens, as Smithy's clients (those of AWS) have.
///
/// A retry takes its cost out of the bucket, and is refused when there is not enough left. A call that succeeds by a
/// retry puts back what its last retry took; one that succeeds at once puts in a small reward. What failed retries took
/// is gone: a backend that stays down soon gets no retries at all.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a builder does nothing until `build`"]
pub struct TokenBudgetBuilder {
    capacity: u32,
    retry_cost: u32,
    timeout_cost: u32,
    throttling_cost: u32,
    first_success_reward: u32,
    refill_per_second: f64,
}

impl Default for TokenBudgetBuilder {
    fn default() -> Self {
        Self {
            capacity: 500,
            retry_cost: 5,
            timeout_cost: 10,
            throttling_cost: 5,
            first_success_reward: 1,
            refill_per_second: 0.0,
        }
    }
}

impl TokenBudgetBuilder {
    /// Tokens in the full bucket, with which it starts. Range: from 1. Default: 500, as in Smithy.
    pub const fn capacity(mut self, tokens: u32) -> Self {
        self.capacity = tokens;
        self
    }

    /// What a retry takes. Range: 0 to the capacity. Default: 5, as in Smithy; its newer rule has 14.
    pub const fn retry_cost(mut self, tokens: u32) -> Self {
        self.retry_cost = tokens;
        self
    }

    /// What a retry after a timeout takes. Range: 0 to the capacity. Default: 10, as in Smithy; its newer rule
    /// has 14.
    pub const fn timeout_cost(mut self, tokens: u32) -> Self {
        self.timeout_cost = tokens;
        self
    }

    /// What a retry takes after the backend said that it has too much to do: status 429, gRPC's
    /// `RESOURCE_EXHAUSTED`, [`Cause::Overloaded`].
    ///
    /// Range: 0 to the capacity. Default: 5, as in Smithy's newer rule.
    pub const fn throttling_cost(mut self, tokens: u32) -> Self {
        self.throttling_cost = tokens;
        self
    }

    /// What a call puts in that succeeds at once. Range: from 0. Default: 1, as in Smithy.
    pub const fn first_success_reward(mut self, tokens: u32) -> Self {
        self.first_success_reward = tokens;
        self
    }

    /// Tokens that come in by themselves, every second. Without them a bucket that is empty stays so until calls
    /// succeed at once.
    ///
    /// Range: from 0. Default: 0, as in Smithy.
    pub const fn refill_per_second(mut self, tokens: f64) -> Self {
        self.refill_per_second = tokens;
        self
    }

    const fn cost(&self, cause: Cause) -> u32 {
        match cause {
            Cause::Timeout => self.timeout_cost,
            Cause::Overloaded | Cause::Status(429) | Cause::Grpc(8) => self.throttling_cost,
            _ => self.retry_cost,
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<RetryBudget, ConfigError> {
        let capacity = u64::from(self.capacity);
        settings::number("capacity", capacity, 1..=u32::MAX.into())?;
        settings::number("retry_cost", self.retry_cost.into(), 0..=capacity)?;
        settings::number("timeout_cost", self.timeout_cost.into(), 0..=capacity)?;
        settings::number("throttling_cost", self.throttling_cost.into(), 0..=capacity)?;
        let refill = self.refill_per_second;
        if !(refill.is_finite() && refill >= 0.0) {
            return Err(ConfigError::new("refill_per_second", refill, "at least 0"));
        }
        Ok(RetryBudget::of(Rule::Tokens(Lock::new(Tokens::new(self)))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const RESET: Cause = Cause::Reset;

    #[test]
    fn bu6_a_hundred_failing_retries_and_then_none() {
        let (mut tokens, now) = (Tokens::new(RetryBudget::tokens()), Instant::now());
        assert!((0..100).all(|_| tokens.take(RESET, now) == Some(5)));
        assert_eq!(tokens.take(RESET, now), None);
        assert_eq!(tokens.available, 0.0, "a refusal takes nothing");
    }

    #[test]
    fn bu6_successes_refill_it() {
        let (mut tokens, now) = (Tokens::new(RetryBudget::tokens()), Instant::now());
        while tokens.take(RESET, now).is_some() {}
        (0..4).for_each(|_| tokens.succeed(None, now));
        assert_eq!(tokens.take(RESET, now), None);
        tokens.succeed(None, now);
        let paid = tokens.take(RESET, now);
        assert_eq!(paid, Some(5));
        // What the retry that succeeded took is there again.
        tokens.succeed(paid, now);
        assert_eq!(tokens.take(RESET, now), Some(5));
    }

    #[test]
    fn bu6_timeouts_and_throttling_have_their_own_cost() {
        let (mut tokens, now) = (Tokens::new(RetryBudget::tokens()), Instant::now());
        assert_eq!((0..100).take_while(|_| tokens.take(Cause::Timeout, now).is_some()).count(), 50);
        let newer = RetryBudget::tokens().retry_cost(14).timeout_cost(14).throttling_cost(5);
        let mut tokens = Tokens::new(newer);
        for (cause, cost) in [
            (Cause::Reset, 14),
            (Cause::Timeout, 14),
            (Cause::Status(503), 14),
            (Cause::Status(429), 5),
            (Cause::Grpc(8), 5),
            (Cause::Overloaded, 5),
        ] {
            assert_eq!(tokens.take(cause, now), Some(cost), "{cause:?}");
        }
    }

    #[test]
    fn bu6_it_refills_by_itself_where_it_is_told_to() {
        let mut tokens = Tokens::new(RetryBudget::tokens().refill_per_second(2.5));
        let now = Instant::now();
        while tokens.take(RESET, now).is_some() {}
        let later = |millis| now + Duration::from_millis(millis);
        assert_eq!(tokens.take(RESET, later(1999)), None);
        assert_eq!(tokens.take(RESET, later(2000)), Some(5));
        assert_eq!(tokens.take(RESET, now), None, "a clock that steps back brings nothing");
        let _ = tokens.take(RESET, later(u64::from(u32::MAX)));
        assert_eq!(tokens.available, 495.0, "it is never more than full");
    }

    proptest! {
        #[test]
        fn there_is_never_less_than_nothing_nor_more_than_full(
            steps in prop::collection::vec((0..4_u8, 0..5000_u64), 1..200),
            capacity in 10..100_u32,
            refill in prop_oneof![Just(0.0), 0.0..10.0],
        ) {
            let settings = RetryBudget::tokens().capacity(capacity).refill_per_second(refill);
            let (mut tokens, mut now) = (Tokens::new(settings), Instant::now());
            for (kind, millis) in steps {
                now += Duration::from_millis(millis);
                match kind {
                    0 => { tokens.take(Cause::Timeout, now); }
                    1 => { tokens.take(RESET, now); }
                    2 => tokens.succeed(Some(5), now),
                    _ => tokens.succeed(None, now),
                }
                prop_assert!((0.0..=f64::from(capacity)).contains(&tokens.available));
            }
        }
    }
}
