//! Names and tags that nobody would choose.

use proptest::prelude::*;
use seawall::CircuitBreaker;
use seawall::telemetry::Meters;
use seawall::telemetry::meters::Family;

use crate::strict;

const NAMES: &[&str] = &[
    "",
    "\"",
    "\\",
    "\n",
    "a\"b\\c\nd",
    "\\n",
    "}",
    "{a=\"b\"} 1",
    "x\n# TYPE evil gauge\nevil 1",
    "Bestellungen für Köln 🍕",
    "\u{0}\r\t\u{2028}",
    " ",
];

const KEYS: &[&str] =
    &["", "team-a", "team.a", "1st", "__name__", "le", "quantile", "ключ", "a b", "\"", "\n"];

/// Prometheus's lexer takes NUL for the end of the text, and a scrape with one is lost as a whole.
fn as_shown(name: &str) -> String {
    name.replace('\0', "\u{fffd}")
}

fn rates(meters: &Meters) -> Vec<strict::Labels> {
    let samples = strict::parse(&meters.prometheus());
    let is_rate =
        |sample: &strict::Sample| sample.name == "resilience4j_circuitbreaker_failure_rate";
    samples.into_iter().filter(is_rate).map(|sample| sample.labels).collect()
}

#[test]
fn every_name_comes_back_whole() {
    let meters = Meters::new();
    let breakers: Vec<_> = NAMES.iter().map(|name| CircuitBreaker::with_defaults(*name)).collect();
    breakers.iter().for_each(|breaker| meters.watch(breaker));
    let mut found: Vec<_> =
        rates(&meters).into_iter().map(|labels| labels["name"].clone()).collect();
    let mut names: Vec<_> = NAMES.iter().map(|name| as_shown(name)).collect();
    names.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, names);
}

#[test]
fn names_that_are_shown_alike_are_one() {
    let meters = Meters::new();
    let breakers = ["a\0b", "a\u{fffd}b"].map(CircuitBreaker::with_defaults);
    breakers.iter().for_each(|breaker| meters.watch(breaker));
    assert_eq!(rates(&meters).len(), 1);
}

#[test]
fn every_tag_becomes_a_label_that_is_allowed() {
    for key in KEYS {
        let meters = Meters::new();
        let breaker = CircuitBreaker::with_defaults("orders");
        meters.watch_with(&breaker, [(*key, "a\"\n\\")]);
        let labels = rates(&meters).remove(0);
        assert_eq!(labels.len(), 2, "{key:?}: {labels:?}");
        assert!(labels.values().any(|value| value == "a\"\n\\"), "{key:?}: {labels:?}");
    }
}

#[test]
fn a_tag_called_like_a_meters_own_does_not_hide_it() {
    let meters = Meters::new();
    let breaker = CircuitBreaker::with_defaults("orders");
    meters
        .watch_with(&breaker, [("name", "evil"), ("kind", "evil"), ("state", "evil"), ("le", "1")]);
    let samples = strict::parse(&meters.prometheus());
    let values = |label| samples.iter().filter_map(move |sample| sample.labels.get(label));
    assert!(values("name").all(|value| value == "orders"));
    for (labels, _) in meters.collect().iter().flat_map(Family::series) {
        let mut keys: Vec<_> = labels.iter().map(|(key, _)| key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "{labels:?}");
    }
    let of_state = |sample: &&strict::Sample| sample.name.ends_with("circuitbreaker_state");
    assert_eq!(samples.iter().filter(of_state).count(), 6);
    assert!(samples.iter().filter(of_state).all(|sample| sample.labels["state"] != "evil"));
}

#[test]
fn labels_that_prometheus_cannot_tell_apart_are_one() {
    let meters = Meters::new();
    let breakers = ["x", "x"].map(CircuitBreaker::with_defaults);
    meters.watch_with(&breakers[0], [("team-a", "1"), ("team.a", "2")]);
    meters.watch_with(&breakers[1], [("team_a", "1")]);
    assert_eq!(rates(&meters).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_and_tags_give_a_text_that_parses(
        name in any::<String>(),
        tags in prop::collection::vec((any::<String>(), any::<String>()), 0..5),
    ) {
        let meters = Meters::new();
        let breaker = CircuitBreaker::with_defaults(name.as_str());
        meters.watch_with(&breaker, tags.into_iter().collect::<seawall::registry::Tags>());
        prop_assert_eq!(&rates(&meters)[0]["name"], &as_shown(&name));
    }
}
