//! What a group shows of itself.

use std::fmt;
use std::sync::Arc;

use super::group::AnyGroup;
use crate::patterns::circuit_breaker::State;
use crate::telemetry::{Observer, ObserverId};

/// Numbers of a group. Counts go on for as long as it lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyedStats {
    /// Instances there are now.
    pub entries: usize,
    /// Instances there may be.
    pub max_entries: usize,
    /// Instances that were made.
    pub made: u64,
    /// Instances that were given up because nobody had used them.
    pub evicted_idle: u64,
    /// Instances that were given up to make room.
    pub evicted_for_room: u64,
    /// Calls that had to share an instance because there was no room.
    pub overflowed: u64,
    /// Calls without a key, which share that instance too.
    pub without_key: u64,
    /// Calls with a key that is too long, which share it too.
    pub long_keys: u64,
    /// Calls that share it because the template had failed.
    pub not_made: u64,
    /// Did the last new key find no room?
    pub is_overflowing: bool,
}

/// The instances of a group by the state of their circuit breakers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyedStates {
    counts: [usize; STATES.len()],
    without_breaker: usize,
}

const STATES: [State; 6] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::Disabled,
    State::MetricsOnly,
];

impl KeyedStates {
    pub(super) fn count(&mut self, state: Option<State>) {
        match state.and_then(|state| STATES.iter().position(|other| *other == state)) {
            Some(at) => self.counts[at] += 1,
            None => self.without_breaker += 1,
        }
    }

    /// How many are in this state.
    #[must_use]
    pub fn of(&self, state: State) -> usize {
        STATES.iter().position(|other| *other == state).map_or(0, |at| self.counts[at])
    }

    /// All states with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (State, usize)> {
        STATES.into_iter().zip(self.counts)
    }

    /// How many have no circuit breaker.
    #[must_use]
    pub const fn without_breaker(&self) -> usize {
        self.without_breaker
    }
}

/// A group, whatever it holds. Cheap to clone.
#[derive(Clone)]
pub struct KeyedGroup {
    pub(crate) group: Arc<dyn AnyGroup>,
}

impl KeyedGroup {
    pub(crate) fn new(group: Arc<dyn AnyGroup>) -> Self {
        Self { group }
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.group.name()
    }

    /// Numbers of this moment.
    #[must_use]
    pub fn stats(&self) -> KeyedStats {
        self.group.stats()
    }

    /// The instances by state. Looks at each of them.
    #[must_use]
    pub fn states(&self) -> KeyedStates {
        self.group.states()
    }

    /// As [`Keyed::evict_idle`](super::Keyed::evict_idle).
    pub fn evict_idle(&self) -> usize {
        self.group.evict_idle()
    }

    /// As [`Keyed::observe`](super::Keyed::observe).
    pub fn observe(&self, observer: impl Observer) -> ObserverId {
        self.observe_shared(Arc::new(observer))
    }

    /// As [`observe`](Self::observe). The same observer a second time counts once.
    pub fn observe_shared(&self, observer: Arc<dyn Observer>) -> ObserverId {
        self.group.observe(observer)
    }

    /// Takes an observer off.
    pub fn unobserve(&self, id: ObserverId) {
        self.group.unobserve(id);
    }
}

impl fmt::Debug for KeyedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedGroup")
            .field("name", &self.name())
            .field("stats", &self.stats())
            .finish()
    }
}
