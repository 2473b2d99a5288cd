use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x5ea_4a11),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn sum<'a>(calls: impl IntoIterator<Item = &'a Measurement>) -> Totals {
    let mut sum = Totals::default();
    for call in calls {
        sum.calls += 1;
        sum.failed += u32::from(call.failed);
        sum.slow += u32::from(call.slow);
        sum.slow_failed += u32::from(call.failed && call.slow);
        sum.millis += call.elapsed.as_millis() as u64;
    }
    sum
}

fn measurement() -> impl Strategy<Value = Measurement> {
    (any::<bool>(), any::<bool>(), 0..100_000_u64).prop_map(|(failed, slow, micros)| Measurement {
        failed,
        slow,
        elapsed: Duration::from_micros(micros),
    })
}

fn slices() -> impl Strategy<Value = Slices> {
    prop_oneof![
        Just(Slices::FromStart),
        (0..3_000_000_000_u64).prop_map(|nanos| Slices::Grid(Duration::from_nanos(nanos))),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Record(Measurement),
    Look,
    Forward(Duration),
    Back(Duration),
}

fn step(back: u32) -> impl Strategy<Value = Step> {
    let span = |most: u64| (0..=most).prop_map(Duration::from_millis);
    prop_oneof![
        6 => measurement().prop_map(Step::Record),
        2 => Just(Step::Look),
        4 => span(1500).prop_map(Step::Forward),
        2 => (0..5_u64).prop_map(|seconds| Step::Forward(SECOND * seconds as u32)),
        1 => span(30_000).prop_map(Step::Forward),
        back => span(4000).prop_map(Step::Back),
    ]
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn a_count_window_is_the_sum_of_its_last_calls(
        size in 1..140_u32,
        durations: bool,
        calls in prop::collection::vec(measurement(), 0..400),
    ) {
        let mut window = CountWindow::new(size, durations);
        let mut model = VecDeque::new();
        for call in calls {
            window.record(call);
            model.push_back(call);
            if model.len() > size as usize {
                model.pop_front();
            }
            let mut expected = sum(&model);
            if !durations {
                expected.millis = 0;
            }
            prop_assert_eq!(window.totals(), expected);
        }
    }

    /// Also when the clock steps back: then the calls go to the newest slice.
    #[test]
    fn a_time_window_is_the_sum_of_its_slices(
        seconds in 1..8_u32,
        slices in slices(),
        steps in prop::collection::vec(step(2), 0..150),
    ) {
        let created = Instant::now() + Duration::from_secs(3600);
        let mut now = created;
        let mut window = TimeWindow::new(seconds, slices, now);
        let phase = match slices {
            Slices::FromStart => Duration::ZERO,
            Slices::Grid(phase) => phase,
        };
        let mut zero = created;
        let mut model: BTreeMap<u64, Vec<Measurement>> = BTreeMap::new();
        let mut head = phase.as_secs();
        for step in steps {
            match &step {
                Step::Forward(span) => now += *span,
                Step::Back(span) => now -= *span,
                Step::Record(_) | Step::Look => {}
            }
            if let Step::Forward(_) | Step::Back(_) = step {
                continue;
            }
            let second = (now.saturating_duration_since(zero) + phase).as_secs();
            if slices == Slices::FromStart && second > head + u64::from(seconds) {
                model.clear();
                (zero, head) = (now, 0);
            }
            head = head.max((now.saturating_duration_since(zero) + phase).as_secs());
            if let Step::Record(call) = step {
                window.record(now, call);
                model.entry(head).or_default().push(call);
            }
            let first = (head + 1).saturating_sub(seconds.into());
            prop_assert_eq!(window.totals(now), sum(model.range(first..).flat_map(|(_, calls)| calls)));
        }
    }

    /// Whatever the slices: a call is there for a second less than the window and gone after it.
    #[test]
    fn a_time_window_forgets_in_its_last_second(
        seconds in 1..8_u32,
        slices in slices(),
        steps in prop::collection::vec(step(0), 0..150),
    ) {
        let mut now = Instant::now();
        let mut window = TimeWindow::new(seconds, slices, now);
        let mut calls = Vec::new();
        for step in steps {
            match step {
                Step::Forward(span) | Step::Back(span) => now += span,
                Step::Record(call) => {
                    window.record(now, call);
                    calls.push((now, call));
                }
                Step::Look => {}
            }
            let since = |age: Duration| {
                sum(calls.iter().filter(|(at, _)| now - *at < age).map(|(_, call)| call))
            };
            let (least, most) = (since(SECOND * (seconds - 1)), since(SECOND * seconds));
            let totals = window.totals(now);
            prop_assert!(least.calls <= totals.calls && totals.calls <= most.calls);
            prop_assert!(least.failed <= totals.failed && totals.failed <= most.failed);
            prop_assert!(least.slow <= totals.slow && totals.slow <= most.slow);
        }
    }

    #[test]
    fn runs_are_what_the_last_calls_have_in_common(
        calls in prop::collection::vec(measurement(), 0..60),
    ) {
        let mut runs = Runs::default();
        for last in 1..=calls.len() {
            runs.record(calls[last - 1]);
            let run = |counts: fn(&&Measurement) -> bool| {
                calls[..last].iter().rev().take_while(counts).count() as u32
            };
            let totals = runs.totals();
            prop_assert_eq!(totals.failed, run(|call| call.failed));
            prop_assert_eq!(totals.slow, run(|call| call.slow));
            prop_assert_eq!(totals.slow_failed, run(|call| call.failed && call.slow));
        }
    }
}

/// Before that moment one look at the clock is enough.
#[test]
fn a_slice_ends_where_the_next_one_begins() {
    let start = Instant::now();
    let ms = Duration::from_millis;
    let mut window = TimeWindow::new(3, Slices::Grid(ms(1300)), start);
    assert_eq!(window.head_ends, start + ms(700));
    window.totals(start + ms(1800));
    assert_eq!(window.head_ends, start + ms(2700));
}

/// More calls than 32 bits can count: as many as there is room for, and no panic.
#[test]
fn a_time_window_that_is_full_to_the_brim_takes_no_more() {
    let start = Instant::now();
    let mut window = TimeWindow::new(3, Slices::FromStart, start);
    let brim = Totals { calls: u32::MAX - 2, failed: u32::MAX - 2, ..Totals::default() };
    window.slices[0] = brim;
    window.totals = brim;
    let failure = Measurement { failed: true, ..Measurement::default() };
    for _ in 0..5 {
        window.record(start + SECOND, failure);
    }
    let totals = window.totals(start + SECOND);
    assert_eq!((totals.calls, totals.failed), (u32::MAX, u32::MAX));
    let totals = window.totals(start + SECOND * 3);
    assert_eq!((totals.calls, totals.failed), (2, 2));
    window.record(start + SECOND * 3, failure);
    assert_eq!(window.totals(start + SECOND * 3).calls, 3);
    assert_eq!(window.totals(start + SECOND * 6), Totals::default());
}

#[test]
fn nor_does_one_that_is_full_of_nothing_but_successes() {
    let start = Instant::now();
    let mut window = TimeWindow::new(3, Slices::FromStart, start);
    window.slices[0].calls = u32::MAX - 1;
    window.totals.calls = u32::MAX - 1;
    for _ in 0..2 {
        assert!(window.record_plain_success(start));
        assert_eq!(window.totals(start).calls, u32::MAX);
    }
}

#[test]
fn rates_are_those_of_32_bit_floats() {
    let rate = |part, calls| {
        let totals = Totals { calls, failed: part, ..Totals::default() };
        let slow = Totals { calls, slow: part, ..Totals::default() };
        assert_eq!(totals.failure_rate(), slow.slow_call_rate());
        totals.failure_rate()
    };
    assert_eq!(rate(0, 0), 0.0);
    assert_eq!(rate(1, 3), 33.333_332);
    assert_eq!(rate(2, 3), 66.666_664);
    assert_eq!(rate(u32::MAX, u32::MAX), 100.0);
}
