//! The settings of a retry.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::RetryBudget;
use crate::backoff::{Backoff, BackoffContext};
use crate::random::Random;
use crate::settings::{self, ConfigError};

type Decision = Arc<dyn Fn(&BackoffContext) -> bool + Send + Sync>;
type Hook = Arc<dyn Fn(&BackoffContext) + Send + Sync>;

/// The settings of a [`Retry`](super::Retry). One that exists is valid.
#[derive(Clone)]
pub struct RetryConfig {
    pub(super) max_attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) retry_when: Option<Decision>,
    pub(super) retry_refusals: bool,
    pub(super) max_duration: Option<Duration>,
    pub(super) max_retry_after: Option<Duration>,
    pub(super) retry_after_spread: f64,
    pub(super) fail_after_max_attempts: bool,
    pub(super) budget: Option<RetryBudget>,
    pub(super) fail_when_budget_spent: bool,
    pub(super) before_retry: Option<Hook>,
    pub(super) random: Option<Random>,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: Backoff::fixed(Duration::from_millis(500)),
            retry_when: None,
            retry_refusals: false,
            max_duration: None,
            max_retry_after: None,
            retry_after_spread: 0.0,
            fail_after_max_attempts: false,
            budget: None,
            fail_when_budget_spent: false,
            before_retry: None,
            random: None,
        }
    }
}

impl RetryConfig {
    /// Starts from the defaults, which are Resilience4j's.
    pub fn builder() -> RetryConfigBuilder {
        RetryConfigBuilder::default()
    }

    /// What is safe against an overloaded backend: 3 attempts, full jitter from 100 ms up to 5 s, a
    /// budget of a fifth of what is in flight, and the server's `Retry-After` obeyed up to 30 s, spread over a
    /// fifth more.
    pub fn safe() -> RetryConfigBuilder {
        Self::builder()
            .backoff(Backoff::full_jitter(Duration::from_millis(100), Duration::from_secs(5)))
            .budget(RetryBudget::default())
            .max_retry_after(Duration::from_secs(30))
            .retry_after_spread(0.2)
    }

    /// Starts from these settings.
    pub fn to_builder(&self) -> RetryConfigBuilder {
        RetryConfigBuilder { config: self.clone() }
    }

    /// Calls to be made at most.
    #[must_use]
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// With the budget of `present`, if that has the same rule: settings that were read anew have a budget of their own, and a
    /// full one.
    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn keeping_budget(mut self, present: &Self) -> Self {
        if let (Some(own), Some(present)) = (&self.budget, &present.budget)
            && own.is_like(present)
        {
            self.budget = Some(present.clone());
        }
        self
    }

    /// Does anything look at the time since the call began?
    pub(super) const fn is_timed(&self) -> bool {
        self.max_duration.is_some()
            || self.retry_when.is_some()
            || self.before_retry.is_some()
            || self.backoff.is_custom()
    }
}

impl fmt::Debug for RetryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryConfig")
            .field("max_attempts", &self.max_attempts)
            .field("backoff", &self.backoff)
            .field("retry_when", &self.retry_when.is_some())
            .field("retry_refusals", &self.retry_refusals)
            .field("max_duration", &self.max_duration)
            .field("max_retry_after", &self.max_retry_after)
            .field("retry_after_spread", &self.retry_after_spread)
            .field("fail_after_max_attempts", &self.fail_after_max_attempts)
            .field("budget", &self.budget)
            .field("fail_when_budget_spent", &self.fail_when_budget_spent)
            .finish_non_exhaustive()
    }
}

/// Builds a [`RetryConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct RetryConfigBuilder {
    config: RetryConfig,
}

impl RetryConfigBuilder {
    /// Calls made at most, the first included.
    ///
    /// Range: from 1, which never retries. Default: 3, as in Resilience4j.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.config.max_attempts = attempts;
        self
    }

    /// The pause before each retry. Default: 500 ms each time, as in Resilience4j.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Which failures are retried: not those that `filter` ignores, nor those that it takes for successes.
    ///
    /// Short for a [`retry_when`](Self::retry_when), which it replaces. Default: all of them.
    pub fn causes(self, filter: crate::CauseFilter) -> Self {
        self.retry_when(move |context| {
            context.verdict.is_some_and(|verdict| filter.apply(verdict).is_failure())
        })
    }

    /// Decides which calls that did not succeed are retried, instead of the rule "every failure".
    ///
    /// It sees the verdict, the attempt's number, the time so far and the time left. It is not asked
    /// about refusals by an inner layer, for which [`retry_refusals`](Self::retry_refusals) stands.
    pub fn retry_when(
        mut self,
        decide: impl Fn(&BackoffContext) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.config.retry_when = Some(Arc::new(decide));
        self
    }

    /// Is a refusal by an inner layer (circuit open, bulkhead full, …) retried too? Default: no.
    pub const fn retry_refusals(mut self, retry: bool) -> Self {
        self.config.retry_refusals = retry;
        self
    }

    /// No wait begins that would end later than this after the call began, and no attempt after it. Range: from
    /// 1 ms. Default: no such limit.
    pub const fn max_duration(mut self, limit: Duration) -> Self {
        self.config.max_duration = Some(limit);
        self
    }

    /// Waits as long as the server asks (`Retry-After`) instead of the backoff, at most this long.
    /// Range: from 0. Default: what the server asks is not looked at.
    pub const fn max_retry_after(mut self, cap: Duration) -> Self {
        self.config.max_retry_after = Some(cap);
        self
    }

    /// Comes back somewhat later than the server asks, so that the callers that it told the same do not come back in
    /// the same moment: by anything up to this share of the pause, never earlier than asked, never later than
    /// `max_retry_after`. Nor earlier than the backoff: a server that asks for no pause at all gets one all the same.
    ///
    /// Range: 0 to 1; 0 is exactly as asked, even no pause at all. Default: 0. Looked at only with [`max_retry_after`](Self::max_retry_after).
    pub const fn retry_after_spread(mut self, share: f64) -> Self {
        self.config.retry_after_spread = share;
        self
    }

    /// When the last attempt brings a response that is judged a failure: shall the call fail with
    /// [`Reason::AttemptsExhausted`](crate::Reason::AttemptsExhausted) instead of returning it? Errors are always returned as they
    /// are. Default: no, as in Resilience4j.
    pub const fn fail_after_max_attempts(mut self, fail: bool) -> Self {
        self.config.fail_after_max_attempts = fail;
        self
    }

    /// Bounds the retries of all calls together. Default: no bound.
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.config.budget = Some(budget);
        self
    }

    /// When the budget does not pay for another attempt: shall the call fail with
    /// [`Reason::RetryBudgetSpent`](crate::Reason::RetryBudgetSpent) instead of returning the last outcome? Default: no.
    pub const fn fail_when_budget_spent(mut self, fail: bool) -> Self {
        self.config.fail_when_budget_spent = fail;
        self
    }

    /// Called before each wait, outside every lock. Default: nothing.
    pub fn before_retry(mut self, hook: impl Fn(&BackoffContext) + Send + Sync + 'static) -> Self {
        self.config.before_retry = Some(Arc::new(hook));
        self
    }

    /// The dice for jitter. Default: seeded by the operating system.
    pub fn random(mut self, random: Random) -> Self {
        self.config.random = Some(random);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<RetryConfig, ConfigError> {
        let config = &self.config;
        settings::number("max_attempts", config.max_attempts.into(), 1..=u32::MAX.into())?;
        config.backoff.validate("backoff")?;
        if let Some(limit) = config.max_duration {
            settings::at_least("max_duration", limit, Duration::from_millis(1))?;
        }
        let share = config.retry_after_spread;
        if !(0.0..=1.0).contains(&share) {
            return Err(ConfigError::new("retry_after_spread", share, "from 0 to 1"));
        }
        Ok(self.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_read_only_for_those_who_look_at_it() {
        let timed = |builder: RetryConfigBuilder| builder.build().unwrap().is_timed();
        let builder = RetryConfig::builder;
        assert!(!timed(builder()));
        assert!(!timed(builder().backoff(Backoff::full_jitter(Duration::ZERO, Duration::MAX))));
        assert!(timed(builder().backoff(Backoff::custom(|_| None))));
        assert!(timed(builder().max_duration(Duration::MAX)));
    }

    #[test]
    fn a_budget_that_was_read_anew_is_the_same_if_its_rule_is() {
        let config = |budget| RetryConfig::builder().budget(budget).build().unwrap();
        let like = |one: &RetryBudget, other: &RetryBudget| {
            let kept = config(one.clone()).keeping_budget(&config(other.clone()));
            kept.budget.unwrap().is(other)
        };
        let share = |share| RetryBudget::new(share, 3).unwrap();
        let deposits = |least| RetryBudget::deposits().min_per_second(least).build().unwrap();
        let tokens = |most| RetryBudget::tokens().capacity(most).build().unwrap();
        for (one, other, third) in [
            (share(0.2), RetryBudget::default(), share(0.3)),
            (deposits(1), deposits(1), deposits(2)),
            (tokens(50), tokens(50), tokens(51)),
        ] {
            assert!(like(&one, &other) && !like(&one, &third), "{one:?}");
        }
        assert!(!like(&share(0.2), &deposits(1)));
        let bare = RetryConfig::default();
        assert!(bare.clone().keeping_budget(&config(share(0.2))).budget.is_none());
        assert!(config(share(0.2)).keeping_budget(&bare).budget.is_some());
    }
}
