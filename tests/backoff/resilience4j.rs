//! Resilience4j's formulas and AWS's full jitter.

use std::num::NonZeroU32;
use std::time::Duration;

use seawall::{Backoff, Random};

use crate::support::{context, ms, refused, rolled, wait, waits};

#[test]
fn bo1_there_is_no_attempt_0() {
    // The type of the attempt cannot hold it, and the first attempt waits the initial span.
    assert_eq!(NonZeroU32::new(0), None);
    assert_eq!(wait(&Backoff::fixed(ms(7)), 1), ms(7));
    assert_eq!(wait(&Backoff::linear(ms(7), ms(5)), 1), ms(7));
    assert_eq!(wait(&Backoff::exponential(ms(7), 2.0), 1), ms(7));
    let attempts = Backoff::custom(|context| Some(ms(context.attempt.get().into())));
    assert_eq!(waits(&attempts), [1, 2, 3]);
}

#[test]
fn bo1_numbers_out_of_range_are_refused_with_their_setting() {
    assert!(refused(Backoff::exponential(Duration::ZERO, 2.0)).contains("`open_wait`"));
    assert!(refused(Backoff::exponential(ms(1), -1.5)).contains("-1.5"));
    assert!(refused(Backoff::linear(Duration::ZERO, ms(1))).contains("1ms"));
    assert!(refused(Backoff::fixed(ms(10)).randomized(1.01)).contains("1.01"));
    assert!(refused(Backoff::fixed(Duration::ZERO).randomized(0.5)).contains("1ms"));
    assert!(refused(Backoff::fixed(ms(10)).capped(Duration::ZERO)).contains("1ms"));
}

#[test]
fn bo2_an_exponential_wait_is_cut_to_milliseconds_at_every_step() {
    assert_eq!(waits(&Backoff::exponential(ms(500), 1.5)), [500, 750, 1125, 1687, 2530]);
    let capped = Backoff::exponential(ms(100), 2.0).capped(ms(100_000));
    assert_eq!(waits::<12>(&capped)[8..], [25_600, 51_200, 100_000, 100_000]);
}

#[test]
fn bo2_a_linear_wait_grows_by_its_step() {
    assert_eq!(waits(&Backoff::linear(ms(100), ms(50))), [100, 150, 200, 250]);
    assert_eq!(waits(&Backoff::linear(ms(100), ms(50)).capped(ms(220))), [100, 150, 200, 220]);
}

#[test]
fn bo2_a_wait_may_shrink() {
    assert_eq!(waits(&Backoff::exponential(ms(5), 0.5)), [5, 2, 1, 0, 0]);
}

#[test]
fn bo3_a_randomized_wait_stays_in_its_bounds_and_reaches_both() {
    let waits = rolled(&Backoff::fixed(ms(100)).randomized(0.5), 1, 10_000);
    assert!(waits.iter().all(|wait| (ms(50)..ms(151)).contains(wait)));
    assert_eq!(waits.iter().min(), Some(&ms(50)));
    assert_eq!(waits.iter().max(), Some(&ms(150)));
    let mean = waits.iter().sum::<Duration>() / 10_000;
    assert!((ms(98)..ms(102)).contains(&mean), "{mean:?}");
}

#[test]
fn bo3_randomized_by_nothing_is_the_wait_itself() {
    assert!(
        rolled(&Backoff::fixed(ms(100)).randomized(0.0), 1, 1000).iter().all(|w| *w == ms(100))
    );
}

#[test]
fn bo3_a_randomized_wait_is_never_below_a_millisecond() {
    let waits = rolled(&Backoff::fixed(ms(1)).randomized(1.0), 1, 1000);
    assert!(waits.iter().all(|wait| (ms(1)..ms(3)).contains(wait)));
}

#[test]
fn bo3_the_same_seed_gives_the_same_waits() {
    let backoff = Backoff::exponential(ms(500), 1.5).randomized(0.5);
    assert_eq!(rolled(&backoff, 3, 10), rolled(&backoff, 3, 10));
    assert_ne!(rolled(&backoff, 3, 10)[0], rolled(&backoff, 3, 10)[1]);
}

#[test]
fn bo4_the_cap_holds_after_the_jitter() {
    let waits = rolled(&Backoff::fixed(ms(100)).randomized(0.5).capped(ms(120)), 1, 1000);
    assert_eq!(waits.iter().max(), Some(&ms(120)));
    assert_eq!(waits.iter().min(), Some(&ms(50)), "only what is too long is cut");

    // The formula goes beyond the cap before the jitter: most waits are cut, as in Resilience4j.
    let backoff = Backoff::exponential(ms(100), 2.0).randomized(0.5).capped(ms(1000));
    let waits = rolled(&backoff, 5, 1000);
    assert!(waits.iter().all(|wait| (ms(800)..=ms(1000)).contains(wait)));
    let capped = waits.iter().filter(|wait| **wait == ms(1000)).count();
    assert!((800..950).contains(&capped), "{capped}");
    let custom = Backoff::custom(|_| Some(Duration::MAX)).capped(ms(5));
    assert_eq!(wait(&custom, 1), ms(5));
}

#[test]
fn bo5_the_ten_thousandth_attempt_waits_the_cap() {
    for attempt in [10_000, 1_000_000, u32::MAX] {
        let exponential = |multiplier| Backoff::exponential(ms(100), multiplier).capped(ms(7000));
        assert_eq!(wait(&exponential(2.0), attempt), ms(7000));
        assert_eq!(wait(&exponential(1.5), attempt), ms(7000));
        assert_eq!(wait(&exponential(f64::MAX), attempt), ms(7000));
        assert_eq!(wait(&exponential(1.5).randomized(0.5), attempt), ms(7000));
        assert_eq!(
            wait(&Backoff::linear(ms(1), Duration::MAX).capped(ms(7000)), attempt),
            ms(7000)
        );
        assert!(wait(&Backoff::full_jitter(ms(100), ms(7000)), attempt) <= ms(7000));
    }
}

#[test]
fn bo5_without_a_cap_nothing_overflows() {
    let random = Random::seeded(1);
    for span in [ms(1), ms(u64::MAX), Duration::MAX] {
        for attempt in [1, 2, 33, 64, 65, 10_000, u32::MAX] {
            for backoff in [
                Backoff::fixed(span),
                Backoff::linear(span, span),
                Backoff::exponential(span, 1.5),
                Backoff::exponential(span, f64::MAX),
                Backoff::exponential(span, 1.000_001),
                Backoff::full_jitter(span, Duration::MAX),
                Backoff::custom(move |_| Some(span)),
            ] {
                for backoff in [backoff.clone(), backoff.clone().randomized(1.0)] {
                    assert!(backoff.wait(&context(attempt), &random).is_some());
                }
            }
        }
    }
    assert_eq!(wait(&Backoff::exponential(ms(100), 2.0), 10_000), ms(u64::MAX));
}

#[test]
fn bo7_full_jitter_spreads_from_zero_to_its_envelope() {
    let backoff = Backoff::full_jitter(ms(100), ms(1000));
    for (attempt, envelope) in [(1, ms(100)), (2, ms(200)), (4, ms(800)), (5, ms(1000))] {
        let waits = rolled(&backoff, attempt, 10_000);
        assert!(waits.iter().all(|wait| *wait <= envelope));
        let mean = waits.iter().sum::<Duration>() / 10_000;
        assert!((envelope * 49 / 100..envelope * 51 / 100).contains(&mean), "{mean:?}");
        assert!(waits.iter().any(|wait| *wait < envelope / 100));
        assert!(waits.iter().any(|wait| *wait > envelope * 99 / 100));
    }
}

#[test]
fn bo7_full_jitter_grows_up_to_its_cap_also_from_a_tiny_base() {
    let cap = Duration::from_secs(60);
    let waits = rolled(&Backoff::full_jitter(Duration::from_nanos(1), cap), 50, 1000);
    assert!(waits.iter().max().unwrap() > &Duration::from_secs(59));
}

#[test]
fn bo9_a_base_of_zero_stays_zero() {
    for attempt in [1, 2, 1000, u32::MAX] {
        assert_eq!(wait(&Backoff::fixed(Duration::ZERO), attempt), Duration::ZERO);
        assert_eq!(wait(&Backoff::full_jitter(Duration::ZERO, ms(1000)), attempt), Duration::ZERO);
    }
}

#[test]
fn a_custom_formula_can_give_up() {
    let backoff = Backoff::custom(|context| (context.attempt.get() < 3).then_some(ms(1)));
    let random = Random::seeded(1);
    for backoff in [backoff.clone(), backoff.clone().randomized(0.5), backoff.capped(ms(1))] {
        assert!(backoff.wait(&context(2), &random).is_some());
        assert_eq!(backoff.wait(&context(3), &random), None);
    }
}
