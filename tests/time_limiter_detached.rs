//! TL2, second half: calls that go on when their time is over or their caller has gone.

use std::convert::Infallible;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use seawall::telemetry::{Event, EventKind, TimeLimiterEvent};
use seawall::*;
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limiter(timeout: Duration) -> TimeLimiter {
    TimeLimiter::new("ledger", TimeLimiterConfig::builder().timeout(timeout).build().unwrap())
}

fn counts(limiter: &TimeLimiter) -> (u64, u64, u64) {
    let metrics = limiter.metrics();
    (metrics.success, metrics.error, metrics.timeout)
}

/// The ways to a detached call.
#[derive(Clone, Copy, Debug)]
enum Way {
    Handle,
    Layer,
}

const WAYS: [Way; 2] = [Way::Handle, Way::Layer];

type Outcome = Result<&'static str, Error<Infallible>>;

async fn call<F>(way: Way, limiter: &TimeLimiter, work: F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    match way {
        Way::Handle => limiter.call_detached_flat(work).await,
        Way::Layer => {
            let work = Arc::new(Mutex::new(Some(work)));
            TimeLimiterLayer::new(limiter.clone())
                .detach()
                .layer(service_fn(move |()| work.lock().unwrap().take().unwrap()))
                .call(())
                .await
        }
    }
}

/// Counts how far work has come.
#[derive(Clone, Default)]
struct Steps {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Steps {
    fn work(&self, wait: Duration) -> impl Future<Output = Outcome> + Send + 'static + use<> {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dropped = Dropped(self.dropped.clone());
        let Self { begun, ended, .. } = self.clone();
        async move {
            let _dropped = dropped;
            begun.fetch_add(1, Ordering::Relaxed);
            sleep(wait).await;
            ended.fetch_add(1, Ordering::Relaxed);
            Ok("done")
        }
    }

    /// Begun, ended, dropped.
    fn count(&self) -> (usize, usize, usize) {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (read(&self.begun), read(&self.ended), read(&self.dropped))
    }
}

fn timed_out(outcome: &Outcome) -> bool {
    let rejected = outcome.as_ref().unwrap_err().rejected().unwrap();
    rejected.reason() == Reason::AttemptTimedOut && rejected.name() == "ledger"
}

#[tokio::test(start_paused = true)]
async fn tl2_the_work_goes_on_and_its_result_is_thrown_away() {
    for way in WAYS {
        let (limiter, steps, began) = (limiter(ms(100)), Steps::default(), Instant::now());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = heard.clone();
        limiter.observe(move |event: &Event<'_>| {
            let EventKind::TimeLimiter(kind) = event.kind else { panic!("a foreign event") };
            log.lock().unwrap().push(kind);
        });
        let outcome = call(way, &limiter, steps.work(ms(300))).await;
        assert!(timed_out(&outcome), "{way:?}");
        assert_eq!(began.elapsed(), ms(100));
        assert_eq!(steps.count(), (1, 0, 0), "half-way");
        sleep(ms(199)).await;
        assert_eq!(steps.count(), (1, 0, 0));
        sleep(ms(2)).await;
        assert_eq!(steps.count(), (1, 1, 1));
        assert_eq!(counts(&limiter), (0, 0, 1), "the late result counts nowhere");
        assert_eq!(*heard.lock().unwrap(), [TimeLimiterEvent::Timeout]);
    }
}

#[tokio::test(start_paused = true)]
async fn tl1_in_time_the_result_is_the_callers() {
    for way in WAYS {
        let limiter = limiter(ms(100));
        assert_eq!(call(way, &limiter, Steps::default().work(ms(50))).await, Ok("done"));
        assert_eq!(call(way, &limiter, async { Ok("at once") }).await, Ok("at once"));
        assert_eq!(counts(&limiter), (2, 0, 0));
    }
    let limiter = limiter(ms(100));
    let error = limiter.call_detached(async { Err::<(), _>(7) }).await.unwrap_err();
    assert_eq!((error.into_service(), counts(&limiter)), (Some(7), (0, 1, 0)));
}

#[tokio::test(start_paused = true)]
async fn tl6_a_result_that_is_there_in_the_last_moment_is_returned() {
    for way in WAYS {
        let (limiter, steps) = (limiter(ms(100)), Steps::default());
        let work = steps.work(ms(90));
        let mut call = task::spawn(call(way, &limiter, work));
        assert_pending!(call.poll());
        tokio::time::sleep(ms(95)).await;
        tokio::time::advance(ms(5)).await;
        assert_eq!(assert_ready!(call.poll()), Ok("done"));
    }
}

#[tokio::test(start_paused = true)]
async fn tl5_a_caller_that_goes_is_no_timeout_and_stops_nothing() {
    for way in WAYS {
        let (limiter, steps) = (limiter(ms(100)), Steps::default());
        let mut call = task::spawn(call(way, &limiter, steps.work(ms(50))));
        assert_pending!(call.poll());
        tokio::task::yield_now().await;
        drop(call);
        sleep(ms(60)).await;
        assert_eq!(steps.count(), (1, 1, 1));
        assert_eq!(counts(&limiter), (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn tl5_a_caller_that_goes_before_its_first_poll_begins_nothing() {
    for way in WAYS {
        let (limiter, steps) = (limiter(ms(100)), Steps::default());
        drop(call(way, &limiter, steps.work(ms(50))));
        sleep(ms(60)).await;
        assert_eq!(steps.count(), (0, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn tl7_with_no_time_at_all_the_work_is_made_and_given_up() {
    for way in WAYS {
        let (limiter, steps) = (limiter(Duration::ZERO), Steps::default());
        let mut call = task::spawn(call(way, &limiter, steps.work(ms(50))));
        assert!(timed_out(&assert_ready!(call.poll())));
        sleep(ms(60)).await;
        assert_eq!(steps.count(), (1, 1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn tl4_inside_a_retry_each_attempt_has_its_time_and_goes_on() {
    let (limiter, steps) = (limiter(ms(100)), Steps::default());
    let retry = Retry::with_defaults("ledger");
    let attempt = || limiter.call_detached_flat(steps.work(ms(2000)));
    assert!(timed_out(&retry.call_flat(attempt).await));
    assert_eq!(steps.count(), (3, 0, 0));
    sleep(ms(2000)).await;
    assert_eq!(steps.count(), (3, 3, 3));
}

// ## What is held

#[tokio::test(start_paused = true)]
async fn what_is_held_inside_is_held_until_the_work_ends() {
    let bulkhead =
        Bulkhead::new("ledger", BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap());
    let service = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter(ms(100))).detach())
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .layer(ErrorLayer)
        .service(service_fn(async |()| {
            sleep(ms(300)).await;
            Ok::<_, Infallible>("done")
        }));
    assert!(timed_out(&service.clone().oneshot(()).await));
    assert_eq!(bulkhead.metrics().available, 0, "the work still runs");
    let error = service.clone().oneshot(()).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::BulkheadFull);
    sleep(ms(201)).await;
    assert_eq!(bulkhead.metrics().available, 1);
}

#[tokio::test(start_paused = true)]
async fn between_two_pipelines_one_sees_the_timeout_and_the_other_goes_on() {
    let outer = Pipeline::builder("outer")
        .retry(RetryConfig::builder().max_attempts(2).backoff(Backoff::fixed(ms(10))))
        .circuit_breaker(CircuitBreakerConfig::default())
        .build()
        .unwrap();
    let inner = Pipeline::builder("inner")
        .bulkhead(BulkheadConfig::builder().max_concurrent_calls(2))
        .build()
        .unwrap();
    let steps = Steps::default();
    let service = ServiceBuilder::new()
        .layer(outer.clone().flat())
        .layer(TimeLimiterLayer::new(limiter(ms(100))).detach())
        .layer(inner.clone().flat())
        .service(service_fn({
            let steps = steps.clone();
            move |()| steps.work(ms(500))
        }));
    assert!(timed_out(&service.oneshot(()).await));
    assert_eq!(outer.circuit_breaker().unwrap().metrics().failed_calls, 2);
    assert_eq!(inner.bulkhead().unwrap().metrics().in_flight, 2);
    sleep(ms(500)).await;
    assert_eq!((steps.count(), inner.bulkhead().unwrap().metrics().in_flight), ((2, 2, 2), 0));
}

// ## The deadline

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_goes_with_the_work_and_the_limit_does_not() {
    let began = Instant::now();
    let seen =
        move || async move { Deadline::current().map(|deadline| deadline.instant() - began) };
    for whole in [Some(ms(70)), Some(ms(200)), None] {
        let limiter = limiter(ms(100));
        let log = Arc::new(Mutex::new(Vec::new()));
        let work = {
            let log = log.clone();
            async move {
                let now = seen().await;
                log.lock().unwrap().push(now);
                // After a wait it is still known, and also while what is left is dropped.
                tokio::task::yield_now().await;
                let now = seen().await;
                log.lock().unwrap().push(now);
                Ok("done")
            }
        };
        let call = limiter.call_detached_flat(work);
        let outcome: Outcome = match whole {
            Some(whole) => Deadline::at(began + whole).scope(call).await,
            None => call.await,
        };
        assert_eq!(outcome, Ok("done"));
        assert_eq!(*log.lock().unwrap(), [whole; 2]);
        assert_eq!(Deadline::current(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layers_callers_deadline_goes_with_the_work_and_the_limit_does_not() {
    let began = Instant::now();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let client = service_fn(move |()| {
        // In `call` as well as in the task.
        let log = log.clone();
        log.lock().unwrap().push(Deadline::current());
        async move {
            log.lock().unwrap().push(Deadline::current());
            Ok::<_, Error<Infallible>>("done")
        }
    });
    let mut service = TimeLimiterLayer::new(limiter(ms(100))).detach().layer(client);
    service.call(()).await.unwrap();
    let whole = Deadline::at(began + ms(500));
    whole.scope(async { service.call(()).await }).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [None, None, Some(whole), Some(whole)]);
}

// ## Panics and the runtime

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_work_is_the_callers() {
    for way in WAYS {
        let limiter = limiter(ms(100));
        let work = async {
            sleep(ms(10)).await;
            panic!("on purpose")
        };
        let panicked = AssertUnwindSafe(call(way, &limiter, work)).catch_unwind().await;
        let payload = panicked.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"), "the very same");
        assert_eq!(counts(&limiter), (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_time_is_over_harms_nobody() {
    for way in WAYS {
        let limiter = limiter(ms(100));
        let work = async {
            sleep(ms(200)).await;
            panic!("on purpose")
        };
        assert!(timed_out(&call(way, &limiter, work).await));
        sleep(ms(200)).await;
        assert_eq!(call(way, &limiter, async { Ok("still here") }).await, Ok("still here"));
    }
}

#[test]
fn a_runtime_that_shuts_down_under_the_work_is_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let limiter = limiter(ms(60_000));
    let mut call = task::spawn(limiter.call_detached_flat(pending::<Outcome>()));
    runtime.block_on(async { assert_pending!(call.poll()) });
    drop(runtime);
    assert!(call.is_woken());
    // The caller lives in another runtime.
    let other = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = other.block_on(async { assert_ready!(call.poll()) });
    let rejected = outcome.unwrap_err().rejected().cloned().unwrap();
    assert_eq!(rejected.reason(), Reason::RuntimeShutDown);
    assert_eq!(rejected.to_string(), "the runtime shut down under a call of time limiter `ledger`");
    assert!(!rejected.is_refusal() && !rejected.is_timeout(), "nobody knows how far it came");
    assert_eq!(counts(&limiter), (0, 1, 0));
}

// ## The setting

fn must_not_cancel() -> TimeLimiter {
    let config = TimeLimiterConfig::builder().cancel_running_future(false).build().unwrap();
    assert!(!config.cancel_running_future());
    TimeLimiter::new("ledger", config)
}

#[tokio::test(start_paused = true)]
async fn a_limiter_that_must_not_cancel_refuses_what_it_could_only_drop() {
    let (limiter, steps) = (must_not_cancel(), Steps::default());
    let layer = TimeLimiterLayer::new(limiter.clone());
    let by_layer = layer.layer(service_fn(|()| steps.work(ms(1)))).call(()).await;
    let by_handle = limiter.call_flat(steps.work(ms(1))).await;
    let boxed = limiter.call(steps.work(ms(1))).await.map_err(|error| match error {
        Error::Rejected(rejected) => Error::Rejected(rejected),
        Error::Service(inner) => inner,
    });
    for outcome in [by_layer, by_handle, boxed] {
        let rejected = outcome.unwrap_err().rejected().cloned().unwrap();
        assert_eq!(rejected.reason(), Reason::CannotDetach);
        assert!(rejected.is_refusal() && rejected.to_string().contains("`ledger`"));
    }
    assert_eq!(steps.count().0, 0, "no call was made");
    assert_eq!(counts(&limiter), (0, 0, 0));

    for way in WAYS {
        assert_eq!(call(way, &limiter, steps.work(ms(1))).await, Ok("done"));
        assert!(timed_out(&call(way, &limiter, steps.work(ms(1001))).await));
    }
    sleep(ms(10)).await;
    assert_eq!(steps.count().1, 4);
}

#[test]
fn a_pipeline_refuses_a_limiter_that_must_not_cancel() {
    for pipeline in [
        Pipeline::builder("ledger").time_limiter(must_not_cancel()),
        Pipeline::builder("ledger")
            .time_limiter(TimeLimiterConfig::builder().cancel_running_future(false)),
    ] {
        let error = pipeline.build().unwrap_err();
        assert_eq!(error.key(), "time_limiter.cancel_running_future");
        assert_eq!(error.value(), "false");
        assert!(error.to_string().contains("detached `TimeLimiterLayer`"), "{error}");
    }
}

#[tokio::test]
async fn the_order_of_a_layers_settings_does_not_matter_and_its_futures_are_send() {
    fn is_send(_: &(impl Future + Send + 'static)) {}
    let limiter = limiter(ms(1));
    let client = || service_fn(|()| Steps::default().work(ms(0)));
    let layer = TimeLimiterLayer::new(limiter.clone());
    is_send(&layer.clone().detach().ends(AtResponse).layer(client()).call(()));
    is_send(&layer.ends(AtResponse).detach().layer(client()).call(()));
    is_send(&limiter.call_detached(Steps::default().work(ms(0))));
}
