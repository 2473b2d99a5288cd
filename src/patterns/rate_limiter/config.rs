//! The settings of a rate limiter.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::outcome::Verdict;
use crate::settings::{self, ConfigError};

/// How permissions are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateLimiterAlgorithm {
    /// Permissions of later cycles are given out ahead of time, so a caller knows at once how long it
    /// has to wait, and a request may be for more than one cycle's worth. Resilience4j's
    /// `AtomicRateLimiter`.
    #[default]
    Cycles,
    /// Callers queue up for the permissions of the next cycle. No reservations, no debt, and no request
    /// for more than one cycle's worth. Resilience4j's `SemaphoreBasedRateLimiter`.
    Semaphore,
    /// Permissions flow in evenly, `limit_for_period` of them in each period, and up to `burst` are kept
    /// for later. They are given out ahead of time as with [`Cycles`](Self::Cycles), and a request may
    /// be for more than the burst. In no span of time are there more than the burst and what flows in
    /// meanwhile; with a burst of 1, calls are evenly spaced.
    TokenBucket {
        /// So many permissions can be had at once after a quiet time. The bucket is full at first.
        ///
        /// Range: from 1.
        burst: u32,
    },
    /// Never more than `limit_for_period` permissions in any span as long as a period, wherever it
    /// begins. They are given out ahead of time, those of one request all for the same moment: so no
    /// request for more than the limit. Remembers each moment at which permissions were used, at
    /// most 16 bytes a permission; the limit is at most 1 000 000.
    SlidingWindow,
}

/// The most that a sliding window remembers.
const LONGEST_LOG: u64 = 1_000_000;

type DrainOn = Arc<dyn Fn(&Verdict) -> bool + Send + Sync>;

/// The settings of a [`RateLimiter`](super::RateLimiter). One that exists is valid.
#[derive(Clone)]
pub struct RateLimiterConfig {
    pub(super) limit_for_period: u32,
    pub(super) limit_refresh_period: Duration,
    pub(super) timeout: Duration,
    pub(super) algorithm: RateLimiterAlgorithm,
    pub(super) drain_on: Option<DrainOn>,
}

impl Default for RateLimiterConfig {
    fn default() -> Self {
        Self {
            limit_for_period: 50,
            limit_refresh_period: Duration::from_nanos(500),
            timeout: Duration::from_secs(5),
            algorithm: RateLimiterAlgorithm::default(),
            drain_on: None,
        }
    }
}

impl RateLimiterConfig {
    /// Starts from the defaults, which are Resilience4j's.
    pub fn builder() -> RateLimiterConfigBuilder {
        RateLimiterConfigBuilder::default()
    }

    /// One permission every `period / permits`, counted from the limiter's creation, and no waiting:
    /// failsafe-go's *smooth* limiter. It is a limiter of [`Cycles`](RateLimiterAlgorithm::Cycles) with
    /// one permission each.
    ///
    /// Two calls to both sides of a cycle's end may come close together; with a
    /// [`TokenBucket`](RateLimiterAlgorithm::TokenBucket) whose burst is 1 they never do.
    ///
    /// ```
    /// use std::time::Duration;
    /// use seawall::RateLimiterConfig;
    ///
    /// let ten_a_second = RateLimiterConfig::smooth(10, Duration::from_secs(1)).build()?;
    /// # Ok::<(), seawall::ConfigError>(())
    /// ```
    pub fn smooth(permits: u32, period: Duration) -> RateLimiterConfigBuilder {
        Self::builder()
            .limit_for_period(permits.min(1))
            .limit_refresh_period(period.checked_div(permits).unwrap_or(period))
            .timeout(Duration::ZERO)
    }

    /// Starts from these settings.
    pub fn to_builder(&self) -> RateLimiterConfigBuilder {
        RateLimiterConfigBuilder { config: self.clone() }
    }
}

impl fmt::Debug for RateLimiterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiterConfig")
            .field("limit_for_period", &self.limit_for_period)
            .field("limit_refresh_period", &self.limit_refresh_period)
            .field("timeout", &self.timeout)
            .field("algorithm", &self.algorithm)
            .field("drain_on", &self.drain_on.is_some())
            .finish()
    }
}

/// Builds a [`RateLimiterConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct RateLimiterConfigBuilder {
    config: RateLimiterConfig,
}

impl RateLimiterConfigBuilder {
    /// So many permissions there are in each period.
    ///
    /// Range: from 1; to 1 000 000 with a sliding window. Default: 50, as in Resilience4j.
    pub const fn limit_for_period(mut self, permits: u32) -> Self {
        self.config.limit_for_period = permits;
        self
    }

    /// The length of a period. Where there are cycles, the first begins with the limiter's creation.
    ///
    /// Range: 1 ns to about 292 years. Default: 500 ns, as in Resilience4j: that limits to a hundred
    /// million calls a second, so set it.
    pub const fn limit_refresh_period(mut self, period: Duration) -> Self {
        self.config.limit_refresh_period = period;
        self
    }

    /// A call waits at most so long for its permission; one that would have to wait longer is refused
    /// at once.
    ///
    /// Range: from 0, which never waits, to [`Duration::MAX`], which is no bound; more than 292 years
    /// count as that. Default: 5 s, as in Resilience4j.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// How permissions are given out. Default: [`RateLimiterAlgorithm::Cycles`], as in Resilience4j.
    pub const fn algorithm(mut self, algorithm: RateLimiterAlgorithm) -> Self {
        self.config.algorithm = algorithm;
        self
    }

    /// Looks at every verdict on a call, and says whether what could be had now is to be given
    /// up. A verdict that [asks for that itself](Verdict::drains) needs no such function.
    ///
    /// Called outside every lock. Default: none, as in Resilience4j.
    pub fn drain_on(mut self, drain: impl Fn(&Verdict) -> bool + Send + Sync + 'static) -> Self {
        self.config.drain_on = Some(Arc::new(drain));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting out of range, its value and the range.
    pub fn build(self) -> Result<RateLimiterConfig, ConfigError> {
        check_limit(self.config.algorithm, self.config.limit_for_period)?;
        if let RateLimiterAlgorithm::TokenBucket { burst } = self.config.algorithm {
            settings::number("burst", burst.into(), 1..=u32::MAX.into())?;
        }
        let period = self.config.limit_refresh_period;
        settings::at_least("limit_refresh_period", period, Duration::from_nanos(1))?;
        let most = Duration::from_nanos(i64::MAX as u64);
        if period > most {
            return Err(ConfigError::new(
                "limit_refresh_period",
                format_args!("{period:?}"),
                format_args!("at most {most:?}"),
            ));
        }
        Ok(self.config)
    }
}

pub(super) fn check_limit(algorithm: RateLimiterAlgorithm, limit: u32) -> Result<(), ConfigError> {
    let most = match algorithm {
        RateLimiterAlgorithm::SlidingWindow => LONGEST_LOG,
        _ => u32::MAX.into(),
    };
    settings::number("limit_for_period", limit.into(), 1..=most)
}
