//! What a snapshot says of a registry.

use std::collections::BTreeMap;

use super::write::unix_seconds;
use super::{KeyedCounters, KeyedGroupSnapshot, PipelineSnapshot, ReloadSnapshot, Snapshot};
use crate::keyed::KeyedGroup;
use crate::patterns::Instance;
use crate::registry::{LastReload, Registry, View};
use crate::telemetry::ReloadEvent;
use crate::telemetry::meters::Metered;

impl Snapshot {
    /// Everything that a registry's instances are and do now. Nobody listens for that, before or after.
    ///
    /// ```
    /// use seawall::Registry;
    /// use seawall::telemetry::Snapshot;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = Registry::new();
    /// registry.circuit_breakers().get("inventory")?.transition_to_forced_open();
    /// let snapshot = Snapshot::of(&registry);
    /// assert_eq!(snapshot.circuit_breakers[0].state, "forced_open");
    /// assert_eq!(snapshot.circuit_breakers[0].transitions[0].reason, "hand");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn of(registry: &Registry) -> Self {
        let mut snapshot = Self::new();
        snapshot.view(&registry.circuit_breakers());
        snapshot.view(&registry.retries());
        snapshot.view(&registry.bulkheads());
        snapshot.view(&registry.thread_pool_bulkheads());
        snapshot.view(&registry.rate_limiters());
        snapshot.view(&registry.time_limiters());
        snapshot.view(&registry.timers());
        snapshot.registry(registry);
        snapshot.sorted()
    }

    fn view<H: Metered>(&mut self, view: &View<H>) {
        for (instance, tags) in view.list_tagged() {
            instance.describe(&tags, self);
        }
    }

    /// What is no instance: pipelines, keyed groups, the last reload.
    pub(in crate::telemetry) fn registry(&mut self, registry: &Registry) {
        let names = registry.pipelines().names();
        self.pipelines.extend(names.iter().map(|name| pipeline(registry, name)));
        self.keyed_groups.extend(registry.keyed().iter().map(group));
        self.last_reload =
            registry.last_reload().map(|last| reload(&last)).or(self.last_reload.take());
    }
}

fn pipeline(registry: &Registry, name: &str) -> PipelineSnapshot {
    let (deadline, steps) = match registry.pipelines().spec(name) {
        Some(spec) => {
            let steps = spec.steps().map(|(kind, step)| (kind.key(), step.to_owned()));
            (spec.whole_call(), steps.collect())
        }
        None => (None, namesakes(registry, name)),
    };
    let deadline_seconds = deadline.map(|span| span.as_secs_f64());
    PipelineSnapshot { name: name.to_owned(), deadline_seconds, steps }
}

/// A pipeline without a definition is made of all instances of its name.
fn namesakes(registry: &Registry, name: &str) -> BTreeMap<&'static str, String> {
    fn step<H: Instance>(view: &View<H>, name: &str) -> Option<(&'static str, String)> {
        view.find(name).map(|_| (view.kind().key(), name.to_owned()))
    }
    let bulkhead = step(&registry.bulkheads(), name);
    [
        step(&registry.retries(), name),
        step(&registry.circuit_breakers(), name),
        step(&registry.rate_limiters(), name),
        step(&registry.time_limiters(), name),
        step(&registry.timers(), name),
        bulkhead.or_else(|| step(&registry.thread_pool_bulkheads(), name)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn reload(last: &LastReload) -> ReloadSnapshot {
    let (is_applied, created, updated, errors) = match last.event {
        ReloadEvent::Applied { created, updated } => (true, created, updated, 0),
        ReloadEvent::Refused { errors } => (false, 0, 0, errors),
    };
    let at_unix_seconds = unix_seconds(last.at);
    ReloadSnapshot {
        at_unix_seconds,
        file: last.file.to_string(),
        is_applied,
        created,
        updated,
        errors,
    }
}

fn group(group: &KeyedGroup) -> KeyedGroupSnapshot {
    let stats = group.stats();
    let states = group.states();
    let states = states.iter().filter(|(_, count)| *count > 0);
    KeyedGroupSnapshot {
        name: group.name().to_owned(),
        entries: stats.entries,
        max_entries: stats.max_entries,
        is_overflowing: stats.is_overflowing,
        counters: KeyedCounters {
            made: stats.made,
            evicted_idle: stats.evicted_idle,
            evicted_for_room: stats.evicted_for_room,
            overflowed: stats.overflowed,
            without_key: stats.without_key,
            long_keys: stats.long_keys,
            not_made: stats.not_made,
        },
        states: states.map(|(state, count)| (state.key(), count)).collect(),
    }
}
