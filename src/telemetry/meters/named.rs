//! Timers whose names users choose.

use std::sync::{Mutex, PoisonError};

use super::list::{METERS, Meter, TIMER_CALLS};
use crate::settings::ConfigError;

/// They live for as long as the process, as those in the list do: settings that are read anew find theirs again.
static NAMED: Mutex<Vec<&'static Meter>> = Mutex::new(Vec::new());

/// So that a program that makes up ever more names hears of it.
const MOST: usize = 1_000;

/// The timer of this name, or of one that is the same to Prometheus.
pub(crate) fn timer(name: &str) -> Result<&'static Meter, ConfigError> {
    let wrong =
        |expected: &str| ConfigError::new("metric_names", format_args!("`{name}`"), expected);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !begins || name.len() > 200 || !name.bytes().all(is_plain) {
        return Err(wrong(
            "1 to 200 letters, digits, dots, underscores and dashes, a letter first",
        ));
    }
    let is_same = |meter: &&&Meter| plain(meter.name).eq(plain(name));
    match METERS.iter().find(is_same) {
        Some(meter) if std::ptr::eq(*meter, &TIMER_CALLS) => return Ok(meter),
        Some(_) => return Err(wrong("a name that no other meter has")),
        None => {}
    }
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(meter) = named.iter().find(is_same) {
        return Ok(meter);
    }
    if named.len() >= MOST {
        return Err(wrong("one of at most 1000 names in a process"));
    }
    let Meter { kind, help, tags, merge, .. } = TIMER_CALLS;
    let name = Box::leak(name.to_owned().into_boxed_str());
    let meter: &'static Meter = Box::leak(Box::new(Meter { name, kind, help, tags, merge }));
    named.push(meter);
    Ok(meter)
}

/// The timer that nobody has named otherwise.
pub(crate) fn timer_by_default() -> &'static Meter {
    &TIMER_CALLS
}

fn plain(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.bytes().map(|byte| if byte.is_ascii_alphanumeric() { byte } else { b'_' })
}

#[cfg(test)]
mod tests {
    use super::{TIMER_CALLS, timer};

    #[test]
    fn a_name_is_one_meter_however_often_it_is_asked_for() {
        let first = timer("named.tests.calls").unwrap();
        assert!(std::ptr::eq(first, timer("named.tests.calls").unwrap()));
        assert!(
            std::ptr::eq(first, timer("named_tests-calls").unwrap()),
            "Prometheus sees no difference"
        );
        assert!(!std::ptr::eq(first, timer("named.tests.others").unwrap()));
        assert_eq!(
            (first.name, first.kind, first.tags),
            ("named.tests.calls", TIMER_CALLS.kind, TIMER_CALLS.tags)
        );
        assert!(std::ptr::eq(&TIMER_CALLS, timer("resilience4j.timer.calls").unwrap()));
    }

    #[test]
    fn a_name_that_a_scrape_could_not_bear_is_refused() {
        let long = "m".repeat(201);
        for name in ["", " ", "7calls", ".calls", "my calls", "größe", "a\nb", "a\"b", &long] {
            let error = timer(name).unwrap_err();
            assert_eq!(error.key(), "metric_names");
            assert!(error.to_string().ends_with("a letter first"), "{error}");
        }
        assert!(timer(&long[1..]).is_ok());
        for name in ["resilience4j.circuitbreaker.calls", "resilience4j_retry_calls"] {
            assert!(timer(name).unwrap_err().to_string().ends_with("that no other meter has"));
        }
    }
}
