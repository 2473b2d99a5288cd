//! The bulkhead from outside: statements BH1 to BH9 and BH13, the laws of its layer, and crowds.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use seawall::telemetry::{BulkheadEvent, Event, EventKind};
use seawall::{
    Bulkhead, BulkheadConfig, BulkheadLayer, BulkheadPermit, Deadline, Error, ErrorLayer, Reason,
    Rejected,
};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn bulkhead(calls: u32, wait: Duration) -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(calls).max_wait(wait);
    Bulkhead::new("shop", config.build().unwrap())
}

/// In flight, waiting.
fn load(bulkhead: &Bulkhead) -> (u32, usize) {
    let metrics = bulkhead.metrics();
    (metrics.in_flight, metrics.waiting)
}

fn events(bulkhead: &Bulkhead) -> impl Fn() -> Vec<BulkheadEvent> + use<> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    bulkhead.observe(move |event: &Event<'_>| {
        let EventKind::Bulkhead(kind) = event.kind else { panic!("of another pattern") };
        assert_eq!(event.name, "shop");
        told.lock().unwrap().push(kind);
    });
    move || std::mem::take(&mut *heard.lock().unwrap())
}

fn is_full(rejected: &Rejected) -> bool {
    rejected.reason() == Reason::BulkheadFull && rejected.name() == "shop" && rejected.is_refusal()
}

// ## The statements

#[test]
fn bh01_the_defaults_permit_25_calls_and_refuse_the_next() {
    let bulkhead = Bulkhead::with_defaults("shop");
    let events = events(&bulkhead);
    let permits: Vec<_> = (0..25).map(|_| bulkhead.try_acquire().unwrap()).collect();
    assert_eq!(bulkhead.metrics().available, 0);
    assert!(is_full(&bulkhead.try_acquire().unwrap_err()));
    // No runtime, no timer: with no wait there is none.
    assert!(is_full(&bulkhead.acquire().now_or_never().unwrap().unwrap_err()));

    let heard = events();
    assert_eq!(heard[..25], [BulkheadEvent::CallPermitted; 25]);
    assert_eq!(heard[25..], [BulkheadEvent::CallRejected; 2]);
    drop(permits);
    assert_eq!(events(), [BulkheadEvent::CallFinished; 25]);
    assert_eq!(bulkhead.metrics().available, 25);
}

#[tokio::test(start_paused = true)]
async fn bh02_a_place_freed_in_time_is_taken() {
    let bulkhead = bulkhead(1, ms(100));
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(ms(50)).await;
    assert!(!waiter.is_woken());
    drop(permit);
    assert!(waiter.is_woken());
    let _permit = assert_ready_ok!(waiter.poll());
    assert_eq!(load(&bulkhead), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn bh02_the_wait_ends_on_the_dot() {
    let bulkhead = bulkhead(1, ms(100));
    let events = events(&bulkhead);
    let permit = bulkhead.try_acquire().unwrap();
    let started = Instant::now();
    assert!(is_full(&bulkhead.acquire().await.unwrap_err()));
    assert_eq!(started.elapsed(), ms(100));
    assert_eq!(events(), [BulkheadEvent::CallPermitted, BulkheadEvent::CallRejected]);

    // Finer than tokio's timer: the clock is looked at, not only the timer.
    bulkhead.change_max_wait(Duration::from_micros(100_250));
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(Duration::from_micros(100_249)).await;
    assert_pending!(waiter.poll());
    advance(Duration::from_micros(1)).await;
    assert!(is_full(&assert_ready_err!(waiter.poll())));
    drop(permit);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh02_a_place_that_comes_in_the_last_moment_is_taken() {
    let bulkhead = bulkhead(1, ms(100));
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(ms(100)).await;
    drop(permit);
    drop(assert_ready_ok!(waiter.poll()));
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh03_who_came_first_is_let_in_first() {
    let bulkhead = bulkhead(1, ms(100));
    let mut permit = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..5).map(|_| task::spawn(bulkhead.acquire())).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    for turn in 0..5 {
        drop(permit);
        let woken: Vec<_> = waiters.iter().map(task::Spawn::is_woken).collect();
        assert_eq!(woken, (0..5 - turn).map(|n| n == 0).collect::<Vec<_>>(), "exactly one");
        assert!(bulkhead.try_acquire().is_err(), "no newcomer passes by");
        permit = assert_ready_ok!(waiters.remove(0).poll());
    }
}

#[tokio::test(start_paused = true)]
async fn bh03_where_it_is_not_fair_a_newcomer_may_pass_by() {
    let config = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(ms(100)).fair(false);
    let bulkhead = Bulkhead::new("shop", config.build().unwrap());
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    drop(permit);
    assert_eq!(load(&bulkhead), (0, 1), "it was only woken");
    let newcomer = bulkhead.try_acquire().unwrap();
    assert!(waiter.is_woken());
    assert_pending!(waiter.poll());
    assert_eq!(load(&bulkhead), (1, 1));
    drop(newcomer);
    drop(assert_ready_ok!(waiter.poll()));
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh04_a_place_comes_back_whatever_happens() {
    let bulkhead = bulkhead(1, Duration::ZERO);
    let events = events(&bulkhead);
    let over = || {
        assert_eq!(bulkhead.metrics().available, 1);
        assert_eq!(events(), [BulkheadEvent::CallPermitted, BulkheadEvent::CallFinished]);
    };

    assert_eq!(bulkhead.call(async { Ok::<_, Infallible>(1) }).await, Ok(1));
    over();

    assert_eq!(bulkhead.call(async { Err::<(), _>("no") }).await, Err(Error::Service("no")));
    over();

    let panics = bulkhead.call(async { panic!("on purpose") as Result<(), Infallible> });
    assert!(std::panic::AssertUnwindSafe(panics).catch_unwind().await.is_err());
    over();

    let mut started = task::spawn(bulkhead.call(pending::<Result<(), Infallible>>()));
    assert_pending!(started.poll());
    assert_eq!(bulkhead.metrics().available, 0);
    drop(started);
    over();

    drop(bulkhead.call(pending::<Result<(), Infallible>>()));
    assert_eq!(bulkhead.metrics().available, 1);
    assert_eq!(events(), []);
}

#[tokio::test(start_paused = true)]
async fn bh04_the_place_is_free_only_after_the_call_was_dropped() {
    struct Look(Bulkhead);
    impl Drop for Look {
        fn drop(&mut self) {
            assert_eq!(self.0.metrics().in_flight, 1);
        }
    }

    let bulkhead = bulkhead(1, Duration::ZERO);
    let look = Look(bulkhead.clone());
    let mut call = task::spawn(bulkhead.call(async {
        let _look = look;
        pending::<Result<(), Infallible>>().await
    }));
    assert_pending!(call.poll());
    drop(call);

    let look = Look(bulkhead.clone());
    let look = Arc::new(Mutex::new(Some(look)));
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(move |()| {
        let look = look.lock().unwrap().take();
        async {
            let _look = look;
            pending::<Result<(), Error<Infallible>>>().await
        }
    }));
    let mut call = task::spawn(service.call(()));
    assert_pending!(call.poll());
    drop(call);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[test]
fn bh05_a_place_given_back_unused_is_no_finished_call() {
    let bulkhead = bulkhead(1, Duration::ZERO);
    let events = events(&bulkhead);
    bulkhead.try_acquire().unwrap().release();
    assert_eq!(events(), [BulkheadEvent::CallPermitted]);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bh06_growing_lets_as_many_in_as_there_is_room_for() {
    let bulkhead = bulkhead(2, ms(100));
    let _inside = [bulkhead.try_acquire().unwrap(), bulkhead.try_acquire().unwrap()];
    let mut waiters: Vec<_> = (0..5).map(|_| task::spawn(bulkhead.acquire())).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    bulkhead.change_max_concurrent_calls(5).unwrap();
    assert_eq!(load(&bulkhead), (5, 2));
    let woken: Vec<_> = waiters.iter().map(task::Spawn::is_woken).collect();
    assert_eq!(woken, [true, true, true, false, false]);
    let permits: Vec<_> = waiters[..3].iter_mut().map(|it| assert_ready_ok!(it.poll())).collect();
    assert_eq!(permits.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn bh06_shrinking_lets_nobody_in_until_fewer_run() {
    let bulkhead = bulkhead(5, ms(100));
    let mut inside: Vec<_> = (0..4).map(|_| bulkhead.try_acquire().unwrap()).collect();
    bulkhead.change_max_concurrent_calls(2).unwrap();
    assert_eq!(bulkhead.metrics().max_concurrent_calls, 2);
    assert_eq!((bulkhead.metrics().available, bulkhead.metrics().in_flight), (0, 4));

    let mut waiter = task::spawn(bulkhead.acquire());
    for left in [3, 2] {
        assert_pending!(waiter.poll());
        drop(inside.pop());
        assert_eq!(load(&bulkhead), (left, 1));
        assert!(bulkhead.try_acquire().is_err());
        assert!(!waiter.is_woken());
    }
    drop(inside.pop());
    let _permit = assert_ready_ok!(waiter.poll());
    assert_eq!(load(&bulkhead), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn bh07_a_new_wait_is_for_those_who_come_after() {
    let bulkhead = bulkhead(1, ms(100));
    let _permit = bulkhead.try_acquire().unwrap();
    let mut early = task::spawn(bulkhead.acquire());
    assert_pending!(early.poll());
    bulkhead.change_max_wait(ms(10));
    let mut late = task::spawn(bulkhead.acquire());
    assert_pending!(late.poll());

    advance(ms(10)).await;
    assert_ready_err!(late.poll());
    bulkhead.change_max_wait(Duration::ZERO);
    advance(ms(89)).await;
    assert_pending!(early.poll());
    advance(ms(1)).await;
    assert_ready_err!(early.poll());
}

#[tokio::test(start_paused = true)]
async fn bh08_no_place_at_all_refuses_everybody() {
    let bulkhead = bulkhead(0, Duration::ZERO);
    assert!(is_full(&bulkhead.try_acquire().unwrap_err()));
    let result = bulkhead.call(async { Ok::<_, Infallible>(()) }).await;
    assert!(result.unwrap_err().is_refusal());

    // Whoever may wait does: the limit can be raised.
    bulkhead.change_max_wait(ms(10));
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    bulkhead.change_max_concurrent_calls(1).unwrap();
    drop(assert_ready_ok!(waiter.poll()));
    assert_eq!(load(&bulkhead), (0, 0));
}

#[test]
fn bh09_available_stays_between_nothing_and_the_maximum() {
    let bulkhead = bulkhead(3, Duration::ZERO);
    let mut inside = Vec::new();
    for limit in [3, 1, 0, 4, 2, 1_000_000, 0, 3] {
        bulkhead.change_max_concurrent_calls(limit).unwrap();
        for _ in 0..4 {
            inside.extend(bulkhead.try_acquire());
            let metrics = bulkhead.metrics();
            assert_eq!(metrics.in_flight as usize, inside.len());
            assert_eq!(metrics.available, limit.saturating_sub(metrics.in_flight));
        }
        inside.pop();
    }
    let error = bulkhead.change_max_concurrent_calls(1_000_001).unwrap_err();
    assert_eq!(error.key(), "max_concurrent_calls");
    assert_eq!(bulkhead.metrics().max_concurrent_calls, 3, "refused, so unchanged");
    assert!(BulkheadConfig::builder().max_concurrent_calls(1_000_001).build().is_err());
}

#[tokio::test(start_paused = true)]
async fn bh13_a_dropped_waiter_leaves_the_queue_and_takes_nothing_along() {
    let bulkhead = bulkhead(1, ms(100));
    let events = events(&bulkhead);
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| task::spawn(bulkhead.acquire())).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    // From the middle.
    drop(waiters.remove(1));
    assert_eq!(load(&bulkhead), (1, 2));
    // One that has its place but does not know yet.
    drop(permit);
    assert_eq!(load(&bulkhead), (1, 1));
    drop(waiters.remove(0));
    assert_eq!(load(&bulkhead), (1, 0));
    drop(assert_ready_ok!(waiters.remove(0).poll()));
    assert_eq!(load(&bulkhead), (0, 0));
    use BulkheadEvent::{CallFinished, CallPermitted};
    assert_eq!(events(), [CallPermitted, CallFinished, CallPermitted, CallFinished]);
}

// ## Deadlines

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_shortens_the_wait() {
    let bulkhead = bulkhead(1, ms(100));
    let _permit = bulkhead.try_acquire().unwrap();
    let started = Instant::now();
    let deadline = Deadline::after(ms(30));
    assert!(is_full(&deadline.scope(bulkhead.acquire()).await.unwrap_err()));
    assert_eq!(started.elapsed(), ms(30));

    let result = deadline.scope(bulkhead.acquire()).now_or_never();
    assert!(is_full(&result.unwrap().unwrap_err()), "there is no time to wait");

    let mut service = ServiceBuilder::new()
        .layer(BulkheadLayer::new(bulkhead))
        .layer(ErrorLayer)
        .service(service_fn(async |()| Ok::<_, Infallible>(())));
    let started = Instant::now();
    let result = Deadline::after(ms(30)).scope(async { service.call(()).await }).await;
    assert!(result.unwrap_err().is_refusal());
    assert_eq!(started.elapsed(), ms(30));
}

#[tokio::test(start_paused = true)]
async fn endless_waits_are_possible() {
    let bulkhead = bulkhead(1, Duration::MAX);
    assert_eq!(
        bulkhead.config(),
        bulkhead.config().to_builder().max_wait(Duration::MAX).build().unwrap()
    );
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(Duration::from_secs(365 * 24 * 60 * 60)).await;
    assert_pending!(waiter.poll());
    drop(permit);
    assert_ready_ok!(waiter.poll()).release();
}

// ## The layer

/// A service that counts its calls and is ready only after a `poll_ready` of its own.
#[derive(Debug)]
struct Strict {
    is_ready: bool,
    calls: Arc<AtomicUsize>,
    clones: Arc<AtomicUsize>,
}

impl Strict {
    fn new() -> Self {
        Self { is_ready: false, calls: Arc::default(), clones: Arc::default() }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self { is_ready: false, calls: self.calls.clone(), clones: self.clones.clone() }
    }
}

impl Service<()> for Strict {
    type Response = usize;
    type Error = Error<Infallible>;
    type Future = std::future::Ready<Result<usize, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been made ready");
        std::future::ready(Ok(self.calls.fetch_add(1, Ordering::Relaxed)))
    }
}

#[tokio::test(start_paused = true)]
async fn the_ready_instance_is_called_and_being_ready_takes_no_place() {
    let bulkhead = bulkhead(1, ms(100));
    let strict = Strict::new();
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(strict.clone());
    let clones = strict.clones.load(Ordering::Relaxed);
    for call in 0..3 {
        assert_eq!(load(&bulkhead), (0, 0));
        let ready = service.ready().await.unwrap();
        assert_eq!(load(&bulkhead), (0, 0));
        assert_eq!(ready.call(()).await, Ok(call));
    }
    assert_eq!(
        strict.clones.load(Ordering::Relaxed),
        clones,
        "no clone for those who need not wait"
    );

    let permit = bulkhead.try_acquire().unwrap();
    let mut call = task::spawn(service.ready().await.unwrap().call(()));
    assert_pending!(call.poll());
    assert_eq!(strict.calls.load(Ordering::Relaxed), 3);
    drop(permit);
    assert_eq!(assert_ready_ok!(call.poll()), 3);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_out_of_the_future_and_the_call_is_not_made() {
    let bulkhead = bulkhead(0, Duration::ZERO);
    let strict = Strict::new();
    let mut service = BulkheadLayer::new(bulkhead).layer(strict.clone());
    let future = service.ready().await.expect("full is not unready").call(());
    assert!(is_full(future.await.unwrap_err().rejected().unwrap()));
    assert_eq!(strict.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_does_not_hold_the_inner_services_readiness() {
    let bulkhead = bulkhead(1, ms(100));
    let mut inner = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(async |()| Ok::<_, Error<Infallible>>("done")));
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(inner.clone());

    let permit = bulkhead.try_acquire().unwrap();
    let mut waiting = task::spawn(service.ready().await.unwrap().call(()));
    assert_pending!(waiting.poll());
    // The one place of the inner limit is free for somebody else meanwhile.
    assert_eq!(
        inner.ready().now_or_never().expect("it is held").unwrap().call(()).await,
        Ok("done")
    );

    let mut other = task::spawn(inner.ready().await.unwrap().call(()));
    drop(permit);
    assert_pending!(waiting.poll());
    assert_eq!(load(&bulkhead), (1, 0), "it has its place and waits for the inner limit");
    assert_eq!(assert_ready_ok!(other.poll()), "done");
    drop(other);
    assert!(waiting.is_woken());
    assert_eq!(assert_ready_ok!(waiting.poll()), "done");
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_back_what_it_had_wherever_it_stood() {
    let bulkhead = bulkhead(1, ms(100));
    let (mock, mut handle) = tower_test::mock::pair::<(), ()>();
    let service = BulkheadLayer::new(bulkhead.clone()).layer(mock);
    handle.allow(0);

    // In the queue.
    let permit = bulkhead.try_acquire().unwrap();
    let mut call = task::spawn(service.clone().call(()));
    assert_pending!(call.poll());
    assert_eq!(load(&bulkhead), (1, 1));
    drop(call);
    assert_eq!(load(&bulkhead), (1, 0));

    // With a place, while the inner service gets ready.
    let mut call = task::spawn(service.clone().call(()));
    assert_pending!(call.poll());
    drop(permit);
    assert_pending!(call.poll());
    assert_eq!(load(&bulkhead), (1, 0));
    drop(call);
    assert_eq!(load(&bulkhead), (0, 0));

    // On its way.
    handle.allow(1);
    let mut service = service;
    let mut call = task::spawn(service.ready().await.unwrap().call(()));
    assert_pending!(call.poll());
    assert_eq!(load(&bulkhead), (1, 0));
    drop(call);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_inner_service_loses_no_place() {
    let bulkhead = bulkhead(1, ms(100));
    let panics = service_fn(|()| -> std::future::Ready<Result<(), Error<Infallible>>> {
        panic!("on purpose")
    });
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(panics);
    let call = std::panic::AssertUnwindSafe(async { service.call(()).await });
    assert!(call.catch_unwind().await.is_err());
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_ends_later_keeps_its_place_until_then() {
    /// Hands the guard out beside the response.
    #[derive(Clone)]
    struct Beside;
    impl<R, G> seawall::Ends<R, G> for Beside {
        type Out = (R, Option<G>);
        fn attach(&self, response: R, guard: Option<G>) -> Self::Out {
            (response, guard)
        }
    }

    let bulkhead = bulkhead(1, Duration::ZERO);
    let mut service = BulkheadLayer::new(bulkhead.clone())
        .ends(Beside)
        .layer(service_fn(async |()| Ok::<_, Error<Infallible>>("head")));
    let (head, guard): (_, Option<BulkheadPermit>) = service.call(()).await.unwrap();
    assert_eq!((head, load(&bulkhead)), ("head", (1, 0)));
    assert!(service.call(()).await.is_err());
    drop(guard);
    assert_eq!(load(&bulkhead), (0, 0));
}

#[tokio::test]
async fn neither_send_nor_static_is_asked_of_the_service() {
    let text = String::from("borrowed");
    let shared = std::rc::Rc::new(());
    let mut service = BulkheadLayer::new(bulkhead(1, ms(1))).layer(service_fn(|()| {
        let (text, shared) = (&text, shared.clone());
        async move {
            let _shared = shared;
            Ok::<_, Error<Infallible>>(text.as_str())
        }
    }));
    assert_eq!(service.call(()).await, Ok("borrowed"));
}

// ## Crowds

async fn hammer(fair: bool) {
    // Far longer than the test takes: a lost wake-up shows as a refusal.
    let config = BulkheadConfig::builder().max_concurrent_calls(3).max_wait(ms(30_000)).fair(fair);
    let bulkhead = Bulkhead::new("shop", config.build().unwrap());
    let inside = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1000_u32)
        .map(|number| {
            let (bulkhead, inside) = (bulkhead.clone(), inside.clone());
            tokio::spawn(async move {
                match number % 10 {
                    0 => bulkhead.change_max_concurrent_calls(1 + number / 10 % 5).unwrap(),
                    1 | 2 => {
                        // Gives up at once, or after having been seen in the queue.
                        let mut waiter = pin!(bulkhead.acquire());
                        let _ = futures_util::poll!(waiter.as_mut());
                        tokio::task::yield_now().await;
                    }
                    3 => drop(bulkhead.try_acquire()),
                    _ => {
                        for _ in 0..5 {
                            let permit = bulkhead.acquire().await.expect("a wake-up was lost");
                            assert!(inside.fetch_add(1, Ordering::Relaxed) < 5);
                            tokio::task::yield_now().await;
                            inside.fetch_sub(1, Ordering::Relaxed);
                            if number % 2 == 0 { permit.release() } else { drop(permit) }
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(load(&bulkhead), (0, 0));
    assert!(bulkhead.try_acquire().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_leaves_nothing_behind() {
    hammer(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_that_pushes_leaves_nothing_behind() {
    hammer(false).await;
}

#[tokio::test(start_paused = true)]
async fn the_future_can_be_named() {
    fn named(bulkhead: &Bulkhead) -> seawall::patterns::bulkhead::Acquire {
        bulkhead.acquire()
    }
    fn is_send(_: &(impl Future + Send + 'static)) {}

    let acquire = named(&bulkhead(1, ms(1)));
    is_send(&acquire);
    let mut acquire = task::spawn(acquire);
    assert!(assert_ready!(acquire.poll()).is_ok());
}
