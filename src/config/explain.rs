//! What holds, and where it comes from.

use super::Config;
use super::loaded::{Entry, Patterns};
use super::model::kind::Setting;
use super::problem::Origin;
use super::read::Record;
use crate::patterns::bulkhead::BulkheadConfig;

impl Config {
    /// Every setting of every instance, one a line, with its value and where that comes from:
    ///
    /// ```text
    /// circuit_breaker.orders.wait_duration_in_open_state = 7.5s  # application.yml:12 (configs.shared)
    /// circuit_breaker.orders.sliding_window_size = 100  # default
    /// ```
    ///
    /// Keys are in `snake_case`, durations as Rust prints a [`Duration`](std::time::Duration); a name with dots stands in
    /// brackets. Pipelines and classifiers follow.
    pub fn explain(&self) -> impl Iterator<Item = String> {
        self.lines(&self.circuit_breakers, |_, _| None)
            .chain(self.lines(&self.retries, |_, _| None))
            .chain(self.lines(&self.bulkheads, |_, _| None))
            .chain(self.lines(&self.thread_pool_bulkheads, pool))
            .chain(self.lines(&self.rate_limiters, |_, _| None))
            .chain(self.lines(&self.time_limiters, |_, _| None))
            .chain(self.lines(&self.timers, |_, _| None))
            .chain(self.entries(&self.pipelines, |key, plan| {
                let name = match key {
                    "retry" => &plan.retry,
                    "circuit_breaker" => &plan.circuit_breaker,
                    "rate_limiter" => &plan.rate_limiter,
                    "time_limiter" => &plan.time_limiter,
                    "bulkhead" => &plan.bulkhead,
                    "thread_pool_bulkhead" => &plan.thread_pool_bulkhead,
                    "timer" => &plan.timer,
                    _ => return None,
                };
                name.as_ref().map(ToString::to_string)
            }))
            .chain(self.entries(&self.classifiers, |_, _| None))
    }

    fn lines<'a, C>(
        &'a self,
        patterns: &'a Patterns<C>,
        special: fn(&str, &C) -> Option<String>,
    ) -> impl Iterator<Item = String> {
        self.entries(&patterns.instances, special)
    }

    fn entries<'a, C>(
        &'a self,
        entries: &'a [Entry<C>],
        special: fn(&str, &C) -> Option<String>,
    ) -> impl Iterator<Item = String> {
        entries.iter().flat_map(move |entry| {
            let table = entry.record.table;
            (0..table.flat().len()).filter_map(move |place| {
                let flat = &table.flat()[place];
                let set = entry.record.values[place].as_deref();
                let special = special(&flat.name, &entry.config);
                let value = match (special, set) {
                    (Some(value), _) => value,
                    (None, Some(set)) => set.setting.show(),
                    (None, None) => unset(&entry.record, place)?,
                };
                let name = bracketed(&entry.name);
                let from = self.from(set.map(|set| (&set.origin, set.config.as_deref())));
                Some(format!("{}.{name}.{} = {value}  # {from}", table.name, flat.name))
            })
        })
    }

    fn from(&self, set: Option<(&Origin, Option<&str>)>) -> String {
        let Some((origin, config)) = set else { return "default".to_owned() };
        let mut from = match origin {
            Origin::File(at) => format!("{}:{}", self.file, at.line),
            Origin::Env(name) => format!("environment variable {name}"),
        };
        if let Some(config) = config {
            from.push_str(&format!(" ({config})"));
        }
        from
    }
}

/// The default; nothing for what plays no part.
fn unset(record: &Record, place: usize) -> Option<String> {
    let flat = &record.table.flat()[place];
    if let Some(group) = flat.group
        && flat.key.name != "kind"
        && record.get(&format!("{group}.kind")).is_none()
    {
        return None;
    }
    match flat.key.default {
        Some(default) => flat.key.kind.read(default).ok().map(|setting| setting.show()),
        None if flat.group.is_some() => None,
        None if flat.key.kind.is_list() => Some(Setting::List(Vec::new()).show()),
        None => Some("none".to_owned()),
    }
}

/// What 0 and -1 stand for.
fn pool(key: &str, config: &BulkheadConfig) -> Option<String> {
    match key {
        "max_thread_pool_size" => Some(config.max_concurrent_calls().to_string()),
        "core_thread_pool_size" => Some(config.core_pool_size().to_string()),
        "queue_capacity" => config.queue_capacity().map(|calls| calls.to_string()),
        _ => None,
    }
}

fn bracketed(name: &str) -> String {
    let name = super::problem::shown(name);
    if name.contains(['.', ' ', '=', '#']) { format!("[{name}]") } else { name }
}
