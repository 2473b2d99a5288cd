//! Resilience4j's table of meters, as data, and what was added to it: nothing is missing, and nothing else is there.

use std::collections::{BTreeMap, BTreeSet};

use prometheus_parse::{Scrape, Value};
use seawall::Cause;

use crate::support::Shop;

use Kind::{Counter, Gauge, Timer};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Counter,
    Gauge,
    Timer,
}

type Row = (&'static str, Kind, &'static [(&'static str, &'static [&'static str])]);

/// Name, type, and tags besides `name` with all their values; where there are two tags, each value of the one goes with that of the other.
const RESILIENCE4J: &[Row] = &[
    ("resilience4j.circuitbreaker.calls", Timer, &[("kind", &["successful", "failed", "ignored"])]),
    ("resilience4j.circuitbreaker.not.permitted.calls", Counter, &[("kind", &["not_permitted"])]),
    (
        "resilience4j.circuitbreaker.state",
        Gauge,
        &[("state", &["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"])],
    ),
    ("resilience4j.circuitbreaker.buffered.calls", Gauge, &[("kind", &["failed", "successful"])]),
    ("resilience4j.circuitbreaker.slow.calls", Gauge, &[("kind", &["successful", "failed"])]),
    ("resilience4j.circuitbreaker.failure.rate", Gauge, &[]),
    ("resilience4j.circuitbreaker.slow.call.rate", Gauge, &[]),
    ("resilience4j.bulkhead.available.concurrent.calls", Gauge, &[]),
    ("resilience4j.bulkhead.max.allowed.concurrent.calls", Gauge, &[]),
    ("resilience4j.bulkhead.queue.depth", Gauge, &[]),
    ("resilience4j.bulkhead.queue.capacity", Gauge, &[]),
    ("resilience4j.bulkhead.thread.pool.size", Gauge, &[]),
    ("resilience4j.bulkhead.max.thread.pool.size", Gauge, &[]),
    ("resilience4j.bulkhead.core.thread.pool.size", Gauge, &[]),
    ("resilience4j.bulkhead.active.thread.count", Gauge, &[]),
    ("resilience4j.bulkhead.available.thread.count", Gauge, &[]),
    ("resilience4j.ratelimiter.available.permissions", Gauge, &[]),
    ("resilience4j.ratelimiter.waiting_threads", Gauge, &[]),
    (
        "resilience4j.retry.calls",
        Counter,
        &[(
            "kind",
            &[
                "successful_without_retry",
                "successful_with_retry",
                "failed_without_retry",
                "failed_with_retry",
            ],
        )],
    ),
    ("resilience4j.timelimiter.calls", Counter, &[("kind", &["successful", "failed", "timeout"])]),
    (
        "resilience4j.timer.calls",
        Timer,
        &[("kind", &["successful", "failed", "failed"]), ("failure", &["", "timeout", "503"])],
    ),
    ("resilience4j.thread.virtual_thread_enabled", Gauge, &[]),
];

/// What Resilience4j does not export.
const ADDED: &[Row] = &[
    ("resilience4j.bulkhead.calls", Counter, &[("kind", &["permitted", "rejected"])]),
    ("resilience4j.ratelimiter.calls", Counter, &[("kind", &["successful", "failed"])]),
    ("resilience4j.ratelimiter.drained.permissions", Counter, &[]),
    (
        "resilience4j.retry.calls.by.attempts",
        Counter,
        &[("attempts", &["1", "2", "3", "4", "5", "more"])],
    ),
    ("resilience4j.retry.retries", Counter, &[]),
    ("resilience4j.retry.budget.refused.calls", Counter, &[]),
];

/// The families that Micrometer's Prometheus registry makes of a meter.
fn families(name: &str, kind: Kind) -> Vec<String> {
    let name = name.replace('.', "_");
    match kind {
        Counter => vec![format!("{name}_total")],
        Gauge => vec![name],
        Timer => ["", "_count", "_sum", "_max"].map(|end| format!("{name}_seconds{end}")).into(),
    }
}

#[tokio::test]
async fn the_prometheus_text_has_the_meters_of_the_table_and_no_others() {
    let shop = Shop::new();
    // What it fails by comes up when it does.
    shop.timer.start().failure(Cause::Timeout);
    shop.timer.start().failure(Cause::Status(503));
    let text = shop.meters.prometheus();
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();

    let mut found: BTreeMap<&str, BTreeSet<BTreeMap<&str, &str>>> = BTreeMap::new();
    for sample in &scrape.samples {
        let labels = sample.labels.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert!(found.entry(&sample.metric).or_default().insert(labels), "twice: {sample:?}");
    }
    for (name, kind, tags) in RESILIENCE4J.iter().chain(ADDED) {
        for family in families(name, *kind) {
            let series = found.remove(&*family).unwrap_or_else(|| panic!("{family} is missing"));
            let is_instance = !name.contains(".thread.virtual");
            let name = if is_instance { vec![("name", "orders")] } else { vec![] };
            let expected: BTreeSet<_> = match tags {
                [] => BTreeSet::from([name.into_iter().collect()]),
                [(tag, values)] => values
                    .iter()
                    .map(|value| name.iter().copied().chain([(*tag, *value)]).collect())
                    .collect(),
                [(tag, values), (other, others)] => {
                    let pairs = values.iter().zip(*others);
                    pairs
                        .map(|(value, of_other)| {
                            let own = [(*tag, *value), (*other, *of_other)];
                            name.iter().copied().chain(own).collect()
                        })
                        .collect()
                }
                _ => unreachable!("no meter here has three"),
            };
            assert_eq!(series, expected, "{family}");
        }
    }
    assert!(found.is_empty(), "not in the table: {found:?}");
}

#[tokio::test]
async fn types_are_as_in_the_table() {
    let shop = Shop::new();
    let text = shop.meters.prometheus();
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    for (name, kind, _) in RESILIENCE4J.iter().chain(ADDED) {
        let family = &families(name, *kind)[0];
        let sample = scrape.samples.iter().find(|sample| sample.metric == *family).unwrap();
        let fits = match kind {
            Counter => matches!(sample.value, Value::Counter(_)),
            Gauge => matches!(sample.value, Value::Gauge(_)),
            Timer => matches!(&sample.value, Value::Histogram(buckets) if buckets.len() == 16),
        };
        assert!(fits, "{name}: {:?}", sample.value);
        assert!(scrape.docs.contains_key(family), "{family} has no HELP");
    }
}
