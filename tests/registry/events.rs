//! What subscribers and observers are told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use seawall::registry::Change;
use seawall::telemetry::{Event, EventKind, InstanceKind, Observer, RegistryEvent};
use seawall::{Bulkhead, BulkheadConfig, Registry, RetryBudget, RetryConfig};

type Told = Arc<Mutex<Vec<String>>>;

fn listen(registry: &Registry) -> (Told, seawall::telemetry::ObserverId) {
    let told = Told::default();
    let tell = told.clone();
    let id = registry.observe(move |event: &Event<'_>| {
        let what = match event.kind {
            EventKind::Registry(kind, what) => format!("{kind} {what:?}"),
            other => format!("{other:?}"),
        };
        tell.lock().unwrap().push(format!("{}: {what}", event.name));
    });
    (told, id)
}

fn taken(told: &Told) -> Vec<String> {
    std::mem::take(&mut *told.lock().unwrap())
}

#[test]
fn an_observer_hears_present_and_future_instances_and_no_removed_ones() {
    let registry = Registry::new();
    let bulkheads = registry.bulkheads();
    let present = bulkheads.get("present").unwrap();
    let (told, id) = listen(&registry);
    let future = bulkheads.get("future").unwrap();
    drop((present.try_acquire(), future.try_acquire()));
    let permitted = |name| format!("{name}: Bulkhead(CallPermitted)");
    let finished = |name| format!("{name}: Bulkhead(CallFinished)");
    let mut heard = taken(&told);
    heard.sort();
    let mut expected = vec!["future: bulkhead Added".to_owned()];
    expected.extend(["future", "present"].into_iter().flat_map(|it| [permitted(it), finished(it)]));
    expected.sort();
    assert_eq!(heard, expected);

    bulkheads.remove("future").unwrap();
    drop(future.try_acquire());
    let replaced = Bulkhead::with_defaults("present");
    bulkheads.replace(replaced.clone()).unwrap();
    drop(present.try_acquire());
    assert_eq!(taken(&told), ["future: bulkhead Removed", "present: bulkhead Replaced"]);
    drop(replaced.try_acquire());
    assert_eq!(taken(&told), [permitted("present"), finished("present")]);

    registry.unobserve(id);
    drop(replaced.try_acquire());
    bulkheads.get("later").unwrap();
    assert!(taken(&told).is_empty());
}

#[test]
fn the_same_observer_and_the_same_subscriber_count_once() {
    let registry = Registry::new();
    let heard = Arc::new(AtomicU32::new(0));
    let count = heard.clone();
    let observer: Arc<dyn Observer> = Arc::new(move |_: &Event<'_>| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let one = registry.observe_shared(observer.clone());
    assert_eq!(registry.observe_shared(observer), one);
    registry.retries().get("orders").unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 1);

    let count = heard.clone();
    let subscriber = Arc::new(move |_: &Change<Bulkhead>| {
        count.fetch_add(10, Ordering::Relaxed);
    });
    let one = registry.bulkheads().subscribe_shared(subscriber.clone());
    assert_eq!(registry.bulkheads().subscribe_shared(subscriber), one);
    registry.bulkheads().get("orders").unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 12);
    registry.bulkheads().unsubscribe(one);
    registry.bulkheads().remove("orders");
    assert_eq!(heard.load(Ordering::Relaxed), 13);
}

#[test]
fn other_settings_for_an_instance_that_exists_are_reported() {
    let registry = Registry::new();
    let bulkheads = registry.bulkheads();
    let config = |calls| BulkheadConfig::builder().max_concurrent_calls(calls).build().unwrap();
    let conflicts = Arc::new(Mutex::new(Vec::new()));
    let tell = conflicts.clone();
    bulkheads.subscribe(move |change| {
        if let Change::ConfigConflict { instance, ignored } = change {
            let has = instance.config().max_concurrent_calls();
            tell.lock().unwrap().push((has, ignored.max_concurrent_calls()));
        }
    });
    bulkheads.get_with("orders", config(5)).unwrap();
    bulkheads.get_with("orders", config(5)).unwrap();
    bulkheads.get_with("orders", || config(6)).unwrap();
    assert!(conflicts.lock().unwrap().is_empty(), "the same, and a function that is not asked");
    bulkheads.get_with("orders", config(7)).unwrap();
    assert_eq!(std::mem::take(&mut *conflicts.lock().unwrap()), [(5, 7)]);

    // Who still asks with what it was made with is right, and so is who knows of the change.
    bulkheads.update("orders", config(8)).unwrap();
    bulkheads.get_with("orders", config(5)).unwrap();
    bulkheads.get_with("orders", config(8)).unwrap();
    assert!(conflicts.lock().unwrap().is_empty());
    bulkheads.get("orders").unwrap();
    assert_eq!(*conflicts.lock().unwrap(), [(8, 25)], "`default` is other settings too");
}

#[test]
fn a_retry_with_a_budget_in_use_is_no_conflict() {
    let registry = Registry::new();
    let (told, _) = listen(&registry);
    let config = RetryConfig::builder().budget(RetryBudget::default()).build().unwrap();
    let retry = registry.retries().get_with("orders", config.clone()).unwrap();
    let _attempts = retry.start();
    registry.retries().get_with("orders", config).unwrap();
    assert_eq!(taken(&told), ["orders: retry Added"]);
}

#[test]
fn changes_of_a_subscriber_are_told_after_the_one_it_is_told() {
    let registry = Registry::new();
    let told = Told::default();
    let (tell, inside) = (told.clone(), registry.clone());
    registry.retries().subscribe(move |change| {
        if let Change::Added(retry) = change {
            if retry.name() == "a" {
                inside.retries().get("b").unwrap();
            }
            tell.lock().unwrap().push(retry.name().to_owned());
        }
    });
    registry.retries().get("a").unwrap();
    assert_eq!(taken(&told), ["a", "b"]);
}

#[test]
fn a_subscriber_that_panics_harms_nobody() {
    let registry = Registry::new();
    let (told, _) = listen(&registry);
    registry.retries().subscribe(|_| panic!("oops"));
    registry.retries().get("a").unwrap();
    registry.retries().get("b").unwrap();
    assert_eq!(taken(&told), ["a: retry Added", "b: retry Added"]);
}

#[test]
fn kinds_have_keys() {
    assert_eq!(InstanceKind::ThreadPoolBulkhead.key(), "thread_pool_bulkhead");
    assert_eq!(InstanceKind::CircuitBreaker.to_string(), "circuit breaker");
    assert_ne!(RegistryEvent::Added, RegistryEvent::Removed);
}

#[test]
fn settings_out_of_range_name_the_instance_that_exists_too() {
    let registry = Registry::new();
    let wrong = || BulkheadConfig::builder().max_concurrent_calls(u32::MAX);
    let error = registry.bulkheads().get_with("orders", wrong()).unwrap_err().to_string();
    assert!(error.starts_with("bulkhead `orders`: `max_concurrent_calls`"), "{error}");
    registry.bulkheads().get("orders").unwrap();
    assert_eq!(registry.bulkheads().get_with("orders", wrong()).unwrap_err().to_string(), error);
}
