//! Who makes what at this moment, and who waits for that.
//!
//! A factory is a user's function and runs under no lock; whoever asks for the same name meanwhile waits for its end.
//! A factory may ask for other instances, so a wait can close a circle. Such a wait is refused.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// One table for the whole process: a circle may go through several registries. It is looked at only where instances are made.
static TABLE: Mutex<Rows> = Mutex::new(Rows::new());
static OVER: Condvar = Condvar::new();

/// No user's code runs under it, so it is whole even if poisoned.
fn table() -> MutexGuard<'static, Rows> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Rows {
    next: u64,
    makings: Vec<Making>,
    waits: Vec<(ThreadId, Making)>,
}

/// An instance is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Making {
    id: u64,
    by: ThreadId,
}

/// A wait that would never end.
#[derive(Debug)]
pub(super) struct Circle;

impl Rows {
    const fn new() -> Self {
        Self { next: 0, makings: Vec::new(), waits: Vec::new() }
    }

    /// Does `thread` wait for something that `me` makes, or is it `me`?
    fn leads_to(&self, mut thread: ThreadId, me: ThreadId) -> bool {
        // A thread waits for one thing at a time, and no circle was let in before: the way ends.
        loop {
            if thread == me {
                return true;
            }
            match self.waits.iter().find(|(waiting, _)| *waiting == thread) {
                Some((_, making)) => thread = making.by,
                None => return false,
            }
        }
    }
}

impl Making {
    /// This thread begins to make something.
    pub(super) fn begin() -> Self {
        let mut rows = table();
        let making = Self { id: rows.next, by: thread::current().id() };
        rows.next += 1;
        rows.makings.push(making);
        making
    }

    /// It is made, or has failed.
    pub(super) fn end(self) {
        let mut rows = table();
        rows.makings.retain(|other| *other != self);
        rows.waits.retain(|(_, other)| *other != self);
        drop(rows);
        OVER.notify_all();
    }

    /// Blocks this thread until that.
    pub(super) fn wait(self) -> Result<(), Circle> {
        let me = thread::current().id();
        let mut rows = table();
        if !rows.makings.contains(&self) {
            return Ok(());
        }
        if rows.leads_to(self.by, me) {
            return Err(Circle);
        }
        rows.waits.push((me, self));
        while rows.makings.contains(&self) {
            rows = OVER.wait(rows).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}
