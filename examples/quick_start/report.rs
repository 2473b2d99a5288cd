//! What is told: transitions as they happen, a block every second, and the summary.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use seawall::patterns::circuit_breaker::State;

use crate::figures::{Waits, percent, span, success_share};
use crate::ink::Ink;
use crate::news::follow;
use crate::protection::Protection;
use crate::scenario::{Kind, Scenario};
use crate::traffic::{Call, Lane, Outcome};
use crate::verdict::Judgement;

/// When calls begin later than this, what is seen is the machine and not the servers.
const BUSY: Duration = Duration::from_millis(150);

/// The columns of the summary in full, and where a claim begins.
const WIDE: usize = 100;
const INDENT: usize = 19;

pub(crate) struct Report {
    scenario: Scenario,
    protection: Protection,
    judged: Vec<Arc<Lane>>,
    control: Vec<Arc<Lane>>,
    /// Retries told so far, by server.
    retries: Vec<usize>,
    ink: Ink,
}

impl Report {
    /// Tells of `judged`, beside which `control` is traffic without seawall.
    pub(crate) fn new(
        scenario: Scenario,
        protection: Protection,
        judged: Vec<Arc<Lane>>,
        control: Vec<Arc<Lane>>,
    ) -> Self {
        Self {
            scenario,
            protection,
            retries: vec![0; judged.len()],
            judged,
            control,
            ink: Ink::new(),
        }
    }

    /// What is going to happen.
    pub(crate) fn header(&self) {
        let seconds = self.scenario.length.as_secs();
        let title = format!("seawall quick start: {seconds} s of traffic, {}", self.protection);
        println!("{}", self.ink.bold(&title));
        for kind in Kind::ALL {
            let weakness = self.scenario.weakness(kind);
            println!("  {kind:8} {weakness:55} {}", self.ink.dim(kind.patterns()));
        }
        println!(
            "Each second tells the calls made (ok, failed, timeout), repeated (retries) and refused (open, full,\n\
             limited), and how long callers waited, whatever came of it (p50, p99)."
        );
        if !self.control.is_empty() {
            println!("Bare: the same traffic to identical copies of the servers, without seawall.");
        }
    }

    /// Tells every transition of a circuit breaker from now on.
    pub(crate) fn follow(&self) {
        let ink = self.ink;
        for lane in &self.judged {
            follow(lane, self.scenario, move |it| {
                let at = it.at.as_secs_f64();
                let change = ink.state(it.to, &format!("{} → {}", it.from, it.to));
                println!("{at:5.1}s {}: circuit breaker {change}{}", it.server, it.reason);
            });
        }
    }

    /// The block of the second that ends at `until`.
    pub(crate) fn second(&mut self, until: Duration) {
        let from = until.saturating_sub(Duration::from_secs(1));
        if from.as_secs().is_multiple_of(5) {
            let headings = [
                "ok", "failed", "timeout", "retries", "open", "full", "limited", "p50", "p99",
                "bare p50", "p99",
            ];
            println!("\n{:26}{}", "", self.ink.dim(&row(&headings.map(String::from))));
        }
        for (n, lane) in self.judged.iter().enumerate() {
            let calls = ended(lane, from, until);
            let of = |outcome| tally(calls.iter().filter(|call| call.outcome == outcome).count());
            let retries = lane.retries.load(Relaxed);
            let fresh = retries - std::mem::replace(&mut self.retries[n], retries);
            let [p50, p99] = quantiles(&calls);
            let [bare_p50, bare_p99] = match self.control.get(n) {
                Some(bare) => quantiles(&ended(bare, from, until)),
                None => quantiles(&[]),
            };
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
            println!("{time:>5}  {:8} {}{}", lane.server.kind, self.breaker(lane), row(&cells));
        }
    }

    fn worst_lateness(&self) -> Duration {
        let worst =
            |lane: &Arc<Lane>| lane.calls.lock().unwrap().iter().map(|call| call.late).max();
        self.judged.iter().filter_map(worst).max().unwrap_or_default()
    }

    fn breaker(&self, lane: &Lane) -> String {
        let breaker = lane.pipeline.as_ref().and_then(seawall::Pipeline::circuit_breaker);
        let Some(breaker) = breaker else { return format!("{:12}", "no breaker") };
        let state = breaker.state();
        let sign = match state {
            State::Closed => '●',
            State::HalfOpen => '◐',
            _ => '○',
        };
        self.ink.state(state, &format!("{sign} {:10}", state.to_string()))
    }

    /// The end of the story, in lines of so many columns if somebody reads them on a terminal.
    pub(crate) fn summary(&self, judgements: &[Judgement], columns: Option<usize>) {
        let narrow = columns.is_some_and(|columns| columns < WIDE);
        println!("\n{}", self.ink.bold("summary"));
        let headings = if narrow {
            format!("{:26}{:>9}{:>9}{:>9}   requests to it", "", "ok", "p99", "worst")
        } else {
            format!(
                "{:34}{:>5}{:>9}{:>9}{:>9}{:>9}   requests to the server",
                "", "calls", "ok", "p50", "p99", "worst"
            )
        };
        println!("{}", self.ink.dim(&headings));
        for (n, lane) in self.judged.iter().enumerate() {
            summarize(lane.server.kind.name(), self.protection, lane, narrow);
            if let Some(bare) = self.control.get(n) {
                summarize("", Protection::Bare, bare, narrow);
            }
        }
        println!();
        for Judgement { step, claim, holds } in judgements {
            let claim = match columns {
                Some(columns) => broken(claim, columns.saturating_sub(INDENT)),
                None => claim.clone(),
            };
            println!("{} {step:16} {claim}", self.ink.mark(*holds));
        }
        let late = self.worst_lateness();
        if late > BUSY {
            println!("\nThis machine was busy: calls began up to {} too late.", span(late));
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
fn summarize(server: &str, side: Protection, lane: &Lane, narrow: bool) {
    let calls = lane.calls.lock().unwrap();
    let waits = Waits::of(&calls);
    let seen = &lane.server.seen;
    let borne = match lane.server.kind {
        Kind::Healthy => format!(", {} too many", seen.too_many.load(Relaxed)),
        Kind::Flaky => String::new(),
        Kind::Slow => format!(", {} at once", seen.peak.load(Relaxed)),
        Kind::Dying => format!(", {} while dead", seen.while_dead.load(Relaxed)),
    };
    let requests = seen.requests.load(Relaxed);
    if narrow {
        println!(
            "{server:9}{:17}{:>9}{:>9}{:>9}{requests:>7}{borne}",
            side.to_string(),
            percent(success_share(&calls)),
            span(waits.quantile(0.99)),
            span(waits.quantile(1.0)),
        );
        return;
    }
    println!(
        "{server:9}{:25}{:>5}{:>9}{:>9}{:>9}{:>9}{requests:>7}{borne}",
        side.to_string(),
        calls.len(),
        percent(success_share(&calls)),
        span(waits.quantile(0.5)),
        span(waits.quantile(0.99)),
        span(waits.quantile(1.0)),
    );
}

/// Breaks a claim into lines that stand below each other.
fn broken(claim: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in claim.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.into());
        }
    }
    lines.join(&format!("\n{:INDENT$}", ""))
}

/// The calls that ended in this span of time.
fn ended(lane: &Lane, from: Duration, until: Duration) -> Vec<Call> {
    let calls = lane.calls.lock().unwrap();
    calls.iter().filter(|call| (from..until).contains(&(call.due + call.wait))).copied().collect()
}

fn quantiles(calls: &[Call]) -> [String; 2] {
    if calls.is_empty() {
        return [tally(0), tally(0)];
    }
    let waits = Waits::of(calls);
    [span(waits.quantile(0.5)), span(waits.quantile(0.99))]
}

/// The numbers of one server in one second.
fn row(cells: &[String; 11]) -> String {
    const WIDTHS: [usize; 11] = [5, 7, 9, 9, 6, 6, 9, 10, 9, 10, 9];
    cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:>width$}")).collect()
}

/// Zeros would hide what matters.
fn tally(count: usize) -> String {
    if count == 0 { "·".into() } else { count.to_string() }
}
