//! Steps that may be others by the next call: those of a pipeline that a registry knows.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::steps::Steps;
use crate::settings::Live;

/// The steps of a pipeline as they stand, for all who call through it. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct LiveSteps {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// One more for every replacement, and changed after the steps: who has seen a version finds steps at least as new.
    version: AtomicU64,
    steps: Live<Steps>,
}

impl LiveSteps {
    pub(crate) fn new(mut steps: Steps) -> Self {
        steps.note_common();
        let shared = Shared { version: AtomicU64::new(0), steps: Live::new(steps) };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn get(&self) -> Arc<Steps> {
        self.shared.steps.get()
    }

    /// Calls from now on go through these. Calls under way end with the steps with which they began.
    pub(crate) fn set(&self, mut steps: Steps) -> Arc<Steps> {
        steps.note_common();
        let old = self.shared.steps.set(steps);
        self.shared.version.fetch_add(1, Ordering::Release);
        old
    }

    #[inline]
    fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }
}

/// The steps that a pipeline has at hand, and where they come from if they may change.
#[derive(Clone, Debug)]
pub(super) struct Current {
    steps: Arc<Steps>,
    source: Option<(LiveSteps, u64)>,
}

impl Current {
    pub(super) const fn fixed(steps: Arc<Steps>) -> Self {
        Self { steps, source: None }
    }

    pub(super) fn live(source: LiveSteps) -> Self {
        // In this order: older steps under a newer version would never be looked at again.
        let version = source.version();
        Self { steps: source.get(), source: Some((source, version)) }
    }

    /// The name, which never changes.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.steps.name
    }

    /// The steps as they stand now.
    #[inline]
    pub(super) fn get(&self) -> Arc<Steps> {
        match &self.source {
            Some((source, version)) if source.version() != *version => source.get(),
            _ => self.steps.clone(),
        }
    }

    /// The same, and keeps them at hand.
    #[inline]
    pub(super) fn renewed(&mut self) -> &Arc<Steps> {
        if let Some((source, version)) = &self.source
            && source.version() != *version
        {
            *self = Self::live(source.clone());
        }
        &self.steps
    }

    /// Does anyone else hold the steps at hand: a clone of the pipeline, or a call under way?
    pub(super) fn is_shared(&self) -> bool {
        // Two for one with a source, which holds them too.
        Arc::strong_count(&self.steps) > 1 + usize::from(self.source.is_some())
    }
}
