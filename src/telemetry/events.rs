//! Events as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use futures_core::Stream;
use tokio::time::Instant;

use super::event::{Event, EventKind};
use super::observer::Observer;
use crate::clock;
use crate::sync::Lock;

/// One thing that an instance did, kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventRecord {
    /// The instance's name.
    pub name: Arc<str>,
    /// When it happened, on tokio's clock.
    pub at: Instant,
    /// When it was heard of, on the wall's clock.
    pub time: SystemTime,
    /// What happened.
    pub kind: EventKind,
    /// How many events right before this one were lost, because the reader was too slow.
    pub missed: u64,
}

/// The events of an instance (a handle's `events`, a pipeline's) from when it was made, in the order in which they were told.
///
/// The newest `capacity` events are kept for the reader: when one more comes, the oldest is lost, and the next
/// [`EventRecord`] says how many were. So a slow reader keeps no call up. After the last event of the last instance it
/// ends. Dropping it takes it off.
///
/// ```
/// use seawall::CircuitBreaker;
/// use seawall::telemetry::{CircuitBreakerEvent, EventKind};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// let mut events = breaker.events(100);
/// breaker.transition_to_forced_open();
/// let event = events.recv().await.unwrap();
/// assert!(matches!(event.kind, EventKind::CircuitBreaker(CircuitBreakerEvent::StateTransition { .. })));
/// drop(breaker);
/// assert!(events.recv().await.is_none());
/// # }
/// ```
#[must_use = "without a reader it only forgets"]
pub struct Events {
    ring: Arc<Ring>,
    /// Take the observer off.
    detach: Vec<Detach>,
}

/// Takes one observer off one instance, if that is still there. It must not keep the instance alive.
pub(crate) type Detach = Box<dyn FnOnce() + Send + Sync>;

#[derive(Debug)]
struct Ring(Lock<Kept>);

#[derive(Debug)]
struct Kept {
    records: VecDeque<EventRecord>,
    capacity: usize,
    /// Lost since the last record that was kept.
    missed: u64,
    /// Nobody is left who could tell more.
    over: bool,
    reader: Option<Waker>,
}

impl Events {
    /// `listen` attaches the observer wherever it shall listen.
    pub(crate) fn new(
        capacity: usize,
        listen: impl FnOnce(&Arc<dyn Observer>) -> Vec<Detach>,
    ) -> Self {
        let ring = Arc::new(Ring(Lock::new(Kept {
            records: VecDeque::new(),
            capacity: capacity.max(1),
            missed: 0,
            over: false,
            reader: None,
        })));
        let writer: Arc<dyn Observer> = Arc::new(Writer(ring.clone()));
        Self { ring, detach: listen(&writer) }
    }

    /// The next event; nothing once the instance is gone and all its events are read.
    ///
    /// Dropping the future loses no event.
    pub async fn recv(&mut self) -> Option<EventRecord> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<EventRecord> {
        self.ring.0.lock().records.pop_front()
    }

    /// As [`recv`](Self::recv), for futures written by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<EventRecord>> {
        let mut kept = self.ring.0.lock();
        if let Some(record) = kept.records.pop_front() {
            return Poll::Ready(Some(record));
        }
        if kept.over {
            return Poll::Ready(None);
        }
        let old = match &kept.reader {
            Some(reader) if reader.will_wake(cx.waker()) => None,
            _ => kept.reader.replace(cx.waker().clone()),
        };
        drop(kept);
        // A waker is somebody else's code.
        drop(old);
        Poll::Pending
    }

    /// Events that wait to be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.0.lock().records.len()
    }

    /// Does none wait to be read?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Stream for Events {
    type Item = EventRecord;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<EventRecord>> {
        self.poll_recv(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.detach.drain(..).for_each(|detach| detach());
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

/// What listens. It goes when the last instance goes that it listens to.
struct Writer(Arc<Ring>);

impl Observer for Writer {
    fn on_event(&self, event: &Event<'_>) {
        let &Event { name, at, kind } = event;
        let time = clock::wall();
        let mut kept = self.0.0.lock();
        let last = kept.records.back().filter(|last| &*last.name == name);
        let name = last.map_or_else(|| name.into(), |last| last.name.clone());
        let oldest =
            if kept.records.len() < kept.capacity { None } else { kept.records.pop_front() };
        if let Some(oldest) = &oldest {
            let missed = oldest.missed.saturating_add(1);
            match kept.records.front_mut() {
                Some(next) => next.missed = next.missed.saturating_add(missed),
                None => kept.missed = missed,
            }
        }
        let missed = std::mem::take(&mut kept.missed);
        kept.records.push_back(EventRecord { name, at, time, kind, missed });
        let reader = kept.reader.take();
        drop(kept);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let reader = {
            let mut kept = self.0.0.lock();
            kept.over = true;
            kept.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}
