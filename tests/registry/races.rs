//! Factories that use the registry, and many threads at once.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use seawall::registry::RegistryError;
use seawall::telemetry::{Event, Observer};
use seawall::{BulkheadConfig, CircuitBreakerConfig, Registry};

/// Much longer than it takes.
const HUNG: Duration = Duration::from_secs(20);

/// Runs `work` in a thread of its own, which may hang.
pub(super) fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || tell.send(work()));
    hear.recv_timeout(HUNG).expect("it hangs, or has panicked")
}

#[test]
fn a_factory_may_ask_for_other_instances() {
    let made = ends(|| {
        let registry = Registry::new();
        registry.bulkheads().get_with("orders", || {
            let shared = registry.bulkheads().get("shared").unwrap();
            registry.circuit_breakers().get("orders").unwrap();
            assert!(registry.bulkheads().find("orders").is_none());
            assert_eq!(registry.bulkheads().list().len(), 1);
            shared.config()
        })
    });
    assert!(made.is_ok());
}

#[test]
fn a_factory_that_asks_for_its_own_instance_is_told_so() {
    let inner = ends(|| {
        let registry = Registry::new();
        let mut inner = None;
        let made = registry.bulkheads().get_with("orders", || {
            inner = Some(registry.bulkheads().get("orders"));
            BulkheadConfig::default()
        });
        assert!(made.is_ok(), "the factory itself has not failed");
        inner.unwrap()
    });
    assert!(matches!(inner, Err(RegistryError::Circular { .. })), "{inner:?}");
}

#[test]
fn two_factories_that_wait_for_each_other_do_not_hang() {
    let refused = ends(|| {
        let registry = Registry::new();
        let both = std::sync::Barrier::new(2);
        // One of the two is refused what it asks for, and makes its instance without.
        let ask = |mine: &str, other: &str| {
            let mut refused = false;
            registry
                .bulkheads()
                .get_with(mine, || {
                    both.wait();
                    refused = registry.bulkheads().get(other).is_err();
                    BulkheadConfig::default()
                })
                .unwrap();
            refused
        };
        thread::scope(|scope| {
            let one = scope.spawn(|| ask("a", "b"));
            let other = scope.spawn(|| ask("b", "a"));
            [one.join().unwrap(), other.join().unwrap()]
        })
    });
    assert_eq!(refused.iter().filter(|refused| **refused).count(), 1, "{refused:?}");
}

#[test]
fn who_waits_for_a_factory_that_fails_tries_its_own() {
    let config = ends(|| {
        let registry = Registry::new();
        let (tell, hear) = mpsc::channel();
        thread::scope(|scope| {
            let registry = &registry;
            let first = scope.spawn(move || {
                registry.bulkheads().try_get_with("orders", || {
                    tell.send(()).unwrap();
                    thread::yield_now();
                    Err::<BulkheadConfig, _>(Box::<dyn std::error::Error + Send + Sync>::from("no"))
                })
            });
            hear.recv().unwrap();
            let narrow = BulkheadConfig::builder().max_concurrent_calls(3);
            let second = registry.bulkheads().get_with("orders", narrow);
            assert!(first.join().unwrap().is_err());
            second.unwrap().config()
        })
    });
    assert_eq!(config.max_concurrent_calls(), 3);
}

#[test]
fn everything_at_once() {
    ends(|| {
        let registry = Registry::new();
        let observer: Arc<dyn Observer> = Arc::new(|_: &Event<'_>| {});
        thread::scope(|scope| {
            for worker in 0..6_u32 {
                let (registry, observer) = (&registry, &observer);
                scope.spawn(move || {
                    let breakers = registry.circuit_breakers();
                    for round in 0..500_u32 {
                        let name = ["a", "b", "c"][(round % 3) as usize];
                        let config =
                            CircuitBreakerConfig::builder().minimum_number_of_calls(round + 1);
                        match (worker + round) % 6 {
                            0 => drop(breakers.remove(name)),
                            1 => drop(breakers.put(name, config).unwrap()),
                            2 => {
                                let id = registry.observe_shared(observer.clone());
                                registry.unobserve(id);
                            }
                            3 => drop(breakers.update(name, config)),
                            4 => drop(registry.pipeline(name)),
                            _ => drop(breakers.get(name).unwrap()),
                        }
                    }
                });
            }
        });
        assert!(!registry.circuit_breakers().list().is_empty());
        assert_eq!(Arc::strong_count(&observer), 1, "one was left on");
    });
}
