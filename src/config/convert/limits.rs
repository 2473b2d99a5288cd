//! The settings of bulkheads, rate limiters and time limiters.

use super::{Converter, matchers};
use crate::config::document::Named;
use crate::config::model::{
    BulkheadSettings, RateLimiterSettings, ThreadPoolBulkheadSettings, TimeLimiterSettings,
};
use crate::config::read::model;
use crate::patterns::bulkhead::BulkheadConfig;
use crate::patterns::rate_limiter::{RateLimiterAlgorithm, RateLimiterConfig};
use crate::patterns::time_limiter::{TimeLimitScope, TimeLimiterConfig};

pub(in crate::config) fn bulkhead(to: &mut Converter<'_>, named: &Named) -> Option<BulkheadConfig> {
    let set: BulkheadSettings = model(&named.record);
    let mut builder = BulkheadConfig::builder();
    if let Some(calls) = set.max_concurrent_calls {
        builder = builder.max_concurrent_calls(calls);
    }
    if let Some(wait) = set.max_wait_duration {
        builder = builder.max_wait(wait);
    }
    if let Some(calls) = set.queue_capacity {
        builder = builder.queue_capacity(calls);
        let waits = set.max_wait_duration.is_some_and(|wait| !wait.is_zero());
        to.idle_unless(waits, &named.record, &["queue_capacity"], "it needs a maxWaitDuration");
    }
    if let Some(fair) = set.fair {
        builder = builder.fair(fair);
    }
    to.built(named, builder.build())
}

pub(in crate::config) fn thread_pool_bulkhead(
    to: &mut Converter<'_>,
    named: &Named,
) -> Option<BulkheadConfig> {
    let record = &named.record;
    let set: ThreadPoolBulkheadSettings = model(record);
    let mut builder = BulkheadConfig::thread_pool();
    if let Some(calls) = set.max_thread_pool_size.filter(|calls| *calls > 0) {
        builder = builder.max_concurrent_calls(calls);
    }
    if let Some(calls) = set.queue_capacity.and_then(|calls| u32::try_from(calls).ok()) {
        builder = builder.queue_capacity(calls);
    }
    if let Some(wait) = set.max_wait_duration {
        builder = builder.max_wait(wait);
    }
    if let Some(fair) = set.fair {
        builder = builder.fair(fair);
    }
    if let Some(idle) = set.keep_alive_duration {
        builder = builder.keep_alive(idle);
    }
    if let Some(core) = set.core_thread_pool_size.filter(|calls| *calls > 0) {
        let most = builder.build().map_or(u32::MAX, |config| config.max_concurrent_calls());
        if let Some(core_set) = record.get("core_thread_pool_size").filter(|_| core > most) {
            to.refuse(core_set, format!("from 0 to {most}, the maxThreadPoolSize"));
            return None;
        }
        let most = builder.build().map_or(u32::MAX, |config| config.max_concurrent_calls());
        if let Some(set) = record.get("core_thread_pool_size").filter(|_| core > most) {
            to.refuse(set, format!("at most {most}, the maxThreadPoolSize"));
            return None;
        }
        builder = builder.core_pool_size(core);
    }
    to.built(named, builder.build())
}

pub(in crate::config) fn rate_limiter(
    to: &mut Converter<'_>,
    named: &Named,
) -> Option<RateLimiterConfig> {
    let record = &named.record;
    let set: RateLimiterSettings = model(record);
    let mut builder = RateLimiterConfig::builder();
    if let Some(permits) = set.limit_for_period {
        builder = builder.limit_for_period(permits);
    }
    if let Some(period) = set.limit_refresh_period {
        builder = builder.limit_refresh_period(period);
    }
    if let Some(timeout) = set.timeout_duration {
        builder = builder.timeout(timeout);
    }
    let algorithm = set.algorithm.as_deref().unwrap_or("cycles");
    let has_burst = algorithm == "token_bucket";
    to.idle_unless(has_burst, record, &["burst"], "it needs the algorithm token_bucket");
    builder = builder.algorithm(match algorithm {
        "semaphore" => RateLimiterAlgorithm::Semaphore,
        "sliding_window" => {
            let limit = record.get("limit_for_period");
            if let Some(limit) =
                limit.filter(|_| set.limit_for_period.is_some_and(|limit| limit > 1_000_000))
            {
                to.refuse(limit, "from 1 to 1000000 with a sliding window");
            }
            RateLimiterAlgorithm::SlidingWindow
        }
        "token_bucket" => {
            if let (None, Some(algorithm)) = (set.burst, record.get("algorithm")) {
                let message = "token_bucket needs `burst`, which is not set";
                to.report.error(&algorithm.origin, &algorithm.path, message);
            }
            RateLimiterAlgorithm::TokenBucket { burst: set.burst.unwrap_or(1) }
        }
        _ => RateLimiterAlgorithm::Cycles,
    });
    let drain_on = matchers(record, "drain_on");
    if !drain_on.is_empty() {
        builder = builder.drain_on(move |verdict| {
            let cause = verdict.cause().filter(|_| verdict.is_failure());
            cause.is_some_and(|cause| drain_on.iter().any(|matcher| matcher.matches(cause)))
        });
    }
    to.built(named, builder.build())
}

pub(in crate::config) fn time_limiter(
    to: &mut Converter<'_>,
    named: &Named,
) -> Option<TimeLimiterConfig> {
    let set: TimeLimiterSettings = model(&named.record);
    let mut builder = TimeLimiterConfig::builder();
    if let Some(timeout) = set.timeout_duration {
        builder = builder.timeout(timeout);
    }
    if let Some(cancel) = set.cancel_running_future {
        builder = builder.cancel_running_future(cancel);
    }
    if set.scope.as_deref() == Some("whole_body") {
        builder = builder.scope(TimeLimitScope::WholeBody);
    }
    to.built(named, builder.build())
}
