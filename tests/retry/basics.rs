//! RT1 to RT6, RT14, RT15, RT17: how often, and what comes back.

use seawall::telemetry::RetryEvent;
use seawall::{Cause, Error, RetryConfig, Verdict};

use crate::support::{Bench, Outcome, WAYS, Way, Wrong, fail, ms};

fn retried(attempt: u32) -> RetryEvent {
    RetryEvent::Retry { attempt, wait: ms(500), cause: Cause::Other, is_error: true }
}

#[tokio::test(start_paused = true)]
async fn rt01_a_first_success_tells_nothing_and_counts_without_retry() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.call(Ok).await, Ok(1));
        assert_eq!(bench.events(), []);
        assert_eq!(bench.counts(), [1, 0, 0, 0]);
        assert_eq!(bench.made(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn rt02_the_default_makes_three_calls_and_gives_back_the_last_error_itself() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(3))));
        assert_eq!(bench.starts(), [0, 500, 1000]);
        let end = RetryEvent::Error { attempts: 3, last_error: Some(Cause::Other) };
        assert_eq!(bench.events(), [retried(1), retried(2), end]);
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt03_one_attempt_is_one_call_without_a_wait() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.max_attempts(1));
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(1))));
        assert_eq!(bench.starts(), [0]);
        let end = RetryEvent::Error { attempts: 1, last_error: Some(Cause::Other) };
        assert_eq!(bench.events(), [end]);
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt04_a_success_after_two_failures_tells_of_all_three() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.call(|n| if n < 3 { fail(n) } else { Ok(n) }).await, Ok(3));
        let end = RetryEvent::Success { attempts: 2, last_error: Some(Cause::Other) };
        assert_eq!(bench.events(), [retried(1), retried(2), end]);
        assert_eq!(bench.counts(), [0, 1, 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt05_an_error_that_is_not_retried_is_returned_at_once() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.retry_when(|_| false));
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(1))));
        assert_eq!(bench.starts(), [0]);
        assert_eq!(bench.events(), [RetryEvent::IgnoredError { cause: Cause::Other }]);
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt05_an_error_that_is_not_retried_ends_the_call_after_a_retry_too() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.retry_when(|at| at.attempt.get() == 1));
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(2))));
        let end = RetryEvent::IgnoredError { cause: Cause::Other };
        assert_eq!(bench.events(), [retried(1), end]);
        assert_eq!(bench.counts().iter().sum::<u64>(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn rt06_an_error_that_the_classifier_ignores_is_not_retried() {
    // Every error would be a failure, and one kind of them is ignored.
    let classifier = |outcome: &Outcome| match outcome {
        Ok(_) => Verdict::success(),
        Err(Error::Service(Wrong(2))) => Verdict::ignored(Cause::Other),
        Err(_) => Verdict::failure(Cause::Other),
    };
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.judged(classifier, fail).await, Err(Error::Service(Wrong(2))));
        assert_eq!(bench.made(), 2);
        assert_eq!(
            bench.events()[1..],
            [RetryEvent::IgnoredError { cause: Cause::Other }],
            "{way:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rt06_retry_when_is_asked_about_ignored_errors_too() {
    let ignored = |outcome: &Outcome| match outcome {
        Ok(_) => Verdict::success(),
        Err(_) => Verdict::ignored(Cause::Reset),
    };
    for way in WAYS {
        let bench = Bench::new(way, |retry| {
            retry.retry_when(|at| at.verdict.unwrap().cause() == Some(Cause::Reset))
        });
        assert_eq!(bench.judged(ignored, fail).await, Err(Error::Service(Wrong(3))));
    }
}

#[tokio::test(start_paused = true)]
async fn rt14_fail_after_max_attempts_leaves_errors_alone() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.fail_after_max_attempts(true));
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(3))));
        let end = RetryEvent::Error { attempts: 3, last_error: Some(Cause::Other) };
        assert_eq!(bench.events()[2], end);
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt15_calls_at_the_same_time_count_their_own_attempts() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        let (a, b, c) = tokio::join!(bench.call(fail), bench.call(fail), bench.call(Ok));
        assert_eq!(
            (a, b, c),
            (Err(Error::Service(Wrong(3))), Err(Error::Service(Wrong(3))), Ok(1))
        );
        assert_eq!(bench.starts(), [0, 0, 0, 500, 500, 1000, 1000]);
        assert_eq!(bench.counts(), [1, 0, 0, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt15_calls_of_one_service_one_after_the_other_start_anew() {
    use tower::{Service, ServiceExt};
    let bench = Bench::new(Way::Layer, |retry| retry.max_attempts(2));
    let client = tower::service_fn(async |n: u32| Err::<(), _>(Wrong(n)));
    let mut service = tower::ServiceBuilder::new()
        .layer(seawall::RetryLayer::new(bench.retry.clone()))
        .layer(seawall::ErrorLayer)
        .service(client);
    for n in [1, 2] {
        let error = service.ready().await.unwrap().call(n).await.unwrap_err();
        assert_eq!(error, Error::Service(Wrong(n)));
    }
    assert_eq!(bench.counts(), [0, 0, 0, 2]);
}

/// Polly's `MaxRetryAttempts = 3` means three retries after the first call.
#[tokio::test(start_paused = true)]
async fn rt17_attempts_are_counted_with_the_first_so_pollys_three_is_four() {
    for way in WAYS {
        let pollys_max_retry_attempts = 3;
        let bench = Bench::new(way, |retry| retry.max_attempts(pollys_max_retry_attempts + 1));
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(4))));
        assert_eq!(bench.made(), 4);
    }
}

#[test]
fn rt17_the_range_of_attempts_begins_with_the_first() {
    let error = RetryConfig::builder().max_attempts(0).build().unwrap_err();
    assert_eq!(error.to_string(), "`max_attempts` is 0, but must be from 1 to 4294967295");
    assert_eq!(RetryConfig::default().max_attempts(), 3);
}
