//! From settings to the configs of the patterns: what only several settings together can get wrong is found here.

mod backoff;
mod circuit_breaker;
mod limits;
mod retry;
mod timer;

use std::time::Duration;

pub(super) use circuit_breaker::circuit_breaker;
pub(super) use limits::{bulkhead, rate_limiter, thread_pool_bulkhead, time_limiter};
pub(super) use retry::retry;
pub(super) use timer::timer;

use super::classes::{ClassMap, Meaning};
use super::document::Named;
use super::model::kind::Setting;
use super::problem::Report;
use super::read::{Record, Set, camel};
use crate::outcome::CauseFilter;
use crate::settings::ConfigError;

/// Turns records into configs.
pub(super) struct Converter<'a> {
    pub(super) report: &'a mut Report,
    pub(super) classes: &'a ClassMap,
}

impl Converter<'_> {
    /// A value that does not fit what is set elsewhere.
    fn refuse(&mut self, set: &Set, expected: impl Into<String>) {
        self.report.refuse(&set.origin, &set.path, &set.setting.show(), expected, None);
    }

    fn idle(&mut self, set: &Set, reason: &str) {
        self.report.warn(&set.origin, &set.path, format!("has no effect: {reason}"));
    }

    /// Warns of what is set but needs something else to be set.
    fn idle_unless(&mut self, needed: bool, record: &Record, names: &[&str], reason: &str) {
        if needed {
            return;
        }
        for name in names {
            if let Some(set) = record.get(name) {
                self.idle(set, reason);
            }
        }
    }

    /// What a pattern's own builder says; anything that has not been found before.
    fn built<C>(&mut self, named: &Named, built: Result<C, ConfigError>) -> Option<C> {
        let error = match built {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        // Where something of it is wrong already, this is likely about the same.
        if !self.report.has_errors_below(&named.path) {
            let key = error.key();
            let own = |name: &str| name == key || name.strip_suffix(".kind") == Some(key);
            let all = named.record.table.flat().iter().zip(&named.record.values);
            let set = all.filter(|(flat, _)| own(&flat.name)).find_map(|(_, set)| set.as_deref());
            let (at, path) = match set {
                Some(set) => (&set.origin, set.path.to_string()),
                None => (&named.at, format!("{}.{}", named.path, camel(key))),
            };
            self.report.refuse(at, &path, error.value(), error.expected(), None);
        }
        None
    }

    /// What the classes of a setting stand for. One without a meaning is an error, or a warning where that is asked for.
    fn meanings(&mut self, set: Option<&Set>, lenient: bool) -> Vec<Meaning> {
        let Some(set) = set else { return Vec::new() };
        let classes = match &set.setting {
            Setting::Text(class) => std::slice::from_ref(class),
            Setting::List(classes) => classes,
            _ => return Vec::new(),
        };
        let mut meanings = Vec::new();
        for (place, class) in classes.iter().enumerate() {
            if let Some(meaning) = self.classes.get(class) {
                meanings.push(meaning.clone());
                continue;
            }
            let at = set.items.get(place).unwrap_or(&set.origin);
            let path = match set.setting {
                Setting::List(_) => format!("{}[{place}]", set.path),
                _ => set.path.to_string(),
            };
            if lenient {
                let message = format!("the class {class} has no meaning here, and is left out");
                self.report.warn(at, &path, message);
            } else {
                let expected = "a class with a meaning here (give it one with `ClassMap`)";
                self.report.refuse(at, &path, class, expected, None);
            }
        }
        meanings
    }

    /// The one meaning of a setting that names one class, if `as_wanted` takes it.
    fn meaning<T>(
        &mut self,
        set: Option<&Set>,
        lenient: bool,
        wanted: &str,
        as_wanted: impl FnOnce(Meaning) -> Option<T>,
    ) -> Option<T> {
        let meaning = self.meanings(set, lenient).pop()?;
        let taken = as_wanted(meaning);
        if let (None, Some(set)) = (&taken, set) {
            self.refuse(set, format!("a class that `ClassMap` has {wanted} for"));
        }
        taken
    }

    /// Which failures count, by classes, by matchers and by predicates.
    fn causes(&mut self, record: &Record, keys: &CauseKeys) -> CauseFilter {
        let lenient = is(record, "ignore_class_binding_exceptions");
        let mut filter = CauseFilter::new();
        if record.get(keys.record_classes).is_some() || record.get(keys.record).is_some() {
            filter = filter.record_listed_only();
        }
        for name in [Some(keys.record_classes), Some(keys.record_predicate)].into_iter().flatten() {
            for meaning in self.meanings(record.get(name), lenient) {
                filter = match meaning {
                    Meaning::Matchers(matchers) => {
                        matchers.into_iter().fold(filter, CauseFilter::record)
                    }
                    Meaning::Predicate(predicate) => {
                        filter.record_when(move |cause| predicate(cause))
                    }
                    Meaning::Backoff(_) | Meaning::Hook(_) | Meaning::FailureTag(_) => {
                        self.no_causes(record.get(name), filter)
                    }
                };
            }
        }
        for name in [Some(keys.ignore_classes), keys.ignore_predicate].into_iter().flatten() {
            for meaning in self.meanings(record.get(name), lenient) {
                filter = match meaning {
                    Meaning::Matchers(matchers) => {
                        matchers.into_iter().fold(filter, CauseFilter::ignore)
                    }
                    Meaning::Predicate(predicate) => {
                        filter.ignore_when(move |cause| predicate(cause))
                    }
                    Meaning::Backoff(_) | Meaning::Hook(_) | Meaning::FailureTag(_) => {
                        self.no_causes(record.get(name), filter)
                    }
                };
            }
        }
        let filter = matchers(record, keys.record).into_iter().fold(filter, CauseFilter::record);
        matchers(record, keys.ignore).into_iter().fold(filter, CauseFilter::ignore)
    }

    fn no_causes(&mut self, set: Option<&Set>, filter: CauseFilter) -> CauseFilter {
        if let Some(set) = set {
            self.refuse(set, "a class that `ClassMap` has causes or a predicate for");
        }
        filter
    }

    /// A class that judges results, which a classifier does here.
    fn result_predicate(&mut self, record: &Record, name: &str) {
        let lenient = is(record, "ignore_class_binding_exceptions");
        let Some(set) = record.get(name) else { return };
        if !self.meanings(Some(set), lenient).is_empty() {
            self.idle(set, "a pipeline's classifier says which responses are failures");
        }
    }
}

/// The names of the settings that say which failures count.
struct CauseKeys {
    record_classes: &'static str,
    record_predicate: &'static str,
    record: &'static str,
    ignore_classes: &'static str,
    ignore_predicate: Option<&'static str>,
    ignore: &'static str,
}

fn is(record: &Record, name: &str) -> bool {
    matches!(record.get(name).map(|set| &set.setting), Some(Setting::Bool(true)))
}

fn span(record: &Record, name: &str) -> Option<Duration> {
    match record.get(name)?.setting {
        Setting::Span(span) => Some(span),
        _ => None,
    }
}

fn float(record: &Record, name: &str) -> Option<f64> {
    match record.get(name)?.setting {
        Setting::Float(float) => Some(float),
        _ => None,
    }
}

pub(super) fn matchers(record: &Record, name: &str) -> Vec<crate::CauseMatcher> {
    match record.get(name).map(|set| &set.setting) {
        Some(Setting::List(items)) => items.iter().filter_map(|item| item.parse().ok()).collect(),
        _ => Vec::new(),
    }
}
