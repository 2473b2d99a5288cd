//! The formulas of Polly, failsafe-go, AWS, Smithy and tower, with their own numbers.

use std::time::Duration;

use seawall::{Backoff, Random, RetryConfig, Waits};

use crate::support::{assert_even, call, context, mean, ms, refused, rolled, wait, waits};

const ROLLS: usize = 20_000;

// ## Polly

#[test]
fn bo8_pollys_constant_linear_and_exponential_waits() {
    let second = ms(1000);
    assert_eq!(waits(&Backoff::fixed(second)), [1000, 1000, 1000]);
    assert_eq!(waits(&Backoff::linear(second, second)), [1000, 2000, 3000]);
    assert_eq!(waits(&Backoff::geometric(second, 2.0)), [1000, 2000, 4000]);
    let default = ms(2000);
    assert_eq!(waits(&Backoff::geometric(default, 2.0)), [2000, 4000, 8000, 16_000]);
    assert_eq!(waits(&Backoff::geometric(second, 2.0).capped(ms(3000))), [1000, 2000, 3000, 3000]);
}

#[test]
fn bo8_pollys_jitter_of_a_quarter_either_way() {
    let constant = Backoff::fixed(ms(1000)).jitter_factor(0.25);
    assert_even(&rolled(&constant, 1, ROLLS), ms(750), ms(1250));
    let linear = Backoff::linear(ms(1000), ms(1000)).jitter_factor(0.25);
    assert_even(&rolled(&linear, 3, ROLLS), ms(2250), ms(3750));
}

#[test]
fn bo8_pollys_cap_comes_after_the_jitter() {
    let backoff = Backoff::linear(ms(1000), ms(1000)).jitter_factor(0.25).capped(ms(3000));
    assert!(rolled(&backoff, 4, 1000).iter().all(|wait| *wait == ms(3000)), "3 to 5 s, cut");
    let least = rolled(&backoff, 3, 1000).into_iter().min().unwrap();
    assert!((ms(2250)..ms(2300)).contains(&least), "{least:?}");
}

#[test]
fn bo8_pollys_smooth_jitter_doubles_in_the_long_run() {
    // The sum of the first n waits is base / 1.4 times a point of the curve between n - 1 and n.
    let curve = |t: f64| t.exp2() * (4.0 * t).sqrt().tanh() / 1.4;
    let random = Random::seeded(5);
    let backoff = Backoff::smooth(ms(1000));
    let calls: Vec<_> = (0..ROLLS).map(|_| call(&backoff, &random, 8)).collect();
    for n in 1..=8_usize {
        let sums = calls.iter().map(|waits| waits[..n].iter().sum::<Duration>());
        let sums: Vec<_> = sums.collect();
        let (least, most) = (curve(n as f64 - 1.0), curve(n as f64));
        let bounds = Duration::from_secs_f64(least)..=Duration::from_secs_f64(most);
        assert!(sums.iter().all(|sum| bounds.contains(sum)), "{n}");
        let (min, max) = (sums.iter().min().unwrap(), sums.iter().max().unwrap());
        let near = (most - least) / 50.0;
        assert!(min.as_secs_f64() < least + near && max.as_secs_f64() > most - near, "{n}");
    }
    let firsts: Vec<_> = calls.iter().map(|waits| waits[0]).collect();
    let mut sorted = firsts.clone();
    sorted.sort();
    let median = sorted[ROLLS / 2];
    assert!((ms(850)..ms(1050)).contains(&median), "`base` is about the first median: {median:?}");
}

#[test]
fn bo8_pollys_smooth_jitter_to_the_digit() {
    // t = 0 + r0, then 1 + r1: worked out by hand from the dice.
    let dice = Random::seeded(9);
    let (r0, r1) = (dice.fraction(), dice.fraction());
    let x = |t: f64| 2_f64.powf(t) * (4.0 * t).sqrt().tanh();
    let expected = [x(r0) / 1.4, (x(1.0 + r1) - x(r0)) / 1.4];
    let waits = call(&Backoff::smooth(ms(2000)), &Random::seeded(9), 2);
    for (wait, expected) in waits.iter().zip(expected) {
        assert!((wait.as_secs_f64() - 2.0 * expected).abs() < 1e-6, "{wait:?} {expected}");
    }
}

/// By itself, or after another try was left out, a wait begins where the one before it ends on average.
#[test]
fn a_smooth_wait_by_itself_begins_in_the_middle_of_the_one_before() {
    let x = |t: f64| 2_f64.powf(t) * (4.0 * t).sqrt().tanh();
    let backoff = Backoff::smooth(ms(1000));
    let assert_from = |wait: Duration, attempt: u32, from: f64, die: f64| {
        let expected = (x(f64::from(attempt) - 1.0 + die) - x(from)) / 1.4;
        assert!((wait.as_secs_f64() - expected).abs() < 1e-6, "{attempt}: {wait:?} {expected}");
    };
    let die = Random::seeded(1).fraction();
    for (attempt, from) in [(1, 0.0), (2, 0.5), (3, 1.5), (7, 5.5)] {
        assert_from(wait(&backoff, attempt), attempt, from, die);
    }
    let (mut waits, random, dice) = (Waits::default(), Random::seeded(3), Random::seeded(3));
    for (attempt, from) in [(1, 0.0), (3, 1.5), (3, 1.5), (5, 3.5)] {
        let wait = waits.next(&backoff, &context(attempt), &random).unwrap();
        assert_from(wait, attempt, from, dice.fraction());
    }
}

#[test]
fn bo8_pollys_smooth_jitter_that_overflows_is_the_cap() {
    for attempt in [100, 1024, 1025, 2000, u32::MAX] {
        assert_eq!(wait(&Backoff::smooth(ms(1)).capped(ms(7000)), attempt), ms(7000));
        assert_eq!(wait(&Backoff::smooth(ms(1)), attempt), ms(u64::MAX));
    }
}

// ## failsafe-go

#[test]
fn failsafes_backoff_starts_with_the_delay_and_multiplies() {
    let backoff = |factor| Backoff::geometric(ms(100), factor).capped(ms(1000));
    assert_eq!(waits(&backoff(2.0)), [100, 200, 400, 800, 1000, 1000]);
    assert_eq!(waits(&backoff(1.5)), [100, 150, 225, 337, 506, 759]);
    // To the nanosecond, unlike `exponential`.
    let micros = Backoff::geometric(Duration::from_micros(3), 1.5);
    assert_eq!([1, 2, 3].map(|n| wait(&micros, n).as_nanos()), [3000, 4500, 6750]);
    assert_eq!(wait(&Backoff::geometric(ms(500), 1.5), 4).as_micros(), 1_687_500);
}

#[test]
fn failsafes_jitter_by_a_span() {
    let backoff = Backoff::fixed(ms(1000)).jitter(ms(300));
    assert_even(&rolled(&backoff, 1, ROLLS), ms(700), ms(1300));
    // No wait is below nothing.
    let waits = rolled(&Backoff::fixed(ms(10)).jitter(ms(100)), 1, ROLLS);
    assert!(waits.contains(&Duration::ZERO) && waits.iter().all(|wait| *wait <= ms(110)));
}

#[test]
fn failsafes_jitter_by_a_factor() {
    let backoff = Backoff::geometric(ms(100), 2.0).jitter_factor(0.1);
    assert_even(&rolled(&backoff, 3, ROLLS), ms(360), ms(440));
}

#[test]
fn failsafes_jitter_to_the_digit() {
    let fixed = Backoff::fixed(ms(1000));
    for backoff in [fixed.clone().jitter(ms(300)), fixed.jitter_factor(0.3)] {
        for seed in 0..10 {
            let expected = 1.0 + 0.3 * (1.0 - 2.0 * Random::seeded(seed).fraction());
            let wait = backoff.wait(&context(1), &Random::seeded(seed)).unwrap();
            assert!((wait.as_secs_f64() - expected).abs() < 1e-6, "{wait:?} {expected}");
        }
    }
}

#[test]
fn failsafes_jitter_comes_after_the_cap_and_never_exceeds_it() {
    for backoff in [
        Backoff::geometric(ms(100), 2.0).capped(ms(1000)).jitter_factor(0.1),
        Backoff::geometric(ms(100), 2.0).capped(ms(1000)).jitter(ms(100)),
    ] {
        let waits = rolled(&backoff, 30, ROLLS);
        let least = *waits.iter().min().unwrap();
        assert!((ms(900)..ms(905)).contains(&least), "{least:?}");
        assert_eq!(waits.iter().max(), Some(&ms(1000)));
        let cut = waits.iter().filter(|wait| **wait == ms(1000)).count();
        assert!((ROLLS * 48 / 100..ROLLS * 52 / 100).contains(&cut), "{cut}");
    }
}

#[test]
fn failsafes_jitter_leaves_a_delay_of_zero_alone() {
    let zero = Backoff::fixed(Duration::ZERO);
    for backoff in [zero.clone().jitter(ms(100)), zero.clone().jitter_factor(1.0)] {
        assert!(rolled(&backoff, 1, 100).iter().all(Duration::is_zero));
    }
}

#[test]
fn failsafes_random_delay_is_even_over_its_range() {
    assert_even(&rolled(&Backoff::uniform(ms(100), ms(300)), 7, ROLLS), ms(100), ms(300));
    // The upper end is not included.
    let one = Backoff::uniform(ms(5), ms(5) + Duration::from_nanos(1));
    assert!(rolled(&one, 1, 1000).iter().all(|wait| *wait == ms(5)));
    let two = Backoff::uniform(ms(5), ms(5) + Duration::from_nanos(2));
    assert_eq!(rolled(&two, 1, 1000).into_iter().max(), Some(ms(5) + Duration::from_nanos(1)));
}

// ## AWS and Smithy

#[test]
fn aws_exponential_waits_are_capped() {
    assert_eq!(waits(&Backoff::geometric(ms(50), 2.0).capped(ms(300))), [50, 100, 200, 300, 300]);
}

#[test]
fn bo7_equal_jitter_is_never_under_half() {
    let backoff = Backoff::equal_jitter(ms(100), ms(1000));
    for (attempt, envelope) in [(1, 100), (2, 200), (4, 800), (5, 1000), (u32::MAX, 1000)] {
        assert_even(&rolled(&backoff, attempt, ROLLS), ms(envelope / 2), ms(envelope));
    }
}

#[test]
fn bo7_smithys_wait_is_full_jitter() {
    // rand() · min(initial · 2^(attempts − 1), max), with 1 s and 20 s.
    let backoff = Backoff::full_jitter(ms(1000), ms(20_000));
    for (attempt, envelope) in [(1, 1000), (2, 2000), (5, 16_000), (6, 20_000)] {
        let waits = rolled(&backoff, attempt, ROLLS);
        assert_even(&waits, Duration::ZERO, ms(envelope));
        assert!(mean(&waits).abs_diff(ms(envelope / 2)) < ms(envelope / 50));
    }
}

#[test]
fn bo6_decorrelated_waits_stay_between_base_and_cap() {
    let random = Random::seeded(3);
    let backoff = Backoff::decorrelated(ms(100), ms(2000));
    let calls: Vec<_> = (0..2000).map(|_| call(&backoff, &random, 10)).collect();
    assert!(calls.iter().flatten().all(|wait| (ms(100)..=ms(2000)).contains(wait)));
    let nth = |n: usize| calls.iter().map(|waits| waits[n]).collect::<Vec<_>>();
    assert_even(&nth(0), ms(100), ms(300));
    assert!(nth(9).contains(&ms(2000)), "the cap is reached");
    for waits in &calls {
        assert!(waits.windows(2).all(|pair| pair[1] <= pair[0] * 3), "{waits:?}");
    }
    assert!(mean(&nth(5)) > mean(&nth(0)) * 2, "they grow");
}

#[test]
fn bo6_a_cap_below_the_base_wins() {
    assert!(
        call(&Backoff::decorrelated(ms(100), ms(50)), &Random::seeded(1), 9)
            .iter()
            .all(|wait| *wait == ms(50))
    );
}

// ## tower

#[test]
fn towers_backoff_adds_jitter_and_stays_below_its_cap() {
    let backoff = Backoff::geometric(ms(50), 2.0).capped(ms(1000)).lengthened(0.99);
    for (attempt, base) in [(1, 50), (2, 100), (4, 400)] {
        let waits = rolled(&backoff, attempt, ROLLS);
        assert_even(&waits, ms(base), ms(base) + ms(base * 99) / 100);
    }
    assert!(rolled(&backoff, 5, 1000).iter().all(|wait| (ms(800)..=ms(1000)).contains(wait)));
    assert_eq!(wait(&backoff, 40), ms(1000));
}

// ## All of them

#[test]
fn bo9_zero_stays_zero_with_any_type() {
    let (zero, cap) = (Duration::ZERO, ms(1000));
    let random = Random::seeded(1);
    for backoff in [
        Backoff::fixed(zero),
        Backoff::linear(zero, zero),
        Backoff::exponential(zero, 2.0),
        Backoff::geometric(zero, 2.0),
        Backoff::full_jitter(zero, cap),
        Backoff::equal_jitter(zero, cap),
        Backoff::decorrelated(zero, cap),
        Backoff::smooth(zero),
        Backoff::iterate(zero, |wait| wait * 2),
    ] {
        for backoff in [
            backoff.clone(),
            backoff.clone().jitter_factor(0.25),
            backoff.clone().jitter(ms(100)),
            backoff.clone().capped(cap).lengthened(0.99),
        ] {
            assert!(call(&backoff, &random, 50).iter().all(Duration::is_zero), "{backoff:?}");
            assert_eq!(wait(&backoff, u32::MAX), zero, "{backoff:?}");
        }
    }
}

#[test]
fn every_formula_can_be_printed_without_being_asked() {
    let (one, two) = (ms(1), ms(2));
    for (backoff, says) in [
        (Backoff::fixed(one), "Fixed(1ms)"),
        (Backoff::linear(one, two), "Linear { initial: 1ms, step: 2ms }"),
        (Backoff::exponential(one, 1.5), "Exponential { initial: 1ms, multiplier: 1.5 }"),
        (Backoff::geometric(one, 1.5), "Geometric { initial: 1ms, factor: 1.5 }"),
        (Backoff::full_jitter(one, two), "FullJitter { base: 1ms }"),
        (Backoff::equal_jitter(one, two), "EqualJitter { base: 1ms }"),
        (Backoff::decorrelated(one, two), "Decorrelated { base: 1ms }"),
        (Backoff::smooth(one), "Smooth { base: 1ms }"),
        (Backoff::uniform(one, two), "Uniform { least: 1ms, most: 2ms }"),
        (Backoff::iterate(one, |_| panic!("asked")), "Iterate { initial: 1ms, .. }"),
        (Backoff::sequence(|| -> [Duration; 0] { panic!("asked") }), "Sequence"),
        (Backoff::custom(|_| panic!("asked")), "Custom"),
    ] {
        let printed = format!("{backoff:?}");
        assert!(printed.contains(&format!(" {says},")), "{printed}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    assert!(refused(Backoff::geometric(ms(1), 0.0)).contains("factor 0"));
    assert!(refused(Backoff::geometric(ms(1), f64::INFINITY)).contains("inf"));
    assert!(refused(Backoff::uniform(ms(2), ms(2))).contains("from 2ms to 2ms"));
    assert!(refused(Backoff::fixed(ms(2)).jitter_factor(1.1)).contains("1.1"));
    assert!(refused(Backoff::fixed(ms(2)).lengthened(-0.1)).contains("-0.1"));
    assert!(refused(Backoff::equal_jitter(ms(2), Duration::ZERO)).contains("1ms"));
    let zero = Duration::ZERO;
    for fine in [
        Backoff::geometric(zero, 2.0),
        Backoff::decorrelated(zero, ms(1)),
        Backoff::smooth(zero),
        Backoff::uniform(zero, ms(1)),
        Backoff::fixed(zero).jitter_factor(1.0),
    ] {
        assert!(RetryConfig::builder().backoff(fine).build().is_ok());
    }
}
