//! What once went wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::telemetry::RetryEvent;
use seawall::{Backoff, Cause, Deadline, Reason};

use crate::support::{Bench, WAYS, fail, ms};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

fn error(attempts: u32) -> RetryEvent {
    RetryEvent::Error { attempts, last_error: Some(Cause::Other) }
}

#[tokio::test(start_paused = true)]
async fn rt08_the_hook_runs_before_the_wait_and_knows_how_long_the_call_has_taken() {
    for way in WAYS {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let bench = Bench::new(way, |retry| {
            retry.before_retry(move |at| log.lock().unwrap().push(at.elapsed))
        });
        bench.call(fail).await.unwrap_err();
        assert_eq!(*seen.lock().unwrap(), [ms(0), ms(500)], "{way:?}");
    }
}

/// A timer is coarse, and its task may be polled late: the wait fitted, and yet it is too late.
#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline_though_the_wait_had_fitted() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.backoff(Backoff::fixed(us(100_200))));
        let outcome = Deadline::after(us(100_500)).scope(bench.call(fail)).await;
        let rejected = outcome.unwrap_err().rejected().cloned().expect("seawall's own word");
        assert_eq!(rejected.reason(), Reason::DeadlineExceeded);
        assert_eq!(rejected.name(), "inventory");
        assert_eq!(bench.made(), 1, "{way:?}");
        assert_eq!(bench.events().pop(), Some(error(1)));
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline_when_the_task_was_polled_late() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.backoff(Backoff::fixed(ms(100))));
        let call = Deadline::after(ms(250)).scope(bench.call(fail));
        let mut call = tokio_test::task::spawn(call);
        tokio_test::assert_pending!(call.poll());
        tokio::time::advance(ms(100)).await;
        tokio_test::assert_pending!(call.poll());
        tokio::time::advance(ms(300)).await;
        let error = tokio_test::assert_ready!(call.poll()).unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(bench.made(), 2, "{way:?}");
        assert_eq!(bench.counts(), [0, 0, 0, 1]);
    }
}
