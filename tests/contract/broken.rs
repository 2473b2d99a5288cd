//! Layers that break one law each. The kit has to say which.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::testing::contract::{Contract, Fault, Probe};
use tower::{Layer, Service};

type Called = Pin<Box<dyn Future<Output = Result<u32, Fault>>>>;
type Inner = Probe<u32>;

/// What is done in place of the right thing.
trait Wrong: Clone + 'static {
    fn poll_ready(&mut self, inner: &mut Inner, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Service::<u32>::poll_ready(inner, cx)
    }

    fn call(&mut self, inner: &mut Inner) -> Called {
        Box::pin(inner.call(1))
    }
}

#[derive(Clone)]
struct WrongLayer<W>(W);

#[derive(Clone)]
struct WrongService<W>(W, Inner);

impl<W: Wrong> Layer<Inner> for WrongLayer<W> {
    type Service = WrongService<W>;

    fn layer(&self, inner: Inner) -> WrongService<W> {
        WrongService(self.0.clone(), inner)
    }
}

impl<W: Wrong> Service<u32> for WrongService<W> {
    type Response = u32;
    type Error = Fault;
    type Future = Called;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.0.poll_ready(&mut self.1, cx)
    }

    fn call(&mut self, _: u32) -> Called {
        self.0.call(&mut self.1)
    }
}

/// Counts what is taken, so that the kit can look at it.
#[derive(Clone, Default)]
struct Taken(Arc<AtomicUsize>);

impl Taken {
    fn take(&self) -> Place {
        self.0.fetch_add(1, Ordering::SeqCst);
        Place(self.clone())
    }

    fn is_free(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

struct Place(Taken);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn check<W: Wrong>(make: impl Fn(Taken) -> W) {
    Contract::new(|| {
        let taken = Taken::default();
        (WrongLayer(make(taken.clone())), move || taken.is_free())
    })
    .check()
    .await;
}

/// The kit's own frame: a layer that does nothing wrong.
#[tokio::test(start_paused = true)]
async fn a_layer_that_does_nothing_is_right() {
    #[derive(Clone)]
    struct Nothing;
    impl Wrong for Nothing {}
    check(|_| Nothing).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: `call` uses the instance that was made ready")]
async fn calls_a_clone() {
    #[derive(Clone)]
    struct CallsAClone;
    impl Wrong for CallsAClone {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let mut clone = inner.clone();
            Box::pin(async move { clone.call(1).await })
        }
    }
    check(|_| CallsAClone).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a clone is not ready by inheritance")]
async fn remembers_readiness_in_clones() {
    #[derive(Clone)]
    struct Remembers(bool);
    impl Wrong for Remembers {
        fn poll_ready(
            &mut self,
            inner: &mut Inner,
            cx: &mut Context<'_>,
        ) -> Poll<Result<(), Fault>> {
            if !self.0 {
                std::task::ready!(Service::<u32>::poll_ready(inner, cx))?;
            }
            self.0 = true;
            Poll::Ready(Ok(()))
        }
    }
    check(|_| Remembers(false)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: `poll_ready` consumes no permission")]
async fn takes_a_place_in_poll_ready() {
    struct Takes(Taken, Option<Place>);
    impl Clone for Takes {
        fn clone(&self) -> Self {
            Self(self.0.clone(), None)
        }
    }
    impl Wrong for Takes {
        fn poll_ready(
            &mut self,
            inner: &mut Inner,
            cx: &mut Context<'_>,
        ) -> Poll<Result<(), Fault>> {
            self.1.get_or_insert_with(|| self.0.take());
            Service::<u32>::poll_ready(inner, cx)
        }

        fn call(&mut self, inner: &mut Inner) -> Called {
            let (place, call) = (self.1.take(), inner.call(1));
            Box::pin(async move {
                let _place = place;
                call.await
            })
        }
    }
    check(|taken| Takes(taken, None)).await;
}

/// tower's own limit does that on purpose.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: `poll_ready` consumes no permission")]
async fn concurrency_limit_of_tower() {
    let layer = || tower::limit::GlobalConcurrencyLimitLayer::new(2);
    Contract::new(|| (layer(), || true)).check().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: refusals come from the response future")]
async fn refuses_in_poll_ready() {
    #[derive(Clone)]
    struct Refuses(Taken);
    impl Wrong for Refuses {
        fn poll_ready(
            &mut self,
            inner: &mut Inner,
            cx: &mut Context<'_>,
        ) -> Poll<Result<(), Fault>> {
            if !self.0.is_free() {
                return Poll::Ready(Err(Fault::Broken));
            }
            Service::<u32>::poll_ready(inner, cx)
        }

        fn call(&mut self, inner: &mut Inner) -> Called {
            let (place, call) = (self.0.take(), inner.call(1));
            Box::pin(async move {
                let _place = place;
                call.await
            })
        }
    }
    check(Refuses).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a dropped future gives everything back")]
async fn gives_back_only_at_the_end() {
    #[derive(Clone)]
    struct AtTheEnd(Taken);
    impl Wrong for AtTheEnd {
        fn call(&mut self, inner: &mut Inner) -> Called {
            // The end is reached whatever happens below, but for a drop.
            let (taken, call) = (self.0.clone(), inner.call(1));
            Box::pin(async move {
                std::mem::forget(taken.take());
                let result = call.await;
                drop(Place(taken));
                result
            })
        }
    }
    check(AtTheEnd).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a call that is over holds nothing")]
async fn gives_back_only_with_the_future() {
    struct Keeps(Called, #[expect(dead_code)] Place);
    impl Future for Keeps {
        type Output = Result<u32, Fault>;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            self.0.as_mut().poll(cx)
        }
    }
    #[derive(Clone)]
    struct WithTheFuture(Taken);
    impl Wrong for WithTheFuture {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let place = self.0.take();
            Box::pin(Keeps(Box::pin(inner.call(1)), place))
        }
    }
    check(WithTheFuture).await;
}

/// Polls the call through a function.
fn polled(
    mut call: Called,
    mut poll: impl FnMut(&mut Called, &mut Context<'_>) -> Poll<Result<u32, Fault>> + 'static,
) -> Called {
    Box::pin(std::future::poll_fn(move |cx| poll(&mut call, cx)))
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: no self-wake")]
async fn wakes_itself() {
    #[derive(Clone)]
    struct WakesItself;
    impl Wrong for WakesItself {
        fn call(&mut self, inner: &mut Inner) -> Called {
            polled(Box::pin(inner.call(1)), |call, cx| {
                cx.waker().wake_by_ref();
                call.as_mut().poll(cx)
            })
        }
    }
    check(|_| WakesItself).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: no lost wake")]
async fn keeps_the_first_waker() {
    #[derive(Clone)]
    struct FirstWaker;
    impl Wrong for FirstWaker {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let mut first: Option<Waker> = None;
            polled(Box::pin(inner.call(1)), move |call, cx| {
                let waker = first.get_or_insert_with(|| cx.waker().clone());
                call.as_mut().poll(&mut Context::from_waker(waker))
            })
        }
    }
    check(|_| FirstWaker).await;
}

/// Whoever gets a place and leaves has to pass it on.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: no lost wake")]
async fn loses_the_wake_of_one_who_left() {
    #[derive(Clone, Default)]
    struct Line {
        busy: Arc<AtomicBool>,
        wakers: Arc<std::sync::Mutex<std::collections::VecDeque<Waker>>>,
    }
    struct Busy(Line);
    impl Drop for Busy {
        fn drop(&mut self) {
            self.0.busy.store(false, Ordering::SeqCst);
            // Only one is woken, and if that one is gone by then, nobody is.
            let next = self.0.wakers.lock().unwrap().pop_front();
            next.into_iter().for_each(Waker::wake);
        }
    }
    impl Wrong for Line {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let (line, mut later) = (self.clone(), inner.clone());
            *inner = inner.clone();
            Box::pin(async move {
                std::future::poll_fn(|cx| {
                    if line.busy.swap(true, Ordering::SeqCst) {
                        line.wakers.lock().unwrap().push_back(cx.waker().clone());
                        return Poll::Pending;
                    }
                    Poll::Ready(())
                })
                .await;
                let _busy = Busy(line);
                std::future::poll_fn(|cx| Service::<u32>::poll_ready(&mut later, cx)).await?;
                later.call(1).await
            })
        }
    }
    check(|_| Line::default()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a panic gives everything back")]
async fn leaks_when_the_call_panics() {
    #[derive(Clone)]
    struct Leaks(Taken);
    impl Wrong for Leaks {
        fn call(&mut self, inner: &mut Inner) -> Called {
            std::mem::forget(self.0.take());
            let call = inner.call(1);
            let place = Place(self.0.clone());
            Box::pin(async move {
                let _place = place;
                call.await
            })
        }
    }
    check(Leaks).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a panic gives everything back: the next call")]
async fn is_poisoned_by_a_panic() {
    #[derive(Clone, Default)]
    struct Poisoned(Arc<std::sync::Mutex<()>>);
    impl Wrong for Poisoned {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let (lock, mut call, mut over) = (self.0.clone(), Box::pin(inner.call(1)), false);
            Box::pin(std::future::poll_fn(move |cx| {
                assert!(!over, "polled again after completion");
                let Ok(_locked) = lock.lock() else { return Poll::Ready(Err(Fault::Broken)) };
                let result = call.as_mut().poll(cx);
                over = result.is_ready();
                result
            }))
        }
    }
    check(|_| Poisoned::default()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a panic gives everything back: it panics by itself")]
async fn panics_by_itself() {
    #[derive(Clone)]
    struct Panics(Arc<AtomicUsize>);
    impl Wrong for Panics {
        fn call(&mut self, inner: &mut Inner) -> Called {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) < 2, "too many");
            Box::pin(inner.call(1))
        }
    }
    check(|_| Panics(Arc::default())).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a future polled after its end does not hang")]
async fn hangs_after_its_end() {
    #[derive(Clone)]
    struct Hangs;
    impl Wrong for Hangs {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let mut over = false;
            polled(Box::pin(inner.call(1)), move |call, cx| {
                if over {
                    return Poll::Pending;
                }
                let result = call.as_mut().poll(cx);
                over = result.is_ready();
                result
            })
        }
    }
    check(|_| Hangs).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a waiting call holds no readiness")]
async fn waits_with_a_ready_instance() {
    #[derive(Clone)]
    struct Waits;
    impl Wrong for Waits {
        fn call(&mut self, inner: &mut Inner) -> Called {
            let clone = inner.clone();
            let mut ready = std::mem::replace(inner, clone);
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                ready.call(1).await
            })
        }
    }
    check(|_| Waits).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "contract broken: a service that was called keeps no readiness")]
async fn refuses_and_stays_ready() {
    #[derive(Clone)]
    struct Refuses;
    impl Wrong for Refuses {
        fn call(&mut self, _: &mut Inner) -> Called {
            let mut refusal = Some(Err(Fault::Broken));
            Box::pin(std::future::poll_fn(move |_| {
                Poll::Ready(refusal.take().expect("polled again after completion"))
            }))
        }
    }
    Contract::new(|| (WrongLayer(Refuses), || true)).refuses().check().await;
}
