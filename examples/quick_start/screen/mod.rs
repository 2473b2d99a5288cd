//! The live view, for terminals.

mod draw;
mod picture;
mod terminal;

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::signal;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::figures::Waits;
use crate::news::follow;
use crate::protection::Protection;
use crate::scenario::{Kind, Scenario};
use crate::traffic::{Call, Lane, Outcome};
use picture::{Mood, Picture, ServerPicture, SidePicture, Slice};
use terminal::Screen;

pub(crate) use terminal::{columns, is_wanted};

/// How often it is drawn anew, and how finely waits are told apart in time.
const FRAME: Duration = Duration::from_millis(100);
const SLICES: usize = 120;

/// What the live view shows, and what it remembers between two frames.
pub(crate) struct Live {
    scenario: Scenario,
    protection: Protection,
    judged: Vec<Arc<Lane>>,
    control: Vec<Arc<Lane>>,
    news: Arc<Mutex<Vec<String>>>,
    /// By server: retries at the end of the last whole seconds.
    retries: Vec<Vec<usize>>,
}

impl Live {
    pub(crate) fn new(
        scenario: Scenario,
        protection: Protection,
        judged: Vec<Arc<Lane>>,
        control: Vec<Arc<Lane>>,
    ) -> Self {
        let news = Arc::<Mutex<Vec<String>>>::default();
        for lane in &judged {
            let news = news.clone();
            follow(lane, scenario, move |it| {
                let at = it.at.as_secs_f64();
                let told = format!(
                    "{at:5.1}s {}: circuit breaker {} → {}{}",
                    it.server, it.from, it.to, it.reason
                );
                news.lock().unwrap().push(told);
            });
        }
        Self {
            scenario,
            protection,
            retries: vec![Vec::new(); judged.len()],
            judged,
            control,
            news,
        }
    }

    /// Shows the traffic until its end. False if the user ended it before.
    pub(crate) async fn run(mut self, traffic: &mut JoinSet<()>) -> io::Result<bool> {
        let mut screen = Screen::open()?;
        let mut frames = interval(FRAME);
        let mut killed = std::pin::pin!(killed());
        loop {
            tokio::select! {
                _ = frames.tick() => {
                    if screen.is_ended()? {
                        return Ok(false);
                    }
                    screen.show(&self.picture())?;
                }
                () = &mut killed => return Ok(false),
                ended = traffic.join_next() => match ended {
                    Some(ended) => ended?,
                    None => return Ok(true),
                },
            }
        }
    }

    fn picture(&mut self) -> Picture {
        let now = self.scenario.now();
        let mut servers = Vec::new();
        for (n, lane) in self.judged.iter().enumerate() {
            let breaker = lane.pipeline.as_ref().and_then(seawall::Pipeline::circuit_breaker);
            let mut sides = vec![side(self.protection, lane, self.scenario, now)];
            sides[0].retries = last_second(&mut self.retries[n], lane.retries.load(Relaxed));
            if let Some(bare) = self.control.get(n) {
                sides.push(side(Protection::Bare, bare, self.scenario, now));
            }
            let kind = lane.server.kind;
            servers.push(ServerPicture {
                name: kind.name(),
                weakness: self.scenario.weakness(kind),
                trouble: trouble(kind, self.scenario),
                state: breaker.map(|breaker| breaker.state()),
                sides,
            });
        }
        Picture {
            title: format!("seawall quick start: {}", self.protection),
            elapsed: now,
            length: self.scenario.length,
            servers,
            news: self.news.lock().unwrap().clone(),
        }
    }
}

/// What a counter gained in the last second, of which `frames` keeps the counts.
fn last_second(frames: &mut Vec<usize>, count: usize) -> usize {
    const IN_A_SECOND: usize = (1000 / FRAME.as_millis()) as usize;
    frames.push(count);
    if frames.len() > IN_A_SECOND + 1 {
        frames.remove(0);
    }
    count - frames[0]
}

fn trouble(kind: Kind, scenario: Scenario) -> Option<&'static str> {
    let now = scenario.now();
    let within = |(from, until): (Duration, Duration)| (from..until).contains(&now);
    match kind {
        Kind::Slow if within(scenario.hang()) => Some("hangs now: it answers nobody"),
        Kind::Dying if within(scenario.death()) => Some("is dead now: it resets or answers 500"),
        _ => None,
    }
}

fn side(protection: Protection, lane: &Lane, scenario: Scenario, now: Duration) -> SidePicture {
    let calls = lane.calls.lock().unwrap();
    let ended = |call: &Call| call.due + call.wait;
    let latest: Vec<Call> =
        calls.iter().filter(|call| ended(call) + Duration::from_secs(1) > now).copied().collect();
    let count = |mood| latest.iter().filter(|call| of(call.outcome) == mood).count();

    let each = scenario.length / SLICES as u32;
    let begun = (now.as_nanos() / each.as_nanos().max(1)) as usize;
    let mut slices = vec![Slice::default(); begun.min(SLICES)];
    for call in calls.iter() {
        let at = (ended(call).as_nanos() / each.as_nanos().max(1)) as usize;
        if let Some(slice) = slices.get_mut(at) {
            *slice = slice.merge(Slice { longest: call.wait, mood: of(call.outcome) });
        }
    }
    SidePicture {
        label: protection.to_string(),
        ok: count(Mood::Answered),
        failed: count(Mood::Failed),
        refused: count(Mood::Refused),
        retries: 0,
        p99: (!latest.is_empty()).then(|| Waits::of(&latest).quantile(0.99)),
        slices,
        slices_in_all: SLICES,
    }
}

fn of(outcome: Outcome) -> Mood {
    match outcome {
        Outcome::Ok => Mood::Answered,
        Outcome::Open | Outcome::Full | Outcome::Limited => Mood::Refused,
        Outcome::Failed | Outcome::TimedOut => Mood::Failed,
    }
}

/// Somebody else wants it to end: `kill`, or a Ctrl-C that did not come as a key.
async fn killed() {
    #[cfg(unix)]
    {
        use signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = signal::ctrl_c().await;
}
