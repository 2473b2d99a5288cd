//! An `application.yml` as a Spring team has it loads unchanged, and every value in it holds.

use std::path::Path;

use seawall::config::{ClassMap, Config, Loader};
use seawall::{Cause, CauseMatcher};

use crate::support::{line, value};

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/files/application.yml")
}

fn loader() -> Loader {
    let business = [CauseMatcher::cause(Cause::Status(422))];
    let tags = |cause| if cause == Cause::Status(422) { "business" } else { "technical" };
    let classes = ClassMap::default()
        .map("com.example.orders.BusinessException", business)
        .failure_tag("com.example.orders.FailureTags", tags);
    Loader::new().classes(classes)
}

fn load() -> Config {
    loader().load(path()).unwrap()
}

#[test]
fn every_value_holds() {
    let config = load();
    let http = "[org.springframework.web.client.HttpServerErrorException, \
                java.util.concurrent.TimeoutException, java.io.IOException]";
    for (key, expected) in [
        ("circuit_breaker.inventory.failure_rate_threshold", "50"),
        ("circuit_breaker.inventory.sliding_window_size", "10"),
        ("circuit_breaker.inventory.minimum_number_of_calls", "5"),
        ("circuit_breaker.inventory.permitted_number_of_calls_in_half_open_state", "3"),
        ("circuit_breaker.inventory.automatic_transition_from_open_to_half_open_enabled", "true"),
        ("circuit_breaker.inventory.wait_duration_in_open_state", "5s"),
        ("circuit_breaker.inventory.event_consumer_buffer_size", "10"),
        ("circuit_breaker.inventory.register_health_indicator", "true"),
        ("circuit_breaker.inventory.record_exceptions", http),
        ("circuit_breaker.inventory.ignore_exceptions", "[com.example.orders.BusinessException]"),
        ("circuit_breaker.inventory.base_config", "default"),
        ("circuit_breaker.orders.failure_rate_threshold", "50"),
        ("circuit_breaker.orders.sliding_window_type", "time_based"),
        ("circuit_breaker.orders.sliding_window_size", "60"),
        ("circuit_breaker.orders.slow_call_duration_threshold", "2.5s"),
        ("circuit_breaker.orders.slow_call_rate_threshold", "80"),
        ("circuit_breaker.orders.wait_duration_in_open_state", "7.5s"),
        (
            "circuit_breaker.orders.record_exceptions",
            "[org.springframework.web.client.HttpServerErrorException$ServiceUnavailable]",
        ),
        ("circuit_breaker.payment.failure_rate_threshold", "25.5"),
        ("circuit_breaker.payment.wait_duration_in_open_state", "7.5s"),
        ("circuit_breaker.payment.enable_exponential_backoff", "true"),
        ("circuit_breaker.payment.exponential_backoff_multiplier", "2"),
        ("circuit_breaker.payment.exponential_max_wait_duration_in_open_state", "120s"),
        ("circuit_breaker.payment.max_wait_duration_in_half_open_state", "30s"),
        ("circuit_breaker.payment.transition_to_state_after_wait_duration", "closed"),
        ("circuit_breaker.payment.initial_state", "metrics_only"),
        ("circuit_breaker.payment.sliding_window_size", "100"),
        ("circuit_breaker.[legacy.stock].sliding_window_size", "20"),
        ("circuit_breaker.[legacy.stock].minimum_number_of_calls", "5"),
        ("circuit_breaker.shipping.failure_rate_threshold", "75"),
        ("retry.inventory.max_attempts", "3"),
        ("retry.inventory.wait_duration", "100ms"),
        ("retry.inventory.retry_exceptions", http),
        ("retry.orders.max_attempts", "4"),
        ("retry.orders.wait_duration", "10s"),
        ("retry.orders.enable_exponential_backoff", "true"),
        ("retry.orders.exponential_backoff_multiplier", "2"),
        ("retry.orders.exponential_max_wait_duration", "60s"),
        ("retry.orders.enable_randomized_wait", "true"),
        ("retry.orders.randomized_wait_factor", "0.25"),
        (
            "retry.orders.ignore_exceptions",
            "[org.springframework.web.client.HttpClientErrorException]",
        ),
        ("retry.orders.fail_after_max_attempts", "true"),
        ("bulkhead.inventory.max_concurrent_calls", "10"),
        ("bulkhead.inventory.max_wait_duration", "0ns"),
        ("bulkhead.orders.max_wait_duration", "10ms"),
        ("bulkhead.orders.max_concurrent_calls", "20"),
        ("bulkhead.orders.writable_stack_trace_enabled", "false"),
        ("thread_pool_bulkhead.orders.max_thread_pool_size", "4"),
        ("thread_pool_bulkhead.orders.core_thread_pool_size", "2"),
        ("thread_pool_bulkhead.orders.queue_capacity", "100"),
        ("thread_pool_bulkhead.orders.keep_alive_duration", "20ms"),
        ("rate_limiter.inventory.limit_for_period", "10"),
        ("rate_limiter.inventory.limit_refresh_period", "1s"),
        ("rate_limiter.inventory.timeout_duration", "0ns"),
        ("rate_limiter.inventory.subscribe_for_events", "true"),
        ("rate_limiter.orders.limit_for_period", "6"),
        ("rate_limiter.orders.limit_refresh_period", "500ms"),
        ("rate_limiter.orders.timeout_duration", "3s"),
        ("rate_limiter.orders.allow_health_indicator_to_fail", "true"),
        ("time_limiter.inventory.timeout_duration", "2s"),
        ("time_limiter.inventory.cancel_running_future", "false"),
        ("time_limiter.orders.timeout_duration", "2s"),
        ("timer.inventory.metric_names", "order-service.calls"),
        ("timer.inventory.on_failure_tag_resolver", "com.example.orders.FailureTags"),
        ("timer.inventory.event_consumer_buffer_size", "100"),
        ("timer.inventory.base_config", "default"),
        ("timer.orders.metric_names", "order-service.orders"),
        ("timer.orders.on_failure_tag_resolver", "com.example.orders.FailureTags"),
        ("timer.orders.event_consumer_buffer_size", "10"),
        ("timer.orders.base_config", "none"),
    ] {
        assert_eq!(value(&config, key), expected, "{key}");
    }
    let names: Vec<_> = config.circuit_breakers().iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["inventory", "orders", "payment", "legacy.stock", "shipping"]);
    let tags: Vec<_> = config.circuit_breakers().tags().collect();
    assert_eq!(tags, [("team", "orders"), ("region", "eu-west-1")]);
    assert_eq!(config.timers().tags().collect::<Vec<_>>(), [("team", "orders")]);
}

#[test]
fn it_reaches_the_patterns() {
    let config = load();
    let printed = format!("{:?}", config.circuit_breakers().get("payment").unwrap());
    for part in [
        "failure_rate_threshold: 25.5",
        "Exponential { initial: 7.5s, multiplier: 2.0 }",
        "cap: Some(120s)",
        "max_wait_in_half_open: 30s",
        "after_half_open_wait: Closed",
        "initial_state: MetricsOnly",
    ] {
        assert!(printed.contains(part), "no {part} in {printed}");
    }
    let printed = format!("{:?}", config.circuit_breakers().get("inventory").unwrap());
    for part in ["Count(10)", "\"5xx\"", "\"timeout\"", "ignore: [\"422\"]"] {
        assert!(printed.contains(part), "no {part} in {printed}");
    }
    let limiter = config.time_limiters().get("inventory").unwrap();
    assert!(!limiter.cancel_running_future());
    assert_eq!(config.bulkheads().get("orders").unwrap().max_concurrent_calls(), 20);
    assert_eq!(config.retries().get("orders").unwrap().max_attempts(), 4);
    for (name, metric) in [("inventory", "order-service.calls"), ("orders", "order-service.orders")]
    {
        let timer = config.timers().get(name).unwrap();
        assert_eq!(timer.metric_names(), metric);
        assert_eq!(timer.failure_tag(Cause::Status(422)), "business");
        assert_eq!(timer.failure_tag(Cause::Timeout), "technical");
    }
}

#[test]
fn each_value_tells_where_it_comes_from() {
    let config = load();
    let from = |key: &str| {
        let from = line(&config, key).1;
        from.rsplit('/').next().unwrap().to_owned()
    };
    let lines: Vec<String> =
        std::fs::read_to_string(path()).unwrap().lines().map(str::to_owned).collect();
    let at = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap() + 1;
    assert_eq!(
        from("circuit_breaker.orders.wait_duration_in_open_state"),
        format!("application.yml:{}", at("7500ms"))
    );
    assert_eq!(
        from("circuit_breaker.orders.slow_call_duration_threshold"),
        format!("application.yml:{} (configs.shared)", at("PT2.5S"))
    );
    // Through a merge key it is the anchor's line.
    assert_eq!(
        from(
            "circuit_breaker.stock.permitted_number_of_calls_in_half_open_state"
                .replace("stock", "[legacy.stock]")
                .as_str()
        ),
        format!(
            "application.yml:{} (configs.default)",
            at("permittedNumberOfCallsInHalfOpenState")
        )
    );
    assert_eq!(from("circuit_breaker.orders.initial_state"), "default");
    assert_eq!(
        from("timer.orders.on_failure_tag_resolver"),
        format!("application.yml:{} (configs.default)", at("FailureTags"))
    );
}

#[test]
fn what_has_no_effect_is_a_warning_with_its_place() {
    let config = load();
    let warnings: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
    let all = warnings.join("\n");
    for part in [
        "management.health.circuitbreakers.enabled: has no effect",
        "circuitBreakerAspectOrder: has no effect",
        "resilience4j.micrometer.timer.timerAspectOrder: has no effect",
        "resilience4j.micrometer.timer.instances.orders.eventConsumerBufferSize: has no effect",
        "configs.default.registerHealthIndicator: has no effect",
        "configs.default.eventConsumerBufferSize: has no effect",
        "orders.writableStackTraceEnabled: has no effect",
        "orders.coreThreadPoolSize: has no effect",
        "orders.keepAliveDuration: has no effect",
        "configs.default.subscribeForEvents: has no effect",
        "orders.allowHealthIndicatorToFail: has no effect",
        "its profile prod is not active",
    ] {
        assert!(all.contains(part), "no {part} in\n{all}");
    }
    assert!(config.warnings().iter().all(|warning| warning.line().is_some()), "{all}");
    // And nothing about what is none of our business.
    assert!(!all.contains("spring.datasource") && !all.contains("logging"), "{all}");
}

#[test]
fn a_profile_and_the_environment_change_it() {
    let loader = loader().profile("prod").env([
        ("REGION", "us"),
        ("ORDERS_ATTEMPTS", "9"),
        ("RESILIENCE4J_BULKHEAD_BACKENDS_ORDERS_MAXCONCURRENTCALLS", "77"),
        ("RESILIENCE4J_MICROMETER_TIMER_INSTANCES_ORDERS_METRICNAMES", "order-service.us"),
        ("PATH", "/bin"),
    ]);
    let config = loader.load(path()).unwrap();
    assert_eq!(value(&config, "circuit_breaker.orders.failure_rate_threshold"), "20");
    assert_eq!(value(&config, "retry.orders.max_attempts"), "9");
    assert_eq!(value(&config, "timer.orders.metric_names"), "order-service.us");
    assert_eq!(
        line(&config, "bulkhead.orders.max_concurrent_calls"),
        (
            "77".to_owned(),
            "environment variable RESILIENCE4J_BULKHEAD_BACKENDS_ORDERS_MAXCONCURRENTCALLS"
                .to_owned()
        )
    );
    assert_eq!(config.circuit_breakers().tags().last(), Some(("region", "us")));
}

#[test]
fn a_class_without_a_meaning_is_an_error_or_a_warning_where_that_is_asked_for() {
    let errors = Config::load(path()).unwrap_err().to_string();
    assert!(
        errors.contains("ignoreExceptions[0]: com.example.orders.BusinessException"),
        "{errors}"
    );
    assert!(errors.contains("ClassMap"), "{errors}");
    assert!(
        errors.contains("onFailureTagResolver: com.example.orders.FailureTags is not allowed"),
        "{errors}"
    );
    // Timers have no such setting.
    let text = std::fs::read_to_string(path())
        .unwrap()
        .replace(
            "registerHealthIndicator: true",
            "registerHealthIndicator: true\n        ignoreClassBindingExceptions: true",
        )
        .replace("          onFailureTagResolver: com.example.orders.FailureTags\n", "");
    let config = crate::support::yaml(&text).unwrap();
    let warned =
        |part: &str| config.warnings().iter().any(|warning| warning.to_string().contains(part));
    assert!(warned("com.example.orders.BusinessException has no meaning here"));
}
