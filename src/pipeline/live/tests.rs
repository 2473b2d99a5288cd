use std::future::pending;
use std::time::Duration;

use tower::{Layer, Service, ServiceExt};

use super::LiveSteps;
use crate::patterns::Instance;
use crate::pipeline::steps::{Steps, Terms};
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
