//! Of the retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use seawall::patterns::retry::Next;
use seawall::{Backoff, Cause, Retry, RetryBudget, RetryConfig, RetryConfigBuilder, Verdict};
use tokio::time::advance;

use crate::support::*;

fn change(retry: &Retry, settings: impl FnOnce(RetryConfigBuilder) -> RetryConfigBuilder) {
    retry.update(settings(retry.config().to_builder()).build().unwrap());
}

const FAILURE: Verdict = Verdict::failure(Cause::Reset);

#[tokio::test(start_paused = true)]
async fn rg9_a_retry_keeps_its_counters_and_observers_and_calls_under_way_have_the_new_settings() {
    let retry = Retry::with_defaults("inventory");
    let heard = Heard::default();
    retry.observe(heard.observer());
    let mut call = retry.start();
    assert_eq!(call.record_error(&FAILURE), Next::Wait(ms(500)));
    let (before, told) = (retry.metrics(), heard.events());
    change(&retry, |it| it.max_attempts(2).backoff(Backoff::fixed(ms(7))));
    assert_eq!((retry.metrics(), heard.events()), (before, told));
    assert_eq!(retry.config().max_attempts(), 2);
    assert_eq!(call.record_error(&FAILURE), Next::Done, "two attempts were made");
    assert_eq!(retry.metrics().failed_with_retry, 1);
    assert_eq!(heard.events(), told + 1);
    let mut other = retry.start();
    change(&retry, |it| it.max_attempts(9));
    assert_eq!(other.record_error(&FAILURE), Next::Wait(ms(7)));
    change(&retry, |it| it.backoff(Backoff::sequence(move || [ms(1), ms(2)])));
    assert_eq!(other.record_error(&FAILURE), Next::Wait(ms(1)), "a new sequence from its start");
    change(&retry, |it| it.retry_when(|_| false));
    assert_eq!(other.record_error(&FAILURE), Next::Done);
}

#[tokio::test(start_paused = true)]
async fn hooks_and_limits_of_time_count_for_calls_under_way_as_far_as_their_start_is_known() {
    let retry = Retry::with_defaults("inventory");
    let mut unknown = retry.start();
    let hooks = Arc::new(AtomicU32::new(0));
    let count = hooks.clone();
    change(&retry, |it| {
        it.max_duration(ms(600)).before_retry(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
    });
    let mut known = retry.start();
    advance(ms(200)).await;
    assert_eq!(known.record_error(&FAILURE), Next::Done, "200 ms and 500 ms are too much");
    assert_eq!(unknown.record_error(&FAILURE), Next::Wait(ms(500)));
    assert_eq!(hooks.load(Ordering::Relaxed), 1);
    let mut third = retry.start();
    change(&retry, |it| it.max_duration(ms(400)));
    assert_eq!(third.record_error(&FAILURE), Next::Done);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_replaced_only_by_another_and_calls_under_way_go_over_to_it() {
    let budget = RetryBudget::new(0.0, 1).unwrap();
    let config = RetryConfig::builder().budget(budget.clone()).max_attempts(9).build().unwrap();
    let retry = Retry::new("inventory", config);
    let mut call = retry.start();
    assert!(matches!(call.record_error(&FAILURE), Next::Wait(_)));
    assert_eq!(budget.in_flight(), (1, 1));
    change(&retry, |it| it.max_attempts(8));
    assert!(matches!(call.record_error(&FAILURE), Next::Wait(_)));
    assert_eq!(budget.in_flight(), (1, 1), "it is the same budget");
    let other = RetryBudget::new(0.0, 1).unwrap();
    change(&retry, |it| it.budget(other.clone()));
    assert_eq!((budget.in_flight(), other.in_flight()), ((1, 1), (0, 0)));
    assert!(matches!(call.record_error(&FAILURE), Next::Wait(_)));
    assert_eq!((budget.in_flight(), other.in_flight()), ((0, 0), (1, 1)));
    let mut newcomer = retry.start();
    change(&retry, |it| it.fail_when_budget_spent(true));
    assert!(matches!(newcomer.record_error(&FAILURE), Next::Fail(_)));
    drop((call, newcomer));
    assert_eq!(other.in_flight(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn calls_that_begin_after_another_budget_came_are_in_that_one() {
    let budgets = [(); 3].map(|()| RetryBudget::default());
    let in_flight = || budgets.each_ref().map(|budget| budget.in_flight().0);
    let retry =
        Retry::new("inventory", RetryConfig::builder().budget(budgets[0].clone()).build().unwrap());
    let first = retry.start();
    change(&retry, |it| it.budget(budgets[1].clone()));
    let second = retry.start();
    assert_eq!(in_flight(), [1, 1, 0]);
    change(&retry, |it| it.budget(budgets[2].clone()));
    let third = retry.start();
    assert_eq!(in_flight(), [1, 1, 1]);
    change(&retry, |it| it.budget(budgets[0].clone()));
    let fourth = retry.start();
    assert_eq!(in_flight(), [2, 1, 1]);
    drop((first, second, third, fourth));
    retry.update(RetryConfig::default());
    let _none = retry.start();
    assert_eq!(in_flight(), [0, 0, 0]);
}
