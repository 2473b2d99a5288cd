//! Who is given up, and who is spared.

use std::time::Duration;

use seawall::keyed::Keyed;
use seawall::{
    CircuitBreaker, CircuitBreakerConfig, Pipeline, Retry, RetryConfig, State, TimeLimiterConfig,
};
use tokio::time::advance;

use super::bounds::breakers;

const IDLE: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn rg10_idle_eviction_spares_open_and_in_flight() {
    let hosts = breakers(100);
    drop(hosts.get("idle"));
    hosts.get("open").transition_to_open().unwrap();
    hosts.get("half-open").transition_to_open().unwrap();
    hosts.get("half-open").transition_to_half_open().unwrap();
    hosts.get("forced").transition_to_forced_open();
    hosts.get("disabled").transition_to_disabled();
    let in_flight = hosts.get("in flight").try_acquire().unwrap();
    let handle = hosts.get("handle");
    advance(IDLE - Duration::from_secs(1)).await;
    drop(hosts.get("used"));
    assert_eq!(hosts.evict_idle(), 0);
    advance(Duration::from_secs(1)).await;
    assert_eq!(hosts.evict_idle(), 2);
    assert!(hosts.find("idle").is_none() && hosts.find("disabled").is_none());
    for spared in ["open", "half-open", "forced", "in flight", "handle", "used"] {
        assert!(hosts.find(spared).is_some(), "{spared}");
    }
    // Over, they are spared no longer.
    drop((in_flight, handle));
    hosts.find("open").unwrap().transition_to_closed().unwrap();
    assert_eq!(hosts.evict_idle(), 3);
    assert_eq!(hosts.stats().evicted_idle, 5);
}

#[tokio::test(start_paused = true)]
async fn what_makes_room_spares_the_same() {
    let hosts = breakers(3);
    hosts.get("open").transition_to_open().unwrap();
    let in_flight = hosts.get("in flight").try_acquire().unwrap();
    for n in 0..100 {
        let name = format!("n{n}");
        assert_eq!(hosts.get(&name).name(), name);
    }
    assert!(hosts.find("open").is_some() && hosts.find("in flight").is_some());
    drop(in_flight);
    assert_eq!(hosts.stats().entries, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_used_is_never_idle() {
    let hosts = breakers(10);
    for _ in 0..100 {
        drop(hosts.get("a"));
        hosts.find("a").unwrap();
        advance(IDLE - Duration::from_secs(1)).await;
        hosts.evict_idle();
    }
    assert_eq!(hosts.stats().evicted_idle, 0);
    // The last use was noticed by the last look. To look for it is no use of it.
    hosts.find("a").unwrap();
    advance(IDLE).await;
    hosts.find("a").unwrap();
    hosts.evict_idle();
    assert!(hosts.find("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn idle_ones_go_without_being_asked_as_calls_come() {
    let hosts = breakers(1000);
    for n in 0..500 {
        drop(hosts.get(&format!("n{n}")));
    }
    // Only one key goes on.
    for _ in 0..900 {
        advance(Duration::from_secs(1)).await;
        for _ in 0..300 {
            drop(hosts.get("n7"));
        }
    }
    assert_eq!(hosts.stats().entries, 1, "{:?}", hosts.stats());
}

#[tokio::test(start_paused = true)]
async fn what_may_be_forgotten_goes_with_its_state() {
    let hosts = Keyed::<CircuitBreaker>::builder("hosts")
        .forget_after(IDLE * 2)
        .build(|host| Ok(CircuitBreaker::with_defaults(host)))
        .unwrap();
    hosts.get("gone for good").transition_to_open().unwrap();
    advance(IDLE).await;
    assert_eq!(hosts.evict_idle(), 0);
    advance(IDLE).await;
    assert_eq!(hosts.evict_idle(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_all_keys_share_keeps_none_of_them() {
    let retry = Retry::new("budget", RetryConfig::safe().build().unwrap());
    let shared = retry.clone();
    let keyed = Keyed::new("hosts", move |host| {
        Pipeline::builder(host)
            .retry(shared.clone())
            .circuit_breaker(CircuitBreakerConfig::safe())
            .build()
    })
    .unwrap();
    drop(keyed.get("idle"));
    let breaker = keyed.get("held").circuit_breaker().unwrap();
    let pipeline = keyed.get("held too");
    keyed.get("open").circuit_breaker().unwrap().transition_to_open().unwrap();
    advance(IDLE).await;
    assert_eq!(keyed.evict_idle(), 1);
    assert!(keyed.find("idle").is_none());
    assert_eq!(keyed.group().states().of(State::Open), 1);
    drop((breaker, pipeline, retry));
    assert_eq!(keyed.evict_idle(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_through_a_pipeline_keeps_it() {
    let keyed = Keyed::new("hosts", |host| {
        Pipeline::builder(host).time_limiter(TimeLimiterConfig::builder().timeout(IDLE * 9)).build()
    })
    .unwrap();
    let call = keyed.get("a").call(std::future::pending::<Result<(), ()>>);
    let mut call = tokio_test::task::spawn(call);
    assert!(call.poll().is_pending());
    drop(keyed.get("b"));
    advance(IDLE * 2).await;
    assert_eq!(keyed.evict_idle(), 1);
    assert!(keyed.find("a").is_some());
    drop(call);
    assert_eq!(keyed.evict_idle(), 1);
}
