//! Attempts without a pause, and when an attempt counts as made.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use seawall::patterns::retry::Next;
use seawall::telemetry::RetryEvent;
use seawall::{Backoff, Cause, Deadline, Error, Pipeline, Reason, RetryConfig, Verdict};
use tokio_test::{assert_pending, assert_ready, task};

use crate::support::{Bench, Outcome, WAYS, Way, Wrong, fail, ms};

#[tokio::test]
async fn attempts_without_a_pause_let_others_have_a_turn() {
    // One thread: whoever spins on it keeps the other task from ever setting the flag.
    let local = |way| async move {
        let rescued = AtomicBool::new(false);
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(1_000_000).backoff(Backoff::fixed(Duration::ZERO))
        });
        let call = bench.call(|n| if rescued.load(Ordering::Relaxed) { Ok(n) } else { fail(n) });
        let other = async { rescued.store(true, Ordering::Relaxed) };
        let (outcome, ()) = tokio::join!(call, other);
        outcome.unwrap()
    };
    for way in WAYS {
        assert_eq!(local(way).await, 33, "after every 32nd attempt");
    }
}

#[tokio::test]
async fn attempts_without_a_pause_in_a_pipeline_let_others_have_a_turn() {
    let (rescued, made) = (AtomicBool::new(false), AtomicU32::new(0));
    let pipeline = Pipeline::builder("inventory")
        .retry(RetryConfig::builder().max_attempts(1_000_000).backoff(Backoff::fixed(ms(0))))
        .build()
        .unwrap();
    let call = pipeline.call(|| async {
        made.fetch_add(1, Ordering::Relaxed);
        if rescued.load(Ordering::Relaxed) { Ok(()) } else { Err(Wrong(0)) }
    });
    let other = async { rescued.store(true, Ordering::Relaxed) };
    let (outcome, ()) = tokio::join!(call, other);
    assert_eq!((outcome, made.into_inner()), (Ok(()), 33));
}

#[test]
fn the_turn_of_others_needs_no_runtime() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(100).backoff(Backoff::fixed(Duration::ZERO))
        });
        let mut call = task::spawn(bench.call(fail));
        for _ in 0..3 {
            assert_pending!(call.poll());
            assert!(call.is_woken(), "{way:?}");
        }
        assert_eq!(assert_ready!(call.poll()), Err(Error::Service(Wrong(100))));
    }
}

// ## When an attempt counts

#[tokio::test(start_paused = true)]
async fn a_retry_counts_when_it_is_made() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry);
        let retries = || bench.retry.metrics().retries;
        let mut call = task::spawn(bench.call(fail));
        assert_pending!(call.poll());
        assert_eq!(retries(), 0, "it is only waited for");
        tokio::time::advance(ms(500)).await;
        assert_pending!(call.poll());
        assert_eq!(retries(), 1);
        drop(call);
        assert_eq!(retries(), 1, "the second was never made");
        bench.call(fail).await.unwrap_err();
        assert_eq!(retries(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_given_up_half_way_was_made() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.backoff(Backoff::fixed(Duration::ZERO)));
        let answer = |n| async move {
            if n > 1 {
                std::future::pending::<()>().await;
            }
            fail(n)
        };
        let mut call = task::spawn(bench.run(seawall::ResultClassifier, answer));
        assert_pending!(call.poll());
        drop(call);
        assert_eq!(bench.retry.metrics().retries, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_by_hand_counts_with_its_outcome_or_when_it_is_said_to_begin() {
    let bench = Bench::new(Way::Handle, |retry| retry);
    let retries = || bench.retry.metrics().retries;
    let failure = Verdict::failure(Cause::Reset);
    let mut attempts = bench.retry.start();
    assert_eq!(attempts.record_error(&failure), Next::Wait(ms(500)));
    assert_eq!(retries(), 0);
    assert_eq!(attempts.record_error(&failure), Next::Wait(ms(500)));
    assert_eq!(retries(), 1);
    attempts.resume().unwrap();
    assert_eq!(retries(), 2);
    assert_eq!(attempts.record_error(&failure), Next::Done);
    assert_eq!(retries(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pipelines_retry_counts_when_it_is_made() {
    let pipeline = Pipeline::builder("inventory").retry(RetryConfig::default()).build().unwrap();
    let retries = || pipeline.retry().unwrap().metrics().retries;
    let mut call = task::spawn(pipeline.call(|| async { Err::<(), _>(Wrong(0)) }));
    assert_pending!(call.poll());
    assert_eq!(retries(), 0);
    tokio::time::advance(ms(500)).await;
    assert_pending!(call.poll());
    assert_eq!(retries(), 1);
    drop(call);
    let late = Deadline::after(ms(700)).scope(pipeline.call(|| async { Err::<(), _>(Wrong(0)) }));
    late.await.unwrap_err();
    assert_eq!(retries(), 2);
}

// ## `max_duration` after a wait

const TOO_LATE: fn(&Error<Wrong>) -> bool = |error| {
    let rejected = error.rejected().expect("seawall's own word");
    rejected.reason() == Reason::DeadlineExceeded && rejected.name() == "inventory"
};

#[tokio::test(start_paused = true)]
async fn rt18_no_attempt_begins_after_the_longest_duration_when_the_task_was_polled_late() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.max_duration(ms(600)));
        let mut call = task::spawn(bench.call(fail));
        assert_pending!(call.poll());
        tokio::time::advance(ms(601)).await;
        let outcome: Outcome = assert_ready!(call.poll());
        assert!(TOO_LATE(&outcome.unwrap_err()), "{way:?}");
        assert_eq!((bench.made(), bench.retry.metrics().retries), (1, 0));
        let end = RetryEvent::Error { attempts: 1, last_error: Some(Cause::Other) };
        assert_eq!(bench.events().pop(), Some(end));
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt18_no_attempt_of_a_pipeline_begins_after_the_longest_duration() {
    let pipeline = Pipeline::builder("inventory")
        .retry(RetryConfig::builder().max_duration(ms(600)))
        .build()
        .unwrap();
    let made = AtomicU32::new(0);
    let mut call = task::spawn(pipeline.call(|| async {
        made.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>(Wrong(0))
    }));
    assert_pending!(call.poll());
    tokio::time::advance(ms(601)).await;
    assert!(TOO_LATE(&assert_ready!(call.poll()).unwrap_err()));
    assert_eq!(made.load(Ordering::Relaxed), 1);
    assert_eq!(pipeline.retry().unwrap().metrics().failed_without_retry, 1);
}

#[tokio::test(start_paused = true)]
async fn rt18_an_attempt_may_begin_at_the_end_of_the_longest_duration() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.max_duration(ms(600)));
        let mut call = task::spawn(bench.call(fail));
        assert_pending!(call.poll());
        tokio::time::advance(ms(600)).await;
        assert_eq!(assert_ready!(call.poll()), Err(Error::Service(Wrong(2))), "{way:?}");
    }
}
