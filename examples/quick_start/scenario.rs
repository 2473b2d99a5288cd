//! The plot: which server fails when, and when calls are made.

use std::fmt;
use std::time::Duration;

use seawall::Random;
use tokio::time::Instant;

/// The four servers, each with a weakness of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Healthy,
    Flaky,
    Slow,
    Dying,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Healthy, Self::Flaky, Self::Slow, Self::Dying];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Flaky => "flaky",
            Self::Slow => "slow",
            Self::Dying => "dying",
        }
    }

    /// What protects it and its callers.
    pub(crate) const fn patterns(self) -> &'static str {
        match self {
            Self::Healthy => "rate limiter",
            Self::Flaky => "retry",
            Self::Slow => "bulkhead, time limiter",
            Self::Dying => "circuit breaker",
        }
    }

    /// Calls a second, evenly spread.
    const fn rate(self) -> f64 {
        match self {
            Self::Healthy => 10.0,
            Self::Flaky => 50.0,
            Self::Slow => 30.0,
            Self::Dying => 60.0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When the play began, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) start: Instant,
    pub(crate) length: Duration,
}

impl Scenario {
    /// How long it has been running.
    pub(crate) fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.start)
    }

    /// This many fifteenths of the whole: the usual run takes 15 s.
    pub(crate) fn part(&self, fifteenths: f64) -> Duration {
        self.length.mul_f64(fifteenths / 15.0)
    }

    /// From when until when "slow" never answers.
    pub(crate) fn hang(&self) -> (Duration, Duration) {
        (self.part(3.0), self.part(8.0))
    }

    /// From when until when "dying" is dead.
    pub(crate) fn death(&self) -> (Duration, Duration) {
        (self.part(4.5), self.part(9.5))
    }

    /// What is wrong with a server.
    pub(crate) fn weakness(&self, kind: Kind) -> String {
        let [hang, death] = [self.hang(), self.death()].map(|(from, until)| {
            format!("{:.1}s to {:.1}s", from.as_secs_f64(), until.as_secs_f64())
        });
        match kind {
            Kind::Healthy => "grants 60 requests in half a second, gets bursts of 90".into(),
            Kind::Flaky => "answers 20 % with 503, resets 10 % of the connections".into(),
            Kind::Slow => format!("works on 15 at once, hangs from {hang}"),
            Kind::Dying => format!("is dead from {death}"),
        }
    }

    /// When the calls to a server are due, whatever became of those before: so a server that hangs
    /// cannot slow down the load that would show it.
    pub(crate) fn arrivals(&self, kind: Kind, random: &Random) -> Vec<Duration> {
        let gap = Duration::from_secs_f64(1.0 / kind.rate());
        let mut due = Vec::new();
        let mut slot = Duration::ZERO;
        while slot < self.length {
            due.push(slot + gap.mul_f64(random.fraction()));
            slot += gap;
        }
        let (bursts, size) = match kind {
            // Every four seconds, so that the limiter can work off one before the next.
            Kind::Healthy => (
                (0..)
                    .map(|n| 0.5 + 4.0 * f64::from(n))
                    .map(Duration::from_secs_f64)
                    .take_while(|at| *at < self.length)
                    .collect(),
                90,
            ),
            Kind::Slow => ([0.8, 1.8, 11.0, 13.0].map(|at| self.part(at)).to_vec(), 50),
            Kind::Flaky | Kind::Dying => (Vec::new(), 0),
        };
        due.extend(bursts.into_iter().flat_map(|at| std::iter::repeat_n(at, size)));
        due.sort();
        due
    }
}
