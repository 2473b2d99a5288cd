//! RT18, and the deadline of the whole call.

use std::time::Duration;

use seawall::telemetry::RetryEvent;
use seawall::{Backoff, Cause, Deadline, Error, RetryConfig, Verdict};

use crate::support::{Bench, Outcome, WAYS, Wrong, fail, ms};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[tokio::test(start_paused = true)]
async fn rt18_no_wait_begins_that_passes_the_longest_duration() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(9).max_duration(ms(1000)).backoff(Backoff::fixed(ms(700)))
        });
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(2))));
        assert_eq!(bench.starts(), [0, 700]);
        assert_eq!(bench.events().pop(), Some(error(2)));
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt18_a_wait_that_just_fits_is_made() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(9).max_duration(ms(1000)).backoff(Backoff::fixed(ms(500)))
        });
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(3))));
        assert_eq!(bench.starts(), [0, 500, 1000]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt18_the_time_of_the_attempts_counts() {
    for way in WAYS {
        let bench =
            Bench::new(way, |retry| retry.max_duration(ms(1000)).backoff(Backoff::fixed(ms(700))));
        let slow = |n| async move {
            tokio::time::sleep(ms(301)).await;
            fail(n)
        };
        let outcome = bench.run(seawall::ResultClassifier, slow).await;
        assert_eq!(outcome, Err(Error::Service(Wrong(1))));
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt18_a_response_is_returned_as_it_is_when_the_time_is_up() {
    let failure = |_: &Outcome| Verdict::failure(Cause::Other);
    for way in WAYS {
        let bench =
            Bench::new(way, |retry| retry.max_duration(ms(100)).fail_after_max_attempts(true));
        assert_eq!(bench.judged(failure, Ok).await, Ok(1));
    }
}

#[test]
fn rt18_the_longest_duration_has_its_range() {
    let error = RetryConfig::builder().max_duration(us(999)).build().unwrap_err();
    assert_eq!(error.to_string(), "`max_duration` is 999µs, but must be at least 1ms");
}

// ## The deadline of the whole call

fn error(attempts: u32) -> RetryEvent {
    RetryEvent::Error { attempts, last_error: Some(Cause::Other) }
}

#[tokio::test(start_paused = true)]
async fn no_wait_begins_that_cannot_end_before_the_deadline() {
    for way in WAYS {
        for (left, made) in [(1200, 3), (1000, 2), (500, 1)] {
            let bench = Bench::new(way, |retry| retry);
            let outcome = Deadline::after(ms(left)).scope(bench.call(fail)).await;
            assert_eq!(outcome, Err(Error::Service(Wrong(made))), "{way:?} {left}");
            assert_eq!(bench.events().pop(), Some(error(made)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_at_once_after_the_deadline() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.backoff(Backoff::fixed(Duration::ZERO)));
        let outcome = Deadline::after(Duration::ZERO).scope(bench.call(fail)).await;
        assert_eq!(outcome, Err(Error::Service(Wrong(1))));
    }
}

#[tokio::test(start_paused = true)]
async fn the_formula_and_the_decision_see_the_time_that_is_left() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| {
            retry
                .max_attempts(2)
                .retry_when(|at| at.remaining == Some(ms(900)) && at.elapsed == ms(100))
                .backoff(Backoff::custom(|at| at.remaining.map(|left| left / 3)))
        });
        let slow = |n| async move {
            tokio::time::sleep(ms(100)).await;
            fail(n)
        };
        let call = bench.run(seawall::ResultClassifier, slow);
        Deadline::after(ms(1000)).scope(call).await.unwrap_err();
        assert_eq!(bench.starts(), [0, 400]);
    }
}
