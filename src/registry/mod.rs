//! Named instances of every pattern, in one place: made when first asked for, found, listed, changed while calls run, removed.
//!
//! # When
//!
//! Where instances come from a file, where an operator looks at them or changes them, or where several parts of a program
//! share one by its name. A handle that is a field of your own struct needs no registry.
//!
//! ```
//! use seawall::{CircuitBreakerConfig, Registry};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new();
//! let breakers = registry.circuit_breakers();
//! breakers.set_default_config(CircuitBreakerConfig::safe().build()?);
//!
//! // Wherever it is needed: the first makes it, the others get the same.
//! let orders = breakers.get("orders")?;
//! assert!(orders.try_acquire().is_ok());
//!
//! // From an operator's console: takes effect at once, and keeps state, counters and observers.
//! breakers.update("orders", CircuitBreakerConfig::safe().failure_rate_threshold(30.0))?;
//! # Ok(()) }
//! ```
//!
//! # What is where
//!
//! Each pattern has a name space of its own, a [`View`]: a retry and a breaker may both be called `orders`, and a
//! [pipeline](Registry::pipelines) of that name is composed of the two.
//!
//! | what | rule |
//! |---|---|
//! | [`get`](View::get), [`get_with`](View::get_with) | one instance a name, however many ask at once; the settings count only for whoever makes it; a failed factory leaves nothing behind |
//! | [`find`](View::find), [`list`](View::list) | make nothing; lists are in the order of names |
//! | [`update`](View::update), [`put`](View::put) | new settings in place |
//! | [`replace`](View::replace), [`remove`](View::remove) | holders of the old instance go on with it, with the state it has |
//! | named settings | `default` is always there: first the pattern's own, exchanged by [`set_default_config`](View::set_default_config) |
//! | tags | of the registry, of a pattern, of an instance; the innermost wins |
//! | [`subscribe`](View::subscribe) | added, removed, replaced, updated, asked for with other settings than it has |
//! | [`observe`](Registry::observe) | the events of all instances there are and will be, and of the registry |
//!
//! The registry has no limit: names are the program's own. For names that come with requests (hosts, tenants) there are [keyed
//! layers](crate::keyed).
//!
//! # Factories
//!
//! A function that gives settings runs under no lock, and may use the registry. Whoever asks for the same name meanwhile waits for it,
//! blocking the thread; so it should be quick, as reading a map is. A function that asks for the very instance it is for gets
//! [`RegistryError::Circular`], and so does a circle of several.

/// Does the same for the instances of every pattern.
macro_rules! each_store {
    ($inner:expr, $store:ident => $work:expr) => {{
        let inner: &Inner = &$inner;
        {
            let $store = &inner.circuit_breakers;
            $work;
        }
        {
            let $store = &inner.retries;
            $work;
        }
        {
            let $store = &inner.bulkheads;
            $work;
        }
        {
            let $store = &inner.thread_pool_bulkheads;
            $work;
        }
        {
            let $store = &inner.rate_limiters;
            $work;
        }
        {
            let $store = &inner.time_limiters;
            $work;
        }
        {
            let $store = &inner.timers;
            $work;
        }
    }};
}

mod change;
mod error;
mod groups;
mod pipelines;
mod race;
mod settings;
mod spec;
mod store;
mod tags;
mod view;

use std::sync::Arc;

use tokio::time::Instant;

pub use change::{Change, Subscriber};
pub use error::RegistryError;
pub use pipelines::Pipelines;
#[cfg(feature = "config")]
pub(crate) use pipelines::thread_pool;
pub use settings::Settings;
pub use spec::{PipelineSpec, Protocol};
pub use tags::Tags;
pub use view::View;

pub use crate::telemetry::InstanceKind;

use self::groups::Groups;
use self::pipelines::Compositions;
use self::store::Store;
use crate::patterns::Instance;
use crate::patterns::bulkhead::Bulkhead;
use crate::patterns::circuit_breaker::CircuitBreaker;
use crate::patterns::rate_limiter::RateLimiter;
use crate::patterns::retry::Retry;
use crate::patterns::time_limiter::TimeLimiter;
use crate::patterns::timer::Timer;
use crate::sync::Lock;
use crate::telemetry::{Events, Observer, ObserverId, Observers, ReloadEvent};

/// The settings that are always there.
const DEFAULT: &str = "default";

/// Named instances of every pattern. Cheap to clone; clones are the same registry.
///
/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    circuit_breakers: Store<CircuitBreaker>,
    retries: Store<Retry>,
    bulkheads: Store<Bulkhead>,
    thread_pool_bulkheads: Store<Bulkhead>,
    rate_limiters: Store<RateLimiter>,
    time_limiters: Store<TimeLimiter>,
    timers: Store<Timer>,
    pipelines: Compositions,
    groups: Groups,
    observers: Observers,
    tags: Lock<Tags>,
    last_reload: Lock<Option<LastReload>>,
}

/// What came of a changed file of settings.
#[derive(Clone, Debug)]
pub(crate) struct LastReload {
    pub(crate) at: Instant,
    pub(crate) file: Arc<str>,
    pub(crate) event: ReloadEvent,
}

impl Inner {
    fn tags(&self) -> Tags {
        self.tags.lock().clone()
    }
}

impl Registry {
    /// An empty registry, with Resilience4j's settings for `default`.
    #[must_use]
    pub fn new() -> Self {
        let pool = pipelines::thread_pool();
        Self {
            inner: Arc::new(Inner {
                circuit_breakers: store(InstanceKind::CircuitBreaker),
                retries: store(InstanceKind::Retry),
                bulkheads: store(InstanceKind::Bulkhead),
                thread_pool_bulkheads: Store::new(InstanceKind::ThreadPoolBulkhead, pool),
                rate_limiters: store(InstanceKind::RateLimiter),
                time_limiters: store(InstanceKind::TimeLimiter),
                timers: store(InstanceKind::Timer),
                pipelines: Compositions::new(),
                groups: Groups::new(),
                observers: Observers::default(),
                tags: Lock::new(Tags::new()),
                last_reload: Lock::new(None),
            }),
        }
    }

    /// Finds the registry again for as long as anyone else holds it.
    pub(crate) fn weak(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let inner = Arc::downgrade(&self.inner);
        move || Some(Self { inner: inner.upgrade()? })
    }

    /// The same for all clones, and for no other registry while a [`weak`](Self::weak) of it is kept.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    /// The circuit breakers.
    #[must_use]
    pub fn circuit_breakers(&self) -> View<CircuitBreaker> {
        View::new(self.inner.clone(), |inner| &inner.circuit_breakers)
    }

    /// The retries.
    #[must_use]
    pub fn retries(&self) -> View<Retry> {
        View::new(self.inner.clone(), |inner| &inner.retries)
    }

    /// The bulkheads.
    #[must_use]
    pub fn bulkheads(&self) -> View<Bulkhead> {
        View::new(self.inner.clone(), |inner| &inner.bulkheads)
    }

    /// Bulkheads that stand for Resilience4j's pools of threads, in a name space of their own.
    ///
    /// `default` is what Resilience4j's pool comes to: as many calls at once as there are processors, and 100 waiting.
    #[must_use]
    pub fn thread_pool_bulkheads(&self) -> View<Bulkhead> {
        View::new(self.inner.clone(), |inner| &inner.thread_pool_bulkheads)
    }

    /// The rate limiters.
    #[must_use]
    pub fn rate_limiters(&self) -> View<RateLimiter> {
        View::new(self.inner.clone(), |inner| &inner.rate_limiters)
    }

    /// The time limiters.
    #[must_use]
    pub fn time_limiters(&self) -> View<TimeLimiter> {
        View::new(self.inner.clone(), |inner| &inner.time_limiters)
    }

    /// The timers.
    #[must_use]
    pub fn timers(&self) -> View<Timer> {
        View::new(self.inner.clone(), |inner| &inner.timers)
    }

    /// The named pipelines.
    #[must_use]
    pub fn pipelines(&self) -> Pipelines {
        Pipelines::new(self.inner.clone())
    }

    /// The tags that all instances have.
    #[must_use]
    pub fn tags(&self) -> Tags {
        self.inner.tags()
    }

    /// Replaces the tags that all instances have.
    pub fn set_tags(&self, tags: impl Into<Tags>) {
        *self.inner.tags.lock() = tags.into();
    }

    /// Tells `observer` whatever any instance does that there is or will be, and what the registry itself does, until it is
    /// [taken off](Self::unobserve). From an instance that is removed or replaced it is taken off.
    ///
    /// Without an observer no instance builds an event.
    pub fn observe(&self, observer: impl Observer) -> ObserverId {
        self.observe_shared(Arc::new(observer))
    }

    /// As [`observe`](Self::observe). The same observer a second time counts once.
    pub fn observe_shared(&self, observer: Arc<dyn Observer>) -> ObserverId {
        let id = self.inner.observers.add_once(observer);
        // Who makes an instance at this moment finds the observer already, or is found here.
        each_store!(self.inner, store => store.observe(&self.inner.observers));
        self.inner.groups.observe(&self.inner.observers);
        id
    }

    /// The same as a stream that keeps the newest `capacity` events for its reader. It ends when the registry and all instances
    /// that it listens to are gone.
    ///
    /// Unit: events. Range: from 1; zero is taken for it. Resilience4j keeps 100.
    ///
    /// ```
    /// use seawall::Registry;
    /// use seawall::telemetry::{EventKind, RegistryEvent};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = Registry::new();
    /// let mut events = registry.events(100);
    /// let retry = registry.retries().get("inventory");
    /// let event = events.recv().await.unwrap();
    /// assert!(matches!(event.kind, EventKind::Registry(_, RegistryEvent::Added)));
    /// # Ok(()) }
    /// ```
    pub fn events(&self, capacity: usize) -> Events {
        Events::new(capacity, |observer| {
            let id = self.observe_shared(observer.clone());
            let inner = Arc::downgrade(&self.inner);
            let detach = move || {
                if let Some(inner) = inner.upgrade() {
                    Self { inner }.unobserve(id);
                }
            };
            vec![Box::new(detach)]
        })
    }

    /// Takes an observer off all instances. Nothing happens if it is gone already.
    pub fn unobserve(&self, id: ObserverId) {
        // Kept to the end of this: its own end is the user's code, which must not run under a lock.
        let gone = self.inner.observers.remove(id);
        each_store!(self.inner, store => store.unobserve(id));
        self.inner.groups.unobserve(id);
        drop(gone);
    }
}

impl Registry {
    /// Tells the registry's observers what came of a changed file of settings, and remembers it.
    #[cfg(feature = "config")]
    pub(crate) fn reloaded(&self, file: &str, event: ReloadEvent) {
        let last = LastReload { at: Instant::now(), file: file.into(), event };
        *self.inner.last_reload.lock() = Some(last);
        self.inner.observers.tell_if_any(file, crate::telemetry::EventKind::Reload(event));
    }

    /// What came of the file of settings when it had changed last.
    pub(crate) fn last_reload(&self) -> Option<LastReload> {
        self.inner.last_reload.lock().clone()
    }
}

fn store<H: Instance>(kind: InstanceKind) -> Store<H> {
    Store::new(kind, H::Config::default())
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
