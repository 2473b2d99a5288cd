//! The settings in a struct of one's own.

use std::time::Duration;

use seawall::config::{CircuitBreakerSettings, RetrySettings, TimerSettings};

#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Mine {
    url: String,
    #[serde(default)]
    breaker: CircuitBreakerSettings,
    #[serde(default)]
    retry: RetrySettings,
}

#[test]
fn they_are_part_of_a_users_own_settings() {
    let text = r#"{"url": "http://inventory", "breaker": {"failureRateThreshold": 25.5, "wait-duration-in-open-state": "PT7.5S",
                   "record": ["5XX", "grpc:14"]}, "retry": {"backoff": {"kind": "FULL-JITTER", "base": 100, "cap": "5s"}}}"#;
    let mine: Mine = serde_json::from_str(text).unwrap();
    assert_eq!(mine.breaker.failure_rate_threshold, Some(25.5));
    assert_eq!(mine.breaker.wait_duration_in_open_state, Some(Duration::from_millis(7500)));
    assert_eq!(mine.breaker.record.as_deref().unwrap(), ["5xx", "grpc:unavailable"]);
    assert_eq!(mine.retry.backoff.kind.as_deref(), Some("full_jitter"));
    assert_eq!(mine.retry.max_attempts, None);
    let written = serde_json::to_string(&mine).unwrap();
    assert!(written.contains(r#""wait_duration_in_open_state":"7500ms""#), "{written}");
    assert!(
        written.contains(r#""backoff":{"kind":"full_jitter","base":"100ms","cap":"5s"}"#),
        "{written}"
    );
    let again: Mine = serde_json::from_str(&written).unwrap();
    assert_eq!((again.breaker, again.retry), (mine.breaker, mine.retry));
}

#[test]
fn what_is_wrong_is_told() {
    let error = serde_json::from_str::<RetrySettings>(r#"{"maxAttempts": 0, "waitDurration": 1}"#)
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("maxAttempts: 0 is not allowed, must be from 1"), "{text}");
    assert!(text.contains("did you mean `waitDuration`?"), "{text}");
    let error = serde_json::from_str::<TimerSettings>(r#"{"metricNames": "my calls"}"#);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("metricNames: my calls is not allowed, must be 1 to 200"), "{text}");
}
