//! The task that ends against a timer that is set, in every order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use loom::thread;

use super::{Running, drive};
use crate::sync::model;
use crate::{CircuitBreaker, CircuitBreakerConfig};

#[test]
fn a_timer_that_is_set_while_the_task_ends_finds_a_task() {
    // Only for the timer and for what is spawned: nothing of that is run.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    model(|| {
        let config =
            CircuitBreakerConfig::builder().automatic_transition_from_open_to_half_open(true);
        let breaker = CircuitBreaker::new("model", config.build().unwrap());
        let driver = &breaker.shared.driver;
        driver.running.store(true, Ordering::Release);
        let running = Running(Arc::downgrade(&breaker.shared));
        let changed = driver.changed.clone();
        let opens = thread::spawn({
            let breaker = breaker.clone();
            move || breaker.transition_to_open_for(Duration::from_secs(60)).unwrap()
        });
        // It finds nothing to wait for and ends, or it finds the timer and waits.
        let mut task = Box::pin(drive(running, changed));
        let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        opens.join().unwrap();
        assert!(driver.runs(), "nobody waits for the timer");
        assert!(breaker.shared.next_due().is_some());
    });
}
