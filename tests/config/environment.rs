//! Settings from environment variables, and placeholders.

use seawall::config::{Config, ConfigErrors, Format, Loader};

use crate::support::{line, value};

const FILE: &str = "
resilience4j:
  circuitbreaker:
    configs: {default: {slidingWindowSize: 5}}
    instances: {orders: {}, order-items: {}, '[a.b]': {}}
  retry.instances.orders: {maxAttempts: '${A:3}', retryExceptions: [java.io.IOException]}
  micrometer.timer.instances.orders: {metricNames: environment.calls}
seawall:
  retry.instances.users: {backoff: {kind: fixed, base: 1s}}
  pipelines.orders: {deadline: 5s}
  timer.instances.users: {}
";

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Loader::new().env(variables.iter().copied()).read(Format::Yaml, "f", FILE.as_bytes())
}

#[test]
fn variables_override_what_they_name() {
    for (name, text, key, expected) in [
        (
            "RESILIENCE4J_CIRCUITBREAKER_INSTANCES_ORDERS_FAILURERATETHRESHOLD",
            "7",
            "circuit_breaker.orders.failure_rate_threshold",
            "7",
        ),
        (
            "SEAWALL_CIRCUIT_BREAKER_INSTANCES_ORDERS_FAILURE_RATE_THRESHOLD",
            "7",
            "circuit_breaker.orders.failure_rate_threshold",
            "7",
        ),
        (
            "SEAWALL_CIRCUIT_BREAKER_INSTANCES_ORDER_ITEMS_SLIDING_WINDOW_SIZE",
            "8",
            "circuit_breaker.order-items.sliding_window_size",
            "8",
        ),
        (
            "RESILIENCE4J_CIRCUITBREAKER_CONFIGS_DEFAULT_SLIDINGWINDOWSIZE",
            "9",
            "circuit_breaker.[a.b].sliding_window_size",
            "9",
        ),
        (
            "RESILIENCE4J_CIRCUITBREAKER_BACKENDS_AB_SLIDINGWINDOWSIZE",
            "9",
            "circuit_breaker.[a.b].sliding_window_size",
            "9",
        ),
        ("SEAWALL_RETRY_INSTANCES_USERS_BACKOFF_BASE", "3s", "retry.users.backoff.base", "3s"),
        (
            "RESILIENCE4J_RETRY_INSTANCES_ORDERS_RETRYEXCEPTIONS_0",
            "java.net.ConnectException",
            "retry.orders.retry_exceptions",
            "[java.net.ConnectException]",
        ),
        ("SEAWALL_PIPELINES_ORDERS_DEADLINE", "6s", "pipelines.orders.deadline", "6s"),
        ("A", "4", "retry.orders.max_attempts", "4"),
        (
            "RESILIENCE4J_MICROMETER_TIMER_INSTANCES_ORDERS_METRICNAMES",
            "environment.others",
            "timer.orders.metric_names",
            "environment.others",
        ),
        (
            "RESILIENCE4J_TIMER_INSTANCES_ORDERS_METRICNAMES",
            "environment.others",
            "timer.orders.metric_names",
            "environment.others",
        ),
        (
            "SEAWALL_TIMER_INSTANCES_USERS_METRIC_NAMES",
            "environment.users",
            "timer.users.metric_names",
            "environment.users",
        ),
        ("SEAWALL_PIPELINES_ORDERS_TIMER", "users", "pipelines.orders.timer", "users"),
    ] {
        let config = load(&[(name, text)]).unwrap_or_else(|errors| panic!("{name}: {errors}"));
        assert_eq!(value(&config, key), expected, "{name}");
    }
    let name = "RESILIENCE4J_RETRY_INSTANCES_ORDERS_MAXATTEMPTS";
    let config = load(&[(name, "9")]).unwrap();
    let from = line(&config, "retry.orders.max_attempts").1;
    assert_eq!(from, format!("environment variable {name}"));
}

#[test]
fn a_variable_that_matches_nothing_is_an_error_that_names_it() {
    for name in [
        "RESILIENCE4J_CIRCUITBREAKER_INSTANCES_ORDRES_FAILURERATETHRESHOLD",
        "RESILIENCE4J_CIRCUITBREAKER_INSTANCES_ORDERS_FAILURERATETRESHOLD",
        "RESILIENCE4J_MICROMETER_TIMER_INSTANCES_ORDRES_METRICNAMES",
        "SEAWALL_NONSENSE",
        "SEAWALL_",
    ] {
        let errors = load(&[(name, "1")]).unwrap_err();
        let problem = errors.iter().next().unwrap();
        assert_eq!(problem.variable(), Some(name));
        assert_eq!(problem.line(), None);
        assert!(
            errors.to_string().starts_with(&format!("environment variable {name}: ")),
            "{errors}"
        );
    }
}

#[test]
fn a_wrong_value_names_the_variable() {
    let name = "RESILIENCE4J_RETRY_INSTANCES_ORDERS_MAXATTEMPTS";
    let errors = load(&[(name, "0")]).unwrap_err().to_string();
    assert_eq!(
        errors,
        format!(
            "environment variable {name}: resilience4j.retry.instances.orders.maxAttempts: 0 is not allowed, must be from \
             1 to 4294967295"
        )
    );
}

#[test]
fn a_placeholder_without_a_value_is_an_error() {
    let text = "resilience4j.retry.instances.a.maxAttempts: ${ATTEMPTS}";
    let errors = Config::from_text(Format::Yaml, "f", text).unwrap_err().to_string();
    assert!(errors.starts_with("f:1:1: resilience4j.retry.instances.a.maxAttempts: "), "{errors}");
    assert!(errors.contains("`ATTEMPTS` is not set"), "{errors}");
}
