//! The JSON schema.

use serde_json::Value;

/// Run with `SEAWALL_WRITE_SCHEMA=1` after a change of the tables.
#[test]
fn the_committed_schema_is_that_of_the_tables() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/seawall.schema.json");
    let schema = seawall::config::schema();
    if std::env::var_os("SEAWALL_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == schema,
        "docs/seawall.schema.json is behind: run with SEAWALL_WRITE_SCHEMA=1"
    );
}

#[test]
fn it_has_every_key_with_its_range() {
    let schema: Value = serde_json::from_str(&seawall::config::schema()).unwrap();
    let breaker = &schema["$defs"]["circuit_breaker"]["properties"];
    for spelling in ["failure_rate_threshold", "failureRateThreshold", "failure-rate-threshold"] {
        let number = &breaker[spelling]["anyOf"][0];
        assert_eq!((&number["minimum"], &number["maximum"]), (&1.0.into(), &100.0.into()));
        assert_eq!(breaker[spelling]["default"], 50);
    }
    assert_eq!(breaker["waitDurationInOpenState"]["x-minimum"], "1ms");
    assert_eq!(breaker["open_wait"]["$ref"], "#/$defs/backoff");
    assert!(
        breaker["registerHealthIndicator"]["description"].as_str().unwrap().contains("no effect")
    );
    let own = &schema["properties"]["seawall"]["properties"];
    assert!(own["pipelines"].is_object() && own["retry"].is_object());
    // Timers stand in two places, and nothing stands beside them in one of these.
    let theirs = &schema["properties"]["resilience4j"]["properties"];
    for timer in [&own["timer"], &theirs["timer"], &theirs["micrometer"]["properties"]["timer"]] {
        let instances = &timer["properties"]["instances"]["additionalProperties"];
        assert_eq!(instances["$ref"], "#/$defs/timer");
        assert!(timer["properties"]["timerAspectOrder"].is_object());
    }
    assert_eq!(theirs["micrometer"]["additionalProperties"], false);
}
