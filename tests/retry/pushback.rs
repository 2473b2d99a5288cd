//! RT19 in the safe settings: a server's wish is obeyed, and not by all callers in the same moment.

use std::time::Duration;

use proptest::prelude::*;
use seawall::patterns::retry::Next;
use seawall::{Backoff, Cause, Random, Retry, RetryConfig, RetryConfigBuilder, Verdict};

use crate::support::ms;

fn asking(wait: Duration) -> Verdict {
    Verdict::failure(Cause::Status(503)).with_retry_after(Some(wait))
}

/// The first waits of many calls that are all asked for the same pause.
fn waits(config: RetryConfigBuilder, asked: Duration) -> Vec<Duration> {
    let config = config.random(Random::seeded(11)).budget(Default::default()).build().unwrap();
    let retry = Retry::new("inventory", config);
    let wait = |_| match retry.start().record_response(&asking(asked)) {
        Next::Wait(wait) => wait,
        other => panic!("{other:?}"),
    };
    (0..5000).map(wait).collect()
}

fn bounds(waits: &[Duration]) -> (Duration, Duration) {
    (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
}

#[test]
fn rt19_the_safe_settings_come_back_a_fifth_later_at_most_and_never_earlier() {
    let waits = waits(RetryConfig::safe(), ms(2000));
    let (min, max) = bounds(&waits);
    assert!((ms(2000)..ms(2005)).contains(&min), "{min:?}");
    assert!((ms(2395)..=ms(2400)).contains(&max), "{max:?}");
    let mean = waits.iter().sum::<Duration>() / 5000;
    assert!(mean.abs_diff(ms(2200)) < ms(5), "{mean:?}");
}

#[test]
fn rt19_the_safe_settings_keep_to_their_cap() {
    assert_eq!(bounds(&waits(RetryConfig::safe(), ms(31_000))), (ms(30_000), ms(30_000)));
    assert_eq!(bounds(&waits(RetryConfig::safe(), Duration::MAX)), (ms(30_000), ms(30_000)));
    let (min, max) = bounds(&waits(RetryConfig::safe(), ms(28_000)));
    assert!(min < ms(28_010) && max == ms(30_000), "{min:?} {max:?}");
}

#[test]
fn rt19_asked_for_no_pause_the_safe_settings_wait_as_long_as_their_backoff() {
    let waits = waits(RetryConfig::safe(), Duration::ZERO);
    let (min, max) = bounds(&waits);
    assert!(min < ms(1) && (ms(99)..=ms(100)).contains(&max), "{min:?} {max:?}");
    let mean = waits.iter().sum::<Duration>() / 5000;
    assert!(mean.abs_diff(ms(50)) < ms(3), "{mean:?}");
}

#[test]
fn rt19_without_a_spread_it_is_exactly_as_asked() {
    let config = || RetryConfig::builder().max_retry_after(ms(5000));
    for (asked, wait) in [(ms(0), ms(0)), (ms(2000), ms(2000)), (ms(9000), ms(5000))] {
        assert_eq!(bounds(&waits(config(), asked)), (wait, wait));
    }
}

#[test]
fn rt19_a_spread_without_a_cap_has_nothing_to_spread() {
    let config = RetryConfig::builder().retry_after_spread(1.0);
    assert_eq!(bounds(&waits(config, ms(9000))), (ms(500), ms(500)));
}

#[test]
fn rt19_a_backoff_that_gives_up_wins_over_a_server_that_asks() {
    let settings =
        RetryConfig::builder().max_retry_after(ms(5000)).backoff(Backoff::custom(|_| None));
    let next = |settings: RetryConfigBuilder| {
        let retry = Retry::new("inventory", settings.build().unwrap());
        retry.start().record_response(&asking(ms(10)))
    };
    assert_eq!(next(settings.clone()), Next::Wait(ms(10)), "it is not asked");
    assert_eq!(next(settings.retry_after_spread(0.1)), Next::Done);
}

#[test]
fn the_spread_has_its_range() {
    for share in [-0.1, 1.1, f64::NAN] {
        let error = RetryConfig::builder().retry_after_spread(share).build().unwrap_err();
        assert_eq!(error.key(), "retry_after_spread");
    }
}

proptest! {
    #[test]
    fn rt19_never_earlier_than_asked_nor_later_than_the_cap(
        asked in prop_oneof![Just(Duration::MAX), (0..100_000_u64).prop_map(ms)],
        cap in prop_oneof![Just(Duration::MAX), (0..100_000_u64).prop_map(ms)],
        share in 0.0..=1.0,
        seed in any::<u64>(),
    ) {
        let config = RetryConfig::builder()
            .backoff(Backoff::fixed(ms(0)))
            .max_retry_after(cap)
            .retry_after_spread(share)
            .random(Random::seeded(seed));
        let retry = Retry::new("inventory", config.build().unwrap());
        let next = retry.start().record_response(&asking(asked));
        let Next::Wait(wait) = next else { panic!("{next:?}") };
        prop_assert!(wait >= asked.min(cap) && wait <= cap, "{wait:?}");
    }
}
