//! Who listens, and how events reach them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::Instant;

use super::event::{Event, EventKind};
use super::trace;
use crate::sync::Lock;

/// Receives what an instance does.
///
/// It is called in the task that caused the event, outside every lock: it may call back into the
/// instance. It should not block. A panic in it is caught and forgotten.
///
/// ```
/// use seawall::CircuitBreaker;
/// use seawall::telemetry::Event;
///
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// breaker.observe(|event: &Event<'_>| println!("{}: {:?}", event.name, event.kind));
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Names one attached observer, so that it can be [detached](crate::patterns::Instance::detach).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObserverId(u64);

impl ObserverId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) type Listeners = Arc<[(ObserverId, Arc<dyn Observer>)]>;

/// The listeners of one instance.
#[derive(Default)]
pub(crate) struct Observers {
    any: AtomicBool,
    list: Lock<Option<Listeners>>,
}

impl Observers {
    /// Does anybody listen? An event is not built before this says so.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, observer: Arc<dyn Observer>) -> ObserverId {
        let id = ObserverId::next();
        self.add_as(id, observer);
        id
    }

    /// The same under an id that the caller knows already.
    pub(crate) fn add_as(&self, id: ObserverId, observer: Arc<dyn Observer>) {
        let mut list = self.list.lock();
        let old = list.as_deref().unwrap_or(&[]);
        *list = Some(old.iter().cloned().chain([(id, observer)]).collect());
        self.any.store(true, Ordering::Release);
    }

    /// Adds an observer unless it is there already; then its id is that of the first time.
    pub(crate) fn add_once(&self, observer: Arc<dyn Observer>) -> ObserverId {
        let mut list = self.list.lock();
        let old = list.as_deref().unwrap_or(&[]);
        let same = |(_, known): &&(ObserverId, Arc<dyn Observer>)| {
            std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(&observer))
        };
        if let Some((id, _)) = old.iter().find(same) {
            return *id;
        }
        let id = ObserverId::next();
        *list = Some(old.iter().cloned().chain([(id, observer)]).collect());
        self.any.store(true, Ordering::Release);
        id
    }

    /// Who listens now.
    pub(crate) fn list(&self) -> Listeners {
        self.list.lock().clone().unwrap_or_default()
    }

    /// Takes an observer off. One that is being told something at this moment may still be told that.
    ///
    /// What comes back may be the last that holds the observer, whose end is the user's code: it is to be dropped where no lock
    /// is held.
    pub(crate) fn remove(&self, id: ObserverId) -> Option<Listeners> {
        let mut list = self.list.lock();
        let old = list.take();
        let left = old.iter().flat_map(|old| old.iter()).filter(|(other, _)| *other != id);
        let left: Listeners = left.cloned().collect();
        let any = !left.is_empty();
        *list = any.then_some(left);
        self.any.store(any, Ordering::Release);
        old
    }

    /// Does anybody want to know of what happens rarely: listeners, or whoever reads traces?
    #[inline]
    pub(crate) fn any_for_rare(&self) -> bool {
        self.any() || trace::is_wanted()
    }

    /// Tells one event.
    #[cold]
    pub(crate) fn tell(&self, name: &str, at: Instant, kind: EventKind) {
        // Who reads traces is a listener too: a panic there is its own affair, as of any.
        let _ = catch_unwind(AssertUnwindSafe(|| trace::note(name, &kind)));
        self.pass_on(&Event::new(name, at, kind));
    }

    /// Tells an event that somebody else has told.
    pub(crate) fn pass_on(&self, event: &Event<'_>) {
        let Some(listeners) = self.list.lock().clone() else { return };
        for (_, listener) in listeners.iter() {
            // The listener's panic is the listener's affair: the call goes on.
            let _ = catch_unwind(AssertUnwindSafe(|| listener.on_event(event)));
        }
    }

    /// Tells an event of this moment.
    #[cold]
    pub(crate) fn tell_now(&self, name: &str, kind: EventKind) {
        self.tell(name, Instant::now(), kind);
    }

    /// Tells a rare event of this moment if anybody wants to know of it.
    pub(crate) fn tell_if_any(&self, name: &str, kind: EventKind) {
        if self.any_for_rare() {
            self.tell_now(name, kind);
        }
    }

    /// An outbox for a core to put its events into.
    pub(crate) fn outbox<K>(&self) -> Outbox<K> {
        Outbox { wanted: self.any_for_rare(), first: None, rest: Vec::new() }
    }

    /// Sends what a core has put into its outbox. The core's lock must be free by now.
    pub(crate) fn send<K>(&self, name: &str, outbox: Outbox<K>, kind: impl Fn(K) -> EventKind) {
        for (at, event) in outbox {
            self.tell(name, at, kind(event));
        }
    }
}

impl Default for Lock<Option<Listeners>> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.lock().as_ref().map_or(0, |list| list.len());
        f.debug_struct("Observers").field("count", &count).finish()
    }
}

/// Events on their way out of a core: the usual single one costs no allocation, and none is kept
/// when nobody listens.
#[derive(Debug)]
pub struct Outbox<K> {
    wanted: bool,
    first: Option<(Instant, K)>,
    rest: Vec<(Instant, K)>,
}

impl<K> Outbox<K> {
    /// An outbox that keeps everything.
    #[must_use]
    pub const fn open() -> Self {
        Self { wanted: true, first: None, rest: Vec::new() }
    }

    /// Does anybody want what it would keep?
    #[inline]
    pub(crate) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Has it kept nothing?
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[inline]
    pub(crate) fn push(&mut self, at: Instant, event: K) {
        if !self.wanted {
            return;
        }
        match self.first {
            None => self.first = Some((at, event)),
            Some(_) => self.rest.push((at, event)),
        }
    }
}

impl<K> IntoIterator for Outbox<K> {
    type Item = (Instant, K);
    type IntoIter =
        std::iter::Chain<std::option::IntoIter<(Instant, K)>, std::vec::IntoIter<(Instant, K)>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Event;
    use crate::patterns::Instance;
    use crate::{CircuitBreaker, RetryConfig};

    #[test]
    fn an_observer_that_was_taken_off_hears_no_more() {
        let heard = Arc::new(AtomicUsize::new(0));
        let observer = || {
            let heard = heard.clone();
            Arc::new(move |_: &Event<'_>| {
                heard.fetch_add(1, Ordering::Relaxed);
            })
        };
        let breaker = CircuitBreaker::with_defaults("shop");
        let succeed = || breaker.try_acquire().unwrap().success();
        let (first, second) = (breaker.attach(observer()), breaker.attach(observer()));
        assert_ne!(first, second);
        succeed();
        assert_eq!(heard.load(Ordering::Relaxed), 2);
        breaker.detach(first);
        breaker.detach(first);
        succeed();
        assert_eq!(heard.load(Ordering::Relaxed), 3);
        breaker.detach(second);
        succeed();
        assert_eq!(heard.load(Ordering::Relaxed), 3);
        assert_eq!(breaker.counters().successful, 3);
        assert_eq!(Arc::strong_count(&heard), 1, "they are gone");
    }

    #[test]
    fn a_handle_knows_whether_it_is_the_only_one() {
        let retry = crate::Retry::create("shop".into(), RetryConfig::default());
        assert!(!retry.is_shared() && retry.is_at_rest());
        let call = retry.start();
        assert!(retry.is_shared());
        drop(call);
        assert!(!retry.is_shared());
    }
}
