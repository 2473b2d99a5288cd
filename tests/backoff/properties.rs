//! What holds for every formula, whatever its numbers.

use std::time::Duration;

use proptest::prelude::*;
use seawall::{Backoff, Random, Waits};

use crate::support::context;

fn spans() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..=u64::MAX).prop_map(Duration::from_nanos),
        (0..=u64::MAX).prop_map(Duration::from_millis),
        (0..100_000_u64).prop_map(Duration::from_millis),
    ]
}

fn formulas() -> impl Strategy<Value = Backoff> {
    let factor = prop_oneof![Just(f64::MAX), Just(f64::MIN_POSITIVE), 0.01..10.0];
    (0..11_u8, spans(), spans(), factor).prop_map(|(kind, a, b, factor)| match kind {
        0 => Backoff::fixed(a),
        1 => Backoff::linear(a, b),
        2 => Backoff::exponential(a, factor),
        3 => Backoff::geometric(a, factor),
        4 => Backoff::full_jitter(a, Duration::MAX),
        5 => Backoff::equal_jitter(a, Duration::MAX),
        6 => Backoff::decorrelated(a, Duration::MAX),
        7 => Backoff::smooth(a),
        8 => Backoff::uniform(a, b),
        9 => Backoff::iterate(a, move |wait| wait.saturating_add(b)),
        _ => Backoff::sequence(move || std::iter::repeat(a)),
    })
}

fn with_jitter(backoff: Backoff, kind: u8, factor: f64, span: Duration) -> Backoff {
    match kind {
        0 => backoff.randomized(factor),
        1 => backoff.jitter_factor(factor),
        2 => backoff.jitter(span),
        3 => backoff.lengthened(factor * 100.0),
        _ => backoff,
    }
}

fn attempts() -> impl Strategy<Value = u32> {
    prop_oneof![1..20_u32, 1..=2000_u32, Just(u32::MAX)]
}

proptest! {
    #[test]
    fn bo4_no_wait_is_ever_longer_than_the_cap(
        backoff in formulas(),
        cap in spans(),
        jitter in 0..5_u8,
        factor in 0.0..=1.0,
        span in spans(),
        capped_first in any::<bool>(),
        first in attempts(),
        seed in any::<u64>(),
    ) {
        let backoff = if capped_first {
            with_jitter(backoff.capped(cap), jitter, factor, span)
        } else {
            with_jitter(backoff, jitter, factor, span).capped(cap)
        };
        let (random, mut waits) = (Random::seeded(seed), Waits::default());
        for attempt in first..=first.saturating_add(20) {
            let wait = waits.next(&backoff, &context(attempt), &random).unwrap();
            prop_assert!(wait <= cap, "{wait:?} > {cap:?}");
        }
    }

    #[test]
    fn bo5_nothing_overflows_without_a_cap(
        backoff in formulas(),
        jitter in 0..5_u8,
        factor in 0.0..=1.0,
        span in spans(),
        first in attempts(),
        seed in any::<u64>(),
    ) {
        let backoff = with_jitter(backoff, jitter, factor, span);
        let (random, mut waits) = (Random::seeded(seed), Waits::default());
        for attempt in first..=first.saturating_add(20) {
            prop_assert!(waits.next(&backoff, &context(attempt), &random).is_some());
        }
    }

    #[test]
    fn bo6_decorrelated_is_never_below_its_base(
        base in 0..10_000_u64, more in 0..1_000_000_u64, seed in any::<u64>(),
    ) {
        let [base, cap] = [base, base + more].map(Duration::from_millis);
        let backoff = Backoff::decorrelated(base, cap);
        let (random, mut waits) = (Random::seeded(seed), Waits::default());
        for attempt in 1..30 {
            let wait = waits.next(&backoff, &context(attempt), &random).unwrap();
            prop_assert!((base..=cap).contains(&wait), "{wait:?}");
        }
    }

    #[test]
    fn bo7_equal_jitter_is_never_under_half_of_its_envelope(
        base in 1..10_000_u64, cap in 1..1_000_000_u64, attempt in 1..40_u32, seed in any::<u64>(),
    ) {
        let [base, cap] = [base, cap].map(Duration::from_millis);
        let envelope = base.saturating_mul(1 << (attempt - 1).min(31)).min(cap);
        let wait = Backoff::equal_jitter(base, cap)
            .wait(&context(attempt), &Random::seeded(seed))
            .unwrap();
        prop_assert!((envelope / 2..=envelope).contains(&wait) || attempt > 32, "{wait:?}");
    }
}
