//! The one task that makes timed transitions happen on time, with no call to notice them.
//!
//! The core finds out by itself what is due whenever it is asked. The task is there for observers,
//! who want to hear of a transition when it happens. It holds the breaker weakly and ends with it.

#[cfg(all(test, seawall_loom))]
mod loom;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout_at;

use super::shared::Shared;
use crate::sync::AtomicBool;

/// Whether the task runs, and how to wake it.
#[derive(Debug, Default)]
pub(super) struct Driver {
    running: AtomicBool,
    changed: Arc<Notify>,
}

impl Driver {
    /// Starts the task unless it runs. Without a runtime there is none.
    pub(super) fn ensure(&self, shared: &Arc<Shared>) {
        if !self.runs()
            && let Ok(runtime) = Handle::try_current()
            && !self.running.swap(true, Ordering::AcqRel)
        {
            runtime.spawn(drive(Running(Arc::downgrade(shared)), self.changed.clone()));
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// The state has changed, and with it what is due.
    pub(super) fn wake(&self) {
        if self.runs() {
            self.changed.notify_one();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Says that the task is gone, also when its runtime shuts down.
struct Running(Weak<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.driver.running.store(false, Ordering::Release);
        }
    }
}

async fn drive(running: Running, changed: Arc<Notify>) {
    while let Some(shared) = running.0.upgrade() {
        let Some(due) = shared.next_due() else {
            // A timer may have been set since that look; whoever set it saw this task still running.
            drop(running);
            if shared.next_due().is_some() {
                shared.driver.ensure(&shared);
            }
            return;
        };
        drop(shared);
        // Either the time has come or something has changed: in both cases look again.
        let _ = timeout_at(due, changed.notified()).await;
    }
}
