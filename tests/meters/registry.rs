//! A registry's instances, as they come and go.

use std::sync::Arc;

use seawall::registry::{PipelineSpec, Tags};
use seawall::telemetry::Meters;
use seawall::{CircuitBreaker, CircuitBreakerConfig, Registry};

use crate::strict;
use crate::support::number;

const BREAKER: &str = "resilience4j_circuitbreaker_state";

/// The names that have meters, with their tag `team`.
fn teams(meters: &Meters, family: &str) -> Vec<(String, Option<String>)> {
    let samples = strict::parse(&meters.prometheus()).into_iter();
    let samples = samples.filter(|sample| sample.name == family);
    let mut teams: Vec<_> = samples
        .map(|sample| (sample.labels["name"].clone(), sample.labels.get("team").cloned()))
        .collect();
    teams.dedup();
    teams
}

fn names(meters: &Meters, family: &str) -> Vec<String> {
    teams(meters, family).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn rg08_meters_come_and_go_with_the_registrys_instances() {
    let registry = Registry::new();
    registry.circuit_breakers().get("early").unwrap();
    let meters = Meters::of(&registry);
    registry.circuit_breakers().get("late").unwrap();
    registry.retries().get("late").unwrap();
    registry.thread_pool_bulkheads().get("late").unwrap();
    assert_eq!(names(&meters, BREAKER), ["early", "late"]);
    assert_eq!(names(&meters, "resilience4j_bulkhead_queue_depth"), ["late"]);

    let removed = registry.circuit_breakers().remove("late").unwrap();
    assert_eq!(names(&meters, BREAKER), ["early"]);
    assert_eq!(
        names(&meters, "resilience4j_retry_retries_total"),
        ["late"],
        "only the breaker is gone"
    );
    // Whoever holds it goes on, unseen; under its name there may be another.
    removed.transition_to_forced_open();
    registry.circuit_breakers().get("late").unwrap();
    assert_eq!(
        number(&meters, "circuitbreaker.state", &[("name", "late"), ("state", "closed")]),
        1.0
    );
}

#[test]
fn rg08_a_replaced_instances_meters_are_those_of_the_new_one() {
    let registry = Registry::new();
    let old = registry.circuit_breakers().get("orders").unwrap();
    let meters = Meters::of(&registry);
    old.transition_to_forced_open();
    old.try_acquire().unwrap_err();
    let refused = || number(&meters, "circuitbreaker.not.permitted.calls", &[]);
    assert_eq!(refused(), 1.0);
    registry.circuit_breakers().replace(CircuitBreaker::with_defaults("orders")).unwrap();
    old.try_acquire().unwrap_err();
    assert_eq!(refused(), 0.0);
    assert_eq!(number(&meters, "circuitbreaker.state", &[("state", "forced_open")]), 0.0);
}

#[test]
fn rg09_an_update_in_place_keeps_the_counts() {
    let registry = Registry::new();
    let meters = Meters::of(&registry);
    let breaker = registry.circuit_breakers().get("orders").unwrap();
    breaker.transition_to_forced_open();
    breaker.try_acquire().unwrap_err();
    let config = CircuitBreakerConfig::builder().failure_rate_threshold(20.0).build().unwrap();
    registry.circuit_breakers().update("orders", config).unwrap();
    assert_eq!(number(&meters, "circuitbreaker.not.permitted.calls", &[]), 1.0);
}

#[test]
fn tags_are_those_of_the_registry_at_the_last_look() {
    let registry = Registry::new();
    registry.set_tags(Tags::from([("zone", "a")]));
    let meters = Meters::of(&registry);
    let team = |name: &str| Tags::from([("team", name.to_owned())]);
    registry.circuit_breakers().get_tagged("orders", "default", team("shop")).unwrap();
    registry.circuit_breakers().get("stock").unwrap();
    let all = || teams(&meters, BREAKER);
    let of = |name: &str, team: Option<&str>| (name.to_owned(), team.map(str::to_owned));
    assert_eq!(all(), [of("orders", Some("shop")), of("stock", None)]);
    registry.circuit_breakers().set_tags("stock", team("depot"));
    assert_eq!(all(), [of("orders", Some("shop")), of("stock", Some("depot"))]);
    assert!(meters.prometheus().contains(r#"zone="a""#));
}

#[test]
fn what_was_watched_by_hand_before_stays_as_it_is() {
    let registry = Registry::new();
    let breaker = registry.circuit_breakers().get("orders").unwrap();
    let meters = Meters::new();
    meters.watch_with(&breaker, [("team", "hand")]);
    meters.watch_registry(&registry);
    assert_eq!(teams(&meters, BREAKER), [("orders".to_owned(), Some("hand".to_owned()))]);
    registry.circuit_breakers().remove("orders");
    assert_eq!(names(&meters, BREAKER), [""; 0]);
}

#[test]
fn whoever_watches_at_the_same_time_watches_once() {
    for _ in 0..200 {
        let registry = Registry::new();
        registry.pipelines().define("orders", PipelineSpec::new()).unwrap();
        let meters = Meters::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| meters.watch_registry(&registry));
            }
        });
        assert_eq!(meters.snapshot().pipelines.len(), 1);
        drop(meters);
        let shown = format!("{:?}", registry.circuit_breakers());
        assert!(shown.contains("subscribers: 0"), "{shown}");
    }
}

#[test]
fn the_registry_keeps_no_meters_and_the_meters_no_registry() {
    let registry = Registry::new();
    let meters = Meters::of(&registry);
    let breaker = registry.circuit_breakers().get("orders").unwrap();
    meters.watch_registry(&registry.clone());
    drop(registry);
    assert_eq!(names(&meters, BREAKER), ["orders"]);
    drop(breaker);
    assert!(!meters.prometheus().contains("orders"));

    let registry = Registry::new();
    drop(Meters::of(&registry));
    let shown = format!("{:?}", registry.circuit_breakers());
    assert!(shown.contains("subscribers: 0"), "{shown}");
    let shown = format!("{registry:?}");
    assert!(shown.contains("Newcomers(0)"), "{shown}");
}

#[test]
fn races_leave_exactly_what_the_registry_has() {
    for _ in 0..20 {
        let registry = Arc::new(Registry::new());
        let meters = std::thread::scope(|scope| {
            for thread in 0..4 {
                let registry = registry.clone();
                scope.spawn(move || {
                    for round in 0..50 {
                        let name = format!("{}", (thread + round) % 5);
                        registry.circuit_breakers().get(&name).unwrap();
                        if round % 3 == 0 {
                            registry.circuit_breakers().remove(&name);
                        }
                    }
                });
            }
            scope.spawn(|| Meters::of(&registry)).join().unwrap()
        });
        let there: Vec<_> =
            registry.circuit_breakers().list().iter().map(|it| it.name().to_owned()).collect();
        assert_eq!(names(&meters, BREAKER), there);
    }
}
