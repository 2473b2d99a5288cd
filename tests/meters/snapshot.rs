//! The snapshot and its JSON.

use std::collections::BTreeSet;

use seawall::telemetry::Meters;
use seawall::telemetry::snapshot::Setting;
use seawall::{
    Backoff, BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, RateLimiterAlgorithm,
    RateLimiterConfig, Retry, RetryConfig, SlidingWindow,
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
    assert_eq!(all["rate_limiters"][0]["available_permissions"], 50);
    assert_eq!(all["retries"][0]["counters"]["by_attempts"], serde_json::json!([0, 0, 0, 0, 0, 0]));
}

#[tokio::test(start_paused = true)]
async fn settings_are_called_as_the_builders_methods() {
    let config = CircuitBreakerConfig::builder()
        .failure_rate_threshold(33.3)
        .sliding_window(SlidingWindow::Time { seconds: 10 })
        .slow_call_duration_threshold(std::time::Duration::MAX)
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
    assert_eq!(count(&all.circuit_breakers[0].settings), 17);
    assert_eq!(count(&all.bulkheads[0].settings), 6);
    assert_eq!(count(&all.rate_limiters[0].settings), 6);
    assert_eq!(count(&all.time_limiters[0].settings), 3);
    assert_eq!(all.rate_limiters[0].settings.get("burst"), Some(&Setting::Integer(7)));
    let safe = &all.retries[1];
    assert_eq!(safe.name, "safe");
    assert_eq!(safe.settings.get("budget"), Some(&Setting::Text("share".into())));
    assert_eq!(safe.settings.get("max_retry_after_seconds"), Some(&Setting::Number(30.0)));
}

/// No number that JSON has no word for, whatever is set.
#[tokio::test(start_paused = true)]
async fn all_numbers_are_finite() {
    fn check(value: &Value, path: &str) {
        match value {
            Value::Number(number) => assert!(number.as_f64().unwrap().is_finite(), "{path}"),
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                let is_null_by_right =
                    ["_percent", "_seconds", "queue", "burst", "budget", "core_pool_size"]
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
    shop.bulkhead.change_max_wait(std::time::Duration::MAX);
    shop.limiter.change_timeout(std::time::Duration::MAX);
    check(&json(&shop.meters), "");
}
