//! The pipeline's steps together, over services in memory and on the paused clock.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use seawall::patterns::circuit_breaker::Counters;
use seawall::telemetry::{EventKind, RetryEvent};
use seawall::{
    Backoff, BulkheadConfig, CircuitBreakerConfig, Error, Pipeline, PipelineBuilder,
    RateLimiterConfig, Reason, RetryConfig, TimeLimiterConfig,
};
use tokio_test::{assert_pending, assert_ready, task};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong;

type Outcome<T = ()> = Result<T, Error<Wrong>>;

fn builder() -> PipelineBuilder {
    Pipeline::builder("inventory")
}

fn every(wait: Duration) -> seawall::RetryConfigBuilder {
    RetryConfig::builder().backoff(Backoff::fixed(wait))
}

fn breaker() -> seawall::CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder()
}

fn limiter(timeout: Duration) -> seawall::TimeLimiterConfigBuilder {
    TimeLimiterConfig::builder().timeout(timeout)
}

fn counted(pipeline: &Pipeline) -> Counters {
    pipeline.circuit_breaker().unwrap().counters()
}

fn reason<T: std::fmt::Debug>(outcome: &Outcome<T>) -> Reason {
    outcome.as_ref().unwrap_err().rejected().expect("seawall's own word").reason()
}

/// Everything that the retry tells.
fn log_of(pipeline: &Pipeline) -> Arc<Mutex<Vec<RetryEvent>>> {
    let log: Arc<Mutex<Vec<RetryEvent>>> = Arc::default();
    let events = log.clone();
    pipeline.retry().unwrap().observe(move |event: &seawall::telemetry::Event<'_>| {
        if let EventKind::Retry(kind) = event.kind {
            events.lock().unwrap().push(kind);
        }
    });
    log
}

async fn fail() -> Result<(), Wrong> {
    Err(Wrong)
}

// ## A wait that ends late

#[tokio::test(start_paused = true)]
async fn a_pause_that_outlasts_the_call_is_no_attempt() {
    // The wait fits, and the timer that ends it is too coarse.
    let config = every(us(100_200)).retry_when(|at| at.attempt.get() < 2);
    let pipeline = builder().deadline(us(100_500)).retry(config).circuit_breaker(breaker());
    let pipeline = pipeline.build().unwrap();
    let log = log_of(&pipeline);
    let outcome = pipeline.call(fail).await;
    assert_eq!(reason(&outcome), Reason::DeadlineExceeded);
    assert!(outcome.unwrap_err().is_timeout(), "an attempt was made, so this is no refusal");
    assert_eq!(counted(&pipeline).failed, 1);
    assert!(matches!(log.lock().unwrap()[..], [_, RetryEvent::Error { attempts: 1, .. }]));
    let metrics = pipeline.retry().unwrap().metrics();
    assert_eq!((metrics.failed_without_retry, metrics.failed_with_retry), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_strikes_in_a_pause_is_no_attempt() {
    let pipeline = builder().deadline(us(100_500)).retry(every(us(100_200))).build().unwrap();
    let log = log_of(&pipeline);
    let mut call = task::spawn(pipeline.call(fail));
    assert_pending!(call.poll());
    // The pause's timer has not fired yet when somebody else polls the call.
    tokio::time::advance(us(100_600)).await;
    assert_eq!(reason(&assert_ready!(call.poll())), Reason::DeadlineExceeded);
    assert!(matches!(log.lock().unwrap()[..], [_, RetryEvent::Error { attempts: 1, .. }]));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline_when_the_rate_limiters_wait_ends_late() {
    let rate = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(ms(100))
        .timeout(ms(500));
    let pipeline =
        builder().deadline(ms(150)).rate_limiter(rate).circuit_breaker(breaker()).build().unwrap();
    let calls = AtomicU32::new(0);
    let call = || async {
        calls.fetch_add(1, Ordering::Relaxed);
        Ok::<(), Wrong>(())
    };
    pipeline.call(call).await.unwrap();
    let mut waiting = task::spawn(pipeline.call(call));
    assert_pending!(waiting.poll());
    tokio::time::advance(ms(200)).await;
    let outcome = assert_ready!(waiting.poll());
    assert_eq!(reason(&outcome), Reason::DeadlinePassed);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!((counted(&pipeline).successful, counted(&pipeline).failed), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline_when_a_place_is_found_late() {
    let bulkhead = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(ms(500));
    let pipeline =
        builder().deadline(ms(150)).bulkhead(bulkhead).circuit_breaker(breaker()).build().unwrap();
    let taken = pipeline.bulkhead().unwrap().try_acquire().unwrap();
    let calls = AtomicU32::new(0);
    let mut waiting = task::spawn(pipeline.call(|| async {
        calls.fetch_add(1, Ordering::Relaxed);
        Ok::<(), Wrong>(())
    }));
    assert_pending!(waiting.poll());
    tokio::time::advance(ms(100)).await;
    drop(taken);
    assert!(waiting.is_woken());
    tokio::time::advance(ms(100)).await;
    assert_eq!(reason(&assert_ready!(waiting.poll())), Reason::DeadlinePassed);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(counted(&pipeline).failed, 0);
    assert_eq!(pipeline.bulkhead().unwrap().metrics().in_flight, 0);
}

// ## One attempt after the other

#[tokio::test(start_paused = true)]
async fn an_attempt_without_a_pause_has_a_limit_of_its_own() {
    let pipeline = builder()
        .retry(every(Duration::ZERO))
        .circuit_breaker(breaker())
        .time_limiter(limiter(ms(100)))
        .build()
        .unwrap();
    let calls = AtomicU32::new(0);
    let mut call = task::spawn(pipeline.call(|| async {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            tokio::time::sleep(ms(90)).await;
            return Err::<(), _>(Wrong);
        }
        std::future::pending().await
    }));
    assert_pending!(call.poll());
    tokio::time::advance(ms(90)).await;
    assert_pending!(call.poll());
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    // Past the first attempt's limit, far from the second's: the caller just stops waiting.
    tokio::time::advance(ms(30)).await;
    drop(call);
    assert_eq!((counted(&pipeline).failed, counted(&pipeline).cancelled), (1, 1));
}

/// A future that says when it is gone.
struct Gone {
    alive: Arc<AtomicUsize>,
    good: bool,
}

impl Future for Gone {
    type Output = Result<(), Wrong>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(if self.good { Ok(()) } else { Err(Wrong) })
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_gone_before_its_place_is_free() {
    for (good, retry) in [(true, false), (false, false), (false, true)] {
        let bulkhead = BulkheadConfig::builder().max_concurrent_calls(1);
        let pipeline = builder()
            .bulkhead(bulkhead)
            .retry(every(ms(10)).max_attempts(if retry { 2 } else { 1 }))
            .build()
            .unwrap();
        let alive = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(usize::MAX));
        let (seen, at_release) = (alive.clone(), most.clone());
        pipeline.bulkhead().unwrap().observe(move |event: &seawall::telemetry::Event<'_>| {
            use seawall::telemetry::BulkheadEvent::CallFinished;
            if event.kind == EventKind::Bulkhead(CallFinished) {
                at_release.store(seen.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        });
        let mut call = task::spawn(pipeline.call(|| {
            alive.fetch_add(1, Ordering::Relaxed);
            Gone { alive: alive.clone(), good }
        }));
        let _ = call.poll();
        assert_eq!(most.load(Ordering::Relaxed), 0, "{good} {retry}");
    }
}
