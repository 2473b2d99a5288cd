//! BU1 to BU3, and what else bounds the retries of all calls together.

use seawall::patterns::retry::{Attempts, Next};
use seawall::telemetry::RetryEvent;
use seawall::{Cause, Error, Pipeline, RetryBudget, RetryConfig, Verdict};

use crate::support::{Bench, WAYS, Way, Wrong, fail, ms};

const FAILURE: Verdict = Verdict::failure(Cause::Reset);

fn begin(bench: &Bench, calls: usize) -> Vec<Attempts> {
    (0..calls).map(|_| bench.retry.start()).collect()
}

fn wants_retry(attempts: &mut Attempts) -> bool {
    matches!(attempts.record_error(&FAILURE), Next::Wait(_))
}

#[tokio::test(start_paused = true)]
async fn bu1_three_retries_at_once_are_always_allowed() {
    let budget = RetryBudget::default();
    let bench = Bench::new(Way::Handle, |retry| retry.budget(budget.clone()));
    let mut calls = begin(&bench, 3);
    assert!(calls.iter_mut().all(wants_retry));
    assert_eq!(budget.in_flight(), (3, 3));
    assert_eq!(bench.retry.metrics().budget_refused, 0);
}

#[tokio::test(start_paused = true)]
async fn bu2_a_fourth_retry_among_ten_calls_is_refused() {
    let budget = RetryBudget::default();
    let bench = Bench::new(Way::Handle, |retry| retry.budget(budget.clone()));
    let mut calls = begin(&bench, 10);
    assert!(calls[..3].iter_mut().all(wants_retry));
    assert!(!wants_retry(&mut calls[3]), "3 of 10 is more than a fifth");
    assert_eq!(budget.in_flight(), (9, 3), "that call is over");

    // 3 of 15 is not.
    calls.extend(begin(&bench, 6));
    assert!(wants_retry(&mut calls[4]));
    assert!(!wants_retry(&mut calls[5]), "4 of 15 is");
    assert_eq!(bench.retry.metrics().budget_refused, 2);
}

#[tokio::test(start_paused = true)]
async fn bu2_a_refused_retry_returns_the_last_outcome_and_is_told_apart() {
    let none = RetryBudget::new(0.0, 1).unwrap();
    for way in WAYS {
        let taken = Bench::new(Way::Handle, |retry| retry.budget(none.clone()));
        let mut other = taken.retry.start();
        assert!(wants_retry(&mut other));

        let bench = Bench::new(way, |retry| {
            retry.budget(none.clone()).before_retry(|_| panic!("there is no retry"))
        });
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(1))));
        let end = RetryEvent::Error { attempts: 1, last_error: Some(Cause::Other) };
        assert_eq!(bench.events(), [RetryEvent::BudgetRefused { attempts: 1 }, end]);
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
        assert_eq!(bench.retry.metrics().budget_refused, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn bu3_a_refused_retry_gives_nothing_back_twice() {
    let budget = RetryBudget::new(0.0, 1).unwrap();
    let bench = Bench::new(Way::Handle, |retry| retry.max_attempts(9).budget(budget.clone()));
    let mut calls = begin(&bench, 2);
    assert!(wants_retry(&mut calls[0]));
    assert!(!wants_retry(&mut calls[1]));
    assert_eq!(budget.in_flight(), (1, 1), "the refused call is over");
    // The retry that was allowed is over, and a further one takes its place.
    assert!(wants_retry(&mut calls[0]));
    assert_eq!(budget.in_flight(), (1, 1));
    calls.pop();
    assert_eq!(budget.in_flight(), (1, 1));
    calls.pop();
    assert_eq!(budget.in_flight(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_retry_that_succeeds_gives_its_place_back() {
    for way in WAYS {
        let budget = RetryBudget::new(0.0, 1).unwrap();
        let bench = Bench::new(way, |retry| retry.budget(budget.clone()));
        for _ in 0..3 {
            assert_eq!(bench.call(|n| if n < 2 { fail(n) } else { Ok(n) }).await, Ok(2));
            assert_eq!(budget.in_flight(), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_budget_bounds_all_retries_that_share_it() {
    let budget = RetryBudget::new(0.0, 1).unwrap();
    let bench = |way| Bench::new(way, |retry| retry.budget(budget.clone()));
    let (a, b) = (bench(Way::Layer), bench(Way::Handle));
    let (one, two) = tokio::join!(a.call(fail), b.call(fail));
    assert_eq!((one, two), (Err(Error::Service(Wrong(3))), Err(Error::Service(Wrong(1)))));
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_a_fifth_more_and_not_three_times_as_much() {
    for way in WAYS {
        let budget = RetryBudget::default();
        let bench = Bench::new(way, |retry| retry.max_attempts(3).budget(budget.clone()));
        let answer = |n| async move {
            tokio::time::sleep(ms(10)).await;
            fail(n)
        };
        let calls = (0..100).map(|_| bench.run(seawall::ResultClassifier, answer));
        futures_util::future::join_all(calls).await;
        assert!((115..=125).contains(&bench.made()), "{} attempts", bench.made());
        assert_eq!(bench.counts().iter().sum::<u64>(), 100);
        assert_eq!(budget.in_flight(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_under_many_threads_adds_up() {
    let budget = RetryBudget::new(0.5, 2).unwrap();
    let retry = seawall::Retry::new(
        "inventory",
        RetryConfig::builder().max_attempts(u32::MAX).budget(budget.clone()).build().unwrap(),
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let mut attempts = [retry.start(), retry.start(), retry.start()];
                    for attempts in &mut attempts {
                        let _ = wants_retry(attempts) && wants_retry(attempts);
                    }
                    let (calls, retries) = budget.in_flight();
                    assert!(calls <= 12 && retries <= 7, "{retries} retries of {calls} calls");
                }
            });
        }
    });
    assert_eq!(budget.in_flight(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_budget_in_a_pipeline_is_given_back_with_the_call() {
    let budget = RetryBudget::default();
    let pipeline = Pipeline::builder("inventory")
        .retry(RetryConfig::builder().budget(budget.clone()))
        .build()
        .unwrap();
    pipeline.call(|| async { Err::<(), _>(Wrong(0)) }).await.unwrap_err();
    assert_eq!(budget.in_flight(), (0, 0));
    let mut call = tokio_test::task::spawn(pipeline.call(|| async { Err::<(), _>(Wrong(0)) }));
    tokio_test::assert_pending!(call.poll());
    assert_eq!(budget.in_flight(), (1, 1));
    drop(call);
    assert_eq!(budget.in_flight(), (0, 0));
}

#[test]
fn the_share_has_its_range() {
    for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(RetryBudget::new(share, 3).unwrap_err().key(), "max_share");
    }
    assert!(RetryBudget::new(0.0, 0).is_ok() && RetryBudget::new(1.0, u32::MAX).is_ok());
}
