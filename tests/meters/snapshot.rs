//! The snapshot and its JSON.

use std::collections::BTreeSet;
use std::time::Duration;

use seawall::keyed::Keyed;
use seawall::registry::PipelineSpec;
use seawall::telemetry::snapshot::Setting;
use seawall::telemetry::{Meters, Snapshot};
use seawall::{
    Backoff, BulkheadConfig, Cause, CircuitBreaker, CircuitBreakerConfig, RateLimiterAlgorithm,
    RateLimiterConfig, Registry, Retry, RetryConfig, SlidingWindow,
};
use serde_json::Value;

use crate::support::{Shop, broken, ms};

fn json(meters: &Meters) -> Value {
    serde_json::to_value(meters.snapshot()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_shows_all_instances() {
    let shop = Shop::new();
    shop.breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    let _permit = shop.bulkhead.try_acquire().unwrap();
    shop.time_limiter.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    for (millis, failure) in
        [(250, None), (500, None), (1000, Some(Cause::Timeout)), (0, Some(Cause::Status(503)))]
    {
        let measurement = shop.timer.start();
        tokio::time::advance(ms(millis)).await;
        match failure {
            None => measurement.success(),
            Some(cause) => measurement.failure(cause),
        }
    }
    let all = json(&shop.meters);
    assert_eq!(all["version"], 1);
    assert!(all["taken_at_unix_seconds"].as_f64().unwrap() > 1.7e9);
    let breaker = &all["circuit_breakers"][0];
    assert_eq!((&breaker["name"], &breaker["state"]), (&"orders".into(), &"closed".into()));
    assert_eq!(breaker["failure_rate_percent"], Value::Null);
    assert_eq!(
        (&breaker["window"]["failed_calls"], &breaker["counters"]["failed"]),
        (&1.into(), &1.into())
    );
    let bulkhead = all["bulkheads"].as_array().unwrap();
    assert_eq!(bulkhead.len(), 2);
    assert!(bulkhead.iter().any(|it| it["in_flight"] == 1 && it["available"] == 24));
    assert_eq!(all["time_limiters"][0]["counters"]["success"], 1);
    assert_eq!(
        all["timers"][0],
        serde_json::json!({
            "name": "orders",
            "tags": {},
            "successful": {"count": 2, "sum_seconds": 0.75, "max_seconds": 0.5},
            "failed": {
                "503": {"count": 1, "sum_seconds": 0.0, "max_seconds": 0.0},
                "timeout": {"count": 1, "sum_seconds": 1.0, "max_seconds": 1.0},
            },
            "settings": {"metric_names": "resilience4j.timer.calls", "failure_tag": false},
        })
    );
    assert_eq!(all["rate_limiters"][0]["available_permissions"], 50);
    assert_eq!(all["retries"][0]["counters"]["by_attempts"], serde_json::json!([0, 0, 0, 0, 0, 0]));
}

#[tokio::test(start_paused = true)]
async fn settings_are_called_as_the_builders_methods() {
    let config = CircuitBreakerConfig::builder()
        .failure_rate_threshold(33.3)
        .sliding_window(SlidingWindow::Time { seconds: 10 })
        .slow_call_duration_threshold(Duration::MAX)
        .open_wait(Backoff::exponential(ms(500), 1.5).randomized(0.5).capped(ms(9000)))
        .build()
        .unwrap();
    let breaker = CircuitBreaker::new("orders", config);
    let meters = Meters::new();
    meters.watch_with(&breaker, [("team", "shop")]);
    let breaker = &json(&meters)["circuit_breakers"][0];
    assert_eq!(breaker["tags"], serde_json::json!({"team": "shop"}));
    let settings = &breaker["settings"];
    for (key, value) in [
        ("failure_rate_threshold", serde_json::json!(33.3)),
        ("slow_call_duration_threshold_seconds", Value::Null),
        ("sliding_window_type", "time".into()),
        ("sliding_window_size", 10.into()),
        ("open_wait", "exponential".into()),
        ("open_wait_initial_seconds", 0.5.into()),
        ("open_wait_multiplier", 1.5.into()),
        ("open_wait_randomized", 0.5.into()),
        ("open_wait_cap_seconds", 9.0.into()),
        ("after_half_open_wait", "open".into()),
        ("transition_on_result", false.into()),
    ] {
        assert_eq!(settings[key], value, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_are_those_of_now() {
    let shop = Shop::new();
    shop.bulkhead.update(BulkheadConfig::builder().max_concurrent_calls(3).build().unwrap());
    let bulkheads = shop.meters.snapshot().bulkheads;
    let settings = bulkheads.iter().map(|it| it.settings.get("max_concurrent_calls"));
    let settings: Vec<_> = settings.collect();
    assert!(settings.contains(&Some(&Setting::Integer(3))), "{settings:?}");
}

#[tokio::test(start_paused = true)]
async fn every_setting_of_every_pattern_is_there() {
    let shop = Shop::new();
    let limiter =
        RateLimiterConfig::builder().algorithm(RateLimiterAlgorithm::TokenBucket { burst: 7 });
    let limiter = seawall::RateLimiter::new("bucket", limiter.build().unwrap());
    shop.meters.watch(&limiter);
    let retry = Retry::new("safe", RetryConfig::safe().build().unwrap());
    shop.meters.watch(&retry);
    let all = shop.meters.snapshot();
    let count = |settings: &seawall::telemetry::snapshot::Settings| {
        let keys: BTreeSet<_> = settings.iter().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(keys.len(), settings.iter().count(), "a key twice");
        keys.len()
    };
    assert_eq!(count(&all.circuit_breakers[0].settings), 18);
    assert_eq!(count(&all.bulkheads[0].settings), 6);
    assert_eq!(count(&all.rate_limiters[0].settings), 6);
    assert_eq!(count(&all.time_limiters[0].settings), 3);
    assert_eq!(count(&all.timers[0].settings), 2);
    assert_eq!(all.rate_limiters[0].settings.get("burst"), Some(&Setting::Integer(7)));
    let safe = &all.retries[1];
    assert_eq!(safe.name, "safe");
    assert_eq!(safe.settings.get("budget"), Some(&Setting::Text("share".into())));
    assert_eq!(safe.settings.get("max_retry_after_seconds"), Some(&Setting::Number(30.0)));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_tells_its_last_transitions_and_why() {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(2))
        .minimum_number_of_calls(2)
        .wait_duration_in_open_state(Duration::from_secs(30))
        .build()
        .unwrap();
    let breaker = CircuitBreaker::new("orders", config);
    let meters = Meters::new();
    meters.watch(&breaker);
    for _ in 0..2 {
        breaker.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    }
    tokio::time::advance(Duration::from_secs(100)).await;
    breaker.try_acquire().unwrap().success();
    let all = json(&meters);
    let transitions = all["circuit_breakers"][0]["transitions"].as_array().unwrap();
    let [open, half] = &transitions[..] else { panic!("{transitions:?}") };
    assert_eq!((&open["from"], &open["to"]), (&"closed".into(), &"open".into()));
    assert_eq!(
        (&open["reason"], &open["failure_rate_percent"]),
        (&"failure_rate".into(), &100.0.into())
    );
    assert_eq!((&half["to"], &half["reason"]), (&"half_open".into(), &"wait_over".into()));
    let seconds = |at: &Value| at.as_f64().unwrap();
    let taken = seconds(&all["taken_at_unix_seconds"]);
    assert!((taken - seconds(&open["at_unix_seconds"]) - 100.0).abs() < 1.0, "{all}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_shows_its_pipelines_and_keyed_groups_and_nobody_listens() {
    let registry = Registry::new();
    registry.retries().get("patient").unwrap();
    registry.circuit_breakers().get("orders").unwrap();
    registry.thread_pool_bulkheads().get("orders").unwrap();
    registry.timers().get("orders").unwrap();
    registry.timers().get("fine").unwrap();
    let spec = PipelineSpec::new().deadline(Duration::from_secs(5)).retry("patient").timer("fine");
    registry.pipelines().define("stock", spec).unwrap();
    let _asked_for = registry.pipeline("orders").unwrap();
    let hosts = Keyed::new("hosts", |host| Ok(CircuitBreaker::with_defaults(host))).unwrap();
    registry.add_keyed(&hosts);
    drop(hosts.get("a"));
    hosts.get("b").transition_to_forced_open();

    let all = serde_json::to_value(Snapshot::of(&registry)).unwrap();
    assert_eq!(
        all["pipelines"],
        serde_json::json!([
            {"name": "orders", "deadline_seconds": null,
             "steps": {"circuit_breaker": "orders", "thread_pool_bulkhead": "orders", "timer": "orders"}},
            {"name": "stock", "deadline_seconds": 5.0, "steps": {"retry": "patient", "timer": "fine"}},
        ])
    );
    let group = &all["keyed_groups"][0];
    assert_eq!((&group["name"], &group["entries"]), (&"hosts".into(), &2.into()));
    assert_eq!(group["states"], serde_json::json!({"closed": 1, "forced_open": 1}));
    assert_eq!(group["counters"]["made"], 2);
    assert_eq!(all["last_reload"], Value::Null);
    assert_eq!(all["retries"][0]["name"], "patient");
    // Through meters it is the same.
    let meters = Meters::of(&registry);
    let mut other = json(&meters);
    other["taken_at_unix_seconds"] = all["taken_at_unix_seconds"].clone();
    for breaker in other["circuit_breakers"].as_array_mut().unwrap() {
        assert_eq!(breaker["name"], "orders", "no key has an entry of its own");
    }
    assert_eq!(other, all);
}

/// No number that JSON has no word for, whatever is set.
#[tokio::test(start_paused = true)]
async fn all_numbers_are_finite() {
    fn check(value: &Value, path: &str) {
        match value {
            Value::Number(number) => assert!(number.as_f64().unwrap().is_finite(), "{path}"),
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                let is_null_by_right = [
                    "_percent",
                    "_seconds",
                    "queue",
                    "burst",
                    "budget",
                    "core_pool_size",
                    "last_reload",
                ]
                .iter()
                .any(|part| key.contains(part));
                assert!(!value.is_null() || is_null_by_right, "{path}.{key}");
                check(value, &format!("{path}.{key}"));
            }),
            Value::Array(values) => values.iter().for_each(|value| check(value, path)),
            _ => {}
        }
    }
    let shop = Shop::new();
    shop.bulkhead.change_max_wait(Duration::MAX);
    shop.limiter.change_timeout(Duration::MAX);
    check(&json(&shop.meters), "");
}

#[tokio::test(start_paused = true)]
async fn it_shows_what_came_of_the_last_reload() {
    let path = std::env::temp_dir().join(format!("seawall-snapshot-{}.yml", std::process::id()));
    let retry = |attempts: &str| {
        let text = format!("resilience4j.retry.instances.orders.maxAttempts: {attempts}\n");
        std::fs::write(&path, text).unwrap();
    };
    let registry = Registry::new();
    retry("3");
    let every = Duration::from_secs(1);
    let watch = seawall::config::Loader::new().watch(&path, &registry, every).unwrap();
    retry("0");
    tokio::time::sleep(3 * every).await;
    let last = Snapshot::of(&registry).last_reload.unwrap();
    assert_eq!((last.is_applied, last.errors), (false, 1), "{last:?}");
    assert!(last.file.ends_with(".yml"));
    retry("5");
    tokio::time::sleep(3 * every).await;
    let last = Snapshot::of(&registry).last_reload.unwrap();
    assert_eq!((last.is_applied, last.updated, last.errors), (true, 1, 0), "{last:?}");
    drop(watch);
    let _ = std::fs::remove_file(path);
}
