//! Waits: Resilience4j's flags, or a formula by its name.

use std::time::Duration;

use super::{Converter, float, is, span};
use crate::backoff::Backoff;
use crate::config::model::kind::{Kind, Setting};
use crate::config::read::{Record, camel};

const MS: Duration = Duration::from_millis(1);

/// Where a pattern has its waits.
pub(super) struct WaitKeys {
    pub(super) wait: &'static str,
    pub(super) max_wait: &'static str,
    pub(super) flags: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) default: Duration,
    /// May the wait grow and be spread at once?
    pub(super) both: bool,
}

impl Converter<'_> {
    /// The waits that are set, or none if nothing is.
    pub(super) fn waits(&mut self, record: &Record, keys: &WaitKeys) -> Option<Backoff> {
        let formula = record.group(keys.group).next().is_some();
        if formula {
            let beside = keys.flags.iter().find_map(|name| record.get(name));
            if let Some(set) = beside {
                let expected = format!("left out beside `{}`, which says it all", keys.group);
                self.refuse(set, expected);
                return None;
            }
            return self.formula(record, keys.group);
        }
        self.flags(record, keys)
    }

    fn flags(&mut self, record: &Record, keys: &WaitKeys) -> Option<Backoff> {
        let (grows, spreads) =
            (is(record, "enable_exponential_backoff"), is(record, "enable_randomized_wait"));
        self.idle_unless(
            grows,
            record,
            &["exponential_backoff_multiplier", keys.max_wait],
            "it needs enableExponentialBackoff",
        );
        let factor = ["randomized_wait_factor"];
        self.idle_unless(spreads, record, &factor, "it needs enableRandomizedWait");
        if grows && spreads && !keys.both {
            let set = record.get("enable_randomized_wait")?;
            self.refuse(set, "false beside enableExponentialBackoff");
            return None;
        }
        let wait = span(record, keys.wait);
        if !grows && !spreads {
            return wait.map(Backoff::fixed);
        }
        for flag in ["enable_exponential_backoff", "enable_randomized_wait"] {
            let Some(set) = record.get(flag).filter(|_| is(record, flag)) else { continue };
            let from = record.get(keys.wait).map(|wait| &wait.config);
            if from != Some(&set.config) {
                let message = format!(
                    "counts here; Resilience4j would leave it out, as {} is not set beside it",
                    camel(keys.wait)
                );
                self.report.warn(&set.origin, &set.path, message);
            }
        }
        if let Some(set) = record.get(keys.wait).filter(|_| wait.is_some_and(|wait| wait < MS)) {
            self.refuse(set, "at least 1ms with enableExponentialBackoff or enableRandomizedWait");
            return None;
        }
        let wait = wait.unwrap_or(keys.default);
        let mut backoff = if grows {
            let multiplier = float(record, "exponential_backoff_multiplier").unwrap_or(1.5);
            Backoff::exponential(wait, multiplier)
        } else {
            Backoff::fixed(wait)
        };
        if spreads {
            backoff = backoff.randomized(float(record, "randomized_wait_factor").unwrap_or(0.5));
        }
        if let Some(cap) = span(record, keys.max_wait).filter(|_| grows) {
            if let Some(set) = record.get(keys.max_wait).filter(|_| cap < MS) {
                self.refuse(set, "at least 1ms with enableExponentialBackoff");
                return None;
            }
            backoff = backoff.capped(cap);
        }
        Some(backoff)
    }

    fn formula(&mut self, record: &Record, group: &str) -> Option<Backoff> {
        let name = |key: &str| format!("{group}.{key}");
        let Some(Setting::Choice(kind)) = record.get(&name("kind")).map(|set| &set.setting) else {
            let first = record.group(group).next().map(|(.., set)| set.clone())?;
            let key = name("kind");
            let message = format!("needs `{key}`, which names the formula");
            self.report.error(&first.origin, &first.path, message);
            return None;
        };
        let (needed, optional): (&[&str], &[&str]) = match *kind {
            "fixed" => (&["base"], &["cap"]),
            "linear" => (&["base"], &["step", "cap"]),
            "exponential" | "geometric" => (&["base"], &["factor", "cap"]),
            "full_jitter" | "equal_jitter" | "decorrelated" => (&["base", "cap"], &[]),
            "smooth" => (&["base"], &["cap"]),
            "uniform" => (&["least", "most"], &["cap"]),
            _ => (&["waits"], &["cap"]),
        };
        let mut fine = true;
        for key in needed {
            if record.get(&name(key)).is_none() {
                let set = record.get(&name("kind"))?.clone();
                let message = format!("{kind} needs `{}`, which is not set", name(key));
                self.report.error(&set.origin, &set.path, message);
                fine = false;
            }
        }
        const JITTERS: [&str; 4] = ["randomized", "jitter_factor", "jitter", "lengthened"];
        let spread: Vec<_> =
            JITTERS.iter().filter(|key| record.get(&name(key)).is_some()).collect();
        for (_, flat, set) in record.group(group) {
            let key = flat.key.name;
            let is_jitter = JITTERS.contains(&key) || key == "jitter_after_cap";
            if key != "kind" && !is_jitter && !needed.contains(&key) && !optional.contains(&key) {
                self.refuse(set, format!("left out: `{kind}` has none"));
                fine = false;
            }
            if JITTERS.contains(&key) && spread.len() > 1 && *spread[0] != key {
                self.refuse(set, format!("the only jitter, and there is `{}`", spread[0]));
                fine = false;
            }
        }
        if !fine {
            return None;
        }
        let get = |key: &str| span(record, &name(key)).unwrap_or_default();
        let (base, cap) = (get("base"), span(record, &name("cap")));
        let factor = float(record, &name("factor"));
        let backoff = match *kind {
            "fixed" => Backoff::fixed(base),
            "linear" => Backoff::linear(base, span(record, &name("step")).unwrap_or(base)),
            "exponential" => Backoff::exponential(base, factor.unwrap_or(1.5)),
            "geometric" => Backoff::geometric(base, factor.unwrap_or(2.0)),
            "full_jitter" => Backoff::full_jitter(base, cap?),
            "equal_jitter" => Backoff::equal_jitter(base, cap?),
            "decorrelated" => Backoff::decorrelated(base, cap?),
            "smooth" => Backoff::smooth(base),
            "uniform" => Backoff::uniform(get("least"), get("most")),
            _ => {
                let waits = spans(record, &name("waits"));
                Backoff::sequence(move || waits.clone())
            }
        };
        let spread = |backoff: Backoff| {
            let factor = |key: &str| float(record, &name(key));
            if let Some(factor) = factor("randomized") {
                backoff.randomized(factor)
            } else if let Some(factor) = factor("jitter_factor") {
                backoff.jitter_factor(factor)
            } else if let Some(jitter) = span(record, &name("jitter")) {
                backoff.jitter(jitter)
            } else if let Some(factor) = factor("lengthened") {
                backoff.lengthened(factor)
            } else {
                backoff
            }
        };
        let capped = |backoff: Backoff| match cap {
            Some(cap) => backoff.capped(cap),
            None => backoff,
        };
        let backoff = if is(record, &name("jitter_after_cap")) {
            spread(capped(backoff))
        } else {
            capped(spread(backoff))
        };
        if let Err(error) = backoff.validate("base") {
            let set = record.get(&name("kind"))?.clone();
            let message = format!("{} is not allowed, must be {}", error.value(), error.expected());
            self.report.error(&set.origin, &set.path, message);
            return None;
        }
        Some(backoff)
    }
}

fn spans(record: &Record, name: &str) -> Vec<Duration> {
    let Some(Setting::List(items)) = record.get(name).map(|set| &set.setting) else {
        return Vec::new();
    };
    const SPAN: Kind = Kind::Span { least: Duration::ZERO, most: Duration::MAX };
    let read = |item: &String| match SPAN.read(item) {
        Ok(Setting::Span(span)) => Some(span),
        _ => None,
    };
    items.iter().filter_map(read).collect()
}
