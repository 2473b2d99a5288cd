//! The scenes that are played.

use super::Rules;
use super::probe::{Act, End};

/// Callers, and a backend that does as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// What the first calls do, and what all later ones do.
    pub(super) script: (&'static [Act], Act),
    pub(super) callers: usize,
    pub(super) places: usize,
    pub(super) late_readiness: u32,
    /// Do callers keep the service that they have called?
    pub(super) keep: bool,
    /// Does time pass before the backend goes on?
    pub(super) slow: bool,
    /// Are callers polled although nobody woke them?
    pub(super) spurious: bool,
    pub(super) exit: Option<Exit>,
}

/// A caller that leaves after so many steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub(super) caller: usize,
    pub(super) step: usize,
    /// Only once it was woken again: what it was woken for is then in its hands.
    pub(super) woken: bool,
}

const fn act(pendings: u32, end: End) -> Act {
    Act { pendings, end }
}

const OK: Act = act(1, End::Answer);

const SCRIPTS: [(&[Act], Act); 6] = [
    (&[], act(0, End::Answer)),
    (&[], act(2, End::Answer)),
    (&[act(1, End::Fail), act(0, End::Fail)], OK),
    (&[], act(1, End::Fail)),
    (&[act(1, End::Panic), act(1, End::Fail), act(0, End::Panic)], OK),
    (&[act(0, End::PanicInCall), act(1, End::Fail), act(0, End::PanicInCall)], OK),
];

const HUNG: (&[Act], Act) = (&[act(1, End::Hang), act(0, End::Fail)], act(0, End::Hang));

/// How many places there are, and how late readiness comes.
const ROOMS: [(usize, u32); 4] = [(usize::MAX, 0), (usize::MAX, 1), (2, 0), (1, 0)];

impl Scene {
    /// The scenes in which nobody leaves.
    pub(super) fn all(rules: &Rules) -> Vec<Self> {
        let mut scenes = Vec::new();
        for script in SCRIPTS.into_iter().chain(rules.limits_time.then_some(HUNG)) {
            for callers in [1, 3] {
                for (places, late_readiness) in ROOMS {
                    let plain = Self {
                        script,
                        callers,
                        places,
                        late_readiness,
                        keep: false,
                        slow: false,
                        spurious: false,
                        exit: None,
                    };
                    scenes.extend([
                        plain,
                        Self { keep: true, ..plain },
                        Self { slow: true, ..plain },
                        Self { spurious: true, ..plain },
                    ]);
                }
            }
        }
        scenes
    }

    /// Is it worth while to play it again with every possible exit?
    pub(super) const fn has_exits(&self) -> bool {
        !self.keep && !self.spurious
    }

    pub(super) const fn with_exit(self, exit: Exit) -> Self {
        Self { exit: Some(exit), ..self }
    }
}
