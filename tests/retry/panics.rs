//! RT16: what a user's function that panics leaves behind.

use seawall::telemetry::Event;
use seawall::{Backoff, Error, RetryBudget, RetryConfigBuilder};

use crate::support::{Bench, Outcome, WAYS, fail, ms};

async fn fails_once(settings: impl Fn(RetryConfigBuilder) -> RetryConfigBuilder) {
    for way in WAYS {
        let budget = RetryBudget::default();
        let bench = Bench::new(way, |retry| settings(retry.budget(budget.clone())));
        let call = bench.clone();
        let outcome = tokio::spawn(async move { call.call(fail).await }).await;
        assert!(outcome.unwrap_err().is_panic());
        tokio::time::sleep(ms(10_000)).await;
        assert_eq!(bench.made(), 1);
        assert_eq!(budget.in_flight(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn rt16_a_decision_that_panics_fails_the_call() {
    fails_once(|retry| retry.retry_when(|_| panic!("decision"))).await;
}

#[tokio::test(start_paused = true)]
async fn rt16_a_formula_that_panics_fails_the_call() {
    fails_once(|retry| retry.backoff(Backoff::custom(|_| panic!("formula")))).await;
}

#[tokio::test(start_paused = true)]
async fn rt16_a_hook_that_panics_fails_the_call() {
    fails_once(|retry| retry.before_retry(|_| panic!("hook"))).await;
}

#[tokio::test(start_paused = true)]
async fn rt16_a_classifier_that_panics_fails_the_call() {
    for way in WAYS {
        let budget = RetryBudget::default();
        let bench = Bench::new(way, |retry| retry.budget(budget.clone()));
        let call = bench.clone();
        let classifier = |_: &Outcome| panic!("classifier");
        let outcome = tokio::spawn(async move { call.judged(classifier, fail).await }).await;
        assert!(outcome.unwrap_err().is_panic());
        assert_eq!(bench.made(), 1);
        assert_eq!(budget.in_flight(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn rt16_an_observer_that_panics_harms_nobody() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        bench.retry.observe(|_: &Event<'_>| panic!("observer"));
        assert!(matches!(bench.call(fail).await, Err(Error::Service(_))));
        assert_eq!(bench.made(), 3);
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}
