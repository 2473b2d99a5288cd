//! The circuit breaker's core, driven as its owner drives it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use seawall::patterns::circuit_breaker::{OpenFor, State};
use seawall::telemetry::CircuitBreakerEvent as Event;
use seawall::testing::cores::Outbox;
use seawall::testing::cores::circuit_breaker::{Core, Ending, Slices};
use seawall::{Backoff, CircuitBreakerConfig, Random, SlidingWindow};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fields::{Fields, Seen, float, nanos};
use super::replay::{Next, Player};
use super::{labels, wait};

pub(crate) struct Breaker {
    core: Core,
    start: Instant,
    now: Duration,
    /// Generations of the admitted calls that are still under way, oldest first.
    held: Vec<u64>,
    /// Does the recorder report outcomes to a later state than that which admitted the call?
    stale: bool,
    /// Does it report outcomes with no call behind them?
    unpaired: bool,
    open_wait: Backoff,
    random: Random,
    rules: Rules,
    events: Vec<(Instant, Event)>,
}

/// Which outcome counts as what.
struct Rules {
    record_errors: Option<Vec<String>>,
    ignore_errors: Vec<String>,
    failure_results: Vec<String>,
    open_on: HashMap<String, Rule>,
}

enum Rule {
    Wait(Duration),
    Until(Duration),
}

/// How a call ends.
#[derive(Clone, Copy)]
enum End<'a> {
    Success,
    Result(&'a str),
    Error(&'a str),
    Release,
}

impl Breaker {
    pub(crate) fn new(
        mut config: Fields,
        phase: Option<Duration>,
        features: &[String],
    ) -> Result<Self, String> {
        let phase = phase.ok_or("no key `clock_phase_ns`")?;
        let open_wait = wait::backoff(config.object("open_wait")?)?;
        let built = CircuitBreakerConfig::builder()
            .sliding_window(sliding_window(config.object("window")?)?)
            .minimum_number_of_calls(config.count("minimum_calls")?)
            .failure_rate_threshold(config.float("failure_rate_threshold")? as f32)
            .slow_call_rate_threshold(config.float("slow_call_rate_threshold")? as f32)
            .slow_call_duration_threshold(config.nanos("slow_call_duration_ns")?)
            .permitted_calls_in_half_open(config.count("half_open_permits")?)
            .max_wait_in_half_open(config.nanos("half_open_max_wait_ns")?)
            .after_half_open_wait(state(&config.text("half_open_max_wait_to")?)?)
            .automatic_transition_from_open_to_half_open(config.flag("auto_half_open")?)
            .initial_state(state(&config.text("initial_state")?)?)
            .open_wait(open_wait.clone())
            .build()
            .map_err(|error| error.to_string())?;
        let rules = Rules::new(&mut config)?;
        config.finish()?;
        let start = Instant::now();
        let mut breaker = Self {
            core: Core::new(Arc::new(built), Slices::Grid(phase), start),
            start,
            now: Duration::ZERO,
            held: Vec::new(),
            stale: features.iter().any(|feature| feature == "stale_completions"),
            unpaired: features.iter().any(|feature| feature == "unpaired_completions"),
            open_wait,
            random: Random::seeded(0),
            rules,
            events: Vec::new(),
        };
        breaker.settle()?;
        Ok(breaker)
    }

    fn now(&self) -> Instant {
        self.start + self.now
    }

    fn apply<R>(&mut self, change: impl FnOnce(&mut Core, Instant, &mut Outbox<Event>) -> R) -> R {
        let mut out = Outbox::open();
        let now = self.now();
        let result = change(&mut self.core, now, &mut out);
        self.events.extend(out);
        result
    }

    /// Fires what is due, and says how long the circuit stays open whenever that is asked.
    fn settle(&mut self) -> Result<(), String> {
        self.apply(Core::tick);
        while let Some(wanted) = self.core.wanted() {
            let wait = wait::wait(&self.open_wait, wanted.opening, &self.random)?;
            self.core.set_wait(wanted.generation, wait);
            self.apply(Core::tick);
        }
        Ok(())
    }

    fn acquire(&mut self) -> bool {
        let admitted = self.apply(Core::try_acquire);
        self.held.extend(admitted.ok());
        admitted.is_ok()
    }

    /// Ends the oldest call that the current state has admitted; `false` if there is none.
    fn complete(&mut self, end: End<'_>, elapsed: Duration) -> Result<bool, String> {
        let generation = self.core.generation();
        let Some(oldest) = self.held.iter().position(|held| *held == generation) else {
            return Ok(false);
        };
        self.held.remove(oldest);
        self.end(generation, end, elapsed)?;
        Ok(true)
    }

    fn end(&mut self, generation: u64, end: End<'_>, elapsed: Duration) -> Result<(), String> {
        if let End::Error(label) | End::Result(label) = end {
            labels::cause(label)?;
        }
        let (failure, open) = match end {
            End::Release => {
                self.apply(|core, now, out| core.release(now, generation, out));
                return Ok(());
            }
            End::Error(label) if self.rules.ignores(label) => {
                let ended = (elapsed, labels::cause(label)?);
                self.apply(|core, now, out| core.ignore(now, generation, ended, out));
                return Ok(());
            }
            End::Error(label) if self.rules.records(label) => {
                (Some(labels::cause(label)?), self.open_on(label))
            }
            // Resilience4j does not ask whether a result that counts as a failure opens the circuit.
            End::Result(label) if self.rules.fails(label) => (Some(labels::cause(label)?), None),
            End::Error(label) | End::Result(label) => (None, self.open_on(label)),
            End::Success => (None, None),
        };
        let ending = Ending { failure, elapsed, open };
        self.apply(|core, now, out| core.record(now, generation, ending, out));
        Ok(())
    }

    fn open_on(&self, label: &str) -> Option<OpenFor> {
        match self.rules.open_on.get(label)? {
            Rule::Wait(wait) => Some(OpenFor::Span(*wait)),
            // A rule that names a moment is void from then on.
            Rule::Until(until) => (*until > self.now).then(|| OpenFor::Until(self.start + *until)),
        }
    }

    fn enter(&mut self, to: State, open: Option<OpenFor>) -> Value {
        match self.apply(|core, now, out| core.transition(now, to, open, out)) {
            Ok(()) => "ok".into(),
            Err(_) => "illegal".into(),
        }
    }

    /// `None` where the recorded step has no call behind it.
    fn play_op(&mut self, op: &str, step: &mut Fields) -> Result<Option<Value>, String> {
        let done = match op {
            "acquire" => return Ok(Some(self.acquire().into())),
            "call" => return self.call(step).map(Some),
            "success" => self.complete(End::Success, step.nanos("dur")?)?,
            "result" => {
                let elapsed = step.nanos("dur")?;
                self.complete(End::Result(&step.text("label")?), elapsed)?
            }
            "error" => {
                let elapsed = step.nanos("dur")?;
                self.complete(End::Error(&step.text("label")?), elapsed)?
            }
            "release" => self.complete(End::Release, Duration::ZERO)?,
            "advance" => {
                self.now += step.nanos("by")?;
                true
            }
            "reset" => {
                self.apply(Core::reset);
                return Ok(Some("ok".into()));
            }
            "to_open_for" => {
                let open = OpenFor::Span(step.nanos("wait")?);
                return Ok(Some(self.enter(State::Open, Some(open))));
            }
            "to_open_until" => {
                let open = OpenFor::Until(self.start + step.nanos("until_t")?);
                return Ok(Some(self.enter(State::Open, Some(open))));
            }
            _ => {
                let to = op.strip_prefix("to_").ok_or_else(|| format!("unknown op `{op}`"))?;
                let to = state(to).map_err(|_| format!("unknown op `{op}`"))?;
                return Ok(Some(self.enter(to, None)));
            }
        };
        Ok(done.then_some(Value::Null))
    }

    fn call(&mut self, step: &mut Fields) -> Result<Value, String> {
        let (elapsed, outcome) = (step.nanos("dur")?, step.text("outcome")?);
        let label = step.text("label")?;
        let end = match outcome.as_str() {
            "ok" => End::Result(&label),
            "error" => End::Error(&label),
            _ => return Err(format!("unknown outcome `{outcome}`")),
        };
        labels::cause(&label)?;
        let admitted = self.apply(Core::try_acquire);
        let Ok(generation) = admitted else {
            return Ok(false.into());
        };
        self.settle()?;
        self.now += elapsed;
        self.settle()?;
        if generation != self.core.generation() {
            return Err("the state has changed under the call, and the step is not `stale`".into());
        }
        self.end(generation, end, elapsed)?;
        Ok(true.into())
    }

    fn reading(&mut self) -> Seen {
        let now = self.now();
        let m = self.core.metrics(now);
        let m = json!([
            float(m.failure_rate),
            float(m.slow_call_rate),
            m.buffered_calls,
            m.failed_calls,
            m.slow_calls,
            m.slow_failed_calls,
            m.not_permitted_calls,
        ]);
        Seen::from_iter([
            ("s".to_owned(), Value::from(state_name(self.core.state()))),
            ("m".to_owned(), m),
        ])
    }
}

impl Player for Breaker {
    fn initial(&mut self) -> Seen {
        self.events.clear();
        self.reading()
    }

    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        if self.stale && step.has("stale") && step.flag("stale")? {
            return Ok(Next::End);
        }
        let op = step.text("op")?;
        self.events.clear();
        let Some(r) = self.play_op(&op, step)? else {
            if self.unpaired {
                return Ok(Next::End);
            }
            return Err("no admitted call is under way that could end".into());
        };
        self.settle()?;
        let mut seen = self.reading();
        if !r.is_null() {
            seen.insert("r".into(), r);
        }
        seen.insert("t".into(), nanos(self.now));
        let now = self.now();
        if !self.events.is_empty() {
            let events = self.events.iter().map(|(_, event)| event_value(*event));
            seen.insert("ev".into(), events.collect());
        }
        if self.events.iter().any(|(at, _)| *at != now) {
            let times = self.events.iter().map(|(at, _)| nanos(*at - self.start));
            seen.insert("ev_t".into(), times.collect());
        }
        Ok(Next::Seen(seen))
    }
}

impl Rules {
    fn new(config: &mut Fields) -> Result<Self, String> {
        let record_errors = config.texts_or_null("record_errors")?;
        let ignore_errors = config.texts("ignore_errors")?;
        let failure_results = config.texts("failure_results")?;
        labels::check("record_errors", record_errors.as_deref().unwrap_or_default())?;
        labels::check("ignore_errors", &ignore_errors)?;
        labels::check("failure_results", &failure_results)?;
        let mut table = config.object("open_on")?;
        let mut open_on = HashMap::new();
        for label in table.keys() {
            labels::cause(&label)?;
            let mut rule = table.object(&label)?;
            let read = if rule.has("wait_ns") {
                Rule::Wait(rule.nanos("wait_ns")?)
            } else {
                Rule::Until(rule.nanos("until_t")?)
            };
            rule.finish()?;
            open_on.insert(label, read);
        }
        Ok(Self { record_errors, ignore_errors, failure_results, open_on })
    }

    fn ignores(&self, error: &str) -> bool {
        self.ignore_errors.iter().any(|label| label == error)
    }

    fn records(&self, error: &str) -> bool {
        self.record_errors.as_ref().is_none_or(|labels| labels.iter().any(|label| label == error))
    }

    fn fails(&self, result: &str) -> bool {
        self.failure_results.iter().any(|label| label == result)
    }
}

fn sliding_window(mut shape: Fields) -> Result<SlidingWindow, String> {
    let window = match shape.text("kind")?.as_str() {
        "count" => SlidingWindow::Count(shape.count("size")?),
        "time" => SlidingWindow::Time { seconds: shape.count("seconds")? },
        kind => return Err(format!("unknown window `{kind}`")),
    };
    shape.finish()?;
    Ok(window)
}

const STATES: [(&str, State); 6] = [
    ("closed", State::Closed),
    ("open", State::Open),
    ("half_open", State::HalfOpen),
    ("forced_open", State::ForcedOpen),
    ("disabled", State::Disabled),
    ("metrics_only", State::MetricsOnly),
];

fn state(name: &str) -> Result<State, String> {
    let found = STATES.iter().find(|(known, _)| *known == name);
    found.map(|(_, state)| *state).ok_or_else(|| format!("unknown state `{name}`"))
}

fn state_name(state: State) -> &'static str {
    STATES.iter().find(|(_, known)| *known == state).map_or("unknown", |(name, _)| name)
}

fn event_value(event: Event) -> Value {
    match event {
        Event::Success { elapsed } => json!(["success", nanos(elapsed)]),
        Event::Error { elapsed, cause } => json!(["error", nanos(elapsed), labels::name(cause)]),
        Event::IgnoredError { elapsed, cause } => {
            json!(["ignored_error", nanos(elapsed), labels::name(cause)])
        }
        Event::NotPermitted => json!(["not_permitted"]),
        Event::StateTransition { from, to } => {
            json!(["transition", state_name(from), state_name(to)])
        }
        Event::Reset => json!(["reset"]),
        Event::FailureRateExceeded { rate } => json!(["failure_rate_exceeded", float(rate)]),
        Event::SlowCallRateExceeded { rate } => json!(["slow_call_rate_exceeded", float(rate)]),
        other => json!(["unknown", format!("{other:?}")]),
    }
}
