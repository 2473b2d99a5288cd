//! The layer, and settings.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::{ErrorLayer, RateLimiter, RateLimiterConfig, RateLimiterLayer};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn waiting_does_not_hold_the_readiness_of_the_inner_service() {
    for algorithm in BOTH {
        let limiter = of(algorithm, 1, ms(10), ms(100));
        let slot = ServiceBuilder::new()
            .layer(ConcurrencyLimitLayer::new(1))
            .service(service_fn(async |request: u32| Ok::<_, BoxError>(request)));
        let mut limited = RateLimiterLayer::new(limiter.clone()).layer(slot.clone());

        limiter.try_acquire(1).unwrap();
        let mut waiting = task::spawn(limited.ready().await.unwrap().call(1));
        assert_pending!(waiting.poll());

        // The only slot is free for somebody else while the call waits.
        let mut other = task::spawn(slot.clone().oneshot(2));
        assert_eq!(assert_ready_ok!(other.poll()), 2);
        drop(other);
        let (took, result) = timed(waiting).await;
        assert_eq!((took, result.unwrap()), (ms(10), 1));

        // And the limited service itself can be used again.
        advance(ms(10)).await;
        assert_eq!(limited.ready().await.unwrap().call(3).await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_hold_the_readiness_of_the_inner_service() {
    let limiter = limiter(1, ms(10), ms(0));
    let slot = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(async |request: u32| Ok::<_, BoxError>(request)));
    let mut limited = RateLimiterLayer::new(limiter.clone()).layer(slot.clone());
    limiter.try_acquire(1).unwrap();
    assert!(limited.ready().await.unwrap().call(1).await.is_err());
    assert_eq!(assert_ready_ok!(task::spawn(slot.oneshot(2)).poll()), 2);
}

/// Counts its clones, and insists on being ready.
struct Strict {
    ready: bool,
    clones: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self { ready: false, clones: self.clones.clone() }
    }
}

impl Service<u32> for Strict {
    type Response = u32;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        std::future::ready(Ok(request))
    }
}

#[tokio::test(start_paused = true)]
async fn the_ready_instance_is_called_and_cloned_only_to_wait() {
    let clones = Arc::new(AtomicUsize::new(0));
    let limiter = limiter(1, ms(10), ms(10));
    let inner = Strict { ready: false, clones: clones.clone() };
    let mut service = RateLimiterLayer::new(limiter.clone()).layer(inner);

    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    assert_eq!(available(&limiter), 1, "being ready takes nothing");
    assert_eq!(service.call(1).await.unwrap(), 1);
    assert_eq!(clones.load(Ordering::Relaxed), 0);

    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let (took, result) = timed(service.call(2)).await;
    assert_eq!((took, result.unwrap()), (ms(10), 2));
    assert_eq!(clones.load(Ordering::Relaxed), 2);

    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let mut dropped = task::spawn(service.call(3));
    assert_pending!(dropped.poll());
    assert_eq!((available(&limiter), limiter.metrics().waiting), (-1, 1));
    drop(dropped);
    assert_eq!((available(&limiter), limiter.metrics().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_out_of_the_response_and_the_client_is_not_called() {
    let limiter = limiter(1, ms(10), ms(0));
    limiter.try_acquire(1).unwrap();
    let client = |(): ()| -> std::future::Ready<Result<(), std::io::Error>> { unreachable!() };
    let mut service = ServiceBuilder::new()
        .layer(RateLimiterLayer::new(limiter))
        .layer(ErrorLayer)
        .service(service_fn(client));
    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let error = service.call(()).await.unwrap_err();
    assert!(error.is_refusal());
    assert_eq!(error.retry_after(), Some(ms(10)));
    assert_eq!(
        format!("{error:#}"),
        "call not made: rate limiter `inventory` permits no further call, try again in 10.0ms"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_call_leaves_nothing_behind() {
    let limiter = limiter(1, ms(10), ms(10));
    let call = limiter.call(async { if true { panic!("of the call") } else { Ok::<(), ()>(()) } });
    assert!(tokio::spawn(call).await.unwrap_err().is_panic());
    assert_eq!(limiter.metrics().waiting, 0);
    advance(ms(10)).await;
    assert_eq!(available(&limiter), 1);
}

#[test]
fn it_can_live_in_a_static_and_needs_no_runtime_to_be_asked() {
    static LIMITER: std::sync::LazyLock<RateLimiter> =
        std::sync::LazyLock::new(|| limiter(1, Duration::from_secs(3600), ms(0)));
    LIMITER.try_acquire(1).unwrap();
    assert!(LIMITER.try_acquire(1).is_err());
    let refused = pin!(LIMITER.acquire(1)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(refused, Poll::Ready(Err(_))));
}

#[test]
fn settings_out_of_range_are_refused() {
    let key =
        |builder: seawall::RateLimiterConfigBuilder| builder.build().unwrap_err().key().to_owned();
    let builder = RateLimiterConfig::builder;
    assert_eq!(key(builder().limit_for_period(0)), "limit_for_period");
    assert_eq!(key(builder().limit_refresh_period(Duration::ZERO)), "limit_refresh_period");
    assert_eq!(key(builder().limit_refresh_period(Duration::MAX)), "limit_refresh_period");
    let extreme = builder()
        .limit_for_period(u32::MAX)
        .limit_refresh_period(ns(i64::MAX as u64))
        .timeout(Duration::MAX)
        .build()
        .unwrap();
    let limiter = RateLimiter::new("inventory", extreme);
    limiter.try_acquire(u32::MAX).unwrap();
    assert!(limiter.reserve(1).unwrap().wait() > Duration::ZERO);
}

#[test]
fn a_response_future_is_little_larger_than_the_one_inside() {
    fn future_of<S: Service<u32>>(_: &S) -> usize {
        size_of::<S::Future>()
    }
    let inner = service_fn(async |request: u32| {
        let large = [0_u8; 256];
        tokio::task::yield_now().await;
        Ok::<_, BoxError>(request + u32::from(large[7]))
    });
    let plain = future_of(&inner);
    let limited = RateLimiterLayer::new(RateLimiter::with_defaults("inventory")).layer(inner);
    assert!(future_of(&limited) <= plain + 16, "{} over {plain}", future_of(&limited));
}
