use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower::{Layer, Service, ServiceExt};

use super::LiveSteps;
use crate::patterns::Instance;
use crate::pipeline::steps::{Steps, Terms};
use crate::telemetry::{BulkheadEvent, Event, EventKind, Observer};
use crate::{Bulkhead, BulkheadConfig, Pipeline, Step, TimeLimiterConfig};

fn closed() -> Bulkhead {
    Bulkhead::new("shop", BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap())
}

fn steps(bulkhead: Option<Bulkhead>) -> Steps {
    Steps { bulkhead, ..Steps::new("shop".into()) }
}

#[tokio::test]
async fn the_next_call_goes_through_the_new_steps() {
    let source = LiveSteps::new(steps(None));
    let pipeline = Pipeline::builder("shop").build_live(source.clone());
    let answer = || async { Ok::<_, std::io::Error>(42) };
    let client = tower::service_fn(async |(): ()| Ok::<_, std::io::Error>(42));
    let mut service = pipeline.layer(client);
    assert_eq!(pipeline.call(answer).await.unwrap(), 42);
    assert_eq!(service.ready().await.unwrap().call(()).await.unwrap(), 42);
    source.set(steps(Some(closed())));
    assert!(pipeline.bulkhead().is_some());
    assert!(pipeline.call(answer).await.unwrap_err().is_refusal());
    assert!(service.ready().await.unwrap().call(()).await.unwrap_err().is_refusal());
    source.set(steps(None));
    assert_eq!(pipeline.call(answer).await.unwrap(), 42);
    assert_eq!(service.ready().await.unwrap().call(()).await.unwrap(), 42);
}

#[tokio::test]
async fn a_call_under_way_keeps_its_steps() {
    let old = Bulkhead::with_defaults("shop");
    let source = LiveSteps::new(steps(Some(old.clone())));
    let pipeline = Pipeline::builder("shop").build_live(source.clone());
    assert!(!pipeline.is_shared());
    let mut call = tokio_test::task::spawn(pipeline.call(pending::<Result<(), std::io::Error>>));
    assert!(call.poll().is_pending());
    assert!(pipeline.is_shared());
    source.set(steps(Some(closed())));
    assert_eq!(old.metrics().in_flight, 1);
    drop(call);
    assert_eq!(old.metrics().in_flight, 0);
}

#[test]
fn what_others_held_from_the_start_says_nothing_of_a_pipeline() {
    let common = Bulkhead::with_defaults("shop");
    let pipeline = Pipeline::builder("shop")
        .bulkhead(common.clone())
        .circuit_breaker(crate::CircuitBreakerConfig::builder())
        .build()
        .unwrap();
    assert!(common.is_shared() && !pipeline.is_shared() && pipeline.is_at_rest());
    let breaker = pipeline.circuit_breaker();
    assert!(pipeline.is_shared());
    breaker.unwrap().transition_to_forced_open();
    assert!(!pipeline.is_shared() && !pipeline.is_at_rest());
    assert_eq!(<Bulkhead as Instance>::STEP, Step::Bulkhead);
}

#[test]
fn settings_can_be_checked_before_they_are_applied() {
    let timeout = |millis| {
        let config = TimeLimiterConfig::builder().timeout(Duration::from_millis(millis));
        Terms {
            deadline: Some(Duration::from_millis(100)),
            time_limiter: Some(config.build().unwrap()),
            bulkhead: None,
        }
    };
    assert!(timeout(100).check().is_ok());
    assert_eq!(timeout(101).check().unwrap_err().key(), "time_limiter.timeout");
    assert_eq!(
        Terms { deadline: Some(Duration::ZERO), ..timeout(1) }.check().unwrap_err().key(),
        "deadline"
    );
}

#[tokio::test]
async fn an_observer_hears_of_the_steps_that_there_are() {
    let [first, second] = ["first", "second"].map(Bulkhead::with_defaults);
    let source = LiveSteps::new(steps(Some(first.clone())));
    let pipeline = Pipeline::builder("shop").build_live(source.clone());
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    pipeline.observe(move |event: &Event<'_>| {
        if event.kind == EventKind::Bulkhead(BulkheadEvent::CallPermitted) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut events = pipeline.events(10);
    let mut hears = |bulkhead: &Bulkhead| {
        let before = heard.load(Ordering::Relaxed);
        drop(bulkhead.try_acquire());
        let streamed = std::iter::from_fn(|| events.try_recv()).count();
        (heard.load(Ordering::Relaxed) - before, streamed)
    };
    assert_eq!((hears(&first), hears(&second)), ((1, 2), (0, 0)));
    // Those that stay are not listened to twice.
    source.set(steps(Some(first.clone())));
    assert_eq!((hears(&first), hears(&second)), ((1, 2), (0, 0)));
    source.set(steps(Some(second.clone())));
    assert_eq!((hears(&first), hears(&second)), ((0, 0), (1, 2)));
    source.set(steps(None));
    assert_eq!((hears(&first), hears(&second)), ((0, 0), (0, 0)));
    source.set(steps(Some(first.clone())));
    assert_eq!((hears(&first), hears(&second)), ((1, 2), (0, 0)));
    drop(events);
    assert_eq!(Arc::strong_count(&heard), 2);
}

#[tokio::test]
async fn a_stream_of_a_live_pipeline_goes_when_either_side_does() {
    let bulkhead = Bulkhead::with_defaults("shop");
    let source = LiveSteps::new(steps(Some(bulkhead.clone())));
    let pipeline = Pipeline::builder("shop").build_live(source.clone());
    drop(pipeline.events(10));
    drop(bulkhead.try_acquire());
    let mut events = pipeline.events(10);
    drop(bulkhead);
    drop((source, pipeline));
    assert!(events.recv().await.is_none(), "nobody is left who could tell");
}

#[test]
fn listeners_go_with_the_name_and_can_be_taken_off_after_that() {
    let bulkhead = Bulkhead::with_defaults("shop");
    let source = LiveSteps::new(steps(Some(bulkhead.clone())));
    let observer: Arc<dyn Observer> = Arc::new(|_: &Event<'_>| {});
    let detach = source.listen(&observer);
    assert_eq!(Arc::strong_count(&observer), 3, "the listener, and the bulkhead's");
    drop(source);
    assert_eq!(Arc::strong_count(&observer), 1);
    detach();
    drop(bulkhead.try_acquire());
}

#[test]
fn the_same_steps_are_not_exchanged() {
    let (first, second) = (Bulkhead::with_defaults("shop"), Bulkhead::with_defaults("shop"));
    let source = LiveSteps::new(steps(Some(first.clone())));
    assert!(source.renew(&steps(Some(first.clone()))).is_none());
    assert_eq!(source.version(), 0);
    let late = Steps { deadline: Some(Duration::from_secs(1)), ..steps(Some(first)) };
    assert!(source.renew(&late).is_some());
    assert!(source.renew(&steps(Some(second))).is_some());
    assert!(source.renew(&steps(None)).is_some());
    assert_eq!(source.version(), 3);
}
