use std::sync::Arc;

use crate::CircuitBreaker;
use crate::patterns::Instance;
use crate::telemetry::Event;

#[test]
fn the_gate_counts_again_once_the_last_observer_has_gone() {
    let breaker = CircuitBreaker::with_defaults("shop");
    let generation = breaker.shared.gate.look().generation();
    let counts_at_the_gate = || breaker.shared.gate.count_success(generation);
    assert!(counts_at_the_gate());
    let observer = || Arc::new(|_: &Event<'_>| {});
    let (first, second) = (breaker.attach(observer()), breaker.attach(observer()));
    assert!(!counts_at_the_gate());
    breaker.detach(first);
    assert!(!counts_at_the_gate());
    breaker.detach(second);
    assert!(!breaker.shared.observers.any());
    assert!(counts_at_the_gate());
    assert_eq!(breaker.counters().successful, 2);
}
