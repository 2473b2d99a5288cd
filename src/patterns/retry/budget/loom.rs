//! The word, in every order.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicUsize;
use loom::thread;
use tokio::time::Instant;

use super::RetryBudget;
use crate::outcome::Cause;
use crate::sync::model;

#[test]
fn no_more_retry_at_once_than_the_budget_allows() {
    let now = Instant::now();
    model(move || {
        let budget = RetryBudget::new(0.0, 1).unwrap();
        let retrying = Arc::new(AtomicUsize::new(0));
        let call = {
            let (budget, retrying) = (budget.clone(), retrying.clone());
            move || {
                let mut share = budget.enter();
                if share.try_retry(Cause::Other, now) {
                    assert_eq!(retrying.fetch_add(1, Ordering::AcqRel), 0);
                    retrying.fetch_sub(1, Ordering::AcqRel);
                }
            }
        };
        let other = thread::spawn(call.clone());
        call();
        other.join().unwrap();
        assert_eq!(budget.in_flight(), (0, 0));
    });
}

#[test]
fn a_second_retry_of_the_same_call_counts_once() {
    let now = Instant::now();
    model(move || {
        let budget = RetryBudget::new(1.0, 0).unwrap();
        let call = {
            let budget = budget.clone();
            move || {
                let mut share = budget.enter();
                share.try_retry(Cause::Other, now);
                share.try_retry(Cause::Other, now);
                let (calls, retries) = budget.in_flight();
                assert!((1..=2).contains(&calls) && retries <= calls);
            }
        };
        let other = thread::spawn(call.clone());
        call();
        other.join().unwrap();
        assert_eq!(budget.in_flight(), (0, 0));
    });
}
