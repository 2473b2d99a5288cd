//! A keyed group as a source: one series for all its instances, under the group's name.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::attached::Attached;
use super::families::{Families, Out};
use super::list::{self, Meter};
use super::read::Metered;
use super::recorder::Recorder;
use super::source::{Source, Watched};
use super::watch::Meters;
use crate::keyed::{AnyGroup, KeyedGroup};
use crate::patterns::bulkhead::Bulkhead;
use crate::patterns::circuit_breaker::CircuitBreaker;
use crate::patterns::rate_limiter::RateLimiter;
use crate::pipeline::Step;
use crate::registry::Tags;
use crate::settings::Live;
use crate::sync::Lock;
use crate::telemetry::snapshot::Snapshot;
use crate::telemetry::{Event, EventKind, Observer, ObserverId};

impl Meters {
    /// Watches a keyed group: all its instances together, under the group's name. What one has counted that is evicted stays.
    ///
    /// The groups that a [registry](Self::watch_registry) knows are watched with it.
    pub fn watch_group(&self, group: &KeyedGroup) {
        let group = &group.group;
        let address = Arc::as_ptr(group).addr();
        if self.shared().watches(address) {
            return;
        }
        group.meter();
        let source = GroupSource {
            group: Arc::downgrade(group),
            name: group.name().clone(),
            tags: Arc::new(Live::new(Tags::new())),
            recorders: Arc::new(Recorders::new()),
            attached: Attached::new(),
        };
        self.add(address, source);
    }
}

struct GroupSource {
    group: Weak<dyn AnyGroup>,
    name: Arc<str>,
    /// None: those of its instances are many.
    tags: Arc<Live<Tags>>,
    recorders: Arc<Recorders>,
    attached: Attached,
}

/// One of each kind that needs one: the group's instances may be of several patterns.
struct Recorders {
    breakers: Recorder,
    bulkheads: Recorder,
    limiters: Recorder,
}

impl Recorders {
    fn new() -> Self {
        Self {
            breakers: Recorder::timing(),
            bulkheads: Recorder::counting(),
            limiters: Recorder::counting(),
        }
    }
}

impl Observer for Recorders {
    fn on_event(&self, event: &Event<'_>) {
        match event.kind {
            EventKind::CircuitBreaker(_) => self.breakers.on_event(event),
            EventKind::Bulkhead(_) => self.bulkheads.on_event(event),
            EventKind::RateLimiter(_) => self.limiters.on_event(event),
            _ => {}
        }
    }
}

impl Source for GroupSource {
    fn is_alive(&self) -> bool {
        self.group.strong_count() > 0
    }

    fn read(&self, families: &mut Families, only: Option<&'static Meter>) -> bool {
        let Some(group) = self.group.upgrade() else { return false };
        let mut all = Families::default();
        group.read(&mut all);
        let has = |meter: &Meter| all.get(meter.name).is_some();
        let breakers = has(&list::BREAKER_STATE);
        let bulkheads = has(&list::BULKHEAD_MAX) || has(&list::POOL_MAX_SIZE);
        let limiters = has(&list::LIMITER_AVAILABLE);
        let tags = self.tags.get();
        let mut out = Out { families: &mut all, only, name: Some(&self.name), tags: &tags };
        if breakers {
            CircuitBreaker::read_recorded(&self.recorders.breakers, &mut out);
        }
        if bulkheads {
            Bulkhead::read_recorded(&self.recorders.bulkheads, &mut out);
        }
        if limiters {
            RateLimiter::read_recorded(&self.recorders.limiters, &mut out);
        }
        families.take_in(all, only);
        true
    }

    fn describe(&self, _: &mut Snapshot) {}

    fn tag(&self, _: &Tags) {}

    fn recorder(&self) -> Option<Arc<dyn Observer>> {
        Some(self.recorders.clone())
    }

    fn watched(&self) -> Watched<'_> {
        // Events of other patterns mean nothing to what is answered.
        Watched { step: Step::CircuitBreaker, name: &self.name, tags: &self.tags }
    }

    fn attached(&self) -> &Attached {
        &self.attached
    }

    fn observe(&self, observer: Arc<dyn Observer>) -> Option<ObserverId> {
        Some(self.group.upgrade()?.observe(observer))
    }

    fn unobserve(&self, id: ObserverId) {
        if let Some(group) = self.group.upgrade() {
            group.unobserve(id);
        }
    }
}

/// What instances have counted that are gone from their group. Costs nothing until somebody looks at the group's meters.
pub(crate) struct Kept<T> {
    is_wanted: AtomicBool,
    state: Lock<State<T>>,
}

struct State<T> {
    sums: Families,
    /// Out of the map, and not in the sums yet.
    leaving: Vec<Arc<Vec<T>>>,
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new() -> Self {
        let state = State { sums: Families::default(), leaving: Vec::new() };
        Self { is_wanted: AtomicBool::new(false), state: Lock::new(state) }
    }

    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
    }

    /// Has `evict` take instances out of the map, and keeps what those have counted that `own` picks.
    pub(crate) fn evict<R>(
        &self,
        name: &str,
        evict: impl FnOnce() -> R,
        own: impl FnOnce(&R) -> Vec<T>,
        read: impl Fn(&T, &mut Out<'_>),
    ) -> R {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return evict();
        }
        let (gone, leaving) = {
            // In one step: whoever reads finds an instance in the map, among those that leave, or in the sums.
            let mut state = self.state.lock();
            let gone = evict();
            let leaving = Arc::new(own(&gone));
            if leaving.is_empty() {
                return gone;
            }
            state.leaving.push(leaving.clone());
            (gone, leaving)
        };
        // Under no lock: a breaker that is looked at may have something to tell.
        let (mut last, tags) = (Families::default(), Tags::new());
        let mut out = Out { families: &mut last, only: None, name: Some(name), tags: &tags };
        leaving.iter().for_each(|value| read(value, &mut out));
        let mut state = self.state.lock();
        state.sums.keep(&last);
        state.leaving.retain(|other| !Arc::ptr_eq(other, &leaving));
        drop(state);
        gone
    }

    /// Reads those that are `there`, in the map, and all that were.
    pub(crate) fn read(
        &self,
        name: &str,
        families: &mut Families,
        there: impl FnOnce() -> Vec<T>,
        read: impl Fn(&T, &mut Out<'_>),
    ) {
        let (sums, leaving, there) = {
            let state = self.state.lock();
            (state.sums.clone(), state.leaving.clone(), there())
        };
        families.take_in(sums, None);
        let tags = Tags::new();
        let mut out = Out { families, only: None, name: Some(name), tags: &tags };
        let leaving = leaving.iter().flat_map(|values| values.iter());
        there.iter().chain(leaving).for_each(|value| read(value, &mut out));
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("is_wanted", &self.is_wanted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::families::{Families, Out, Reading};
    use super::super::list::RETRY_RETRIES;
    use super::Kept;

    fn count(value: &u64, out: &mut Out<'_>) {
        out.counter(&RETRY_RETRIES, &[], *value);
    }

    #[test]
    fn whoever_reads_while_something_leaves_finds_it_once() {
        let kept = Kept::<u64>::new();
        kept.want();
        let map = RefCell::new(vec![1, 20, 300]);
        let sum = || {
            let mut families = Families::default();
            kept.read("hosts", &mut families, || map.borrow().clone(), count);
            let (_, reading) = families.iter().next().unwrap().series().next().unwrap();
            *reading
        };
        assert_eq!(sum(), Reading::Counter(321));
        let evict = || map.borrow_mut().remove(1);
        // As an observer might, that hears of it when the one that leaves is looked at.
        let look = |value: &u64, out: &mut Out<'_>| {
            assert_eq!(sum(), Reading::Counter(321));
            count(value, out);
        };
        assert_eq!(kept.evict("hosts", evict, |gone| vec![*gone], look), 20);
        assert_eq!(sum(), Reading::Counter(321));
    }
}
