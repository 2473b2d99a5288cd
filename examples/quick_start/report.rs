//! What is told: transitions as they happen, a block every second, and the summary.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::{CircuitBreakerEvent, Event, EventKind};

use crate::protection::Protection;
use crate::scenario::{Kind, Scenario};
use crate::traffic::{Call, Lane, Outcome};
use crate::verdict::{Judgement, success_share};

pub(crate) struct Report {
    scenario: Scenario,
    judged: Vec<Arc<Lane>>,
    control: Vec<Arc<Lane>>,
    /// Retries told so far, by server.
    retries: Vec<usize>,
    ink: Ink,
}

impl Report {
    pub(crate) fn new(scenario: Scenario, judged: Vec<Arc<Lane>>, control: Vec<Arc<Lane>>) -> Self {
        let report =
            Self { scenario, retries: vec![0; judged.len()], judged, control, ink: Ink::new() };
        report.judged.iter().for_each(|lane| report.follow(lane));
        report
    }

    /// Tells every transition of a lane's circuit breaker.
    fn follow(&self, lane: &Lane) {
        let Some(breaker) = lane.pipeline.as_ref().and_then(|pipeline| pipeline.circuit_breaker())
        else {
            return;
        };
        let (start, ink) = (self.scenario.start, self.ink);
        let rate = Mutex::new(None);
        breaker.observe(move |event: &Event<'_>| {
            let EventKind::CircuitBreaker(kind) = event.kind else { return };
            match kind {
                CircuitBreakerEvent::FailureRateExceeded { rate: reached } => {
                    *rate.lock().unwrap() = Some(reached);
                }
                CircuitBreakerEvent::StateTransition { from, to } => {
                    let at = event.at.saturating_duration_since(start).as_secs_f64();
                    let why = match rate.lock().unwrap().take() {
                        Some(rate) => format!(" (failure rate {rate:.0} %)"),
                        None => String::new(),
                    };
                    let change = ink.state(to, &format!("{from} → {to}"));
                    println!("{at:5.1}s {}: circuit breaker {change}{why}", event.name);
                }
                _ => {}
            }
        });
    }

    pub(crate) fn header(&self, protection: Protection) {
        let seconds = self.scenario.length.as_secs();
        let [hang, death] = [self.scenario.hang(), self.scenario.death()].map(|(from, until)| {
            format!("{:.1}s to {:.1}s", from.as_secs_f64(), until.as_secs_f64())
        });
        let protection = match protection {
            Protection::Full => "with every pattern".into(),
            Protection::Without(step) => {
                format!("WITHOUT the {}", step.to_string().replace('_', " "))
            }
            Protection::Bare => "WITHOUT seawall".into(),
        };
        println!(
            "{}",
            self.ink.bold(&format!(
                "seawall quick start: {seconds} s of traffic to four servers, {protection}"
            ))
        );
        println!(
            "  healthy  grants 60 requests in half a second, and gets bursts of 90  (rate limiter)"
        );
        println!("  flaky    answers 20 % with 503 and resets 10 % of the connections    (retry)");
        println!(
            "  slow     works on 15 requests at once; hangs from {hang:17}  (bulkhead, time limiter)"
        );
        println!("  dying    is dead from {death:47}(circuit breaker)");
        println!(
            "Each call is made twice: with seawall, and bare to an identical copy of the server. Told every\n\
             second: calls made (ok, failed, timeout), attempts repeated (retries), calls refused (open,\n\
             full, limited), and how long callers waited, whatever came of it (p50, p99)."
        );
    }

    /// The block of the second that ends at `until`.
    pub(crate) fn second(&mut self, until: Duration) {
        let from = until.saturating_sub(Duration::from_secs(1));
        if from.as_secs().is_multiple_of(5) {
            let headings = [
                "ok", "failed", "timeout", "retries", "open", "full", "limited", "p50", "p99",
                "bare p50", "p99",
            ];
            println!("\n{:26}{}", "", self.ink.dim(&row(headings.map(String::from))));
        }
        for (n, (lane, bare)) in self.judged.iter().zip(&self.control).enumerate() {
            let calls = ended(lane, from, until);
            let of = |outcome| tally(calls.iter().filter(|call| call.outcome == outcome).count());
            let retries = lane.retries.load(Relaxed);
            let fresh = retries - std::mem::replace(&mut self.retries[n], retries);
            let [p50, p99] = quantiles(&calls);
            let [bare_p50, bare_p99] = quantiles(&ended(bare, from, until));
            let cells = [
                of(Outcome::Ok),
                of(Outcome::Failed),
                of(Outcome::TimedOut),
                tally(fresh),
                of(Outcome::Open),
                of(Outcome::Full),
                of(Outcome::Limited),
                p50,
                p99,
                bare_p50,
                bare_p99,
            ];
            let time = if n == 0 { format!("{}s", until.as_secs()) } else { String::new() };
            println!("{time:>5}  {:8} {}{}", lane.server.kind, self.breaker(lane), row(cells));
        }
    }

    fn breaker(&self, lane: &Lane) -> String {
        let breaker = lane.pipeline.as_ref().and_then(|pipeline| pipeline.circuit_breaker());
        let Some(breaker) = breaker else { return format!("{:12}", "no breaker") };
        let state = breaker.state();
        let sign = match state {
            State::Closed => '●',
            State::HalfOpen => '◐',
            _ => '○',
        };
        self.ink.state(state, &format!("{sign} {:10}", state.to_string()))
    }

    pub(crate) fn summary(&self, judgements: &[Judgement]) {
        println!("\n{}", self.ink.bold("summary"));
        let headings = format!(
            "{:23}{:>6}{:>9}{:>9}{:>9}{:>9}   requests to the server",
            "", "calls", "ok", "p50", "p99", "worst"
        );
        println!("{}", self.ink.dim(&headings));
        for (lane, bare) in self.judged.iter().zip(&self.control) {
            if lane.pipeline.is_some() {
                summarize(lane.server.kind.name(), "with seawall", lane);
                summarize("", "bare", bare);
            } else {
                summarize(lane.server.kind.name(), "bare", lane);
            }
        }
        println!();
        for Judgement { step, claim, holds } in judgements {
            println!("{} {step:16} {claim}", self.ink.mark(*holds));
        }
        let failed = judgements.iter().filter(|judgement| !judgement.holds).count();
        println!(
            "\n{}",
            self.ink.bold(&match failed {
                0 => "protected: exit code 0".to_string(),
                _ => format!("not protected, {failed} of {} failed: exit code 1", judgements.len()),
            })
        );
    }
}

/// One server in one line: what its callers got, and what it had to bear.
fn summarize(server: &str, side: &str, lane: &Lane) {
    let calls = lane.calls.lock().unwrap();
    let waits = Waits::of(&calls);
    let seen = &lane.server.seen;
    let borne = match lane.server.kind {
        Kind::Healthy => format!(", {} too many", seen.too_many.load(Relaxed)),
        Kind::Flaky => String::new(),
        Kind::Slow => format!(", {} at once", seen.peak.load(Relaxed)),
        Kind::Dying => format!(", {} while dead", seen.while_dead.load(Relaxed)),
    };
    println!(
        "{server:9}{side:14}{:>6}{:>9}{:>9}{:>9}{:>9}{:>7}{borne}",
        calls.len(),
        percent(success_share(&calls)),
        span(waits.quantile(0.5)),
        span(waits.quantile(0.99)),
        span(waits.quantile(1.0)),
        seen.requests.load(Relaxed),
    );
}

/// The calls that ended in this span of time.
fn ended(lane: &Lane, from: Duration, until: Duration) -> Vec<Call> {
    let calls = lane.calls.lock().unwrap();
    calls.iter().filter(|call| (from..until).contains(&(call.due + call.wait))).copied().collect()
}

/// How long callers waited, for whatever came of it.
struct Waits(Vec<Duration>);

impl Waits {
    fn of(calls: &[Call]) -> Self {
        let mut waits: Vec<_> = calls.iter().map(|call| call.wait).collect();
        waits.sort_unstable();
        Self(waits)
    }

    fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

fn quantiles(calls: &[Call]) -> [String; 2] {
    if calls.is_empty() {
        return [tally(0), tally(0)];
    }
    let waits = Waits::of(calls);
    [span(waits.quantile(0.5)), span(waits.quantile(0.99))]
}

/// The numbers of one server in one second.
fn row(cells: [String; 11]) -> String {
    const WIDTHS: [usize; 11] = [5, 7, 9, 9, 6, 6, 9, 10, 9, 10, 9];
    cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:>width$}")).collect()
}

/// Zeros would hide what matters.
fn tally(count: usize) -> String {
    if count == 0 { "·".into() } else { count.to_string() }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(crate) fn span(span: Duration) -> String {
    if span < Duration::from_millis(995) {
        format!("{:.0} ms", span.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", span.as_secs_f64())
    }
}

/// Colours, where somebody sees them and has not asked for none.
#[derive(Clone, Copy)]
struct Ink(bool);

impl Ink {
    fn new() -> Self {
        Self(io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()))
    }

    fn paint(self, code: u8, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    fn bold(self, text: &str) -> String {
        self.paint(1, text)
    }

    fn dim(self, text: &str) -> String {
        self.paint(2, text)
    }

    fn state(self, state: State, text: &str) -> String {
        let code = match state {
            State::Closed => 32,
            State::HalfOpen => 33,
            _ => 31,
        };
        self.paint(code, text)
    }

    fn mark(self, holds: bool) -> String {
        if holds { self.paint(32, "✔") } else { self.paint(31, "✘") }
    }
}
