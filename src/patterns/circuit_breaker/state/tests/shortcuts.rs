//! The short ways past the core's long ones.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::*;
use super::{MS, window};
use crate::patterns::circuit_breaker::gate::{Gate, Shown, Tally};
use crate::patterns::circuit_breaker::{CircuitBreakerConfigBuilder as Builder, SlidingWindow};

fn core(configure: impl FnOnce(Builder) -> Builder, now: Instant) -> Core {
    let config = configure(CircuitBreakerConfig::builder()).build().unwrap();
    Core::new(config.into(), Slices::FromStart, now)
}

/// What needs only to be counted is not brought before the core, which has a lock around it.
#[test]
fn successes_take_the_short_way_until_something_else_happens() {
    let now = Instant::now();
    let out = &mut Outbox::open();
    let failure = Ending { failure: Some(Cause::Other), elapsed: MS, open: None };
    for (window, counts, clocks) in [
        (SlidingWindow::Count(4), true, false),
        (SlidingWindow::Consecutive(4), true, false),
        (SlidingWindow::Time { seconds: 4 }, false, true),
    ] {
        let mut core = core(|config| config.sliding_window(window), now);
        let ways = |core: &mut Core| {
            let generation = core.generation();
            assert!(!core.record_plain_success(now, generation + 1));
            (core.tallies_successes(), core.record_plain_success(now, generation))
        };
        assert!(core.lets_all_pass());
        assert_eq!(ways(&mut core), (counts, clocks), "{window:?}");
        core.record(now, core.generation(), failure, out);
        assert_eq!(ways(&mut core), (false, false), "{window:?}");
        core.transition(now, State::MetricsOnly, None, out).unwrap();
        assert_eq!(ways(&mut core), (counts, false), "{window:?}");
        core.transition(now, State::Disabled, None, out).unwrap();
        assert_eq!(ways(&mut core), (true, false), "{window:?}");
        for refuses in [State::ForcedOpen, State::HalfOpen] {
            core.transition(now, refuses, None, out).unwrap();
            assert!(!core.lets_all_pass());
            assert_eq!(ways(&mut core), (false, false), "{refuses:?}");
        }
    }
    let asks = core(|config| config.transition_on_result(|_| None), now);
    assert!(!asks.tallies_successes());
}

/// Where a timer has to be looked after, each call does that.
#[test]
fn refusals_take_the_short_way_where_there_is_no_timer() {
    let now = Instant::now();
    for automatic in [false, true] {
        let configure = |config: Builder| {
            config.automatic_transition_from_open_to_half_open(automatic).initial_state(State::Open)
        };
        let mut core = core(configure, now);
        assert_eq!((core.refuses_until(), core.due()), (None, None));
        core.set_wait(core.generation(), MS);
        let until = Some(now + MS);
        let expected = if automatic { (None, until) } else { (until, None) };
        assert_eq!((core.refuses_until(), core.due()), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    /// The short ways to record a success may only be taken where the long one does the same.
    #[test]
    fn a_plain_success_is_a_success(
        window in window(),
        initial in prop::sample::select(&[State::Closed, State::MetricsOnly, State::Disabled][..]),
        calls in prop::collection::vec((0..4_u32, 0..400_u64, any::<bool>()), 1..200),
    ) {
        let config = CircuitBreakerConfig::builder()
            .sliding_window(window)
            .minimum_number_of_calls(3)
            .slow_call_duration_threshold(MS * 2)
            .initial_state(initial)
            .build()
            .unwrap();
        let mut now = Instant::now();
        let mut long = Core::new(config.clone().into(), Slices::FromStart, now);
        let mut short = Core::new(config.into(), Slices::FromStart, now);
        let mut tally = 0;
        for (elapsed, pause, succeeds) in calls {
            now += MS * u32::try_from(pause).unwrap();
            let elapsed = MS * elapsed;
            // Successes by far, so that windows without a failure come about.
            let failure = (!succeeds && pause % 8 == 0).then_some(Cause::Other);
            let ending = Ending { failure, elapsed, open: None };
            let generation = long.generation();
            let out = &mut Outbox::open();
            long.record(now, generation, ending, out);
            let plain = failure.is_none() && elapsed <= MS * 2;
            if plain && short.tallies_successes() {
                tally += 1;
            } else if !(plain && short.record_plain_success(now, generation)) {
                short.credit_successes(std::mem::take(&mut tally));
                short.record(now, generation, ending, out);
            }
            // What is tallied must also add up over several calls.
            if pause % 4 == 0 {
                short.credit_successes(std::mem::take(&mut tally));
                prop_assert_eq!(long.metrics(now), short.metrics(now));
                prop_assert_eq!(long.counters(), short.counters());
            }
            prop_assert_eq!(
                (long.state(), long.generation()),
                (short.state(), short.generation())
            );
        }
    }

    /// A refusal that is only counted says and leaves behind what one by the core does.
    #[test]
    fn a_counted_refusal_is_a_refusal(
        (wait, automatic) in (1..50_u64, any::<bool>()),
        pauses in prop::collection::vec(0..20_u64, 1..20),
    ) {
        let config = CircuitBreakerConfig::builder()
            .automatic_transition_from_open_to_half_open(automatic)
            .build()
            .unwrap();
        let mut now = Instant::now();
        let gate = Gate::new(now);
        let mut long = Core::new(config.clone().into(), Slices::FromStart, now);
        let mut short = Core::new(config.into(), Slices::FromStart, now);
        let open = Some(OpenFor::Span(MS * u32::try_from(wait).unwrap()));
        for core in [&mut long, &mut short] {
            core.transition(now, State::Open, open, &mut Outbox::open()).unwrap();
        }
        for pause in pauses {
            now += MS * u32::try_from(pause).unwrap();
            gate.show(Shown {
                generation: short.generation(),
                passes: short.lets_all_pass(),
                is_timed: false,
                tallies: false,
                refuses_until: short.refuses_until(),
            });
            let counted = gate.count_refusal(now);
            match gate.close() {
                Some(Tally::Refusals(count)) => short.credit_refusals(count),
                other => prop_assert_eq!(other, None),
            }
            let out = &mut Outbox::open();
            let expected = long.try_acquire(now, out);
            let found = match counted {
                Some(left) => Err(Refusal { state: State::Open, retry_after: Some(left) }),
                None => short.try_acquire(now, out),
            };
            prop_assert_eq!(expected, found);
            prop_assert_eq!(long.counters(), short.counters());
            prop_assert_eq!(long.metrics(now), short.metrics(now));
        }
    }
}
