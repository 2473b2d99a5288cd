//! A hundred thousand keys.

use std::time::Duration;

use seawall::keyed::Keyed;
use seawall::{CircuitBreaker, CircuitBreakerConfig, RateLimiter};
use tokio::time::advance;

use crate::alloc::allocations;

const KEYS: usize = 100_000;

fn host(n: usize) -> String {
    format!("host-{n}.example.com:8080")
}

/// Bytes that this thread holds after `work` and did not hold before.
fn held<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let mut made = None;
    let info = allocation_counter::measure(|| made = Some(work()));
    (made.unwrap(), info.bytes_current)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_keys_a_minute_neither_leak_nor_grow() {
    let hosts = Keyed::new("hosts", |host| Ok(CircuitBreaker::with_defaults(host))).unwrap();
    let mut bytes = Vec::new();
    for minute in 0..5 {
        let ((), grown) = held(|| {
            for n in 0..KEYS {
                drop(hosts.get(&host(n + minute * KEYS)));
            }
        });
        advance(Duration::from_secs(60)).await;
        bytes.push(grown);
    }
    let stats = hosts.stats();
    assert_eq!((stats.entries, stats.made), (1024, 5 * KEYS as u64));
    assert_eq!(stats.evicted_for_room, 5 * KEYS as u64 - 1024);
    assert_eq!(stats.overflowed, 0);
    let later: i64 = bytes[1..].iter().map(|grown| grown.abs()).sum();
    assert!(later < 20_000, "the map grows: {bytes:?}");
    advance(Duration::from_secs(700)).await;
    assert_eq!(hosts.evict_idle(), 1024);
}

#[tokio::test(start_paused = true)]
async fn a_full_map_of_busy_keys_is_not_searched_for_every_call() {
    let hosts = Keyed::<CircuitBreaker>::builder("hosts")
        .max_entries(50_000)
        .build(|host| Ok(CircuitBreaker::with_defaults(host)))
        .unwrap();
    let busy: Vec<_> = (0..50_000).map(|n| hosts.get(&host(n))).collect();
    for n in 0..KEYS {
        assert_eq!(hosts.get(&host(KEYS + n)).name(), "overflow");
    }
    assert_eq!(hosts.stats().overflowed, KEYS as u64);
    drop(busy);
}

#[test]
fn a_key_that_is_there_costs_no_allocation() {
    let hosts = Keyed::<CircuitBreaker>::builder("hosts")
        .max_entries(KEYS)
        .build(|host| Ok(CircuitBreaker::with_defaults(host)))
        .unwrap();
    let names: Vec<_> = (0..KEYS).map(host).collect();
    for name in &names {
        drop(hosts.get(name));
    }
    assert_eq!(hosts.stats().made, KEYS as u64);
    let count = allocations(|| {
        for name in &names {
            drop(hosts.get(name));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_key_takes_at_most_40_bytes_beside_its_instance_and_its_text() {
    for keys in [1_000, 30_000, 60_000, KEYS] {
        let names: Vec<_> = (0..keys).map(host).collect();
        let text: usize = names.iter().map(String::len).sum();
        let (limiters, alone) = held(|| {
            let limiters = names.iter().map(|name| RateLimiter::with_defaults(&**name));
            limiters.collect::<Vec<_>>().into_boxed_slice()
        });
        drop(limiters);
        let (keyed, with_keys) = held(|| {
            let keyed = Keyed::<RateLimiter>::builder("hosts")
                .max_entries(keys)
                .build(|host| Ok(RateLimiter::with_defaults(host)))
                .unwrap();
            for name in &names {
                drop(keyed.get(name));
            }
            keyed
        });
        let each = (with_keys - alone) as f64 / keys as f64;
        println!(
            "{keys} keys: {each:.1} bytes each beside the instance ({:.1} of text)",
            text as f64 / keys as f64
        );
        assert!(each <= 40.0, "{keys} keys: {each} bytes each");
        drop(keyed);
    }
}

#[test]
fn the_instance_bears_the_keys_own_text() {
    let hosts =
        Keyed::new("hosts", |host| Ok(CircuitBreaker::new(host, CircuitBreakerConfig::default())))
            .unwrap();
    let breaker = hosts.get("inventory");
    let (key, _) = hosts.list().pop().unwrap();
    assert!(std::ptr::eq(breaker.name(), &*key), "one text for both");
}
