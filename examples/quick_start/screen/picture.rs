//! What the screen shows at one moment, as plain data.

use std::time::Duration;

use seawall::patterns::circuit_breaker::State;

pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) elapsed: Duration,
    pub(crate) length: Duration,
    pub(crate) servers: Vec<ServerPicture>,
    /// The newest last.
    pub(crate) news: Vec<String>,
}

pub(crate) struct ServerPicture {
    pub(crate) name: &'static str,
    pub(crate) weakness: String,
    /// What is wrong with it at this moment.
    pub(crate) trouble: Option<&'static str>,
    /// Its circuit breaker, if there is one.
    pub(crate) state: Option<State>,
    /// The traffic with seawall, and beside it the same without.
    pub(crate) sides: Vec<SidePicture>,
}

/// What callers got in the last second, and how long they waited over the whole time.
pub(crate) struct SidePicture {
    pub(crate) label: String,
    pub(crate) ok: usize,
    pub(crate) failed: usize,
    pub(crate) refused: usize,
    pub(crate) retries: usize,
    pub(crate) p99: Option<Duration>,
    /// One for each slice of the whole time; those to come are missing.
    pub(crate) slices: Vec<Slice>,
    /// How many slices the whole time has.
    pub(crate) slices_in_all: usize,
}

/// The calls that ended in a short span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The longest wait.
    pub(crate) longest: Duration,
    pub(crate) mood: Mood,
}

/// The worst that happened. Ordered from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mood {
    /// No calls.
    #[default]
    Quiet,
    Answered,
    Refused,
    Failed,
}

impl Slice {
    /// Both together.
    pub(crate) fn merge(self, other: Self) -> Self {
        Self { longest: self.longest.max(other.longest), mood: self.mood.max(other.mood) }
    }
}
