//! Who listens to a pipeline, whatever its steps are.

use std::sync::Arc;

use crate::pipeline::steps::Steps;
use crate::sync::Lock;
use crate::telemetry::{Detach, Observer};

/// The listeners of a live pipeline.
#[derive(Default)]
pub(super) struct Listeners(Lock<Vec<Listener>>);

struct Listener {
    observer: Arc<dyn Observer>,
    /// To which steps, by their addresses.
    attached: Vec<(usize, Detach)>,
}

impl Listener {
    fn take_off(self) {
        self.attached.into_iter().for_each(|(_, detach)| detach());
    }
}

/// With the name go those who listened to it, who could not be taken off any more: the steps may live on.
impl Drop for Listeners {
    fn drop(&mut self) {
        let listeners = std::mem::take(&mut *self.0.lock());
        listeners.into_iter().for_each(Listener::take_off);
    }
}

impl Default for Lock<Vec<Listener>> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

pub(super) fn address_of(observer: &Arc<dyn Observer>) -> usize {
    Arc::as_ptr(observer).cast::<()>().addr()
}

impl Listeners {
    /// Attaches an observer to the steps that `current` gives, and to all that come after them.
    pub(super) fn add(&self, observer: Arc<dyn Observer>, current: impl FnOnce() -> Arc<Steps>) {
        // Under the lock, so that nobody changes the steps meanwhile.
        let mut listeners = self.0.lock();
        let attached = current().listen(&observer, |_| false);
        listeners.push(Listener { observer, attached });
    }

    /// Takes the observer at this address off again.
    pub(super) fn remove(&self, address: usize) {
        let gone = {
            let mut listeners = self.0.lock();
            let place =
                listeners.iter().position(|listener| address_of(&listener.observer) == address);
            place.map(|place| listeners.swap_remove(place))
        };
        // With an observer may end what the user wrote, so no lock is held.
        gone.into_iter().for_each(Listener::take_off);
    }

    /// Has `exchange` put these steps in the place of others. What comes back takes the listeners off those that are no more
    /// among them.
    pub(super) fn follow<R>(
        &self,
        steps: &Steps,
        exchange: impl FnOnce() -> R,
    ) -> (R, Vec<Detach>) {
        let mut listeners = self.0.lock();
        // First, so that nobody misses what the new ones do.
        for Listener { observer, attached } in &mut *listeners {
            let is_known = |address| attached.iter().any(|(known, _)| *known == address);
            let fresh = steps.listen(observer, is_known);
            attached.extend(fresh);
        }
        let exchanged = exchange();
        let there = steps.addresses();
        let gone = listeners.iter_mut().flat_map(|listener| {
            listener.attached.extract_if(.., |(address, _)| !there.contains(address))
        });
        let gone = gone.map(|(_, detach)| detach).collect();
        (exchanged, gone)
    }
}
