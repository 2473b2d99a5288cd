//! Steps that may be others by the next call: those of a pipeline that a registry knows.

mod listeners;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::listeners::{Listeners, address_of};
use super::steps::Steps;
use crate::settings::Live;
use crate::telemetry::{Detach, Observer};

/// The steps of a pipeline as they stand, for all who call through it. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct LiveSteps {
    shared: Arc<Shared>,
}

struct Shared {
    /// One more for every replacement, and changed after the steps: who has seen a version finds steps at least as new.
    version: AtomicU64,
    steps: Live<Steps>,
    listeners: Listeners,
}

/// What was replaced. Dropped, it takes the listeners off that, and may end what the user wrote: to be dropped under no lock.
pub(crate) struct Replaced {
    _steps: Arc<Steps>,
    detach: Vec<Detach>,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        self.detach.drain(..).for_each(|detach| detach());
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSteps").field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl LiveSteps {
    pub(crate) fn new(mut steps: Steps) -> Self {
        steps.note_common();
        let (version, steps) = (AtomicU64::new(0), Live::new(steps));
        Self { shared: Arc::new(Shared { version, steps, listeners: Listeners::default() }) }
    }

    pub(crate) fn get(&self) -> Arc<Steps> {
        self.shared.steps.get()
    }

    /// Calls from now on go through these. Calls under way end with the steps with which they began.
    pub(crate) fn set(&self, mut steps: Steps) -> Replaced {
        steps.note_common();
        let (shared, steps) = (&*self.shared, Arc::new(steps));
        let (old, detach) = shared.listeners.follow(&steps, || {
            let old = shared.steps.set(steps.clone());
            shared.version.fetch_add(1, Ordering::Release);
            old
        });
        Replaced { _steps: old, detach }
    }

    /// The same, unless it has these steps already.
    pub(crate) fn renew(&self, steps: &Steps) -> Option<Replaced> {
        let has = {
            let own = self.shared.steps.load();
            own.deadline == steps.deadline && own.addresses() == steps.addresses()
        };
        (!has).then(|| self.set(steps.clone()))
    }

    /// Attaches an observer to the steps, whichever they are. What comes back takes it off.
    pub(super) fn listen(&self, observer: &Arc<dyn Observer>) -> Detach {
        self.shared.listeners.add(observer.clone(), || self.get());
        // Nothing that lives on is kept alive by that: neither the steps nor the observer, whose end somebody may wait for.
        let (shared, address) = (Arc::downgrade(&self.shared), address_of(observer));
        Box::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.listeners.remove(address);
            }
        })
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

    /// Attaches an observer to the steps: to those that are fixed, or to whichever there are. What comes back takes it off.
    pub(super) fn listen(&self, observer: &Arc<dyn Observer>) -> Vec<Detach> {
        match &self.source {
            Some((source, _)) => vec![source.listen(observer)],
            None => {
                let attached = self.steps.listen(observer, |_| false).into_iter();
                attached.map(|(_, detach)| detach).collect()
            }
        }
    }

    /// Does anyone else hold the steps at hand: a clone of the pipeline, or a call under way?
    pub(super) fn is_shared(&self) -> bool {
        // Two for one with a source, which holds them too.
        Arc::strong_count(&self.steps) > 1 + usize::from(self.source.is_some())
    }
}
