//! Of the time limiter.

use std::future::pending;
use std::io;

use seawall::patterns::time_limiter::Metrics;
use seawall::{TimeLimitScope, TimeLimiter, TimeLimiterConfig};
use tokio::time::advance;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn rg9_a_time_limiter_keeps_its_counters_and_observers_and_a_call_under_way_its_limit() {
    let limiter = TimeLimiter::with_defaults("inventory");
    let heard = Heard::default();
    limiter.observe(heard.observer());
    limiter.call(async { Ok::<_, io::Error>(()) }).await.unwrap();
    let hung = || Box::pin(limiter.call(pending::<Result<(), io::Error>>()));
    let mut early = hung();
    assert!(peek(&mut early).is_pending());
    let config = TimeLimiterConfig::builder().timeout(ms(100)).scope(TimeLimitScope::WholeBody);
    let config = config.build().unwrap();
    limiter.update(config);
    assert_eq!(limiter.config(), config);
    let mut late = hung();
    assert!(peek(&mut late).is_pending());
    advance(ms(100)).await;
    assert!(peek(&mut late).is_ready());
    assert!(peek(&mut early).is_pending(), "its limit is a second");
    advance(ms(900)).await;
    assert!(peek(&mut early).is_ready());
    let Metrics { success, error, timeout, .. } = limiter.metrics();
    assert_eq!((success, error, timeout, heard.events()), (1, 0, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_limiter_that_must_not_cancel_refuses_from_the_next_call_on() {
    let limiter = TimeLimiter::with_defaults("inventory");
    let mut early = Box::pin(limiter.call(pending::<Result<(), io::Error>>()));
    assert!(peek(&mut early).is_pending());
    limiter.update(TimeLimiterConfig::builder().cancel_running_future(false).build().unwrap());
    let refused = limiter.call(async { Ok::<_, io::Error>(()) }).await.unwrap_err();
    assert!(refused.is_refusal());
    limiter.call_detached(async { Ok::<_, io::Error>(()) }).await.unwrap();
    advance(s(1)).await;
    assert!(peek(&mut early).is_ready(), "the one before is cancelled all the same");
}
