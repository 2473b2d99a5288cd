//! RT7, RT8, RT12: responses that are judged failures.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use seawall::telemetry::RetryEvent;
use seawall::{Cause, Error, Reason, Verdict};

use crate::support::{Bench, Outcome, WAYS, Wrong, ms};

/// Any `Ok` below 10 is a failure.
fn below_ten(outcome: &Outcome) -> Verdict {
    match outcome {
        Ok(n) if *n < 10 => Verdict::failure(Cause::Status(503)),
        Ok(_) => Verdict::success(),
        Err(_) => Verdict::failure(Cause::Reset),
    }
}

#[tokio::test(start_paused = true)]
async fn rt07_a_response_that_stays_bad_is_returned_as_it_is() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.judged(below_ten, Ok).await, Ok(3));
        let retried = |attempt| RetryEvent::Retry {
            attempt,
            wait: ms(500),
            cause: Cause::Status(503),
            is_error: false,
        };
        let end = RetryEvent::Error { attempts: 3, last_error: None };
        assert_eq!(bench.events(), [retried(1), retried(2), end]);
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt07_with_fail_after_max_attempts_the_error_names_instance_and_count() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.fail_after_max_attempts(true));
        let error = bench.judged(below_ten, Ok).await.unwrap_err();
        let rejected = error.rejected().unwrap();
        assert_eq!(rejected.name(), "inventory");
        assert_eq!(rejected.reason(), Reason::AttemptsExhausted { attempts: 3 });
        assert!(!error.is_refusal() && !error.is_timeout());
        assert_eq!(
            format!("{error:#}"),
            "call given up: retry `inventory` has used up all of its 3 attempts"
        );
        let end = RetryEvent::Error { attempts: 3, last_error: None };
        assert_eq!(bench.events()[2..], [end]);
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt07_a_single_attempt_is_exhausted_too() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.max_attempts(1).fail_after_max_attempts(true));
        let error = bench.judged(below_ten, Ok).await.unwrap_err();
        assert_eq!(error.rejected().unwrap().reason(), Reason::AttemptsExhausted { attempts: 1 });
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt07_a_response_that_turns_good_is_a_success() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.judged(below_ten, |n| Ok(n * 5)).await, Ok(10));
        let end = RetryEvent::Success { attempts: 1, last_error: None };
        assert_eq!(bench.events()[1..], [end]);
        assert_eq!(bench.counts(), [0, 1, 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt07_a_response_that_is_ignored_is_a_response_all_the_same() {
    let ignored = |_: &Outcome| Verdict::ignored(Cause::Other);
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.retry_when(|_| true));
        assert_eq!(bench.judged(ignored, Ok).await, Ok(1));
        assert_eq!(bench.counts(), [1, 0, 0, 0]);
        assert_eq!(bench.events(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn rt08_the_hook_runs_before_every_wait_and_not_after_the_last_attempt() {
    for way in WAYS {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let bench = Bench::new(way, |retry| {
            retry.before_retry(move |at| {
                log.lock().unwrap().push((at.attempt.get(), at.is_error, at.verdict.unwrap()));
            })
        });
        let answer = |n| if n == 1 { Err(Wrong(1)) } else { Ok(n) };
        assert_eq!(bench.judged(below_ten, answer).await, Ok(3));
        let (reset, full) = (Verdict::failure(Cause::Reset), Verdict::failure(Cause::Status(503)));
        assert_eq!(*seen.lock().unwrap(), [(1, true, reset), (2, false, full)]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt08_no_hook_runs_where_there_is_no_retry() {
    for way in WAYS {
        let runs = Arc::new(AtomicU32::new(0));
        let count = runs.clone();
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(1).before_retry(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
        });
        bench.judged(below_ten, Ok).await.unwrap();
        bench.judged(below_ten, |_| Ok(10)).await.unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rt12_an_error_and_then_a_bad_response_share_the_counter() {
    let answer = |n| if n == 1 { Err(Wrong(1)) } else { Ok(n) };
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        assert_eq!(bench.judged(below_ten, answer).await, Ok(3));
        assert_eq!(bench.made(), 3);
        // The event names the error that an earlier attempt met with …
        let end = RetryEvent::Error { attempts: 3, last_error: Some(Cause::Reset) };
        assert_eq!(bench.events()[2..], [end]);

        // … unless the caller's own error is that the attempts are used up.
        let bench = Bench::new(way, |retry| retry.fail_after_max_attempts(true));
        bench.judged(below_ten, answer).await.unwrap_err();
        let end = RetryEvent::Error { attempts: 3, last_error: None };
        assert_eq!(bench.events()[2..], [end]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt12_a_bad_response_and_then_an_error_share_the_counter() {
    let answer = |n| if n < 3 { Ok(n) } else { Err(Wrong(n)) };
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.fail_after_max_attempts(true));
        assert_eq!(bench.judged(below_ten, answer).await, Err(Error::Service(Wrong(3))));
        let end = RetryEvent::Error { attempts: 3, last_error: Some(Cause::Reset) };
        assert_eq!(bench.events()[2..], [end]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_not_to_be_called_again_is_not() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        let pushed_back = |outcome: &Outcome| below_ten(outcome).without_retry();
        assert_eq!(bench.judged(pushed_back, Ok).await, Ok(1));
        assert_eq!(bench.events(), [RetryEvent::Error { attempts: 1, last_error: None }]);
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}
