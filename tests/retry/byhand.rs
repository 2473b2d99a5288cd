//! Attempts counted by hand, and the handle's short form.

use std::time::Duration;

use seawall::patterns::retry::Next;
use seawall::telemetry::RetryEvent;
use seawall::{
    Backoff, Bulkhead, BulkheadConfig, Cause, CircuitBreaker, Error, Reason, Rejected, Retry,
    RetryBudget, Verdict,
};

use crate::support::{Bench, Way, Wrong, ms};

const RESET: Verdict = Verdict::failure(Cause::Reset);

fn by_hand(
    settings: impl FnOnce(seawall::RetryConfigBuilder) -> seawall::RetryConfigBuilder,
) -> Bench {
    Bench::new(Way::Handle, settings)
}

#[tokio::test(start_paused = true)]
async fn attempts_by_hand_are_those_of_the_layer() {
    let bench = by_hand(|retry| retry);
    let mut attempts = bench.retry.start();
    assert_eq!(attempts.failed(), 0);
    assert_eq!(attempts.record_error(&RESET), Next::Wait(ms(500)));
    assert_eq!(attempts.record_response(&RESET), Next::Wait(ms(500)));
    assert_eq!(attempts.failed(), 2);
    assert_eq!(attempts.record_error(&RESET), Next::Done);
    assert_eq!(attempts.failed(), 3);
    assert_eq!(bench.counts(), [0, 0, 0, 1]);
    assert_eq!(
        bench.events(),
        [
            RetryEvent::Retry { attempt: 1, wait: ms(500), cause: Cause::Reset, is_error: true },
            RetryEvent::Retry { attempt: 2, wait: ms(500), cause: Cause::Reset, is_error: false },
            RetryEvent::Error { attempts: 3, last_error: Some(Cause::Reset) },
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn exhausted_attempts_by_hand_bring_the_rejection() {
    let bench = by_hand(|retry| retry.max_attempts(1).fail_after_max_attempts(true));
    let Next::Fail(rejected) = bench.retry.start().record_response(&RESET) else { panic!() };
    assert_eq!(rejected.reason(), Reason::AttemptsExhausted { attempts: 1 });
    assert_eq!(bench.retry.start().record_error(&RESET), Next::Done);
}

#[tokio::test(start_paused = true)]
async fn attempts_by_hand_that_are_dropped_count_nothing_and_give_the_budget_back() {
    let budget = RetryBudget::default();
    let bench = by_hand(|retry| retry.budget(budget.clone()));
    let mut attempts = bench.retry.start();
    assert_eq!(attempts.record_error(&RESET), Next::Wait(ms(500)));
    assert_eq!(budget.in_flight(), (1, 1));
    drop(attempts);
    assert_eq!(budget.in_flight(), (0, 0));
    assert_eq!(bench.counts(), [0; 4]);
}

#[test]
fn attempts_by_hand_need_no_runtime() {
    static RETRY: std::sync::LazyLock<Retry> =
        std::sync::LazyLock::new(|| Retry::with_defaults("inventory"));
    let mut attempts = RETRY.start();
    assert_eq!(attempts.record_error(&RESET), Next::Wait(ms(500)));
    assert_eq!(attempts.record_response(&Verdict::success()), Next::Done);
    assert_eq!(RETRY.metrics().successful_with_retry, 1);
}

#[tokio::test(start_paused = true)]
async fn the_short_form_runs_any_future_and_keeps_its_error() {
    let retry = by_hand(|retry| retry).retry;
    let mut n = 0;
    let result = retry
        .call(|| {
            n += 1;
            let n = n;
            async move { if n < 3 { Err(Wrong(n)) } else { Ok(n) } }
        })
        .await;
    assert_eq!(result, Ok(3));
    let error = retry.call(|| async { Err::<(), _>(Wrong(7)) }).await.unwrap_err();
    assert_eq!(error.into_service(), Some(Wrong(7)));
}

// ## Refusals by what stands inside

#[tokio::test(start_paused = true)]
async fn a_refusal_is_returned_at_once_and_not_retried() {
    let bench = by_hand(|retry| retry);
    let breaker = CircuitBreaker::with_defaults("inventory");
    breaker.transition_to_forced_open();
    let call = || breaker.call(async { Ok::<(), Wrong>(()) });
    let error = bench.retry.call_with(seawall::ResultClassifier, call).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::CircuitForcedOpen);
    assert_eq!(bench.events(), [RetryEvent::IgnoredError { cause: Cause::Refused }]);
    assert_eq!(bench.counts(), [0, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn retry_when_is_not_asked_about_refusals() {
    let refused = Verdict::ignored(Cause::Refused);
    let bench = by_hand(|retry| retry.retry_when(|_| panic!("asked about a refusal")));
    assert_eq!(bench.retry.start().record_error(&refused), Next::Done);
    let bench =
        by_hand(|retry| retry.retry_refusals(true).retry_when(|_| panic!("asked about a refusal")));
    assert_eq!(bench.retry.start().record_error(&refused), Next::Wait(ms(500)));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_retried_where_that_is_asked_for() {
    let bench = by_hand(|retry| retry.retry_refusals(true).backoff(Backoff::fixed(ms(10))));
    let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
    let bulkhead = Bulkhead::new("inventory", config);
    let taken = bulkhead.try_acquire().unwrap();
    let call = || bulkhead.call(async { Ok::<_, Wrong>("made") });
    let free_later = async {
        tokio::time::sleep(ms(15)).await;
        drop(taken);
    };
    let retried = bench.retry.call_with(seawall::ResultClassifier, call);
    let (result, ()) = tokio::join!(retried, free_later);
    assert_eq!(result, Ok("made"));
    assert_eq!(bench.counts(), [0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_says_when_to_come_back_is_obeyed_like_a_server() {
    let bench =
        by_hand(|retry| retry.retry_refusals(true).max_retry_after(Duration::from_secs(30)));
    let refused = Verdict::ignored(Cause::Refused).with_retry_after(Some(ms(1234)));
    assert_eq!(bench.retry.start().record_error(&refused), Next::Wait(ms(1234)));
}

#[tokio::test(start_paused = true)]
async fn a_boxed_error_shows_its_rejection_too() {
    let bench = by_hand(|retry| retry);
    let breaker = CircuitBreaker::with_defaults("inventory");
    breaker.transition_to_forced_open();
    let call = || async {
        let rejected = breaker.try_acquire().unwrap_err();
        Err::<(), tower::BoxError>(Error::<Wrong>::from(rejected).into())
    };
    let error = bench.retry.call_with(seawall::ResultClassifier, call).await.unwrap_err();
    assert!(Rejected::find(&*error).unwrap().is_refusal());
    assert_eq!(bench.events(), [RetryEvent::IgnoredError { cause: Cause::Refused }]);
}
