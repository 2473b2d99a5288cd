//! Bounds, and what becomes of keys beyond them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use seawall::keyed::Keyed;
use seawall::telemetry::{Event, EventKind, KeyedEvent};
use seawall::{
    Bulkhead, BulkheadConfig, BulkheadPermit, CircuitBreaker, CircuitBreakerConfig, Registry, State,
};
use tokio::time::advance;

pub(crate) fn breakers(entries: usize) -> Keyed<CircuitBreaker> {
    Keyed::<CircuitBreaker>::builder("hosts")
        .max_entries(entries)
        .build(|host| Ok(CircuitBreaker::with_defaults(host)))
        .unwrap()
}

#[test]
fn one_instance_a_key_which_is_its_name() {
    let hosts = breakers(10);
    hosts.get("a").transition_to_forced_open();
    assert_eq!(hosts.get("a").state(), State::ForcedOpen);
    assert_eq!(hosts.get("a").name(), "a");
    assert_eq!(hosts.get("b").state(), State::Closed);
    assert!(hosts.find("c").is_none());
    assert_eq!(hosts.stats().entries, 2, "to look for one makes none");
    assert_eq!(hosts.stats().made, 2);
    let mut names: Vec<_> = hosts.list().into_iter().map(|(key, _)| key).collect();
    names.sort();
    assert_eq!(names, ["a".into(), Arc::<str>::from("b")]);
    let states = hosts.group().states();
    assert_eq!((states.of(State::ForcedOpen), states.of(State::Closed)), (1, 1));
    assert_eq!(states.iter().map(|(_, count)| count).sum::<usize>(), 2);
}

#[test]
fn settings_out_of_range_are_refused() {
    let build = |change: fn(seawall::keyed::KeyedBuilder) -> seawall::keyed::KeyedBuilder| {
        let builder = change(Keyed::<Bulkhead>::builder("x"));
        builder
            .build(|key| Ok(Bulkhead::with_defaults(key)))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert!(build(|it| it).is_ok());
    assert!(build(|it| it.max_entries(1).max_key_length(1).idle_expiry(Duration::MAX)).is_ok());
    assert_eq!(
        build(|it| it.max_entries(0)).unwrap_err(),
        "`max_entries` is 0, but must be from 1 to 1000000"
    );
    assert!(build(|it| it.max_entries(1_000_001)).is_err());
    assert!(build(|it| it.idle_expiry(Duration::ZERO)).is_err());
    assert!(build(|it| it.max_key_length(0)).is_err());
    assert!(build(|it| it.forget_after(Duration::from_secs(599))).is_err());
}

#[test]
fn the_least_lately_used_makes_room() {
    let hosts = breakers(3);
    for host in ["a", "b", "c", "d"] {
        drop(hosts.get(host));
    }
    let stats = hosts.stats();
    assert_eq!((stats.entries, stats.made, stats.evicted_for_room, stats.overflowed), (3, 4, 1, 0));
    assert!(hosts.find("d").is_some());
}

#[tokio::test(start_paused = true)]
async fn of_several_the_one_goes_that_was_used_least_lately() {
    let hosts = breakers(5);
    for host in ["a", "b", "c", "d", "e"] {
        drop(hosts.get(host));
        advance(Duration::from_secs(10)).await;
    }
    // A use is noticed by whoever looks next.
    drop(hosts.get("a"));
    drop(hosts.get("f"));
    assert!(hosts.find("b").is_none(), "{:?}", hosts.list());
    assert!(hosts.find("a").is_some());
    advance(Duration::from_secs(10)).await;
    drop(hosts.get("g"));
    assert!(hosts.find("c").is_none(), "{:?}", hosts.list());
}

type Kinds = Arc<Mutex<Vec<KeyedEvent>>>;

fn listen(hosts: &Keyed<CircuitBreaker>) -> Kinds {
    let kinds = Kinds::default();
    let tell = kinds.clone();
    hosts.observe(move |event: &Event<'_>| {
        if let EventKind::Keyed(kind) = event.kind {
            assert_eq!(event.name, "hosts");
            tell.lock().unwrap().push(kind);
        }
    });
    kinds
}

#[tokio::test(start_paused = true)]
async fn when_nothing_can_go_new_keys_share_one_instance_and_an_event_says_so_once() {
    let hosts = breakers(4);
    let kinds = listen(&hosts);
    let held: Vec<_> = ["a", "b", "c", "d"].map(|host| hosts.get(host)).into();
    for n in 0..1000 {
        assert_eq!(hosts.get(&format!("new{n}")).name(), "overflow");
    }
    assert_eq!(*kinds.lock().unwrap(), [KeyedEvent::Overflow]);
    assert_eq!(hosts.get("a").name(), "a", "who has one keeps it");
    let stats = hosts.stats();
    assert_eq!((stats.entries, stats.overflowed), (4, 1000));
    assert!(stats.is_overflowing);

    // There is room again, and it is found.
    drop(held);
    advance(Duration::from_secs(2)).await;
    assert_eq!(hosts.get("new").name(), "new");
    let evicted = KeyedEvent::Evicted { count: 1, idle: false };
    assert_eq!(*kinds.lock().unwrap(), [KeyedEvent::Overflow, evicted, KeyedEvent::Recovered]);
    assert!(!hosts.stats().is_overflowing);
}

#[test]
fn keys_that_are_too_long_share_one_instance() {
    let hosts = breakers(4);
    let (long, longest) = ("x".repeat(256), "x".repeat(257));
    assert_eq!(hosts.get(&long).name(), long);
    assert_eq!(hosts.get(&longest).name(), "overflow");
    assert_eq!(hosts.stats().long_keys, 1);
    assert_eq!(hosts.get("").name(), "", "an empty key is one");
}

#[test]
fn a_template_that_fails_or_panics_leaves_nothing_behind() {
    let fails = Arc::new(AtomicBool::new(false));
    let fail = fails.clone();
    let hosts = Keyed::<CircuitBreaker>::builder("hosts")
        .max_entries(1)
        .build(move |host| {
            assert_ne!(&*host, "panic");
            let rate = if fail.load(Ordering::Relaxed) { 0.0 } else { 50.0 };
            let config = CircuitBreakerConfig::builder().failure_rate_threshold(rate).build()?;
            Ok(CircuitBreaker::new(host, config))
        })
        .unwrap();
    let kinds = listen(&hosts);
    fails.store(true, Ordering::Relaxed);
    assert_eq!(hosts.get("a").name(), "overflow");
    assert_eq!(*kinds.lock().unwrap(), [KeyedEvent::NotMade]);
    assert_eq!(hosts.stats().not_made, 1);
    fails.store(false, Ordering::Relaxed);
    let get = std::panic::AssertUnwindSafe(|| hosts.get("panic"));
    assert!(std::panic::catch_unwind(get).is_err());
    assert_eq!(hosts.stats().entries, 0);
    assert_eq!(hosts.get("a").name(), "a", "the room for one is free");
    // One that fails from the start is told at once.
    let failed = Keyed::new("hosts", |host| {
        Ok(Bulkhead::new(host, BulkheadConfig::builder().max_concurrent_calls(u32::MAX).build()?))
    });
    assert!(failed.is_err());
}

#[test]
fn racing_calls_for_a_new_key_get_one_instance() {
    for _ in 0..50 {
        let made = Arc::new(AtomicU32::new(0));
        let count = made.clone();
        let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
        let keyed = Keyed::<Bulkhead>::builder("keys")
            .max_entries(2)
            .build(move |key| {
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::yield_now();
                Ok(Bulkhead::new(key, config))
            })
            .unwrap();
        let start = Barrier::new(8);
        let permits: Vec<BulkheadPermit> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        keyed.get("a").try_acquire().ok()
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        let with_room = permits.len();
        // The map has room for two at a time, so some may have had to share.
        assert!(with_room >= 1 && keyed.stats().entries == 1, "{:?}", keyed.stats());
        drop(permits);
        assert!(keyed.get("b").try_acquire().is_ok());
        assert_eq!(keyed.stats().entries, 2, "no room was lost: {:?}", keyed.stats());
        assert!(made.load(Ordering::Relaxed) >= 2);
    }
}

#[test]
fn observers_hear_instances_that_are_and_that_come_and_the_registry_passes_its_own_on() {
    let hosts = breakers(10);
    let present = hosts.get("present");
    let registry = Registry::new();
    registry.add_keyed(&hosts);
    registry.add_keyed(&hosts);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let tell = heard.clone();
    let id =
        registry.observe(move |event: &Event<'_>| tell.lock().unwrap().push(event.name.to_owned()));
    let future = hosts.get("future");
    for breaker in [&present, &future, hosts.overflow()] {
        breaker.reset();
    }
    assert_eq!(*heard.lock().unwrap(), ["present", "future", "overflow"]);
    registry.unobserve(id);
    present.reset();
    assert_eq!(heard.lock().unwrap().len(), 3);

    assert_eq!(registry.keyed().len(), 1);
    assert_eq!(registry.keyed()[0].name(), "hosts");
    drop(hosts);
    assert!(registry.keyed().is_empty(), "the registry keeps no group alive");
}

#[test]
fn without_an_observer_no_instance_builds_an_event() {
    let registry = Registry::new();
    let hosts = Keyed::new("hosts", |host| Ok(Bulkhead::with_defaults(host))).unwrap();
    registry.add_keyed(&hosts);
    let is_observed = |host: &Bulkhead| !format!("{host:?}").contains("Observers { count: 0 }");
    let all = || [hosts.get("a"), hosts.get("b"), hosts.overflow().clone()];
    assert!(!all().iter().any(is_observed));
    for round in 0..2 {
        let (mut first, second) = (registry.events(10), registry.events(10));
        assert!(all().iter().all(is_observed));
        drop(second);
        assert!(all().iter().all(is_observed));
        drop(hosts.get("a").try_acquire().unwrap());
        assert_eq!(std::iter::from_fn(|| first.try_recv()).count(), 2, "round {round}");
        drop(first);
        assert!(!all().iter().any(is_observed), "round {round}");
        assert!(!is_observed(&hosts.get("c")));
    }
}
