//! The time limiter from outside: statements TL1 to TL7, the laws of its layer, and what it tells
//! those inside.

use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use seawall::patterns::time_limiter::TimeLimit;
use seawall::telemetry::{Event, EventKind, TimeLimiterEvent};
use seawall::{
    Backoff, Bulkhead, BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer,
    Deadline, Ends, Error, ErrorLayer, Guard, Reason, Retry, RetryConfig, RetryLayer,
    SlidingWindow, TimeLimitScope, TimeLimiter, TimeLimiterConfig, TimeLimiterLayer,
};
use tokio::time::{Instant, advance, sleep};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limiter(timeout: Duration) -> TimeLimiter {
    TimeLimiter::new("shop", TimeLimiterConfig::builder().timeout(timeout).build().unwrap())
}

/// Success, error, timeout.
fn counts(limiter: &TimeLimiter) -> (u64, u64, u64) {
    let metrics = limiter.metrics();
    (metrics.success, metrics.error, metrics.timeout)
}

fn events(limiter: &TimeLimiter) -> impl Fn() -> Vec<TimeLimiterEvent> + use<> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    limiter.observe(move |event: &Event<'_>| {
        let EventKind::TimeLimiter(kind) = event.kind else { panic!("of another pattern") };
        assert_eq!(event.name, "shop");
        told.lock().unwrap().push(kind);
    });
    move || std::mem::take(&mut *heard.lock().unwrap())
}

type Outcome = Result<&'static str, Infallible>;

async fn after(wait: Duration) -> Outcome {
    sleep(wait).await;
    Ok("done")
}

fn timed_out<T, E>(result: &Result<T, Error<E>>) -> bool {
    let Err(Error::Rejected(rejected)) = result else { return false };
    rejected.reason() == Reason::AttemptTimedOut
        && rejected.name() == "shop"
        && rejected.is_timeout()
        && !rejected.is_refusal()
}

/// Counts how often it was dropped.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

// ## The statements

#[tokio::test(start_paused = true)]
async fn tl1_in_time_is_a_success_and_too_late_a_timeout() {
    let limiter = limiter(ms(100));
    let events = events(&limiter);
    assert_eq!(limiter.call(after(ms(99))).await, Ok("done"));

    let started = Instant::now();
    let result = limiter.call(after(ms(101))).await;
    assert_eq!(started.elapsed(), ms(100));
    assert!(timed_out(&result));
    assert_eq!(
        format!("{:#}", result.unwrap_err()),
        "call given up: time limiter `shop` gave the attempt up"
    );
    assert_eq!(events(), [TimeLimiterEvent::Success, TimeLimiterEvent::Timeout]);
    assert_eq!(counts(&limiter), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn tl1_the_default_is_one_second_and_the_clock_decides() {
    let limiter = TimeLimiter::with_defaults("shop");
    let mut call = task::spawn(limiter.call(pending::<Outcome>()));
    assert_pending!(call.poll());
    // Finer than tokio's timer: the clock is looked at, not only the timer.
    advance(Duration::from_micros(999_999)).await;
    assert_pending!(call.poll());
    advance(Duration::from_micros(1)).await;
    assert!(timed_out(&assert_ready!(call.poll())));

    let limiter = self::limiter(Duration::from_micros(1_250));
    let mut call = task::spawn(limiter.call(pending::<Outcome>()));
    assert_pending!(call.poll());
    advance(Duration::from_micros(1_250)).await;
    assert!(timed_out(&assert_ready!(call.poll())), "the timer fires only at the next millisecond");
}

#[tokio::test(start_paused = true)]
async fn tl2_the_call_is_dropped_at_the_deadline() {
    let drops = Drops::default();
    let count = drops.0.clone();
    let limiter = limiter(ms(100));
    let mut call = task::spawn(limiter.call(async {
        let _drops = drops;
        pending::<Outcome>().await
    }));
    assert_pending!(call.poll());
    advance(ms(100)).await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert_ready_err!(call.poll());
    assert_eq!(count.load(Ordering::Relaxed), 1, "although the outer future is still there");

    let drops = Drops::default();
    let count = drops.0.clone();
    let mut service = TimeLimiterLayer::new(limiter).layer(service_fn(|()| {
        let drops = Drops(drops.0.clone());
        async {
            let _drops = drops;
            pending::<Result<(), Error<Infallible>>>().await
        }
    }));
    let mut call = task::spawn(service.call(()));
    assert_pending!(call.poll());
    advance(ms(100)).await;
    assert!(timed_out(&assert_ready!(call.poll())));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn tl3_an_error_passes_as_it_is() {
    let limiter = limiter(ms(100));
    let events = events(&limiter);
    let result = limiter.call(async { Err::<(), _>("no") }).await;
    assert_eq!(result, Err(Error::Service("no")));

    // So does a refusal by a layer inside; that is an error, not a timeout.
    let full =
        Bulkhead::new("full", BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap());
    let result = limiter.call_flat(full.call(after(ms(1)))).await;
    assert!(result.is_err_and(|error| error.is_refusal()));
    assert_eq!(events(), [TimeLimiterEvent::Error; 2]);
    assert_eq!(counts(&limiter), (0, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_from_inside_counts_as_one() {
    let (outer, inner) = (limiter(ms(100)), TimeLimiter::with_defaults("inner"));
    let sooner = TimeLimiterConfig::builder().timeout(ms(10)).build().unwrap();
    let sooner = TimeLimiter::new("sooner", sooner);
    let result = outer.call_flat(sooner.call_flat(inner.call(after(ms(50))))).await;
    assert_eq!(result.unwrap_err().rejected().unwrap().name(), "sooner");
    assert_eq!(counts(&outer), (0, 0, 1));
    assert_eq!(counts(&sooner), (0, 0, 1));
    assert_eq!(counts(&inner), (0, 0, 0), "it was dropped by the one outside");
}

#[tokio::test(start_paused = true)]
async fn tl4_inside_a_retry_each_attempt_has_its_time_and_outside_they_share_it() {
    fn retry() -> RetryLayer {
        let config = RetryConfig::builder().max_attempts(3).backoff(Backoff::fixed(ms(30)));
        RetryLayer::new(Retry::new("retry", config.build().unwrap()))
    }

    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    // Takes 80 ms and fails, but the third time is the charm.
    let client = service_fn(move |()| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(ms(80)).await;
            if number % 3 == 2 { Ok("done") } else { Err("no") }
        }
    });

    let inside = ServiceBuilder::new()
        .layer(retry())
        .layer(TimeLimiterLayer::new(limiter(ms(100))))
        .layer(ErrorLayer)
        .service(client.clone());
    let started = Instant::now();
    assert_eq!(inside.oneshot(()).await, Ok("done"));
    assert_eq!(started.elapsed(), ms(80 + 30 + 80 + 30 + 80));

    let outside = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter(ms(150))))
        .layer(retry())
        .layer(ErrorLayer)
        .service(client);
    let started = Instant::now();
    assert!(timed_out(&outside.oneshot(()).await));
    assert_eq!(started.elapsed(), ms(150));
    assert_eq!(attempts.load(Ordering::Relaxed), 3 + 2);
}

#[tokio::test(start_paused = true)]
async fn tl5_a_caller_that_goes_is_no_timeout() {
    let limiter = limiter(ms(100));
    let events = events(&limiter);
    let mut call = task::spawn(limiter.call(pending::<Outcome>()));
    assert_pending!(call.poll());
    advance(ms(99)).await;
    drop(call);
    drop(limiter.call(pending::<Outcome>()));
    advance(ms(500)).await;
    assert_eq!(events(), []);
    assert_eq!(counts(&limiter), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn tl6_a_result_that_is_there_in_the_last_moment_is_returned() {
    let limiter = limiter(ms(100));
    assert_eq!(limiter.call(after(ms(100))).await, Ok("done"));

    // Even one that is looked at long after.
    let mut call = task::spawn(limiter.call(after(ms(50))));
    assert_pending!(call.poll());
    advance(ms(500)).await;
    assert_eq!(assert_ready_ok!(call.poll()), "done");
    assert_eq!(counts(&limiter), (2, 0, 0));
}

#[test]
fn tl7_no_time_at_all_gives_up_what_is_pending_and_passes_what_is_ready() {
    let limiter = limiter(Duration::ZERO);
    // There is no runtime here: a timer would panic.
    let result = limiter.call(pending::<Outcome>()).now_or_never().expect("at its first poll");
    assert!(timed_out(&result));
    assert_eq!(limiter.call(async { Outcome::Ok("done") }).now_or_never(), Some(Ok("done")));

    let mut service = TimeLimiterLayer::new(limiter).layer(service_fn(|is_ready| async move {
        if is_ready { Ok::<_, Error<Infallible>>("done") } else { pending().await }
    }));
    assert!(timed_out(&service.call(false).now_or_never().unwrap()));
    assert_eq!(service.call(true).now_or_never(), Some(Ok("done")));
}

// ## Timers

#[test]
fn a_ready_call_needs_no_timer() {
    let limiter = limiter(ms(100));
    // There is no runtime here: a timer would panic.
    assert_eq!(limiter.call(async { Outcome::Ok("done") }).now_or_never(), Some(Ok("done")));
}

#[tokio::test(start_paused = true)]
async fn the_timer_wakes_the_caller_and_nobody_else_does() {
    let limiter = limiter(ms(100));
    let mut call = task::spawn(limiter.call(pending::<Outcome>()));
    assert_pending!(call.poll());
    assert!(!call.is_woken());
    advance(ms(99)).await;
    assert!(!call.is_woken());
    advance(ms(1)).await;
    assert!(call.is_woken());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_lets_go_of_the_thread_times_out_all_the_same() {
    let limiter = limiter(ms(100));
    // Uses up tokio's coop budget at every poll, so that no timer of the same task is ready.
    let busy = async {
        loop {
            tokio::task::consume_budget().await;
            std::hint::black_box(());
        }
        #[allow(unreachable_code)]
        Outcome::Ok("never")
    };
    let mut call = task::spawn(limiter.call(busy));
    tokio::task::yield_now().await;
    assert_pending!(call.poll());
    advance(ms(100)).await;
    assert!(timed_out(&assert_ready!(call.poll())));
}

#[tokio::test(start_paused = true)]
async fn an_endless_limit_overflows_nowhere() {
    let limiter = limiter(Duration::MAX);
    assert_eq!(limiter.call(after(ms(1))).await, Ok("done"));
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let mut call = task::spawn(limiter.call(pending::<Outcome>()));
    assert_pending!(call.poll());
    advance(year).await;
    assert_pending!(call.poll());
}

// ## What those inside learn

#[tokio::test(start_paused = true)]
async fn the_limit_is_announced_as_deadline() {
    let limiter = limiter(ms(100));
    let now = Instant::now();
    let seen = limiter.call(async { Ok::<_, Infallible>(Deadline::current()) }).await;
    assert_eq!(seen, Ok(Some(Deadline::at(now + ms(100)))));
    assert_eq!(Deadline::current(), None);

    // In `call` as well as in `poll`; and an earlier one from outside stands.
    let mut service = TimeLimiterLayer::new(limiter).layer(service_fn(|()| {
        let in_call = Deadline::current();
        async move { Ok::<_, Error<Infallible>>((in_call, Deadline::current())) }
    }));
    let mine = Some(Deadline::at(now + ms(100)));
    assert_eq!(service.call(()).await, Ok((mine, mine)));
    assert_eq!(Deadline::current(), None);
    let earlier = Deadline::at(now + ms(10));
    let seen = earlier.scope(async { service.call(()).await }).await;
    assert_eq!(seen, Ok((Some(earlier), Some(earlier))));
}

#[tokio::test(start_paused = true)]
async fn a_wait_inside_is_no_longer_than_the_limit() {
    let config = BulkheadConfig::builder().max_concurrent_calls(0).max_wait(ms(500));
    let bulkhead = Bulkhead::new("bulkhead", config.build().unwrap());
    let limiter = limiter(ms(100));
    let started = Instant::now();
    let result = limiter.call_flat(bulkhead.call(after(ms(1)))).await;
    assert!(result.unwrap_err().is_refusal(), "the wait is over first, as nothing was sent");
    assert_eq!(started.elapsed(), ms(100));
}

fn breaker() -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(SlidingWindow::Count(3))
        .minimum_number_of_calls(3);
    CircuitBreaker::new("breaker", config.build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_hung_backend_trips_the_breaker_inside_although_the_limit_stands_outside() {
    let breaker = breaker();
    let service = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter(ms(100))))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(ErrorLayer)
        .service(service_fn(|()| pending::<Outcome>()));
    for _ in 0..3 {
        assert!(timed_out(&service.clone().oneshot(()).await));
    }
    assert!(service.clone().oneshot(()).await.unwrap_err().is_refusal());
    assert_eq!(breaker.metrics().failed_calls, 3);

    let (breaker, limiter) = (self::breaker(), limiter(ms(100)));
    for _ in 0..3 {
        assert!(timed_out(&limiter.call_flat(breaker.call(pending::<Outcome>())).await));
    }
    assert!(limiter.call_flat(breaker.call(pending::<Outcome>())).await.unwrap_err().is_refusal());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_in_time_does_not_trip_the_breaker_inside() {
    let (breaker, limiter) = (breaker(), limiter(ms(100)));
    for _ in 0..3 {
        let mut call = task::spawn(limiter.call_flat(breaker.call(pending::<Outcome>())));
        assert_pending!(call.poll());
        advance(ms(99)).await;
        drop(call);
    }
    assert_eq!(breaker.metrics().buffered_calls, 0);
    assert_eq!(limiter.call_flat(breaker.call(after(ms(1)))).await, Ok("done"));
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_learns_its_deadline() {
    struct Look(Arc<Mutex<Vec<Option<Deadline>>>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(Deadline::current());
        }
    }
    let seen = Arc::default();
    let limiter = limiter(ms(100));
    let deadline = Some(Deadline::after(ms(100)));
    for wait in [ms(1), ms(99)] {
        let look = Look(Arc::clone(&seen));
        let mut call = task::spawn(limiter.call(async {
            let _look = look;
            pending::<Outcome>().await
        }));
        assert_pending!(call.poll());
        advance(wait).await;
        if call.poll().is_pending() {
            drop(call);
        }
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], deadline);
    assert_eq!(seen[1], deadline.map(|it| Deadline::at(it.instant() + ms(1))));
    assert_eq!(Deadline::current(), None);
}

// ## The layer

#[tokio::test(start_paused = true)]
async fn the_ready_instance_is_called_and_getting_ready_is_not_limited() {
    let (mock, mut handle) = tower_test::mock::pair::<&str, &str>();
    let mut service = TimeLimiterLayer::new(limiter(ms(100))).layer(mock);
    handle.allow(0);
    let mut is_ready = task::spawn(service.ready());
    assert_pending!(is_ready.poll());
    advance(ms(500)).await;
    assert_pending!(is_ready.poll());
    handle.allow(1);
    let mut call = task::spawn(assert_ready_ok!(is_ready.poll()).call("ping"));
    assert_pending!(call.poll());
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(request, "ping");
    respond.send_response("pong");
    assert_eq!(assert_ready_ok!(call.poll()), "pong");
}

#[tokio::test(start_paused = true)]
async fn a_boxed_error_is_found_at_any_depth() {
    let limiter = limiter(ms(100));
    let mut service = TimeLimiterLayer::new(limiter.clone())
        .layer(service_fn(async |()| pending::<Result<(), tower::BoxError>>().await));
    let error = service.call(()).await.unwrap_err();
    assert_eq!(seawall::Rejected::find(&*error).unwrap().reason(), Reason::AttemptTimedOut);
    assert_eq!(counts(&limiter), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_given_up_frees_what_it_held() {
    let mut service = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter(ms(100))))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(ErrorLayer)
        .service(service_fn(|()| pending::<Outcome>()));
    for _ in 0..2 {
        let mut call = task::spawn(service.ready().now_or_never().unwrap().unwrap().call(()));
        assert_pending!(call.poll());
        advance(ms(100)).await;
        assert!(timed_out(&assert_ready!(call.poll())));
        // Not only when the future itself is dropped.
        assert!(service.ready().now_or_never().is_some());
    }
}

#[test]
fn a_panic_inside_counts_nothing_and_ends_the_announcement() {
    let limiter = limiter(ms(100));
    let panics = limiter.call(async { panic!("on purpose") as Outcome });
    let result = std::panic::AssertUnwindSafe(panics).catch_unwind().now_or_never();
    assert!(result.unwrap().is_err());
    assert_eq!(counts(&limiter), (0, 0, 0));
    assert_eq!(Deadline::current(), None);
}

#[tokio::test]
async fn neither_send_nor_static_nor_clone_is_asked_of_the_service() {
    struct Borrows<'a>(&'a str, std::rc::Rc<()>);
    impl<'a> Service<()> for Borrows<'a> {
        type Response = &'a str;
        type Error = Error<Infallible>;
        type Future = std::future::Ready<Result<&'a str, Self::Error>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, (): ()) -> Self::Future {
            ready(Ok(self.0))
        }
    }
    let text = String::from("borrowed");
    let inner = Borrows(&text, std::rc::Rc::new(()));
    let _shared = inner.1.clone();
    let mut service = TimeLimiterLayer::new(limiter(ms(1))).layer(inner);
    assert_eq!(service.call(()).await, Ok("borrowed"));
}

// ## The whole body

/// Hands the guard out beside the response.
#[derive(Clone)]
struct Beside;

impl<R, G> Ends<R, G> for Beside {
    type Out = (R, Option<G>);

    fn attach(&self, response: R, guard: Option<G>) -> Self::Out {
        (response, guard)
    }
}

fn whole_body(scope: TimeLimitScope) -> (TimeLimiter, impl AsyncFn() -> Option<TimeLimit>) {
    let config = TimeLimiterConfig::builder().timeout(ms(100)).scope(scope).build().unwrap();
    let limiter = TimeLimiter::new("shop", config);
    let service = TimeLimiterLayer::new(limiter.clone())
        .ends(Beside)
        .layer(service_fn(async |()| after(ms(30)).await.map_err(Error::Service)));
    (limiter, async move || service.clone().oneshot(()).await.unwrap().1)
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_the_head_ends_with_it() {
    let (limiter, call) = whole_body(TimeLimitScope::Head);
    assert!(call().await.is_none());
    assert_eq!(counts(&limiter), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_the_whole_body_goes_on() {
    let (limiter, call) = whole_body(TimeLimitScope::WholeBody);
    let started = Instant::now();
    let rest = call().await.unwrap();
    assert_eq!(rest.deadline(), Some(started + ms(100)));
    assert_eq!(counts(&limiter), (0, 0, 0), "not over yet");
    drop(rest);
    assert_eq!(counts(&limiter), (1, 0, 0));

    call().await.unwrap().fail(seawall::Cause::Reset);
    assert_eq!(counts(&limiter), (1, 1, 0));

    let rejected = call().await.unwrap().expire().unwrap();
    assert_eq!((rejected.reason(), rejected.name()), (Reason::AttemptTimedOut, "shop"));
    assert_eq!(counts(&limiter), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_error_has_no_body_to_wait_for() {
    let config = TimeLimiterConfig::builder().scope(TimeLimitScope::WholeBody).build().unwrap();
    let limiter = TimeLimiter::new("shop", config);
    let mut service = TimeLimiterLayer::new(limiter.clone())
        .ends(Beside)
        .layer(service_fn(async |()| Err::<(), _>(Error::Service("no"))));
    assert!(service.call(()).await.is_err());
    assert_eq!(counts(&limiter), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_knows_no_body_ends_with_the_response_whatever_the_scope() {
    let config = TimeLimiterConfig::builder().scope(TimeLimitScope::WholeBody).build().unwrap();
    let limiter = TimeLimiter::new("shop", config);
    let mut service = TimeLimiterLayer::new(limiter.clone())
        .layer(service_fn(async |()| Ok::<_, Error<Infallible>>("done")));
    assert_eq!(service.call(()).await, Ok("done"));
    assert_eq!(counts(&limiter), (1, 0, 0));
}

#[tokio::test]
async fn the_futures_are_send() {
    fn is_send(_: &(impl Future + Send + 'static)) {}
    let limiter = limiter(ms(1));
    is_send(&limiter.call(after(ms(1))));
    let mut service = TimeLimiterLayer::new(limiter)
        .layer(service_fn(|()| ready(Ok::<_, Error<Infallible>>(()))));
    is_send(&service.call(()));
}

#[tokio::test(start_paused = true)]
async fn another_scope_counts_for_responses_that_come_from_now_on() {
    let (limiter, call) = whole_body(TimeLimitScope::Head);
    let scope = |scope| TimeLimiterConfig::builder().timeout(ms(100)).scope(scope).build().unwrap();
    let mut early = tokio_test::task::spawn(call());
    assert!(early.poll().is_pending());
    limiter.update(scope(TimeLimitScope::WholeBody));
    assert!(early.await.is_some(), "its response came after the update");
    limiter.update(scope(TimeLimitScope::Head));
    assert!(call().await.is_none());
}
