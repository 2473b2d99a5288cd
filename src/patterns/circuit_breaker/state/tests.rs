mod shortcuts;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::patterns::circuit_breaker::{Metrics, SlidingWindow};

const MS: Duration = Duration::from_millis(1);

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        Just(MS),
        (0..5000_u64).prop_map(Duration::from_millis),
        Just(Duration::from_secs(365 * 24 * 3600)),
        Just(Duration::MAX),
    ]
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::Disabled,
        State::MetricsOnly,
    ])
}

fn window() -> impl Strategy<Value = SlidingWindow> {
    prop_oneof![
        (1..20_u32).prop_map(SlidingWindow::Count),
        Just(SlidingWindow::Count(5000)),
        (1..6_u32).prop_map(|seconds| SlidingWindow::Time { seconds }),
        (1..5_u32).prop_map(SlidingWindow::Consecutive),
        Just(SlidingWindow::Consecutive(u32::MAX)),
    ]
}

prop_compose! {
    /// Anything that a builder lets through.
    fn config()(
        (failures, slow) in (0.001..=100.0_f32, 0.001..=100.0_f32),
        threshold in span(),
        window in window(),
        minimum in prop_oneof![1..8_u32, Just(u32::MAX)],
        trials in prop_oneof![1..5_u32, Just(1000_u32)],
        longest in span(),
        after_longest in prop::sample::select(vec![State::Open, State::Closed]),
        automatic: bool,
        initial in state(),
    ) -> CircuitBreakerConfig {
        CircuitBreakerConfig::builder()
            .failure_rate_threshold(failures)
            .slow_call_rate_threshold(slow)
            .slow_call_duration_threshold(threshold.max(Duration::from_nanos(1)))
            .sliding_window(window)
            .minimum_number_of_calls(minimum)
            .permitted_calls_in_half_open(trials)
            .max_wait_in_half_open(longest)
            .after_half_open_wait(after_longest)
            .automatic_transition_from_open_to_half_open(automatic)
            .initial_state(initial)
            .build()
            .unwrap()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Record(prop::sample::Index, bool, Duration, Option<OpenFor>),
    Ignore(prop::sample::Index),
    Release(prop::sample::Index),
    Forward(Duration),
    Back(Duration),
    Answer(Duration),
    Transition(State, Option<OpenFor>),
    Reset,
    Look,
}

fn open() -> impl Strategy<Value = Option<OpenFor>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(OpenFor::Usual)),
        1 => span().prop_map(|span| Some(OpenFor::Span(span))),
        1 => (0..5000_u64).prop_map(|millis| {
            Some(OpenFor::Until(Instant::now() + Duration::from_millis(millis)))
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let ticket = any::<prop::sample::Index>;
    let bounded = || span().prop_map(|span| span.min(Duration::from_secs(365 * 24 * 3600)));
    prop_oneof![
        12 => Just(Step::Acquire),
        8 => (ticket(), any::<bool>(), span(), open())
            .prop_map(|(ticket, failed, elapsed, open)| Step::Record(ticket, failed, elapsed, open)),
        2 => ticket().prop_map(Step::Ignore),
        2 => ticket().prop_map(Step::Release),
        4 => bounded().prop_map(Step::Forward),
        1 => (0..3000_u64).prop_map(|millis| Step::Back(Duration::from_millis(millis))),
        4 => span().prop_map(Step::Answer),
        2 => (state(), open()).prop_map(|(to, open)| Step::Transition(to, open)),
        1 => Just(Step::Reset),
        2 => Just(Step::Look),
    ]
}

/// A core, the calls that are under way, and what must hold at every moment.
struct Watched {
    core: Core,
    now: Instant,
    running: Vec<u64>,
    asked: u64,
    transitions: u64,
    out: Outbox<Event>,
}

impl Watched {
    fn new(config: CircuitBreakerConfig, slices: Slices) -> Self {
        let now = Instant::now() + Duration::from_secs(3600);
        let core = Core::new(config.into(), slices, now);
        Self { core, now, running: Vec::new(), asked: 0, transitions: 0, out: Outbox::open() }
    }

    fn take(&mut self, ticket: prop::sample::Index) -> Option<u64> {
        let running = self.running.len();
        (running > 0).then(|| self.running.swap_remove(ticket.index(running)))
    }

    fn apply(&mut self, step: &Step) {
        let (now, out) = (self.now, &mut self.out);
        match *step {
            Step::Acquire => {
                self.asked += 1;
                let passing = self.core.lets_all_pass();
                match self.core.try_acquire(now, out) {
                    Ok(generation) => {
                        assert_eq!(generation, self.core.generation());
                        self.running.push(generation);
                    }
                    Err(refusal) => {
                        assert!(!passing, "a state that lets all pass has refused");
                        assert_eq!(refusal.state, self.core.state());
                    }
                }
            }
            Step::Record(ticket, failed, elapsed, open) => {
                if let Some(generation) = self.take(ticket) {
                    let failure = failed.then_some(Cause::Other);
                    let ending = Ending { failure, elapsed, open };
                    self.report(generation, |core, now, out| {
                        core.record(now, generation, ending, out);
                    });
                }
            }
            Step::Ignore(ticket) => {
                if let Some(generation) = self.take(ticket) {
                    self.report(generation, |core, now, out| {
                        core.ignore(now, generation, (MS, Cause::Other), out);
                    });
                }
            }
            Step::Release(ticket) => {
                if let Some(generation) = self.take(ticket) {
                    self.report(generation, |core, now, out| core.release(now, generation, out));
                }
            }
            Step::Forward(span) => self.now += span,
            Step::Back(span) => self.now -= span,
            Step::Answer(wait) => {
                if let Some(wanted) = self.core.wanted() {
                    assert!(self.core.wanted().is_none(), "asked twice");
                    self.core.set_wait(wanted.generation, wait);
                }
            }
            Step::Transition(to, open) => {
                self.core.tick(now, out);
                let (from, generation) = (self.core.state(), self.core.generation());
                match self.core.transition(now, to, open, out) {
                    Ok(()) => assert!(self.core.generation() == generation + 1),
                    Err(state) => {
                        assert!(!from.can_go_to(to) && state == from);
                        assert_eq!(self.core.generation(), generation);
                    }
                }
            }
            Step::Reset => self.core.reset(now, out),
            Step::Look => self.core.tick(now, out),
        }
        self.check();
    }

    /// A report of an older state must leave everything but the lifetime counters as it is.
    fn report(
        &mut self,
        generation: u64,
        report: impl FnOnce(&mut Core, Instant, &mut Outbox<Event>),
    ) {
        self.core.tick(self.now, &mut self.out);
        let before = (generation != self.core.generation()).then(|| self.visible());
        report(&mut self.core, self.now, &mut self.out);
        if let Some(before) = before {
            assert_eq!(self.visible(), before, "a late report had an effect");
        }
    }

    fn visible(&mut self) -> (State, u64, Metrics, Option<u32>, Option<Instant>) {
        let permits = match self.core.mode {
            Mode::HalfOpen { permits, .. } => Some(permits),
            _ => None,
        };
        let metrics = self.core.metrics(self.now);
        (self.core.state(), self.core.generation(), metrics, permits, self.core.due())
    }

    fn check(&mut self) {
        let all = self.core.counters();
        let over = all.successful + all.failed + all.ignored + all.cancelled + all.not_permitted;
        assert_eq!(over + self.running.len() as u64, self.asked, "every call is counted once");
        assert!(all.late <= all.successful + all.failed);
        assert!(all.slow <= all.successful + all.failed);

        for (_, event) in std::mem::replace(&mut self.out, Outbox::open()) {
            if let Event::StateTransition { from, to } = event {
                assert_ne!(from, to);
                self.transitions += 1;
            }
        }
        assert_eq!(all.transitions, self.transitions);

        let metrics = self.core.metrics(self.now);
        assert!(metrics.failed_calls <= metrics.buffered_calls);
        assert!(metrics.slow_calls <= metrics.buffered_calls);
        assert!(metrics.slow_failed_calls <= metrics.failed_calls.min(metrics.slow_calls));
        for rate in [metrics.failure_rate, metrics.slow_call_rate] {
            assert!(rate == -1.0 || (0.0..=100.0).contains(&rate), "{rate}");
        }
        let generation = self.core.generation();
        if let Mode::HalfOpen { permits, .. } = self.core.mode {
            let trials = self.running.iter().filter(|ticket| **ticket == generation).count() as u32;
            let permitted = self.core.config.permitted_calls_in_half_open;
            assert_eq!(
                permits + trials + metrics.buffered_calls,
                permitted,
                "trials are lost or made"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        rng_seed: RngSeed::Fixed(0x5ea_4a11),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_calls_and_trials_add_up(
        config in config(),
        grid: bool,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let slices = if grid { Slices::Grid(MS * 300) } else { Slices::FromStart };
        let mut watched = Watched::new(config, slices);
        watched.check();
        for step in steps {
            watched.apply(&step);
        }
        // Whatever is still under way comes back in the end.
        while let Some(generation) = watched.running.pop() {
            watched.report(generation, |core, now, out| core.release(now, generation, out));
            watched.check();
        }
    }
}

/// Opens again and again by its timers alone, each wait a millisecond long.
fn flapping(start: Instant) -> Core {
    let config = CircuitBreakerConfig::builder()
        .initial_state(State::Open)
        .max_wait_in_half_open(MS)
        .automatic_transition_from_open_to_half_open(true)
        .build()
        .unwrap();
    Core::new(config.into(), Slices::FromStart, start)
}

fn look(core: &mut Core, now: Instant) {
    core.tick(now, &mut Outbox::open());
    if let Some(wanted) = core.wanted() {
        core.set_wait(wanted.generation, MS);
    }
}

#[test]
fn after_a_very_long_sleep_so_many_timers_fire_and_no_more() {
    let start = Instant::now();
    let mut core = flapping(start);
    let later = start + Duration::from_secs(365 * 24 * 3600);
    (0..500).for_each(|_| look(&mut core, later));
    assert_eq!(core.counters().transitions, u64::from(MOST_TIMERS));
    assert_eq!(core.due(), Some(later + MS));
}

/// Two threads that look at moments a nanosecond apart, again and again, after a very long sleep.
#[test]
fn timers_catch_up_also_when_two_look_by_turns() {
    let start = Instant::now();
    let mut core = flapping(start);
    let later = start + Duration::from_secs(365 * 24 * 3600);
    for _ in 0..500 {
        for now in [later, later + Duration::from_nanos(1)] {
            look(&mut core, now);
        }
    }
    assert!(core.due().unwrap() > later, "still catching up after {:?}", core.counters());
    assert!(core.counters().transitions < 500);
}

#[test]
fn an_answer_that_comes_too_late_is_dropped() {
    let now = Instant::now();
    let config = CircuitBreakerConfig::builder().initial_state(State::Open).build().unwrap();
    let mut core = Core::new(config.into(), Slices::FromStart, now);
    let mut out = Outbox::open();
    let old = core.wanted().unwrap();
    core.transition(now, State::Open, None, &mut out).unwrap();
    core.set_wait(old.generation, Duration::ZERO);
    assert_eq!(core.try_acquire(now + MS, &mut out).unwrap_err().retry_after, None);
    let new = core.wanted().unwrap();
    assert_eq!((old.opening.get(), new.opening.get()), (1, 2));
    core.set_wait(new.generation, Duration::ZERO);
    core.try_acquire(now + MS, &mut out).unwrap();
}
