//! The instance of its key around each call.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use seawall::keyed::{Keyed, KeyedLayer, key_fn};
use seawall::telemetry::{Event, EventKind, TimerEvent};
use seawall::{
    Bulkhead, BulkheadConfig, BulkheadLayer, CircuitBreaker, CircuitBreakerConfig,
    CircuitBreakerLayer, Error, ErrorLayer, Pipeline, RateLimiter, RateLimiterConfig,
    RateLimiterLayer, Reason, Retry, RetryLayer, State, TimeLimiter, TimeLimiterLayer, Timer,
    TimerConfig, TimerLayer,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type Call = (&'static str, Result<u32, &'static str>);

/// Answers as the request says.
async fn backend((_, answer): Call) -> Result<u32, Error<&'static str>> {
    answer.map_err(Error::Service)
}

fn key(request: &Call) -> Option<Cow<'_, str>> {
    (request.0 != "none").then_some(Cow::Borrowed(request.0))
}

#[tokio::test(start_paused = true)]
async fn only_the_breaker_of_the_key_that_fails_opens() {
    let config = CircuitBreakerConfig::builder().minimum_number_of_calls(2).build().unwrap();
    let breakers = Keyed::new("keys", move |key| {
        Ok(CircuitBreakerLayer::new(CircuitBreaker::new(key, config.clone())))
    })
    .unwrap();
    let mut service = KeyedLayer::new(breakers.clone(), key_fn(key)).layer(service_fn(backend));
    for _ in 0..2 {
        service.ready().await.unwrap().call(("bad", Err("no"))).await.unwrap_err();
        service.ready().await.unwrap().call(("good", Ok(1))).await.unwrap();
    }
    let refused = service.ready().await.unwrap().call(("bad", Ok(1))).await.unwrap_err();
    assert_eq!(refused.rejected().unwrap().reason(), Reason::CircuitOpen);
    assert_eq!(refused.rejected().unwrap().name(), "bad");
    // A clone knows it too, and the others do not.
    let mut clone = service.clone();
    assert!(clone.ready().await.unwrap().call(("bad", Ok(1))).await.is_err());
    assert_eq!(clone.ready().await.unwrap().call(("good", Ok(2))).await.unwrap(), 2);
    let states = breakers.group().states();
    assert_eq!((states.of(State::Open), states.of(State::Closed)), (1, 1));

    // Requests without a key share one instance.
    for _ in 0..2 {
        service.ready().await.unwrap().call(("none", Err("no"))).await.unwrap_err();
    }
    let refused = service.ready().await.unwrap().call(("none", Ok(1))).await.unwrap_err();
    assert_eq!(refused.rejected().unwrap().name(), "overflow");
    assert_eq!(breakers.stats().without_key, 3);
}

#[tokio::test(start_paused = true)]
async fn a_rate_for_each_tenant() {
    let config =
        RateLimiterConfig::builder().limit_for_period(1).timeout(Duration::ZERO).build().unwrap();
    let limiters = Keyed::new("tenants", move |tenant| {
        Ok(RateLimiterLayer::new(RateLimiter::new(tenant, config.clone())))
    })
    .unwrap();
    let mut service = KeyedLayer::new(limiters, key_fn(key)).layer(service_fn(backend));
    for tenant in ["a", "b"] {
        service.ready().await.unwrap().call((tenant, Ok(1))).await.unwrap();
        service.ready().await.unwrap().call((tenant, Ok(1))).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn each_key_is_measured_by_itself() {
    let timers = Keyed::new("keys", |key| Ok(TimerLayer::new(Timer::with_defaults(key)))).unwrap();
    let mut service = KeyedLayer::new(timers.clone(), key_fn(key)).layer(service_fn(backend));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let tell = heard.clone();
    timers.observe(move |event: &Event<'_>| {
        if let EventKind::Timer(TimerEvent::Success { .. } | TimerEvent::Failure { .. }) =
            event.kind
        {
            tell.lock().unwrap().push(event.name.to_owned());
        }
    });
    for call in [("a", Ok(1)), ("b", Err("no")), ("a", Ok(2)), ("none", Ok(3))] {
        assert_eq!(service.ready().await.unwrap().call(call).await.is_ok(), call.1.is_ok());
    }
    assert_eq!(*heard.lock().unwrap(), ["a", "b", "a", "overflow"]);
    assert_eq!((timers.stats().entries, timers.stats().without_key), (2, 1));
}

/// Its own future holds on to it.
macro_rules! a_call_keeps {
    ($layer:expr) => {
        let layers = Keyed::new("keys", |key| Ok($layer(key))).unwrap();
        let hangs = service_fn(async |_: Call| {
            std::future::pending::<Result<u32, Error<&'static str>>>().await
        });
        let mut service = KeyedLayer::new(layers.clone(), key_fn(key)).layer(hangs);
        let mut call = tokio_test::task::spawn(service.ready().await.unwrap().call(("a", Ok(1))));
        assert!(call.poll().is_pending());
        drop(layers.get("b"));
        tokio::time::advance(Duration::from_secs(9999)).await;
        assert_eq!(layers.evict_idle(), 1);
        assert!(layers.find("a").is_some(), "a call is under way");
        drop(call);
        assert_eq!(layers.evict_idle(), 1);
    };
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_keeps_its_instance() {
    a_call_keeps!(|key| CircuitBreakerLayer::new(CircuitBreaker::with_defaults(key)));
    a_call_keeps!(|key| RateLimiterLayer::new(RateLimiter::with_defaults(key)));
    a_call_keeps!(|key| BulkheadLayer::new(Bulkhead::with_defaults(key)));
    a_call_keeps!(|key| RetryLayer::new(Retry::with_defaults(key)));
    a_call_keeps!(|key| TimeLimiterLayer::new(TimeLimiter::with_defaults(key)));
    a_call_keeps!(|key| TimerLayer::new(Timer::with_defaults(key)));
    a_call_keeps!(|key| Pipeline::builder(key)
        .timer(TimerConfig::default())
        .build()
        .unwrap()
        .flat());
    a_call_keeps!(|key| {
        let limiter = RateLimiterConfig::default();
        Pipeline::builder(key).rate_limiter(limiter).build().unwrap().flat()
    });
}

#[tokio::test(start_paused = true)]
async fn a_body_keeps_the_pipeline_of_its_host() {
    let pipelines = Keyed::new("hosts", |host| Pipeline::http(host).build()).unwrap();
    let client = service_fn(async |_: Request<Full<&'static [u8]>>| {
        Ok::<_, Infallible>(Response::new(Full::new(&b"body"[..])))
    });
    let layer = KeyedLayer::per_host(pipelines.clone());
    let mut service = ServiceBuilder::new().layer(layer).service(client);
    let request = Request::get("http://Inventory:81/x").body(Full::default()).unwrap();
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert!(pipelines.find("inventory:81").is_some());
    tokio::time::advance(Duration::from_secs(9999)).await;
    assert_eq!(pipelines.evict_idle(), 0);
    let _ = response.into_body().collect().await;
    assert_eq!(pipelines.evict_idle(), 1);
}

/// Ready for one at a time.
#[tokio::test(start_paused = true)]
async fn the_instance_that_was_made_ready_is_called() {
    let layers = Keyed::new("keys", |key| {
        let config = BulkheadConfig::builder().max_concurrent_calls(9).build()?;
        Ok(BulkheadLayer::new(Bulkhead::new(key, config)))
    })
    .unwrap();
    let mut service = ServiceBuilder::new()
        .layer(KeyedLayer::new(layers, key_fn(key)))
        .layer(ErrorLayer)
        .concurrency_limit(1)
        .service_fn(async |(_, answer): Call| answer);
    for key in ["a", "b", "a", "none"] {
        assert_eq!(service.ready().await.unwrap().call((key, Ok(3))).await.unwrap(), 3);
    }
    let first = service.ready().await.unwrap().call(("a", Ok(1)));
    let mut second = service.clone();
    assert!(tokio_test::task::spawn(second.ready()).poll().is_pending());
    drop(first);
    assert!(second.ready().await.is_ok());
}
