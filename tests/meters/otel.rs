//! OpenTelemetry.

use std::collections::BTreeMap;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use seawall::registry::Tags;
use seawall::telemetry::Meters;
use seawall::telemetry::meters::MeterKind;
use seawall::telemetry::otel::Instruments;
use seawall::{Cause, Registry, Timer, TimerConfig};

use crate::support::{Shop, broken};

struct Collector {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Collector {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    /// The values of a new collection: sums and gauges as they are, of histograms the count.
    fn look(&self) -> BTreeMap<String, f64> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let mut values = BTreeMap::new();
        for resource in self.exporter.get_finished_metrics().unwrap() {
            for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
                let mut put = |attributes: Vec<&KeyValue>, value| {
                    let mut attributes: Vec<_> =
                        attributes.iter().map(|it| format!("{}={}", it.key, it.value)).collect();
                    attributes.sort();
                    values.insert(format!("{}{{{}}}", metric.name(), attributes.join(",")), value);
                };
                match metric.data() {
                    AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                        assert!(sum.is_monotonic());
                        sum.data_points()
                            .for_each(|it| put(it.attributes().collect(), it.value() as f64));
                    }
                    AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
                        gauge
                            .data_points()
                            .for_each(|it| put(it.attributes().collect(), it.value()));
                    }
                    AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                        assert_eq!(metric.unit(), "s");
                        for it in histogram.data_points() {
                            assert_eq!(it.bounds().count(), 15);
                            put(it.attributes().collect(), it.count() as f64);
                        }
                    }
                    other => panic!("{}: {other:?}", metric.name()),
                }
            }
        }
        values
    }
}

const OPEN: &str = "resilience4j.circuitbreaker.state{name=orders,state=open}";
const CALLS: &str = "resilience4j.circuitbreaker.calls{kind=failed,name=orders}";

#[tokio::test]
async fn meters_are_observed_and_durations_recorded() {
    let collector = Collector::new();
    let shop = Shop::new();
    let _instruments = Instruments::new(&shop.meters, &collector.provider.meter("shop"));
    shop.breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    shop.breaker.transition_to_open().unwrap();
    shop.breaker.try_acquire().unwrap_err();
    drop(shop.bulkhead.try_acquire().unwrap());
    shop.timer.start().success();
    shop.timer.start().failure(Cause::Timeout);
    let values = collector.look();
    assert_eq!((values[OPEN], values[CALLS]), (1.0, 1.0));
    let refused = "resilience4j.circuitbreaker.not.permitted.calls{kind=not_permitted,name=orders}";
    assert_eq!(values[refused], 1.0);
    assert_eq!(values["resilience4j.bulkhead.calls{kind=permitted,name=orders}"], 1.0);
    assert_eq!(values["resilience4j.bulkhead.max.allowed.concurrent.calls{name=orders}"], 25.0);

    // All that Prometheus sees is here too, but for timers without a call yet.
    let families = shop.meters.collect();
    let series: usize = families
        .iter()
        .filter(|family| family.meter().kind != MeterKind::Timer)
        .map(|family| family.series().count())
        .sum();
    assert_eq!(values.len(), series + 1 + 2);
}

#[tokio::test]
async fn a_timers_calls_are_recorded_under_its_own_name_with_what_they_failed_by() {
    let collector = Collector::new();
    let shop = Shop::new();
    let _instruments = Instruments::new(&shop.meters, &collector.provider.meter("shop"));
    let calls = |timer: &Timer| {
        timer.start().success();
        timer.start().success();
        timer.start().failure(Cause::Status(503));
        drop(timer.start());
    };
    calls(&shop.timer);
    let own = TimerConfig::builder().metric_names("timer.tests.otel-calls").build().unwrap();
    let named = Timer::new("stock", own.clone());
    shop.meters.watch(&named);
    calls(&named);
    // From an update on, too.
    shop.timer.update(own);
    shop.timer.start().failure(Cause::Timeout);
    let values = collector.look();
    let of = |metric: &str, name: &str, kind: &str, failure: &str| {
        values.get(&format!("{metric}{{failure={failure},kind={kind},name={name}}}")).copied()
    };
    for (metric, name) in
        [("resilience4j.timer.calls", "orders"), ("timer.tests.otel-calls", "stock")]
    {
        assert_eq!(of(metric, name, "successful", ""), Some(2.0), "{values:?}");
        assert_eq!(of(metric, name, "failed", "503"), Some(1.0));
        assert_eq!(of(metric, name, "failed", "cancelled"), Some(1.0));
    }
    assert_eq!(of("timer.tests.otel-calls", "orders", "failed", "timeout"), Some(1.0));
    assert_eq!(of("resilience4j.timer.calls", "orders", "failed", "timeout"), None);
}

#[tokio::test]
async fn rg08_what_is_forgotten_is_observed_no_more() {
    let collector = Collector::new();
    let shop = Shop::new();
    let _instruments = Instruments::new(&shop.meters, &collector.provider.meter("shop"));
    assert_eq!(collector.look()[OPEN], 0.0);
    shop.meters.forget(&shop.breaker);
    let values = collector.look();
    assert!(!values.keys().any(|key| key.contains("circuitbreaker")), "{values:?}");
    assert!(values.keys().any(|key| key.contains("bulkhead")));
}

#[tokio::test]
async fn dropped_instruments_say_nothing_more() {
    let collector = Collector::new();
    let shop = Shop::new();
    let instruments = Instruments::new(&shop.meters, &collector.provider.meter("shop"));
    assert!(collector.look().contains_key(OPEN));
    drop(instruments);
    shop.breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    let values = collector.look();
    assert!(values.is_empty(), "{values:?}");
}

#[tokio::test]
async fn a_registrys_tags_are_attributes_without_any_other_look() {
    let collector = Collector::new();
    let registry = Registry::new();
    registry.set_tags(Tags::from([("zone", "a")]));
    let meters = Meters::of(&registry);
    let _instruments = Instruments::new(&meters, &collector.provider.meter("shop"));
    let team = Tags::from([("team", "shop")]);
    let breaker = registry.circuit_breakers().get_tagged("orders", "default", team).unwrap();
    breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    let values = collector.look();
    for key in [
        "resilience4j.circuitbreaker.calls{kind=failed,name=orders,team=shop,zone=a}",
        "resilience4j.circuitbreaker.state{name=orders,state=closed,team=shop,zone=a}",
    ] {
        assert_eq!(values.get(key), Some(&1.0), "{key}: {values:#?}");
    }

    registry.circuit_breakers().set_tags("orders", Tags::from([("team", "depot")]));
    collector.look();
    breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    let values = collector.look();
    let key = "resilience4j.circuitbreaker.calls{kind=failed,name=orders,team=depot,zone=a}";
    assert_eq!(values.get(key), Some(&1.0), "{values:#?}");
    let key = "resilience4j.circuitbreaker.state{name=orders,state=closed,team=depot,zone=a}";
    assert_eq!(values.get(key), Some(&1.0), "{values:#?}");
}
