//! What the order of the steps means.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::patterns::retry::Next;
use seawall::testing::contract::{Act, Backend, End};
use seawall::*;
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceBuilder, ServiceExt};

use super::support::*;

const HANG: Act = Act { pendings: 0, end: End::Hang };

#[tokio::test(start_paused = true)]
async fn co1_the_breaker_counts_attempts() {
    for index in 0..2 {
        let (retry, breaker) =
            (retry(attempts(3, ms(10))), CircuitBreaker::with_defaults("breaker"));
        let backend = Failing::default();
        let client = both(&retry, &breaker, backend.client())[index].clone();
        assert!(client.oneshot(1).await.is_err());
        assert_eq!(backend.calls(), 3);
        assert_eq!(breaker.metrics().buffered_calls, 3);
        assert_eq!(breaker.metrics().failed_calls, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn co2_an_open_breaker_under_a_retry_is_one_refusal_at_once() {
    for index in 0..2 {
        let (retry, breaker) =
            (retry(attempts(3, ms(10))), CircuitBreaker::with_defaults("breaker"));
        breaker.transition_to_open().unwrap();
        let (backend, start) = (Failing::default(), Instant::now());
        let client = both(&retry, &breaker, backend.client())[index].clone();
        let error = client.oneshot(1).await.unwrap_err();
        assert_eq!(reason(&error), Reason::CircuitOpen);
        assert_eq!((backend.calls(), start.elapsed()), (0, Duration::ZERO));
        assert_eq!(breaker.metrics().not_permitted_calls, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn co2_with_retry_refusals_attempts_are_used_up_as_refusals() {
    for index in 0..2 {
        let retry = retry(attempts(3, ms(10)).retry_refusals(true));
        let breaker = CircuitBreaker::with_defaults("breaker");
        breaker.transition_to_open().unwrap();
        let (backend, start) = (Failing::default(), Instant::now());
        let client = both(&retry, &breaker, backend.client())[index].clone();
        let error = client.oneshot(1).await.unwrap_err();
        assert_eq!(reason(&error), Reason::CircuitOpen);
        assert_eq!((backend.calls(), start.elapsed()), (0, ms(20)));
        assert_eq!(breaker.metrics().not_permitted_calls, 3);
        assert_eq!(breaker.metrics().buffered_calls, 0);
    }
}

/// Below all gates: what they refuse and what they make wait is not measured, and each attempt is.
#[tokio::test(start_paused = true)]
async fn the_timer_stands_below_all_gates() {
    let timer = Timer::with_defaults("timer");
    let rate = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(ms(100))
        .timeout(ms(1_000));
    let breaker = CircuitBreakerConfig::builder().sliding_window(SlidingWindow::Consecutive(2));
    let pipeline = Pipeline::builder("p")
        .timer(timer.clone())
        .bulkhead(BulkheadConfig::builder().max_concurrent_calls(1))
        .time_limiter(time_limiter(ms(30)))
        .rate_limiter(rate)
        .circuit_breaker(breaker)
        .retry(attempts(3, ms(10)))
        .build()
        .unwrap();
    let start = Instant::now();
    let error = pipeline.call(std::future::pending::<Result<u32, &str>>).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::CircuitOpen, "the third attempt's end");
    // The first at once, the second 100 ms after it, each of 30 ms, and a pause before the third.
    assert_eq!(start.elapsed(), ms(100 + 30 + 10));
    let metrics = timer.metrics();
    assert_eq!((metrics.successful.count(), metrics.failed.count()), (0, 2));
    assert_eq!((metrics.failed.sum(), timer.failures()[0].0), (ms(60), "timeout"));
}

/// Every step with exactly one permission.
fn scarce() -> (Pipeline, CircuitBreaker, RateLimiter, Bulkhead) {
    let breaker = CircuitBreakerConfig::builder().permitted_calls_in_half_open(1);
    let breaker = CircuitBreaker::new("breaker", breaker.build().unwrap());
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    let rate = RateLimiterConfig::builder()
        .limit_for_period(1)
        .limit_refresh_period(Duration::from_secs(3_600))
        .timeout(Duration::ZERO);
    let rate = RateLimiter::new("rate", rate.build().unwrap());
    let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
    let bulkhead = Bulkhead::new("bulkhead", config);
    let pipeline = Pipeline::builder("scarce")
        .retry(attempts(2, ms(10)))
        .circuit_breaker(breaker.clone())
        .rate_limiter(rate.clone())
        .time_limiter(time_limiter(ms(1_000)))
        .bulkhead(bulkhead.clone())
        .build();
    (pipeline.unwrap(), breaker, rate, bulkhead)
}

#[tokio::test(start_paused = true)]
async fn co3_readiness_without_a_call_consumes_no_permit() {
    let (pipeline, breaker, rate, bulkhead) = scarce();
    let backend = Backend::new(|| 1);
    let service = ServiceBuilder::new().layer(pipeline).service(backend.probe());
    let mut idle = vec![service.clone(); 10];
    for service in &mut idle {
        let _: &mut _ = ServiceExt::<u32>::ready(service).await.unwrap();
    }
    assert_eq!(rate.metrics().available_permissions, 1);
    assert_eq!(bulkhead.metrics().available, 1);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(service.oneshot(1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn co4_clones_of_a_service_share_the_state() {
    let (pipeline, _, rate, _) = scarce();
    let backend = Backend::new(|| 1);
    let service = ServiceBuilder::new().layer(pipeline.clone()).service(backend.probe());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    // The only permission is gone for a clone, and for another service of the same pipeline.
    let other = ServiceBuilder::new().layer(pipeline).service(Backend::new(|| 2).probe());
    assert_eq!(
        service.oneshot(1).await.unwrap_err().rejected().unwrap().reason(),
        Reason::RateLimited
    );
    assert!(other.oneshot(1).await.unwrap_err().is_refusal());
    assert_eq!(rate.metrics().available_permissions, 0);
}

#[tokio::test(start_paused = true)]
async fn co5_a_dropped_call_restores_every_permit() {
    let (pipeline, breaker, _, bulkhead) = scarce();
    let backend = Backend::new(|| 1);
    backend.script(&[HANG], HANG);
    let service = ServiceBuilder::new().layer(pipeline).service(backend.probe());
    assert!(timeout(ms(5), service.oneshot(1)).await.is_err());
    assert_eq!((backend.live(), backend.held()), (0, 0));
    assert_eq!(bulkhead.metrics().available, 1);
    assert_eq!(breaker.counters().cancelled, 1);
    // The trial is free again.
    assert!(breaker.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn co6_a_timeout_outside_wins_during_a_pause() {
    for index in 0..2 {
        let (retry, breaker) =
            (retry(attempts(3, ms(100))), CircuitBreaker::with_defaults("breaker"));
        let backend = Failing::default();
        let client = both(&retry, &breaker, backend.client())[index].clone();
        let start = Instant::now();
        assert!(timeout(ms(150), client.oneshot(1)).await.is_err());
        assert_eq!((backend.calls(), start.elapsed()), (2, ms(150)));
        tokio::time::sleep(ms(1_000)).await;
        assert_eq!(backend.calls(), 2);
    }
}

/// A limit of seawall's is known inside: the pause that it would cut short is not begun.
#[tokio::test(start_paused = true)]
async fn co6_no_pause_begins_that_the_limit_outside_would_cut_short() {
    let backend = Failing::default();
    let stack = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(time_limiter(ms(150))))
        .layer(RetryLayer::new(retry(attempts(3, ms(100)))))
        .service(backend.client());
    let pipeline = Pipeline::builder("p").deadline(ms(150)).retry(attempts(3, ms(100))).build();
    let piped = ServiceBuilder::new().layer(pipeline.unwrap().flat()).service(backend.client());
    for (index, client) in [Client::new(stack), Client::new(piped)].into_iter().enumerate() {
        let start = Instant::now();
        assert_eq!(client.oneshot(1).await.unwrap_err(), Error::Service("broken"));
        assert_eq!((backend.calls(), start.elapsed()), (2 * (index + 1), ms(100)));
    }
}

#[tokio::test(start_paused = true)]
async fn co8_a_retry_that_the_budget_refuses_leaves_the_breaker_alone() {
    for index in 0..2 {
        let budget = RetryBudget::new(0.0, 0).unwrap();
        let retry = retry(attempts(3, ms(10)).budget(budget));
        // Another call's retry is under way, and one is the most.
        let mut other = retry.start();
        assert!(matches!(other.record_error(&Verdict::failure(Cause::Other)), Next::Wait(_)));
        let breaker = CircuitBreaker::with_defaults("breaker");
        let backend = Failing::default();
        let client = both(&retry, &breaker, backend.client())[index].clone();
        assert_eq!(client.oneshot(1).await.unwrap_err(), Error::Service("broken"));
        assert_eq!(retry.metrics().budget_refused, 1);
        let (metrics, counters) = (breaker.metrics(), breaker.counters());
        assert_eq!((metrics.buffered_calls, metrics.not_permitted_calls), (1, 0));
        assert_eq!((counters.failed, counters.cancelled, backend.calls()), (1, 0, 1));
    }
}

/// All that observers hear, with the time.
async fn heard(seed: u64) -> Vec<String> {
    let (book, start) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
    let note = |book: &Arc<Mutex<Vec<String>>>| {
        let book = book.clone();
        move |event: &telemetry::Event<'_>| {
            let line = format!("{:?} {} {:?}", event.at - start, event.name, event.kind);
            book.lock().unwrap().push(line);
        }
    };
    let jitter = Backoff::full_jitter(ms(40), ms(400));
    let retry =
        retry(attempts(4, ms(1)).backoff(jitter).random(Random::seeded(seed)).retry_refusals(true));
    let breaker = CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(4))
        .minimum_number_of_calls(4)
        .wait_duration_in_open_state(ms(60));
    let breaker = CircuitBreaker::new("breaker", breaker.build().unwrap());
    let rate = RateLimiterConfig::builder().limit_for_period(2).limit_refresh_period(ms(25));
    let rate = RateLimiter::new("rate", rate.build().unwrap());
    retry.observe(note(&book));
    breaker.observe(note(&book));
    rate.observe(note(&book));
    let pipeline = Pipeline::builder("p").retry(retry).circuit_breaker(breaker).rate_limiter(rate);
    let backend = Failing::default();
    let layers = ServiceBuilder::new().layer(pipeline.build().unwrap().flat());
    let client = layers.service(backend.client());
    let calls = (0..8).map(|_| tokio::spawn(client.clone().oneshot(1))).collect::<Vec<_>>();
    for call in calls {
        assert!(call.await.unwrap().is_err());
    }
    let heard = book.lock().unwrap();
    heard.clone()
}

#[test]
fn co9_the_paused_clock_and_seeded_dice_decide_everything() {
    let play = |seed| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(heard(seed))
    };
    let first = play(7);
    assert!(first.len() > 30, "{first:#?}");
    assert_eq!(first, play(7));
    assert_ne!(first, play(8));
}

/// A rate limiter is told only of what it has let pass.
#[tokio::test(start_paused = true)]
async fn a_refusal_before_the_rate_limiter_does_not_drain_it() {
    let config = RateLimiterConfig::builder()
        .limit_refresh_period(Duration::from_secs(60))
        .drain_on(|verdict| !verdict.is_success());
    let rate = RateLimiter::new("rate", config.build().unwrap());
    let breaker = CircuitBreaker::with_defaults("breaker");
    breaker.transition_to_forced_open();
    let pipeline = Pipeline::builder("p").circuit_breaker(breaker).rate_limiter(rate.clone());
    let client = pipeline.build().unwrap();
    assert!(client.call(|| async { Ok::<u32, ()>(1) }).await.unwrap_err().is_refusal());
    assert_eq!(rate.metrics().available_permissions, 50);
}

/// Not so long ago each attempt began with a copy of the closure's own variables.
#[tokio::test(start_paused = true)]
async fn attempts_of_a_closure_share_what_it_borrows() {
    let tries = Cell::new(0);
    let pipeline = Pipeline::builder("p").retry(attempts(3, ms(1))).build().unwrap();
    let result = pipeline.call(|| {
        tries.set(tries.get() + 1);
        let tries = tries.get();
        async move { if tries < 3 { Err("broken") } else { Ok(tries) } }
    });
    assert_eq!(result.await, Ok(3));
}

/// The service keeps its own instance ready for the next call.
#[tokio::test(start_paused = true)]
async fn a_service_can_be_called_again_and_again() {
    let (backend, pipeline) = (Backend::new(|| 1), Pipeline::builder("p").build().unwrap());
    let mut service = ServiceBuilder::new().layer(pipeline).service(backend.probe());
    for _ in 0..3 {
        assert_eq!(ServiceExt::<u32>::ready(&mut service).await.unwrap().call(1).await.unwrap(), 1);
    }
    assert_eq!((backend.calls(), backend.misused(), backend.held()), (3, 0, 0));
}

/// An outer retry, or a caller, would take a refusal for a request that was never sent.
#[tokio::test(start_paused = true)]
async fn a_refusal_after_an_attempt_is_no_refusal_of_the_call() {
    let window = SlidingWindow::Consecutive(1);
    let pipeline = Pipeline::builder("shop")
        .retry(RetryConfig::default())
        .circuit_breaker(CircuitBreakerConfig::builder().sliding_window(window))
        .build()
        .unwrap();
    let call = || pipeline.call(|| async { Err::<(), _>(std::io::ErrorKind::BrokenPipe) });
    let error = call().await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::CircuitOpen);
    assert!(!error.is_refusal(), "the first attempt was made");
    let error = call().await.unwrap_err();
    assert!(error.is_refusal(), "no attempt of this call was made");
}

/// What seawall itself says is judged by seawall's own rule, whatever the user's classifier would say.
#[tokio::test(start_paused = true)]
async fn a_users_classifier_is_not_asked_about_refusals() {
    let strict = |result: &Result<u32, Error<std::io::Error>>| match result {
        Ok(_) => Verdict::success(),
        Err(_) => Verdict::failure(Cause::Other),
    };
    let pipeline = Pipeline::builder("shop")
        .retry(RetryConfig::default())
        .circuit_breaker(CircuitBreakerConfig::builder().sliding_window(SlidingWindow::Count(2)))
        .bulkhead(BulkheadConfig::builder().max_concurrent_calls(0))
        .classifier(strict)
        .build()
        .unwrap();
    for _ in 0..4 {
        let error = pipeline.call(|| async { Ok::<u32, std::io::Error>(1) }).await.unwrap_err();
        assert!(error.is_refusal());
    }
    let breaker = pipeline.circuit_breaker().unwrap();
    assert_eq!((breaker.state(), breaker.counters().ignored), (State::Closed, 4));
    assert_eq!(pipeline.retry().unwrap().metrics().retries, 0);
}

#[tokio::test(start_paused = true)]
async fn handles_nest_in_a_flat_error() {
    let bulkhead =
        Bulkhead::new("shop", BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap());
    let (breaker, retry) = (CircuitBreaker::with_defaults("shop"), Retry::with_defaults("shop"));
    let pipeline = Pipeline::builder("shop").retry(retry.clone()).build().unwrap();
    let call = || bulkhead.call(async { Ok::<u32, std::io::Error>(1) });
    let results = [
        breaker.call_flat(call()).await,
        retry.call_flat(call).await,
        pipeline.call_flat(call).await,
    ];
    for result in results {
        let error: Error<std::io::Error> = result.unwrap_err();
        assert!(error.is_refusal());
    }
    assert_eq!((breaker.counters().ignored, breaker.counters().failed), (1, 0));
    assert_eq!(retry.metrics().retries, 0);
}

/// Without a retry nothing is sent again, so nothing is cloned.
#[tokio::test(start_paused = true)]
async fn a_pipeline_clones_requests_only_for_a_retry() {
    struct Counted(Arc<Mutex<u32>>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            *self.0.lock().unwrap() += 1;
            Self(self.0.clone())
        }
    }
    let echo = || tower::service_fn(async |_: Counted| Ok::<(), std::io::Error>(()));
    let clones = Arc::new(Mutex::new(0));
    let bare = Pipeline::builder("shop").build().unwrap();
    tower::Layer::layer(&bare, echo()).oneshot(Counted(clones.clone())).await.unwrap();
    assert_eq!(*clones.lock().unwrap(), 0);
    let retrying = Pipeline::builder("shop").retry(RetryConfig::default()).build().unwrap();
    tower::Layer::layer(&retrying, echo()).oneshot(Counted(clones.clone())).await.unwrap();
    assert_eq!(*clones.lock().unwrap(), 1);
}
