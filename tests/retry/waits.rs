//! RT9 to RT11, RT13: the pauses.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::telemetry::RetryEvent;
use seawall::{
    Backoff, BackoffContext, Cause, Error, ErrorLayer, Random, RetryBudget, RetryLayer, Verdict,
};
use tokio_test::{assert_pending, assert_ready, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Bench, Outcome, WAYS, Way, Wrong, fail, ms};

#[tokio::test(start_paused = true)]
async fn rt09_the_formula_is_asked_once_a_wait_and_sees_the_outcome() {
    type Asked = (u32, Option<Cause>, bool, Duration, Option<Duration>);
    let judge = |outcome: &Outcome| match outcome {
        Ok(n) => Verdict::failure(Cause::Status(*n as u16)),
        Err(_) => Verdict::failure(Cause::Reset),
    };
    for way in WAYS {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = asked.clone();
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(4).backoff(Backoff::custom(move |at: &BackoffContext| {
                let cause = at.verdict.unwrap().cause();
                let entry = (at.attempt.get(), cause, at.is_error, at.elapsed, at.remaining);
                log.lock().unwrap().push(entry);
                Some(ms(100) * at.attempt.get())
            }))
        });
        let answer = |n| if n == 2 { fail(n) } else { Ok(n) };
        bench.judged(judge, answer).await.unwrap();
        assert_eq!(
            *asked.lock().unwrap(),
            [
                (1, Some(Cause::Status(1)), false, ms(0), None),
                (2, Some(Cause::Reset), true, ms(100), None),
                (3, Some(Cause::Status(3)), false, ms(300), None),
            ]
        );
        assert_eq!(bench.starts(), [0, 100, 300, 600]);
    }
}

#[tokio::test(start_paused = true)]
async fn rt10_a_formula_that_gives_no_wait_stops_at_once_with_the_outcome() {
    for way in WAYS {
        let give_up = |at: &BackoffContext| (at.attempt.get() < 2).then_some(ms(10));
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(9).fail_after_max_attempts(true).backoff(Backoff::custom(give_up))
        });
        assert_eq!(bench.call(fail).await, Err(Error::Service(Wrong(2))));
        assert_eq!(bench.starts(), [0, 10]);
        let end = RetryEvent::Error { attempts: 2, last_error: Some(Cause::Other) };
        assert_eq!(bench.events()[1..], [end]);
        assert_eq!(bench.counts(), [0, 0, 0, 1]);

        // A response is returned as it is: its attempts are not used up.
        let bench = Bench::new(way, |retry| {
            retry.fail_after_max_attempts(true).backoff(Backoff::custom(|_| None))
        });
        let failure = |_: &Outcome| Verdict::failure(Cause::Other);
        assert_eq!(bench.judged(failure, Ok).await, Ok(1));
        assert_eq!(bench.events(), [RetryEvent::Error { attempts: 1, last_error: None }]);
        assert_eq!(bench.counts(), [0, 0, 1, 0]);
    }
}

#[test]
fn rt11_a_wait_of_zero_needs_no_timer() {
    // There is no runtime here, and so no timer that could be set.
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.backoff(Backoff::fixed(Duration::ZERO)));
        let mut call = task::spawn(bench.call(fail));
        assert_eq!(assert_ready!(call.poll()), Err(Error::Service(Wrong(3))));
        assert!(!call.is_woken());
    }
}

#[tokio::test(start_paused = true)]
async fn rt13_a_call_that_is_dropped_while_it_waits_makes_no_further_attempt() {
    for way in WAYS {
        let budget = RetryBudget::default();
        let bench = Bench::new(way, |retry| retry.budget(budget.clone()));
        let mut call = task::spawn(bench.call(fail));
        assert_pending!(call.poll());
        assert_eq!(budget.in_flight(), (1, 1));
        drop(call);
        tokio::time::sleep(ms(10_000)).await;
        assert_eq!(bench.made(), 1);
        assert_eq!(bench.counts(), [0; 4]);
        assert_eq!(budget.in_flight(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn rt13_a_call_that_is_dropped_before_its_first_poll_counts_nothing() {
    for way in WAYS {
        let budget = RetryBudget::default();
        let bench = Bench::new(way, |retry| retry.budget(budget.clone()));
        drop(bench.call(fail));
        assert_eq!((bench.made(), budget.in_flight()), (0, (0, 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_it_should_and_not_before() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.max_attempts(2));
        let mut call = task::spawn(bench.call(fail));
        assert_pending!(call.poll());
        tokio::time::advance(ms(499)).await;
        assert_pending!(call.poll());
        assert_eq!(bench.made(), 1);
        tokio::time::advance(ms(1)).await;
        assert!(call.is_woken());
        assert_ready!(call.poll()).unwrap_err();
        assert_eq!(bench.made(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_is_the_seeds() {
    for way in WAYS {
        let backoff = Backoff::full_jitter(ms(100), ms(1000));
        let bench = Bench::new(way, |retry| {
            retry.max_attempts(6).backoff(backoff.clone()).random(Random::seeded(7))
        });
        bench.call(fail).await.unwrap_err();
        let random = Random::seeded(7);
        let waits: Vec<_> = (1..6)
            .map(|n| {
                let at = BackoffContext::new(NonZeroU32::new(n).unwrap());
                backoff.wait(&at, &random).unwrap()
            })
            .collect();
        let told = |event| match event {
            RetryEvent::Retry { wait, .. } => Some(wait),
            _ => None,
        };
        assert_eq!(bench.events().into_iter().filter_map(told).collect::<Vec<_>>(), waits);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_wait_is_a_wait() {
    for way in WAYS {
        let bench = Bench::new(way, |retry| retry.backoff(Backoff::fixed(Duration::MAX)));
        let mut call = task::spawn(bench.call(fail));
        assert_pending!(call.poll());
        tokio::time::advance(Duration::from_secs(365 * 24 * 60 * 60)).await;
        assert_pending!(call.poll());
        assert_eq!(bench.made(), 1);
    }
}

// ## What is held while waiting

#[tokio::test(start_paused = true)]
async fn no_place_in_the_inner_service_is_held_while_waiting() {
    let bench = Bench::new(Way::Layer, |retry| retry);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(bench.retry.clone()))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(ErrorLayer)
        .service(service_fn(async |good: bool| if good { Ok(()) } else { Err(Wrong(0)) }));
    let mut waiting = task::spawn(service.clone().oneshot(false));
    assert_pending!(waiting.poll());
    let mut other = task::spawn(service.clone().oneshot(true));
    assert_ready!(other.poll()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_response_is_dropped_before_the_wait() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    for way in WAYS {
        let alive = Arc::new(AtomicUsize::new(0));
        let answer = || {
            alive.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Error<Wrong>>(Counted(alive.clone())))
        };
        let failure = |_: &Result<Counted, Error<Wrong>>| Verdict::failure(Cause::Other);
        let retry = Bench::new(way, |retry| retry).retry;
        let mut call = task::spawn(async {
            match way {
                Way::Handle => retry.call_with(failure, answer).await,
                Way::Layer => {
                    ServiceBuilder::new()
                        .layer(RetryLayer::new(retry.clone()).classifier(failure))
                        .service(service_fn(|()| answer()))
                        .oneshot(())
                        .await
                }
            }
        });
        assert_pending!(call.poll());
        assert_eq!(alive.load(Ordering::Relaxed), 0, "{way:?}");
        // The last one belongs to the caller.
        assert_eq!(call.await.map(|response| response.0.load(Ordering::Relaxed)), Ok(1));
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_goes_to_an_instance_that_was_made_ready() {
    use std::task::{Context, Poll};
    /// Panics if it is called without having been ready; clones start anew.
    #[derive(Default)]
    struct Picky {
        ready: bool,
    }
    impl Clone for Picky {
        fn clone(&self) -> Self {
            Self::default()
        }
    }
    impl Service<()> for Picky {
        type Response = ();
        type Error = Error<Wrong>;
        type Future = std::future::Ready<Result<(), Error<Wrong>>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error<Wrong>>> {
            self.ready = true;
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, (): ()) -> Self::Future {
            assert!(std::mem::take(&mut self.ready), "called before it was ready");
            std::future::ready(Err(Error::Service(Wrong(0))))
        }
    }
    let bench = Bench::new(Way::Layer, |retry| retry);
    let service =
        ServiceBuilder::new().layer(RetryLayer::new(bench.retry.clone())).service(Picky::default());
    service.oneshot(()).await.unwrap_err();
    assert_eq!(bench.counts(), [0, 0, 0, 1]);
}
