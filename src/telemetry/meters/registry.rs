//! A registry as a source: its instances come and go, and so do their meters.

use std::sync::{Arc, Weak};

use super::read::Metered;
use super::watch::{Meters, Shared};
use crate::registry::{Change, Registry, View};
use crate::telemetry::ObserverId;

/// A registry that is followed.
#[derive(Clone)]
pub(super) struct Followed {
    pub(super) address: usize,
    /// The registry for as long as anyone else holds it.
    pub(super) found: Arc<dyn Fn() -> Option<Registry> + Send + Sync>,
    subscriptions: [ObserverId; 7],
    groups: ObserverId,
}

impl Followed {
    pub(super) fn end(&self) {
        let Some(registry) = (self.found)() else { return };
        let [breakers, retries, bulkheads, pools, limiters, time_limiters, timers] =
            self.subscriptions;
        registry.circuit_breakers().unsubscribe(breakers);
        registry.retries().unsubscribe(retries);
        registry.bulkheads().unsubscribe(bulkheads);
        registry.thread_pool_bulkheads().unsubscribe(pools);
        registry.rate_limiters().unsubscribe(limiters);
        registry.time_limiters().unsubscribe(time_limiters);
        registry.timers().unsubscribe(timers);
        registry.off_keyed(self.groups);
    }
}

impl Meters {
    /// The meters of all instances of a registry: those there are, and those there will be.
    ///
    /// ```
    /// use seawall::Registry;
    /// use seawall::telemetry::Meters;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = Registry::new();
    /// let meters = Meters::of(&registry);
    /// registry.circuit_breakers().get("inventory")?;
    /// assert!(meters.prometheus().contains("inventory"));
    /// registry.circuit_breakers().remove("inventory");
    /// assert!(!meters.prometheus().contains("inventory"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn of(registry: &Registry) -> Self {
        let meters = Self::new();
        meters.watch_registry(registry);
        meters
    }

    /// Watches all instances of a registry: those there are, and those there will be. One that is removed or replaced is
    /// forgotten.
    ///
    /// Their tags are those that the registry has for them, but for what is watched already, which stays as it is. A tag that is changed later shows at the next
    /// [`collect`](Self::collect), or the next collection of OpenTelemetry's.
    pub fn watch_registry(&self, registry: &Registry) {
        if self.shared().follows(registry.address()) {
            return;
        }
        let subscriptions = [
            follow(self, registry, Registry::circuit_breakers),
            follow(self, registry, Registry::retries),
            follow(self, registry, Registry::bulkheads),
            follow(self, registry, Registry::thread_pool_bulkheads),
            follow(self, registry, Registry::rate_limiters),
            follow(self, registry, Registry::time_limiters),
            follow(self, registry, Registry::timers),
        ];
        let weak = Arc::downgrade(self.shared());
        let groups = registry.on_keyed(move |group| {
            if let Some(meters) = weak.upgrade().map(Self::with) {
                meters.watch_group(group);
            }
        });
        registry.keyed().iter().for_each(|group| self.watch_group(group));
        let (address, found) = (registry.address(), Arc::new(registry.weak()));
        let followed = Followed { address, found, subscriptions, groups };
        if let Err(second) = self.shared().add_registry(followed) {
            // Somebody else has begun to watch it at the same time.
            second.end();
        }
    }

    /// Brings the tags up to date, of whose changes nobody is told.
    pub(super) fn retag(&self, registry: &Registry) {
        retag(self, &registry.circuit_breakers());
        retag(self, &registry.retries());
        retag(self, &registry.bulkheads());
        retag(self, &registry.thread_pool_bulkheads());
        retag(self, &registry.rate_limiters());
        retag(self, &registry.time_limiters());
        retag(self, &registry.timers());
    }
}

fn retag<H: Metered>(meters: &Meters, view: &View<H>) {
    for (instance, tags) in view.list_tagged() {
        meters.tag(instance.address(), &tags);
    }
}

fn follow<H: Metered>(
    meters: &Meters,
    registry: &Registry,
    of: fn(&Registry) -> View<H>,
) -> ObserverId {
    // The registry does not keep the meters alive, nor itself.
    let (weak, found): (Weak<Shared>, _) = (Arc::downgrade(meters.shared()), registry.weak());
    let view = of(registry);
    let subscription = view.subscribe(move |change| {
        let Some(meters) = weak.upgrade().map(Meters::with) else { return };
        // With its tags from the start, for what is told at once is told of these.
        let watch = |instance: &H| {
            let tags = found().and_then(|registry| of(&registry).tags(instance.shared_name()));
            meters.watch_followed(instance, tags.unwrap_or_default());
        };
        match change {
            Change::Added(instance) => watch(instance),
            Change::Removed(instance) => drop(meters.forget(instance)),
            Change::Replaced { old, new } => {
                meters.forget(old);
                watch(new);
            }
            _ => {}
        }
    });
    for (instance, tags) in view.list_tagged() {
        meters.watch_followed(&instance, tags);
        // It may have been removed since it was listed, and before it was watched.
        let there = view.find(instance.shared_name());
        if there.is_none_or(|there| there.address() != instance.address()) {
            meters.forget(&instance);
        }
    }
    subscription
}
