//! Subscribers that panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use seawall::{Cause, CircuitBreaker, CircuitBreakerConfig, Registry, State};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::support::*;

struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        assert!(!event.metadata().target().starts_with("seawall"), "the disk is full");
    }
}

fn subscribed<T>(work: impl FnOnce() -> T) -> T {
    let _all_are_asked = Collector::new();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Panics), work)
}

#[tokio::test(start_paused = true)]
async fn a_circuit_comes_back_although_nobody_could_be_told_that_it_opened() {
    let config = CircuitBreakerConfig::builder().minimum_number_of_calls(1);
    let config = config.wait_duration_in_open_state(MS).build().unwrap();
    let breaker = CircuitBreaker::new("work", config);
    subscribed(|| breaker.try_acquire().unwrap().failure(Cause::Reset));
    tokio::time::advance(2 * MS).await;
    assert!(breaker.try_acquire().is_ok());
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn changes_of_a_registry_are_told_after_one_that_a_subscriber_panicked_at() {
    let registry = Registry::new();
    let told = Arc::new(AtomicU32::new(0));
    let tell = told.clone();
    registry.retries().subscribe(move |_| {
        tell.fetch_add(1, Ordering::Relaxed);
    });
    subscribed(|| registry.retries().get("a").unwrap());
    registry.retries().get("b").unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 2);
}
