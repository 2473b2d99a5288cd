//! What all clones of a bulkhead share: the gate, the length of the wait, and who listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::BulkheadPermit;
use super::config::BulkheadConfig;
use super::gate::{Entry, Gate};
use crate::deadline::later;
use crate::error::{Reason, Rejected};
use crate::sync::Lock;
use crate::telemetry::{BulkheadEvent, EventKind, Observer, ObserverId, Observers};

#[derive(Debug)]
pub(in crate::patterns) struct Shared {
    pub(in crate::patterns) name: Arc<str>,
    pub(super) gate: Gate,
    pub(super) observers: Observers,
    /// In nanoseconds; the largest number stands for all that is longer, and for no limit.
    max_wait: AtomicU64,
    /// Changes together with what calls read of it.
    config: Lock<BulkheadConfig>,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, config: BulkheadConfig) -> Self {
        Self {
            name,
            gate: Gate::new(config.max_concurrent_calls, config.fair, capacity(&config)),
            observers: Observers::default(),
            max_wait: AtomicU64::new(nanos(config.max_wait)),
            config: Lock::new(config),
        }
    }

    /// The settings as they stand now.
    pub(super) fn config(&self) -> BulkheadConfig {
        *self.config.lock()
    }

    pub(super) fn update(&self, config: BulkheadConfig) {
        self.change(|current| *current = config);
    }

    /// Changes the settings, and wakes those who may now come in.
    pub(super) fn change(&self, change: impl FnOnce(&mut BulkheadConfig)) {
        let mut current = self.config.lock();
        change(&mut current);
        let config = *current;
        self.max_wait.store(nanos(config.max_wait), Ordering::Relaxed);
        let woken = self.gate.set(config.max_concurrent_calls, config.fair, capacity(&config));
        drop(current);
        woken.into_iter().for_each(Waker::wake);
    }

    pub(in crate::patterns) fn settings(&self) -> Arc<BulkheadConfig> {
        Arc::new(self.config())
    }

    pub(in crate::patterns) fn attach(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        self.observers.add_as(id, observer);
    }

    pub(in crate::patterns) fn detach(&self, id: ObserverId) {
        self.observers.remove(id);
    }

    fn max_wait(&self) -> Duration {
        match self.max_wait.load(Ordering::Relaxed) {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }

    /// A permit, if there is one now.
    #[inline]
    pub(super) fn enter(self: &Arc<Self>) -> Option<BulkheadPermit> {
        self.gate.enter().then(|| self.permit())
    }

    /// A place in the line for as long as the caller may wait, who did not get in by `enter`; or a
    /// permit if one has come free in the meantime.
    #[cold]
    pub(super) fn join(self: &Arc<Self>, latest: Option<Instant>) -> Result<Joined, Rejected> {
        // The clock is read only by those who may wait.
        let wait = self.max_wait();
        if wait.is_zero() {
            return Err(self.reject());
        }
        let now = Instant::now();
        let own = if wait == Duration::MAX { None } else { Some(later(now, wait)) };
        let expires = own.into_iter().chain(latest).min();
        if expires.is_some_and(|expires| expires <= now) {
            return Err(self.reject());
        }
        match self.gate.join() {
            Entry::In => Ok(Joined::Permit(self.permit())),
            Entry::InLine(ticket) => {
                Ok(Joined::Waiter(Waiter { shared: Some(self.clone()), ticket, expires }))
            }
            Entry::Full => Err(self.reject()),
        }
    }

    #[inline]
    fn permit(self: &Arc<Self>) -> BulkheadPermit {
        let permit = BulkheadPermit { shared: Some(self.clone()) };
        self.tell(BulkheadEvent::CallPermitted);
        permit
    }

    #[inline]
    pub(super) fn finish(&self) {
        self.gate.leave();
        self.tell(BulkheadEvent::CallFinished);
    }

    #[cold]
    pub(super) fn reject(&self) -> Rejected {
        self.tell(BulkheadEvent::CallRejected);
        Rejected::new(self.name.clone(), Reason::BulkheadFull)
    }

    #[inline]
    fn tell(&self, event: BulkheadEvent) {
        if self.observers.any() {
            self.observers.tell_now(&self.name, EventKind::Bulkhead(event));
        }
    }
}

#[derive(Debug)]
pub(super) enum Joined {
    Permit(BulkheadPermit),
    Waiter(Waiter),
}

/// A place in the line. Dropped, it leaves it, and passes on what it may have been given.
#[derive(Debug)]
pub(super) struct Waiter {
    /// Gone once the waiter is in or out.
    shared: Option<Arc<Shared>>,
    ticket: usize,
    /// Nothing if it waits for as long as it takes.
    pub(super) expires: Option<Instant>,
}

impl Waiter {
    /// The permit, if it has come; else `waker` is woken when it does.
    pub(super) fn check(&mut self, waker: &Waker) -> Option<BulkheadPermit> {
        let shared = self.shared.take_if(|shared| shared.gate.check(self.ticket, waker))?;
        Some(shared.permit())
    }

    /// The wait is over. A permit that has come in the meantime is not lost.
    pub(super) fn expire(&mut self) -> Result<BulkheadPermit, Rejected> {
        let shared = self.shared.take().expect("polled again after completion");
        if shared.gate.withdraw(self.ticket) { Ok(shared.permit()) } else { Err(shared.reject()) }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.gate.abandon(self.ticket);
        }
    }
}

fn capacity(config: &BulkheadConfig) -> usize {
    config.queue_capacity.map_or(usize::MAX, |calls| calls as usize)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
