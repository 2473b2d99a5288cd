//! The numbered statements on configuration.

use std::time::Duration;

use seawall::CircuitBreakerConfig;

use crate::support::{line, value, wrong, yaml};

fn breaker(settings: &str) -> String {
    format!("resilience4j.circuitbreaker.instances.orders:\n{}", indented(settings))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[test]
fn cf1_three_ways_to_write_ten_milliseconds() {
    for text in ["10", "10ms", "PT0.01S"] {
        let config = yaml(&breaker(&format!("waitDurationInOpenState: {text}"))).unwrap();
        let key = "circuit_breaker.orders.wait_duration_in_open_state";
        assert_eq!(value(&config, key), "10ms", "{text}");
    }
}

#[test]
fn cf2_spellings_of_a_key_are_one() {
    for key in [
        "slidingWindowSize",
        "sliding-window-size",
        "sliding_window_size",
        "SLIDINGWINDOWSIZE",
        "SLIDING_WINDOW_SIZE",
    ] {
        let config = yaml(&breaker(&format!("{key}: 7"))).unwrap();
        assert_eq!(value(&config, "circuit_breaker.orders.sliding_window_size"), "7", "{key}");
    }
    for module in ["circuitbreaker", "circuit-breaker", "circuitBreaker", "circuit_breaker"] {
        let text = format!("resilience4j:\n  {module}:\n    instances: {{orders: {{}}}}\n");
        assert!(yaml(&text).unwrap().circuit_breakers().get("orders").is_some(), "{module}");
    }
    let both = wrong(&breaker("slidingWindowSize: 7\nsliding-window-size: 8"));
    assert!(both.contains("application.yml:3:3"), "{both}");
    assert!(both.contains("set twice, first in line 2"), "{both}");
}

const INHERITANCE: &str = "
resilience4j:
  circuitbreaker:
    configs:
      default: {slidingWindowSize: 1}
      orders: {slidingWindowSize: 2}
      shared: {slidingWindowSize: 3, baseConfig: deep}
      deep: {minimumNumberOfCalls: 4}
    instances:
      orders:
      stock: {}
      users: {baseConfig: shared}
  retry:
    configs:
      default: {maxAttempts: 5}
      orders: {maxAttempts: 6}
    instances:
      orders: {}
  bulkhead.instances.orders: {}
";

#[test]
fn cf3_without_a_base_a_breaker_takes_its_own_name_or_default() {
    let config = yaml(INHERITANCE).unwrap();
    let size = |name: &str| line(&config, &format!("circuit_breaker.{name}.sliding_window_size"));
    assert_eq!(size("orders"), ("2".to_owned(), "application.yml:6 (configs.orders)".to_owned()));
    assert_eq!(size("stock"), ("1".to_owned(), "application.yml:5 (configs.default)".to_owned()));
    assert_eq!(size("users"), ("3".to_owned(), "application.yml:7 (configs.shared)".to_owned()));
    let calls = line(&config, "circuit_breaker.users.minimum_number_of_calls");
    assert_eq!(calls, ("4".to_owned(), "application.yml:8 (configs.deep)".to_owned()));
    // Other patterns look at `default` only, and what nobody has set is built in.
    assert_eq!(value(&config, "retry.orders.max_attempts"), "5");
    let calls = line(&config, "bulkhead.orders.max_concurrent_calls");
    assert_eq!(calls, ("25".to_owned(), "default".to_owned()));
}

#[test]
fn cf4_unknown_bases_and_circles_name_the_chain() {
    let text = wrong(&breaker("baseConfig: shared"));
    assert!(text.contains("there is no config `shared` to start from"), "{text}");
    let text = wrong(
        "resilience4j.retry.configs:\n  a: {baseConfig: b}\n  b: {baseConfig: c}\n  c: {baseConfig: a}\n  d: {baseConfig: d}\n",
    );
    assert!(text.contains("a -> b -> c -> a"), "{text}");
    assert!(text.contains("d -> d"), "{text}");
}

#[test]
fn cf5_lists_replace_those_of_the_base() {
    let text = "
resilience4j.circuitbreaker:
  configs.default:
    recordExceptions: [java.io.IOException]
    ignoreExceptions: [java.util.concurrent.TimeoutException]
  instances.orders:
    recordExceptions: [org.springframework.web.client.HttpServerErrorException]
";
    let config = yaml(text).unwrap();
    let list = |key: &str| value(&config, &format!("circuit_breaker.orders.{key}"));
    assert_eq!(
        list("record_exceptions"),
        "[org.springframework.web.client.HttpServerErrorException]"
    );
    assert_eq!(list("ignore_exceptions"), "[java.util.concurrent.TimeoutException]");
    let printed = format!("{:?}", config.circuit_breakers().get("orders").unwrap());
    assert!(printed.contains("record: [\"5xx\"], ignore: [\"timeout\"]"), "{printed}");
}

#[test]
fn cf6_growing_and_random_waits_are_an_error_for_a_breaker_and_combined_for_a_retry() {
    let both = "enableExponentialBackoff: true\nenableRandomizedWait: true";
    let text = wrong(&breaker(both));
    assert!(text.contains(":3:3: "), "{text}");
    assert!(
        text.contains("enableRandomizedWait: true is not allowed, must be false beside"),
        "{text}"
    );
    let text = format!("resilience4j.retry.instances.orders:\n{}", indented(both));
    let printed = format!("{:?}", yaml(&text).unwrap().retries().get("orders").unwrap());
    assert!(printed.contains("Exponential { initial: 500ms, multiplier: 1.5 }"), "{printed}");
    assert!(printed.contains("Randomized(0.5)"), "{printed}");
}

#[test]
fn cf7_a_threshold_in_a_file_is_from_1_to_100_and_in_code_from_above_0() {
    for refused in ["0", "0.1", "0.999", "100.1", "-5"] {
        let text = wrong(&breaker(&format!("failureRateThreshold: {refused}")));
        let expected = format!(
            "application.yml:2:3: resilience4j.circuitbreaker.instances.orders.failureRateThreshold: {refused} is \
             not allowed, must be from 1 to 100"
        );
        assert_eq!(text, expected);
    }
    for accepted in ["1", "99.9", "100"] {
        assert!(yaml(&breaker(&format!("failureRateThreshold: {accepted}"))).is_ok(), "{accepted}");
    }
    assert!(CircuitBreakerConfig::builder().failure_rate_threshold(0.1).build().is_ok());
    assert!(CircuitBreakerConfig::builder().failure_rate_threshold(0.0).build().is_err());
}

#[test]
fn cf8_a_queue_of_minus_one_is_one_of_a_hundred() {
    for (text, expected) in [("-1", 100), ("0", 0), ("7", 7)] {
        let text =
            format!("resilience4j.thread-pool-bulkhead.instances.orders.queueCapacity: {text}");
        let config = yaml(&text).unwrap();
        let pool = config.thread_pool_bulkheads().get("orders").unwrap();
        assert_eq!(pool.queue_capacity(), Some(expected));
        let shown = value(&config, "thread_pool_bulkhead.orders.queue_capacity");
        assert_eq!(shown, expected.to_string());
    }
    assert!(
        wrong("resilience4j.thread-pool-bulkhead.instances.orders.queueCapacity: -2")
            .ends_with("-2 is not allowed, must be from -1 to 2147483647")
    );
}

#[test]
fn cf9_backends_and_limiters_are_instances() {
    for (module, section, is_one) in [
        ("circuitbreaker", "backends", true),
        ("retry", "backends", true),
        ("bulkhead", "backends", true),
        ("thread-pool-bulkhead", "backends", true),
        ("ratelimiter", "limiters", true),
        ("ratelimiter", "backends", false),
        ("timelimiter", "backends", false),
        ("timer", "instances", true),
        ("micrometer.timer", "instances", true),
        ("micrometer.timer", "backends", false),
        ("retry", "limiters", false),
    ] {
        let text = format!("resilience4j.{module}.{section}.orders: {{}}");
        assert_eq!(yaml(&text).is_ok(), is_one, "{module} {section}");
    }
    // Both names may be used at once, but not for one setting.
    let both = "resilience4j.retry: {backends: {a: {maxAttempts: 2}}, instances: {b: {}, a: {waitDuration: 1s}}}";
    assert_eq!(yaml(both).unwrap().retries().iter().count(), 2);
    let twice =
        "resilience4j.retry: {backends: {a: {maxAttempts: 2}}, instances: {a: {maxAttempts: 2}}}";
    assert!(wrong(twice).contains("set twice"));
}

#[test]
fn cf10_an_error_names_place_key_value_and_range() {
    let errors = yaml(&breaker(
        "minimumNumberOfCalls: 0\nslidingWindowSize: many\nwaitDurationInOpenState: 0s",
    ))
    .unwrap_err();
    let told: Vec<_> = errors
        .iter()
        .map(|problem| {
            let key = problem.key().rsplit('.').next().unwrap().to_owned();
            (problem.line().unwrap(), key, problem.value().unwrap(), problem.expected().unwrap())
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(line, key, value, expected)| (*line, key.as_str(), *value, *expected))
        .collect();
    assert_eq!(
        told,
        [
            (2, "minimumNumberOfCalls", "0", "from 1 to 4294967295"),
            (3, "slidingWindowSize", "many", "a whole number from 1 to 10000000"),
            (4, "waitDurationInOpenState", "0s", "at least 1ms"),
        ]
    );
}

// ## What is decided otherwise than in Resilience4j

#[test]
fn a_factor_is_inherited_and_a_cap_holds_without_a_multiplier() {
    let text = "
resilience4j.retry:
  configs.default: {waitDuration: 1s, enableRandomizedWait: true, randomizedWaitFactor: 0.25}
  instances.orders: {enableExponentialBackoff: true, exponentialMaxWaitDuration: 2s}
";
    let config = yaml(text).unwrap();
    // Where Resilience4j does otherwise, it is told.
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert!(
        warnings.concat().contains("orders.enableExponentialBackoff: counts here"),
        "{warnings:?}"
    );
    let printed = format!("{:?}", config.retries().get("orders").unwrap());
    assert!(printed.contains("Exponential { initial: 1s, multiplier: 1.5 }"), "{printed}");
    assert!(printed.contains("Randomized(0.25)"), "{printed}");
    assert!(printed.contains("cap: Some(2s)"), "{printed}");
}

#[test]
fn a_formula_on_the_nearer_level_takes_the_place_of_flags_and_the_other_way_round() {
    let text = "
seawall.retry:
  configs.flags: {wait_duration: 1s, enable_exponential_backoff: true}
  configs.formula: {backoff: {kind: full_jitter, base: 100ms, cap: 5s}}
  instances:
    a: {base_config: flags, backoff: {kind: fixed, base: 3s}}
    b: {base_config: formula, wait_duration: 4s}
    c: {base_config: formula, backoff: {kind: uniform, least: 1s, most: 2s}}
";
    let config = yaml(text).unwrap();
    let printed = |name: &str| format!("{:?}", config.retries().get(name).unwrap());
    assert!(printed("a").contains("Fixed(3s)"), "{}", printed("a"));
    assert!(printed("b").contains("Fixed(4s)"), "{}", printed("b"));
    assert!(printed("c").contains("Uniform { least: 1s, most: 2s }"), "{}", printed("c"));
    let both =
        wrong("seawall.retry.instances.a: {wait_duration: 1s, backoff: {kind: fixed, base: 1s}}");
    assert!(both.contains("left out beside `backoff`"), "{both}");
}

#[test]
fn a_flag_over_a_wait_of_nothing_is_refused_and_a_plain_one_is_fine() {
    let retry = |text: &str| format!("resilience4j.retry.instances.orders: {{{text}}}");
    assert!(yaml(&retry("waitDuration: 0")).is_ok());
    let text = wrong(&retry("waitDuration: 0, enableExponentialBackoff: true"));
    assert!(text.contains("waitDuration: 0ns is not allowed, must be at least 1ms"), "{text}");
}

#[test]
fn an_instance_that_is_named_only_has_what_the_builder_has() {
    let text = "resilience4j: {circuitbreaker.instances.a: , retry.instances.a: , bulkhead.instances.a: , \
                thread-pool-bulkhead.instances.a: , ratelimiter.instances.a: , timelimiter.instances.a: , \
                micrometer.timer.instances.a: }";
    let config = yaml(text).unwrap();
    let same = |one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    };
    same(config.circuit_breakers().get("a").unwrap(), &seawall::CircuitBreakerConfig::default());
    same(config.retries().get("a").unwrap(), &seawall::RetryConfig::default());
    same(config.bulkheads().get("a").unwrap(), &seawall::BulkheadConfig::default());
    let pool = seawall::BulkheadConfig::thread_pool().build().unwrap();
    same(config.thread_pool_bulkheads().get("a").unwrap(), &pool);
    same(config.rate_limiters().get("a").unwrap(), &seawall::RateLimiterConfig::default());
    same(config.time_limiters().get("a").unwrap(), &seawall::TimeLimiterConfig::default());
    same(config.timers().get("a").unwrap(), &seawall::TimerConfig::default());
}

/// The defaults that `explain` prints are those that hold: setting every one of them changes nothing.
#[test]
fn the_defaults_of_the_tables_are_those_of_the_builders() {
    let bare = "resilience4j: {circuitbreaker.instances.a: , retry.instances.a: , bulkhead.instances.a: , \
                thread-pool-bulkhead.instances.a: , ratelimiter.instances.a: , timelimiter.instances.a: , \
                micrometer.timer.instances.a: }";
    let bare = yaml(bare).unwrap();
    let mut text = String::new();
    for line in bare.explain() {
        let (key, rest) = line.split_once(" = ").unwrap();
        let (value, _) = rest.split_once("  # ").unwrap();
        let forever = value == format!("{:?}", Duration::MAX);
        let value = if forever { "forever" } else { value };
        // What has no default has nothing to say, and some of the flags would be looked at.
        if value == "none" || value == "[]" || key.contains("backoff") || key.contains("random") {
            continue;
        }
        let (module, key) = key.split_once(".a.").unwrap();
        text.push_str(&format!("seawall.{module}.instances.a.{key}: {value}\n"));
    }
    assert!(text.lines().count() > 50, "{text}");
    let full = yaml(&text).unwrap();
    let same = |one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    };
    same(full.circuit_breakers().get("a").unwrap(), bare.circuit_breakers().get("a").unwrap());
    same(full.retries().get("a").unwrap(), bare.retries().get("a").unwrap());
    same(full.bulkheads().get("a").unwrap(), bare.bulkheads().get("a").unwrap());
    same(full.rate_limiters().get("a").unwrap(), bare.rate_limiters().get("a").unwrap());
    same(full.time_limiters().get("a").unwrap(), bare.time_limiters().get("a").unwrap());
    same(full.timers().get("a").unwrap(), bare.timers().get("a").unwrap());
}
