//! BU5, BU6: the budgets of deposits and of tokens, around real calls; and the error of a spent budget.

use std::time::Duration;

use seawall::patterns::retry::{Attempts, Next};
use seawall::telemetry::RetryEvent;
use seawall::{Cause, CircuitBreaker, Error, Reason, Retry, RetryBudget, RetryConfig, Verdict};

use crate::support::{Bench, WAYS, Way, Wrong, fail, ms};

const RESET: Verdict = Verdict::failure(Cause::Reset);

fn bench(way: Way, budget: &RetryBudget) -> Bench {
    Bench::new(way, |retry| retry.max_attempts(2).budget(budget.clone()))
}

async fn failing(bench: &Bench, calls: usize) -> usize {
    let before = bench.made();
    for _ in 0..calls {
        bench.call(fail).await.unwrap_err();
    }
    bench.made() - before - calls
}

async fn good(bench: &Bench, calls: usize) {
    for _ in 0..calls {
        bench.call(Ok).await.unwrap();
    }
}

// ## Deposits

#[tokio::test(start_paused = true)]
async fn bu5_the_reserve_and_then_a_fifth() {
    for way in WAYS {
        let budget = RetryBudget::deposits().build().unwrap();
        let bench = Bench::new(way, |retry| {
            retry
                .max_attempts(2)
                .budget(budget.clone())
                .backoff(seawall::Backoff::fixed(Duration::ZERO))
        });
        // Each call brings in a fifth of a retry itself: 125 calls pay for the last of 125.
        assert_eq!(failing(&bench, 1000).await, 100 + 200);
        assert_eq!(bench.retry.metrics().budget_refused, 700);
        assert_eq!(bench.retry.metrics().retries, 300);
        assert_eq!(budget.in_flight(), (0, 0));
        tokio::time::sleep(ms(11_000)).await;
        assert_eq!(failing(&bench, 100).await, 100, "all is forgotten");
    }
}

#[tokio::test(start_paused = true)]
async fn bu5_good_calls_pay_for_the_retries_of_others() {
    let budget = RetryBudget::deposits().min_per_second(0).build().unwrap();
    let bench = bench(Way::Layer, &budget);
    good(&bench, 45).await;
    assert_eq!(failing(&bench, 20).await, 45 / 5 + 20 / 5);
}

#[test]
fn bu5_the_settings_have_their_ranges() {
    let key = |builder: seawall::DepositBudgetBuilder| builder.build().unwrap_err().to_string();
    let deposits = RetryBudget::deposits;
    assert_eq!(
        key(deposits().time_to_live(ms(999))),
        "`time_to_live` is 999ms, but must be from 1s to 60s"
    );
    assert!(key(deposits().time_to_live(ms(60_001))).contains("60.001s"));
    assert!(key(deposits().share(-0.1)).contains("`share` is -0.1"));
    assert!(key(deposits().share(1000.1)).contains("0 to 1000"));
    assert!(key(deposits().share(f64::NAN)).contains("NaN"));
    for fine in [deposits().share(1000.0), deposits().share(1e-300), deposits().share(0.0)] {
        let fine = fine.min_per_second(u32::MAX).time_to_live(ms(60_000)).build().unwrap();
        let retry = RetryConfig::builder().budget(fine).build().unwrap();
        assert!(matches!(Retry::new("x", retry).start().record_error(&RESET), Next::Wait(_)));
    }
}

// ## Tokens

#[tokio::test(start_paused = true)]
async fn bu6_an_outage_has_a_hundred_retries_and_successes_bring_them_back() {
    for way in WAYS {
        let budget = RetryBudget::tokens().build().unwrap();
        let bench = bench(way, &budget);
        assert_eq!(failing(&bench, 200).await, 100);
        good(&bench, 9).await;
        assert_eq!(failing(&bench, 10).await, 1, "9 tokens are there, and 5 are a retry");
        good(&bench, 1).await;
        // A retry that succeeds costs nothing in the end.
        for _ in 0..10 {
            assert_eq!(bench.call(|n| if n == 1 { fail(n) } else { Ok(n) }).await, Ok(2));
        }
        assert_eq!(failing(&bench, 10).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn bu6_a_call_gives_back_what_its_last_retry_took() {
    let budget = RetryBudget::tokens().capacity(20).build().unwrap();
    let config = RetryConfig::builder().max_attempts(9).budget(budget).build().unwrap();
    let retry = Retry::new("inventory", config);
    let wants = |attempts: &mut Attempts, cause| {
        matches!(attempts.record_error(&Verdict::failure(cause)), Next::Wait(_))
    };
    let mut call = retry.start();
    assert!(wants(&mut call, Cause::Reset), "15 are left");
    assert!(wants(&mut call, Cause::Timeout), "5 are left");
    assert_eq!(call.record_response(&Verdict::success()), Next::Done);
    let mut other = retry.start();
    assert!([0; 3].iter().all(|_| wants(&mut other, Cause::Reset)), "15 were there");
    assert!(!wants(&mut other, Cause::Reset));
}

#[tokio::test(start_paused = true)]
async fn bu6_a_response_that_is_ignored_brings_nothing_in() {
    let budget = RetryBudget::tokens().capacity(5).timeout_cost(5).build().unwrap();
    let bench = bench(Way::Handle, &budget);
    assert_eq!(failing(&bench, 1).await, 1);
    for _ in 0..10 {
        let ignored = Verdict::ignored(Cause::Other);
        assert_eq!(bench.retry.start().record_response(&ignored), Next::Done);
    }
    assert_eq!(failing(&bench, 1).await, 0);
}

#[test]
fn bu6_the_settings_have_their_ranges() {
    let tokens = RetryBudget::tokens;
    let key = |builder: seawall::TokenBudgetBuilder| builder.build().unwrap_err().key().to_owned();
    assert_eq!(key(tokens().capacity(0)), "capacity");
    assert_eq!(key(tokens().retry_cost(501)), "retry_cost");
    assert_eq!(key(tokens().timeout_cost(501)), "timeout_cost");
    assert_eq!(key(tokens().throttling_cost(501)), "throttling_cost");
    assert_eq!(key(tokens().refill_per_second(-1.0)), "refill_per_second");
    assert_eq!(key(tokens().refill_per_second(f64::INFINITY)), "refill_per_second");
    assert!(tokens().retry_cost(500).first_success_reward(u32::MAX).build().is_ok());
}

// ## The error of a spent budget

#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_an_error_where_that_is_asked_for() {
    for way in WAYS {
        let budget = RetryBudget::tokens().capacity(5).timeout_cost(5).build().unwrap();
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(9).budget(budget.clone()).fail_when_budget_spent(true)
        });
        let rejected = bench.call(fail).await.unwrap_err().rejected().cloned().unwrap();
        assert_eq!(rejected.reason(), Reason::RetryBudgetSpent { attempts: 2 });
        assert_eq!(
            rejected.to_string(),
            "the retry budget of `inventory` was spent after attempt 2"
        );
        assert!(!rejected.is_refusal() && !rejected.is_timeout(), "the call was made");
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
        assert_eq!(bench.retry.metrics().budget_refused, 1);
        let end = RetryEvent::Error { attempts: 2, last_error: Some(Cause::Other) };
        assert_eq!(bench.events()[1..], [RetryEvent::BudgetRefused { attempts: 2 }, end]);
        assert_eq!(budget.in_flight(), (0, 0));

        // Nothing else becomes one.
        let bench = Bench::new(way, |retry| retry.fail_when_budget_spent(true));
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(3))));
    }
}

#[tokio::test(start_paused = true)]
async fn to_a_breaker_outside_a_spent_budget_is_a_failure() {
    let budget = RetryBudget::tokens().capacity(1).retry_cost(1).timeout_cost(1);
    let budget = budget.throttling_cost(1).build().unwrap();
    let bench = Bench::new(Way::Handle, |retry| retry.budget(budget).fail_when_budget_spent(true));
    let breaker = CircuitBreaker::with_defaults("inventory");
    breaker.call_flat(bench.call(fail)).await.unwrap_err();
    assert_eq!(breaker.metrics().failed_calls, 1);
}
