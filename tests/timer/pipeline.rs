//! As a step of a pipeline: the innermost.

use std::cell::Cell;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use seawall::telemetry::EventKind;
use seawall::{
    AtBodyEnd, Backoff, Bulkhead, BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, Deadline,
    Error, NoReplay, Pipeline, PipelineBuilder, RateLimiter, RateLimiterConfig, Reason,
    RetryConfig, TimeLimitScope, TimeLimiterConfig, Timer, TimerConfig,
};
use tokio::time::{advance, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::http::{Slow, answer};
use crate::support::*;

fn with_timer(timer: &Timer) -> PipelineBuilder {
    Pipeline::builder("shop").timer(timer.clone())
}

#[tokio::test(start_paused = true)]
async fn it_is_the_innermost_step() {
    let pipeline = Pipeline::builder("shop")
        .retry(RetryConfig::builder())
        .circuit_breaker(CircuitBreakerConfig::builder())
        .rate_limiter(RateLimiterConfig::builder())
        .time_limiter(TimeLimiterConfig::builder())
        .bulkhead(BulkheadConfig::builder())
        .timer(TimerConfig::builder())
        .build()
        .unwrap();
    assert_eq!(pipeline.timer().unwrap().name(), "shop");
    let mut events = pipeline.events(100);
    pipeline.call(|| after(ms(5), Ok::<_, &str>(()))).await.unwrap();
    let order: Vec<_> = std::iter::from_fn(|| events.try_recv())
        .map(|record| match record.kind {
            EventKind::CircuitBreaker(_) => "breaker",
            EventKind::RateLimiter(_) => "rate limiter",
            EventKind::TimeLimiter(_) => "time limiter",
            EventKind::Bulkhead(_) => "bulkhead",
            EventKind::Timer(_) => "timer",
            other => panic!("{other:?}"),
        })
        .collect();
    let gates = ["rate limiter", "bulkhead", "timer"];
    let ends = ["timer", "time limiter", "breaker", "bulkhead"];
    assert_eq!(order, [&gates[..], &ends].concat());
}

#[tokio::test(start_paused = true)]
async fn it_measures_each_attempt_and_no_pause() {
    let timer = timer();
    let retry = RetryConfig::builder().max_attempts(3).backoff(Backoff::fixed(ms(1_000)));
    let pipeline = with_timer(&timer).retry(retry).build().unwrap();
    let attempts = Cell::new(0);
    let result = pipeline.call(|| {
        let attempt = attempts.get() + 1;
        attempts.set(attempt);
        after(ms(10 * attempt), if attempt < 3 { Err("no") } else { Ok(()) })
    });
    result.await.unwrap();
    assert_eq!((successes(&timer), failures(&timer)), ((1, ms(30)), vec![("other", 2, ms(30))]));
}

async fn refused(pipeline: &Pipeline) -> Reason {
    let call = pipeline.call(|| async { Ok::<_, &str>(()) }).await;
    call.unwrap_err().rejected().expect("refused").reason()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_a_gate_refuses_is_none() {
    let timer = timer();
    let heard = listen(&timer);
    let open = CircuitBreaker::with_defaults("open");
    open.transition_to_forced_open();
    let pipeline = with_timer(&timer).circuit_breaker(open).build().unwrap();
    assert_eq!(refused(&pipeline).await, Reason::CircuitForcedOpen);

    let config = || RateLimiterConfig::builder().limit_for_period(1);
    let slow = config().limit_refresh_period(Duration::from_secs(60)).timeout(Duration::ZERO);
    let limiter = RateLimiter::new("slow", slow.build().unwrap());
    limiter.try_acquire(1).unwrap();
    let pipeline = with_timer(&timer).rate_limiter(limiter).build().unwrap();
    assert_eq!(refused(&pipeline).await, Reason::RateLimited);

    for wait in [Duration::ZERO, ms(20)] {
        let full = BulkheadConfig::builder().max_concurrent_calls(0).max_wait(wait);
        let pipeline = with_timer(&timer).bulkhead(full).build().unwrap();
        assert_eq!(refused(&pipeline).await, Reason::BulkheadFull);
    }

    let pipeline = with_timer(&timer).build().unwrap();
    let past = Deadline::after(Duration::ZERO);
    assert_eq!(past.scope(refused(&pipeline)).await, Reason::DeadlinePassed);

    // Nor one that is given up while it waits.
    let full = BulkheadConfig::builder().max_concurrent_calls(0).max_wait(ms(200));
    let pipeline = with_timer(&timer).bulkhead(full).build().unwrap();
    assert!(timeout(ms(50), refused(&pipeline)).await.is_err());
    let limited = config().limit_refresh_period(ms(500)).timeout(ms(900));
    let limiter = RateLimiter::new("limited", limited.build().unwrap());
    limiter.try_acquire(1).unwrap();
    let pipeline = with_timer(&timer).rate_limiter(limiter).build().unwrap();
    assert!(timeout(ms(50), refused(&pipeline)).await.is_err());
    assert!(heard().is_empty());
    assert_eq!((successes(&timer).0, failures(&timer).len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn it_starts_after_the_waits_at_limiter_and_bulkhead() {
    for (at_limiter, at_bulkhead) in [(true, false), (false, true), (true, true)] {
        let timer = timer();
        let limit = RateLimiterConfig::builder()
            .limit_for_period(1)
            .limit_refresh_period(ms(100))
            .timeout(ms(1_000));
        let limiter = RateLimiter::new("limiter", limit.build().unwrap());
        let places = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(ms(1_000));
        let bulkhead = Bulkhead::new("bulkhead", places.build().unwrap());
        let pipeline =
            with_timer(&timer).rate_limiter(limiter.clone()).bulkhead(bulkhead.clone()).build();
        let pipeline = pipeline.unwrap();
        if at_limiter {
            limiter.try_acquire(1).unwrap();
        }
        let place = at_bulkhead.then(|| bulkhead.try_acquire().unwrap());
        let mut call = task::spawn(pipeline.call(|| after(ms(30), Ok::<_, &str>(()))));
        assert_pending!(call.poll());
        advance(ms(150)).await;
        assert_pending!(call.poll());
        advance(ms(30)).await;
        if at_bulkhead {
            assert_pending!(call.poll());
            drop(place);
            assert_pending!(call.poll());
            advance(ms(30)).await;
        }
        assert_ready_ok!(call.poll());
        assert_eq!(successes(&timer), (1, ms(30)), "{at_limiter} {at_bulkhead}");
    }
}

/// Where the place is free by then, nothing has waited.
#[tokio::test(start_paused = true)]
async fn it_measures_a_call_that_need_not_wait_from_its_beginning() {
    let timer = timer();
    let pipeline = with_timer(&timer).deadline(ms(900)).build().unwrap();
    let mut service =
        pipeline.flat().layer(service_fn(|()| after(ms(10), Ok::<_, Error<&str>>(()))));
    let call = service.ready().await.unwrap().call(());
    advance(ms(15)).await;
    call.await.unwrap();
    assert_eq!(successes(&timer), (1, ms(25)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_is_a_timeout() {
    let timer = timer();
    let hang = || std::future::pending::<Result<(), &str>>();
    let retry = RetryConfig::builder().max_attempts(2).backoff(Backoff::fixed(ms(1)));
    let limit = TimeLimiterConfig::builder().timeout(ms(40));
    let pipeline = with_timer(&timer).retry(retry).time_limiter(limit).build().unwrap();
    assert!(pipeline.call(hang).await.unwrap_err().is_timeout());
    assert_eq!(failures(&timer), [("timeout", 2, ms(80))]);

    let pipeline = with_timer(&timer).deadline(ms(25)).build().unwrap();
    assert!(pipeline.call(hang).await.unwrap_err().is_timeout());
    assert_eq!(failures(&timer), [("timeout", 3, ms(105))]);

    // The deadline that whoever polls it stands under.
    let pipeline = with_timer(&timer).build().unwrap();
    let call = Deadline::after(ms(15)).scope(pipeline.call(hang));
    assert!(call.await.unwrap_err().is_timeout());
    assert_eq!(failures(&timer), [("timeout", 4, ms(120))]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_cancelled_or_a_timeout_outside() {
    let timer = timer();
    let hang = || std::future::pending::<Result<(), Error<&str>>>();
    let pipeline = with_timer(&timer).build().unwrap();
    assert!(timeout(ms(25), pipeline.call_flat(hang)).await.is_err());
    let mut call = task::spawn(Deadline::after(ms(25)).scope(pipeline.call_flat(hang)));
    assert_pending!(call.poll());
    advance(ms(30)).await;
    drop(call);
    assert_eq!(failures(&timer), [("cancelled", 1, ms(25)), ("timeout", 1, ms(30))]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_work_is_other_and_the_pipeline_goes_on() {
    let timer = timer();
    let places = BulkheadConfig::builder().max_concurrent_calls(1);
    let pipeline = with_timer(&timer).bulkhead(places).build().unwrap();
    let call = pipeline.call(|| async {
        tokio::time::sleep(ms(5)).await;
        if true {
            quiet_panic();
        }
        Ok::<_, &str>(())
    });
    assert!(tokio::spawn(call).await.unwrap_err().is_panic());
    assert_eq!(failures(&timer), [("other", 1, ms(5))]);
    pipeline.call(|| after(ms(5), Ok::<_, &str>(()))).await.unwrap();
    assert_eq!(successes(&timer), (1, ms(5)));
}

// ## Bodies

type Steps = Pipeline<seawall::http::HttpClassifier, AtBodyEnd, NoReplay>;

fn over_http(timer: &Timer) -> PipelineBuilder<seawall::http::HttpClassifier, AtBodyEnd, NoReplay> {
    with_timer(timer).http().replay(NoReplay)
}

/// The head comes after 10 ms.
async fn ask(
    pipeline: &Steps,
    response: Response<Slow>,
) -> Response<impl Body<Data = bytes::Bytes, Error = Error<io::Error>> + use<>> {
    let response = Mutex::new(Some(response));
    let service = pipeline.clone().layer(service_fn(async |_: Request<()>| {
        let response = response.lock().unwrap().take().unwrap();
        after(ms(10), Ok::<_, io::Error>(response)).await
    }));
    service.oneshot(Request::new(())).await.unwrap()
}

fn good(body: Slow) -> Response<Slow> {
    answer(StatusCode::OK, body)
}

#[tokio::test(start_paused = true)]
async fn a_body_is_measured_to_its_end_with_no_other_guard_there() {
    let timer = timer();
    let pipeline = over_http(&timer).build().unwrap();
    let response = ask(&pipeline, good(Slow::default().data(ms(20)).data(ms(30)))).await;
    assert_eq!(successes(&timer).0, 0);
    response.into_body().collect().await.unwrap();
    assert_eq!(successes(&timer), (1, ms(60)));

    let broken = Slow::default().data(ms(20)).broken(ms(5), io::ErrorKind::ConnectionReset);
    ask(&pipeline, good(broken)).await.into_body().collect().await.unwrap_err();
    assert_eq!(failures(&timer), [("reset", 1, ms(35))]);
    drop(ask(&pipeline, good(Slow::default().data(ms(20)))).await);
    assert_eq!(successes(&timer), (2, ms(70)), "dropped half-way");
    ask(&pipeline, good(Slow::default())).await;
    ask(&pipeline, answer(StatusCode::BAD_GATEWAY, Slow::default().data(ms(900)))).await;
    assert_eq!((successes(&timer), failures(&timer)[1]), ((3, ms(80)), ("502", 1, ms(10))));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_outlasts_a_limit_is_a_timeout() {
    let timer = timer();
    let limit = TimeLimiterConfig::builder().timeout(ms(100)).scope(TimeLimitScope::WholeBody);
    let pipelines = [
        over_http(&timer).time_limiter(limit).build().unwrap(),
        over_http(&timer).deadline(ms(100)).build().unwrap(),
        over_http(&timer)
            .deadline(ms(100))
            .circuit_breaker(CircuitBreakerConfig::builder())
            .bulkhead(BulkheadConfig::builder())
            .build()
            .unwrap(),
    ];
    for (pipeline, calls) in pipelines.iter().zip(1..) {
        let response = ask(pipeline, good(Slow::default().data(ms(20)).data(ms(900)))).await;
        let error = response.into_body().collect().await.unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(failures(&timer), [("timeout", calls, ms(100) * calls as u32)]);
    }
    assert_eq!(successes(&timer).0, 0);

    // Where the limit is that of the head, the body has all the time.
    let limit = TimeLimiterConfig::builder().timeout(ms(100));
    let pipeline = over_http(&timer).time_limiter(limit).build().unwrap();
    ask(&pipeline, good(Slow::default().data(ms(900)))).await.into_body().collect().await.unwrap();
    assert_eq!(successes(&timer), (1, ms(910)));
}

/// A response that is not wanted ends its attempt with its head.
#[tokio::test(start_paused = true)]
async fn of_an_attempt_that_is_made_again_the_rest_is_not_measured() {
    let timer = timer();
    let retry = RetryConfig::builder().max_attempts(2).backoff(Backoff::fixed(ms(50)));
    let pipeline = with_timer(&timer).retry(retry).http().build().unwrap();
    let answers = Mutex::new(vec![
        good(Slow::default().data(ms(30))),
        answer(StatusCode::SERVICE_UNAVAILABLE, Slow::default().data(ms(40))),
    ]);
    let service =
        pipeline.layer(service_fn(async |_: Request<http_body_util::Empty<bytes::Bytes>>| {
            let next = answers.lock().unwrap().pop().unwrap();
            after(ms(10), Ok::<_, io::Error>(next)).await
        }));
    let request = Request::get("http://shop/").body(http_body_util::Empty::new()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!((successes(&timer), failures(&timer)), ((1, ms(40)), vec![("503", 1, ms(10))]));
}
