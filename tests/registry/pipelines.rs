//! Pipelines by name.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use seawall::registry::PipelineSpec;
use seawall::{BulkheadConfig, CauseRules, Registry, Step, TimeLimiter, TimeLimiterConfig};
use tower::{Layer, Service, ServiceExt};

#[test]
fn a_name_stands_for_all_instances_that_have_it() {
    let registry = Registry::new();
    let error = registry.pipeline("orders").unwrap_err();
    assert_eq!(error.to_string(), "there is no pipeline `orders`");

    let breaker = registry.circuit_breakers().get("orders").unwrap();
    registry.retries().get("other").unwrap();
    let limiter = TimeLimiterConfig::builder().timeout(Duration::from_secs(3));
    registry.time_limiters().get_with("orders", limiter).unwrap();
    let timer = registry.timers().get("orders").unwrap();
    let pipeline = registry.http_pipeline("orders").unwrap();
    timer.start().success();
    assert_eq!(pipeline.timer().unwrap().metrics().successful.count(), 1);
    assert!(pipeline.retry().is_none() && pipeline.bulkhead().is_none());
    assert_eq!(pipeline.time_limiter().unwrap().config().timeout(), Duration::from_secs(3));
    breaker.transition_to_forced_open();
    assert!(pipeline.circuit_breaker().unwrap().try_acquire().is_err(), "it is the same breaker");

    let error = registry.grpc_pipeline("oders").unwrap_err();
    assert_eq!(error.to_string(), "there is no pipeline `oders`; did you mean `orders`?");
}

#[test]
fn a_pool_is_the_bulkhead_where_there_is_no_other() {
    let registry = Registry::new();
    let calls = |calls| BulkheadConfig::builder().max_concurrent_calls(calls);
    registry.thread_pool_bulkheads().get_with("orders", calls(3)).unwrap();
    let places = |registry: &Registry| {
        registry.pipeline("orders").unwrap().bulkhead().unwrap().config().max_concurrent_calls()
    };
    assert_eq!(places(&registry), 3);
    registry.bulkheads().get_with("orders", calls(4)).unwrap();
    assert_eq!(places(&registry), 4);
}

#[test]
fn a_definition_says_which_steps() {
    let registry = Registry::new();
    registry.retries().get("orders").unwrap();
    registry.retries().get("patient").unwrap();
    registry.bulkheads().get("orders").unwrap();
    let spec = PipelineSpec::new().deadline(Duration::from_secs(9)).retry("patient");
    assert!(registry.pipelines().define("orders", spec.clone()).unwrap().is_none());
    let pipeline = registry.pipeline("orders").unwrap();
    assert_eq!(pipeline.retry().unwrap().name(), "patient");
    assert!(pipeline.bulkhead().is_none());
    assert_eq!(registry.pipelines().spec("orders"), Some(spec));
    assert!(registry.pipelines().undefine("orders").is_some());
    assert_eq!(registry.pipeline("orders").unwrap().retry().unwrap().name(), "orders");
}

#[test]
fn a_definition_that_cannot_work_is_refused() {
    let registry = Registry::new();
    registry.bulkheads().get("orders").unwrap();
    registry.thread_pool_bulkheads().get("orders").unwrap();
    let limiter = TimeLimiterConfig::builder().timeout(Duration::from_secs(3));
    registry.time_limiters().get_with("orders", limiter).unwrap();
    let refused = |spec| registry.pipelines().define("stock", spec).unwrap_err().to_string();

    let unknown = PipelineSpec::new().circuit_breaker("orders");
    assert_eq!(refused(unknown), "there is no circuit breaker `orders`");
    let both = PipelineSpec::new().bulkhead("orders").thread_pool_bulkhead("orders");
    assert_eq!(
        refused(both),
        "pipeline `stock`: `bulkhead` is given twice, but must be given once"
    );
    let late = PipelineSpec::new().deadline(Duration::from_secs(2)).time_limiter("orders");
    assert_eq!(
        refused(late),
        "pipeline `stock`: `time_limiter.timeout` is 3s, but must be at most 2s, as `deadline` is"
    );
    assert!(registry.pipelines().specs().is_empty());
    assert_eq!(Step::Bulkhead.to_string(), "bulkhead");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_was_handed_out_follows_its_definition() {
    let registry = Registry::new();
    registry.circuit_breakers().get("orders").unwrap();
    let pipeline = registry.pipeline("orders").unwrap();
    let call = async || pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.is_ok();
    assert!(call().await);
    assert!(pipeline.bulkhead().is_none());

    // A step that comes.
    let none = BulkheadConfig::builder().max_concurrent_calls(0);
    registry.bulkheads().get_with("orders", none).unwrap();
    assert!(!call().await, "the bulkhead lets nobody in");
    // A step that is replaced, and one that goes.
    registry.bulkheads().replace(seawall::Bulkhead::with_defaults("orders")).unwrap();
    assert!(call().await);
    registry.circuit_breakers().find("orders").unwrap().transition_to_forced_open();
    assert!(!call().await);
    registry.circuit_breakers().remove("orders").unwrap();
    assert!(call().await);

    // A definition, and its end.
    registry.circuit_breakers().get("orders").unwrap().transition_to_forced_open();
    assert!(!call().await);
    registry.pipelines().define("orders", PipelineSpec::new().bulkhead("orders")).unwrap();
    assert!(call().await);
    assert!(registry.pipelines().undefine("orders").is_some());
    assert!(!call().await);
    assert_eq!(registry.pipelines().names(), ["orders".into()]);
}

#[test]
fn a_pipeline_that_can_no_longer_be_composed_goes_on_as_it_is() {
    let registry = Registry::new();
    registry.retries().get("patient").unwrap();
    registry.pipelines().define("orders", PipelineSpec::new().retry("patient")).unwrap();
    let pipeline = registry.pipeline("orders").unwrap();
    registry.retries().remove("patient").unwrap();
    assert!(pipeline.retry().is_some());
    // Under a name of no definition.
    registry.retries().get("alone").unwrap();
    let pipeline = registry.pipeline("alone").unwrap();
    registry.retries().remove("alone").unwrap();
    assert!(pipeline.retry().is_some());
    // Times that contradict each other.
    let limiter = |seconds| TimeLimiterConfig::builder().timeout(Duration::from_secs(seconds));
    registry.time_limiters().get_with("late", limiter(1)).unwrap();
    let spec = PipelineSpec::new().deadline(Duration::from_secs(5)).time_limiter("late");
    registry.pipelines().define("late", spec).unwrap();
    let pipeline = registry.pipeline("late").unwrap();
    let late = limiter(9).build().unwrap();
    registry.time_limiters().replace(seawall::TimeLimiter::new("late", late)).unwrap();
    assert_eq!(pipeline.time_limiter().unwrap().config().timeout(), Duration::from_secs(1));
}

#[test]
fn whoever_asks_for_a_pipeline_that_can_no_longer_be_composed_is_told_why() {
    let registry = Registry::new();
    registry.retries().get("patient").unwrap();
    registry.pipelines().define("orders", PipelineSpec::new().retry("patient")).unwrap();
    registry.pipeline("orders").unwrap();
    registry.retries().remove("patient").unwrap();
    let error = registry.pipeline("orders").unwrap_err();
    assert_eq!(error.to_string(), "there is no retry `patient`");

    registry.retries().get("alone").unwrap();
    registry.pipeline("alone").unwrap();
    registry.retries().remove("alone").unwrap();
    let error = registry.http_pipeline("alone").unwrap_err();
    assert_eq!(error.to_string(), "there is no pipeline `alone`");
}

#[test]
fn a_pipeline_is_composed_again_once_an_update_makes_its_steps_fit() {
    let registry = Registry::new();
    let limiters = registry.time_limiters();
    let limiter = |seconds| TimeLimiterConfig::builder().timeout(Duration::from_secs(seconds));
    limiters.get_with("orders", limiter(1)).unwrap();
    let spec = PipelineSpec::new().deadline(Duration::from_secs(5)).time_limiter("orders");
    registry.pipelines().define("orders", spec).unwrap();
    let pipeline = registry.pipeline("orders").unwrap();
    let timeout = || pipeline.time_limiter().unwrap().config().timeout();
    limiters.replace(TimeLimiter::new("orders", limiter(9).build().unwrap())).unwrap();
    assert_eq!(timeout(), Duration::from_secs(1), "it would outlast the deadline");
    limiters.update("orders", limiter(2)).unwrap();
    assert_eq!(timeout(), Duration::from_secs(2));

    // Of what is changed by a handle the registry learns when somebody asks.
    limiters.replace(TimeLimiter::new("orders", limiter(9).build().unwrap())).unwrap();
    limiters.find("orders").unwrap().update(limiter(3).build().unwrap());
    assert_eq!(timeout(), Duration::from_secs(2));
    registry.pipeline("orders").unwrap();
    assert_eq!(timeout(), Duration::from_secs(3));
}

#[tokio::test]
async fn a_pipeline_without_its_definition_goes_on_with_its_rules_too() {
    let registry = Registry::new();
    let breaker = registry.circuit_breakers().get("shop").unwrap();
    let rules = CauseRules::new().failure("404".parse().unwrap());
    let spec = PipelineSpec::new().circuit_breaker("shop").rules(rules);
    registry.pipelines().define("orders", spec).unwrap();
    let client = tower::service_fn(async |_: http::Request<Empty<Bytes>>| {
        let response = http::Response::builder().status(404).body(Empty::<Bytes>::new());
        Ok::<_, std::io::Error>(response.unwrap())
    });
    let mut service = registry.http_pipeline("orders").unwrap().layer(client);
    let mut failed = async || {
        let request = http::Request::get("http://shop/").body(Empty::new()).unwrap();
        drop(service.ready().await.unwrap().call(request).await.unwrap());
        breaker.counters().failed
    };
    assert_eq!(failed().await, 1);
    // No instance is called `orders`, so there is nothing else that the name could stand for.
    assert!(registry.pipelines().undefine("orders").is_some());
    assert_eq!(failed().await, 2);
    // Now there is, and what was defined for the other counts no more.
    let own = registry.circuit_breakers().get("orders").unwrap();
    failed().await;
    assert_eq!((own.counters().successful, own.counters().failed), (1, 0));
}
