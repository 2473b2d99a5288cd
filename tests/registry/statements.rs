//! What is said of the registry, by number.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use seawall::registry::{Change, RegistryError, Tags};
use seawall::{
    BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, RateLimiterConfig, Registry, RetryConfig,
    State, TimeLimiterConfig,
};

fn places(calls: u32) -> BulkheadConfig {
    BulkheadConfig::builder().max_concurrent_calls(calls).build().unwrap()
}

#[test]
fn rg01_same_name_twice_is_the_same_instance_and_the_first_settings_win() {
    let bulkheads = Registry::new().bulkheads();
    let first = bulkheads.get_with("orders", places(1)).unwrap();
    let second = bulkheads.get_with("orders", places(9)).unwrap();
    let held = first.try_acquire().unwrap();
    assert!(second.try_acquire().is_err(), "the one place is taken");
    assert_eq!(bulkheads.get("orders").unwrap().config().max_concurrent_calls(), 1);
    drop(held);

    // Another pattern has a name space of its own.
    let registry = Registry::new();
    registry.bulkheads().get_with("orders", places(1)).unwrap();
    let pool = registry.thread_pool_bulkheads().get_with("orders", places(2)).unwrap();
    assert_eq!(pool.config().max_concurrent_calls(), 2);
    assert!(registry.retries().find("orders").is_none());
}

#[test]
fn rg02_a_hundred_racing_creators_make_one_call_of_the_factory_and_one_added() {
    for _ in 0..20 {
        let registry = Registry::new();
        let (made, added) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
        let count = added.clone();
        registry.bulkheads().subscribe(move |change| {
            assert!(matches!(change, Change::Added(_)));
            count.fetch_add(1, Ordering::Relaxed);
        });
        let start = Barrier::new(100);
        let one = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    start.wait();
                    let factory = || {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                        places(1)
                    };
                    let got = registry.bulkheads().get_with("orders", factory).unwrap();
                    if let Ok(permit) = got.try_acquire() {
                        assert!(one.lock().unwrap().replace(permit).is_none());
                    }
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(added.load(Ordering::Relaxed), 1);
        assert!(one.into_inner().unwrap().is_some(), "all had the same single place");
    }
}

#[test]
fn rg03_the_settings_default_are_neither_added_nor_removed() {
    let breakers = Registry::new().circuit_breakers();
    let built_in = breakers.config("default").unwrap();
    let minimum = |config: &CircuitBreakerConfig, calls| {
        format!("{config:?}").contains(&format!("minimum_number_of_calls: {calls},"))
    };
    assert!(minimum(&built_in, 100), "Resilience4j's");
    let refused = breakers.add_config("default", CircuitBreakerConfig::default()).unwrap_err();
    assert!(matches!(refused, RegistryError::DefaultConfig { .. }), "{refused}");
    assert!(breakers.remove_config("default").is_err());
    assert!(breakers.config("default").is_ok());

    let own = CircuitBreakerConfig::builder().minimum_number_of_calls(7).build().unwrap();
    breakers.set_default_config(own);
    assert!(minimum(&breakers.get("orders").unwrap().config(), 7));
}

#[test]
fn rg04_an_unknown_name_of_settings_is_an_error_that_lists_near_ones() {
    let limiters = Registry::new().rate_limiters();
    let slow = RateLimiterConfig::builder().limit_for_period(1).build().unwrap();
    assert!(limiters.add_config("slow-lane", slow.clone()).unwrap().is_none());
    assert!(limiters.add_config("other", slow).unwrap().is_none());
    let error = limiters.get_with("orders", "slowlane").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no settings of a rate limiter are named `slowlane`; did you mean `slow-lane`?"
    );
    assert!(limiters.find("orders").is_none(), "nothing was made");
    // Nor is it passed over where the instance exists.
    limiters.get_with("orders", "slow-lane").unwrap();
    assert!(limiters.get_with("orders", "slowlane").is_err());

    assert!(limiters.remove_config("other").unwrap().is_some());
    assert!(limiters.config("other").is_err());
    let names: Vec<_> = limiters.configs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["default".into(), Arc::<str>::from("slow-lane")]);
}

#[test]
fn rg05_tags_merge_and_the_instance_wins() {
    let registry = Registry::new();
    registry.set_tags([("region", "eu"), ("team", "shop"), ("kind", "any")]);
    let retries = registry.retries();
    retries.set_common_tags([("kind", "retry"), ("team", "platform")]);
    retries.get_tagged("orders", "default", [("team", "orders"), ("tier", "1")]).unwrap();
    let merged =
        Tags::from([("kind", "retry"), ("region", "eu"), ("team", "orders"), ("tier", "1")]);
    assert_eq!(retries.tags("orders"), Some(merged.clone()));
    assert_eq!(retries.list_tagged()[0].1, merged);
    assert_eq!(retries.tags("nobody"), None);

    // Tags of somebody who comes later count as little as settings.
    retries.get_tagged("orders", "default", [("tier", "2")]).unwrap();
    assert_eq!(retries.tags("orders").unwrap().get("tier"), Some("1"));
    assert!(retries.set_tags("orders", [("tier", "3")]));
    assert_eq!(retries.tags("orders").unwrap().get("tier"), Some("3"));
    assert!(!retries.set_tags("nobody", Tags::new()));
}

#[test]
fn rg06_replace_of_a_missing_name_is_nothing_and_no_event() {
    let breakers = Registry::new().circuit_breakers();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    breakers.subscribe(move |change| tell.lock().unwrap().push(format!("{}", Named(change))));
    assert!(breakers.replace(CircuitBreaker::with_defaults("orders")).is_none());
    assert!(breakers.find("orders").is_none());
    assert!(told.lock().unwrap().is_empty());

    let old = breakers.get("orders").unwrap();
    old.transition_to_forced_open();
    let returned = breakers.replace(CircuitBreaker::with_defaults("orders")).unwrap();
    assert_eq!(returned.state(), State::ForcedOpen);
    assert_eq!(breakers.get("orders").unwrap().state(), State::Closed);
    assert_eq!(old.state(), State::ForcedOpen, "its holders go on with it");

    let removed = breakers.remove("orders").unwrap();
    assert!(removed.try_acquire().is_ok());
    assert!(breakers.remove("orders").is_none());
    let told = told.lock().unwrap();
    assert_eq!(*told, ["added orders", "replaced orders (forced open)", "removed orders"]);
}

struct Named<'a>(&'a Change<CircuitBreaker>);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Change::Added(it) => write!(f, "added {}", it.name()),
            Change::Removed(it) => write!(f, "removed {}", it.name()),
            Change::Replaced { old, new } => write!(f, "replaced {} ({})", new.name(), old.state()),
            Change::Updated(it) => write!(f, "updated {}", it.name()),
            other => write!(f, "{other:?}"),
        }
    }
}

#[test]
fn rg07_a_failing_factory_leaves_no_entry_and_the_next_call_tries_again() {
    let limiters = Registry::new().time_limiters();
    let failed: Result<_, Box<dyn std::error::Error>> =
        limiters.try_get_with("orders", || Err("no such file".into()));
    assert_eq!(failed.unwrap_err().to_string(), "no such file");
    assert!(limiters.find("orders").is_none());
    assert!(limiters.list().is_empty());

    let out_of_range = TimeLimiterConfig::builder().timeout(std::time::Duration::ZERO);
    if out_of_range.build().is_err() {
        let error = limiters.get_with("orders", out_of_range).unwrap_err();
        assert!(
            error.to_string().starts_with("time limiter `orders`: `timeout` is 0ns"),
            "{error}"
        );
    }
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        limiters.get_with("orders", || -> TimeLimiterConfig { panic!("oops") })
    }));
    assert!(panicked.is_err());
    assert!(limiters.find("orders").is_none());

    assert!(limiters.get("orders").is_ok());
}

#[tokio::test(start_paused = true)]
async fn rg09_an_update_in_place_keeps_subscribers_and_counters() {
    let registry = Registry::new();
    let retries = registry.retries();
    let told = Arc::new(AtomicU32::new(0));
    let count = told.clone();
    registry.observe(move |_: &seawall::telemetry::Event<'_>| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let breakers = registry.circuit_breakers();
    let orders = breakers.get("orders").unwrap();
    orders.call(async { Err::<(), _>("no") }).await.unwrap_err();
    let before = told.load(Ordering::Relaxed);
    assert!(before >= 2, "added, and an error");

    let config = CircuitBreakerConfig::builder().failure_rate_threshold(12.5);
    let updated = breakers.update("orders", config).unwrap();
    assert!(format!("{:?}", updated.config()).contains("failure_rate_threshold: 12.5,"));
    assert!(Arc::ptr_eq(&orders.config(), &updated.config()), "whoever holds it has it");
    assert_eq!(orders.metrics().failed_calls, 1, "the window stays");
    orders.call(async { Ok::<_, ()>(()) }).await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), before + 2, "updated, and a success");

    let error = retries.update("ordres", RetryConfig::builder()).unwrap_err();
    assert_eq!(error.to_string(), "there is no retry `ordres`");
    retries.put("orders", RetryConfig::builder().max_attempts(2)).unwrap();
    retries.put("orders", RetryConfig::builder().max_attempts(5)).unwrap();
    assert_eq!(retries.get("orders").unwrap().config().max_attempts(), 5);
    let error = retries.update("ordres", RetryConfig::builder()).unwrap_err();
    assert_eq!(error.to_string(), "there is no retry `ordres`; did you mean `orders`?");
}

#[test]
fn lists_stand_in_the_order_of_names() {
    let registry = Registry::new();
    for name in ["c", "a", "b"] {
        registry.retries().get(name).unwrap();
    }
    let names: Vec<_> =
        registry.retries().list().iter().map(|retry| retry.name().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn what_was_made_elsewhere_can_be_added_once() {
    let breakers = Registry::new().circuit_breakers();
    let orders = CircuitBreaker::with_defaults("orders");
    breakers.add(orders.clone()).unwrap();
    orders.transition_to_disabled();
    assert_eq!(breakers.get("orders").unwrap().state(), State::Disabled);
    let error = breakers.add(orders).unwrap_err();
    assert_eq!(error.to_string(), "there is a circuit breaker `orders` already");
}
