//! What subscribers of a view are told, in the order in which it happened.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::patterns::Instance;
use crate::sync::Lock;
use crate::telemetry::{EventKind, InstanceKind, ObserverId, Observers, RegistryEvent};

/// A change among the instances of one pattern.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change<H: Instance> {
    /// An instance was made, or added.
    Added(H),
    /// An instance was removed. Its holders go on.
    Removed(H),
    /// Another instance has taken its name.
    Replaced {
        /// The one that had the name.
        old: H,
        /// The one that has it.
        new: H,
    },
    /// The settings were replaced in place.
    Updated(H),
    /// It was asked for with other settings than it has, which counted for nothing.
    ConfigConflict {
        /// The instance, as it was and is.
        instance: H,
        /// What it was asked for with.
        ignored: Arc<H::Config>,
    },
}

impl<H: Instance> Change<H> {
    /// The instance; of two, the new one.
    pub const fn instance(&self) -> &H {
        match self {
            Self::Added(instance)
            | Self::Removed(instance)
            | Self::Updated(instance)
            | Self::Replaced { new: instance, .. }
            | Self::ConfigConflict { instance, .. } => instance,
        }
    }

    const fn event(&self) -> RegistryEvent {
        match self {
            Self::Added(_) => RegistryEvent::Added,
            Self::Removed(_) => RegistryEvent::Removed,
            Self::Replaced { .. } => RegistryEvent::Replaced,
            Self::Updated(_) => RegistryEvent::Updated,
            Self::ConfigConflict { .. } => RegistryEvent::ConfigConflict,
        }
    }
}

/// Receives the changes of a view.
pub type Subscriber<H> = dyn Fn(&Change<H>) + Send + Sync;

type Subscribers<H> = Arc<[(ObserverId, Arc<Subscriber<H>>)]>;

/// Changes on their way to the subscribers.
///
/// They are put in under the lock of what changes, so they stand in the order of the changes, and one thread at a time tells
/// them, under no lock. A change that a subscriber causes is told after the one that it is being told.
pub(super) struct News<H: Instance> {
    state: Lock<State<H>>,
}

struct State<H: Instance> {
    subscribers: Subscribers<H>,
    queue: VecDeque<Change<H>>,
    telling: bool,
}

impl<H: Instance> News<H> {
    pub(super) fn new() -> Self {
        let subscribers = Arc::new([]);
        Self { state: Lock::new(State { subscribers, queue: VecDeque::new(), telling: false }) }
    }

    /// The same subscriber once: then the id is that of the first time.
    pub(super) fn subscribe(&self, subscriber: Arc<Subscriber<H>>) -> ObserverId {
        let mut state = self.state.lock();
        let known = state.subscribers.iter().find(|(_, known)| Arc::ptr_eq(known, &subscriber));
        if let Some((id, _)) = known {
            return *id;
        }
        let id = ObserverId::next();
        state.subscribers = state.subscribers.iter().cloned().chain([(id, subscriber)]).collect();
        id
    }

    pub(super) fn unsubscribe(&self, id: ObserverId) {
        let mut state = self.state.lock();
        let left = state.subscribers.iter().filter(|(other, _)| *other != id).cloned().collect();
        let old = std::mem::replace(&mut state.subscribers, left);
        drop(state);
        // The end of a subscriber is the user's code.
        drop(old);
    }

    pub(super) fn any(&self) -> bool {
        !self.state.lock().subscribers.is_empty()
    }

    pub(super) fn push(&self, change: Change<H>) {
        self.state.lock().queue.push_back(change);
    }

    /// Tells what waits, unless another call is at it.
    pub(super) fn tell(&self, kind: InstanceKind, observers: &Observers) {
        let mut state = self.state.lock();
        if state.telling {
            return;
        }
        while let Some(change) = state.queue.pop_front() {
            state.telling = true;
            let subscribers = state.subscribers.clone();
            drop(state);
            for (_, subscriber) in subscribers.iter() {
                // A subscriber's panic is its own affair: the registry goes on.
                let _ = catch_unwind(AssertUnwindSafe(|| subscriber(&change)));
            }
            let event = EventKind::Registry(kind, change.event());
            observers.tell_if_any(change.instance().shared_name(), event);
            // What was removed may end here, and with it functions of the user's.
            let _ = catch_unwind(AssertUnwindSafe(|| drop((change, subscribers))));
            state = self.state.lock();
        }
        state.telling = false;
    }
}

impl<H: Instance> fmt::Debug for News<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.state.lock().subscribers.len();
        f.debug_struct("News").field("subscribers", &count).finish()
    }
}
