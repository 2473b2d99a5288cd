//! Timers whose names users choose.

use std::sync::{Mutex, PoisonError};

use super::list::{METERS, Meter, TIMER_CALLS};
use crate::settings::ConfigError;

/// They live for as long as the process, as those in the list do: settings that are read anew find theirs again.
static NAMED: Mutex<Vec<&'static Meter>> = Mutex::new(Vec::new());

/// Refuses what is no name for a timer.
pub(crate) fn check(name: &str) -> Result<(), ConfigError> {
    let wrong =
        |expected: &str| Err(ConfigError::new("metric_names", format_args!("`{name}`"), expected));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !begins || name.len() > 200 || !name.bytes().all(is_plain) {
        return wrong("1 to 200 letters, digits, dots, underscores and dashes, a letter first");
    }
    let plain = |name: &str| name.replace(['.', '-'], "_");
    let is_taken = |meter: &&&Meter| plain(meter.name) == plain(name);
    match METERS.iter().find(is_taken) {
        Some(meter) if !std::ptr::eq(*meter, &TIMER_CALLS) => {
            wrong("a name that no other meter has")
        }
        _ => Ok(()),
    }
}

/// The timer of this name, which was checked.
pub(crate) fn timer(name: &str) -> &'static Meter {
    if name == TIMER_CALLS.name {
        return &TIMER_CALLS;
    }
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(meter) = named.iter().find(|meter| meter.name == name) {
        return meter;
    }
    let Meter { kind, help, tags, merge, .. } = TIMER_CALLS;
    let name = Box::leak(name.to_owned().into_boxed_str());
    let meter: &'static Meter = Box::leak(Box::new(Meter { name, kind, help, tags, merge }));
    named.push(meter);
    meter
}

/// What the timer is called that nobody has named otherwise.
pub(crate) fn timer_by_default() -> &'static str {
    TIMER_CALLS.name
}

#[cfg(test)]
mod tests {
    use super::{TIMER_CALLS, check, timer};

    #[test]
    fn a_name_is_one_meter_however_often_it_is_asked_for() {
        let first = timer("named.tests.calls");
        assert!(std::ptr::eq(first, timer("named.tests.calls")));
        assert!(!std::ptr::eq(first, timer("named.tests.others")));
        assert_eq!(first.name, "named.tests.calls");
        assert_eq!((first.kind, first.tags), (TIMER_CALLS.kind, TIMER_CALLS.tags));
        assert!(std::ptr::eq(&TIMER_CALLS, timer("resilience4j.timer.calls")));
    }

    #[test]
    fn a_name_that_a_scrape_could_not_bear_is_refused() {
        let long = "m".repeat(201);
        for name in ["", " ", "7calls", ".calls", "my calls", "größe", "a\nb", "a\"b", &long] {
            let error = check(name).unwrap_err();
            assert_eq!(error.key(), "metric_names");
            assert!(error.to_string().ends_with("a letter first"), "{error}");
        }
        for name in ["resilience4j.circuitbreaker.calls", "resilience4j_retry-calls"] {
            assert!(check(name).unwrap_err().to_string().ends_with("that no other meter has"));
        }
        for name in [&long[1..], "calls", "resilience4j.timer.calls", "resilience4j_timer_calls"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }
}
