//! What is judged at the end: for each pattern, the one thing that it is there for.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use seawall::patterns::circuit_breaker::State;

use crate::figures::{percent, span, success_share};
use crate::protection::{SLOW_ATTEMPTS, SLOW_TIMEOUT};
use crate::scenario::{Kind, Scenario};
use crate::servers::CAPACITY;
use crate::traffic::{Lane, Outcome};

/// One pattern's duty, and whether it was done.
pub(crate) struct Judgement {
    pub(crate) step: &'static str,
    pub(crate) claim: String,
    pub(crate) holds: bool,
}

/// Judges every pattern by the server that needs it.
pub(crate) fn judge(lanes: &[Arc<Lane>], scenario: Scenario) -> Vec<Judgement> {
    lanes
        .iter()
        .flat_map(|lane| match lane.server.kind {
            Kind::Healthy => vec![rate_limiter(lane)],
            Kind::Flaky => vec![retry(lane)],
            Kind::Slow => vec![bulkhead(lane), time_limiter(lane)],
            Kind::Dying => vec![circuit_breaker(lane, scenario)],
        })
        .collect()
}

fn rate_limiter(lane: &Lane) -> Judgement {
    const MOST: usize = 5;
    let refused = lane.server.seen.too_many.load(Relaxed);
    Judgement {
        step: "rate-limiter",
        claim: format!("healthy answered 429 to {refused} requests (allowed: {MOST})"),
        holds: refused <= MOST,
    }
}

fn retry(lane: &Lane) -> Judgement {
    const LEAST: f64 = 0.97;
    let share = success_share(&lane.calls.lock().unwrap());
    Judgement {
        step: "retry",
        claim: format!(
            "{} of the calls to flaky succeeded (needed: {})",
            percent(share),
            percent(LEAST)
        ),
        holds: share >= LEAST,
    }
}

fn bulkhead(lane: &Lane) -> Judgement {
    let peak = lane.server.seen.peak.load(Relaxed);
    Judgement {
        step: "bulkhead",
        claim: format!("slow had to work on {peak} requests at once (capacity: {CAPACITY})"),
        holds: peak <= CAPACITY,
    }
}

fn time_limiter(lane: &Lane) -> Judgement {
    // All attempts, the pause between them, and two seconds of grace for a busy machine.
    let pause = Duration::from_millis(100);
    let most = SLOW_TIMEOUT * SLOW_ATTEMPTS + pause * (SLOW_ATTEMPTS - 1) + Duration::from_secs(2);
    let worst = lane.calls.lock().unwrap().iter().map(|call| call.wait).max().unwrap_or_default();
    Judgement {
        step: "time-limiter",
        claim: format!("the longest wait for slow was {} (allowed: {})", span(worst), span(most)),
        holds: worst <= most,
    }
}

fn circuit_breaker(lane: &Lane, scenario: Scenario) -> Judgement {
    const MOST: usize = 40;
    const LEAST: usize = 10;
    let borne = lane.server.seen.while_dead.load(Relaxed);
    let (_, recovery) = scenario.death();
    let calls = lane.calls.lock().unwrap();
    let since = calls.iter().filter(|call| call.due >= recovery && call.outcome == Outcome::Ok);
    let since = since.count();
    let breaker = lane.pipeline.as_ref().and_then(seawall::Pipeline::circuit_breaker);
    let state = breaker.map(|breaker| breaker.state());
    let breaker = state.map_or("missing".to_string(), |state| state.to_string());
    Judgement {
        step: "circuit-breaker",
        claim: format!(
            "dying bore {borne} requests while dead (allowed: {MOST}), then answered {since} calls (needed: {LEAST}); its breaker is {breaker}"
        ),
        holds: borne <= MOST && since >= LEAST && state == Some(State::Closed),
    }
}
