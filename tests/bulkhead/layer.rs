//! The layer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use seawall::{BulkheadLayer, BulkheadPermit, Error};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

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
