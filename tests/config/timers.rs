//! Timers: where they stand in a file, what their settings do, and what becomes of them when the file changes.

use std::fs;
use std::time::Duration;

use seawall::config::{ClassMap, Config, Format, Loader};
use seawall::registry::InstanceKind;
use seawall::{Cause, Registry, Timer};

use crate::support::{Directory, line, value, wrong, yaml};

fn tagged() -> Loader {
    let tag = |cause| if cause == Cause::Timeout { "late" } else { "bad" };
    Loader::new().classes(ClassMap::default().failure_tag("com.example.Tags", tag))
}

fn read(loader: &Loader, text: &str) -> Config {
    let read = loader.read(Format::Yaml, "application.yml", text.as_bytes());
    read.unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn they_stand_where_resilience4j_has_them_or_where_the_other_patterns_do() {
    for text in [
        "resilience4j.micrometer.timer.instances.orders.metricNames: timers.calls",
        "resilience4j: {micrometer: {timer: {instances: {orders: {metricNames: timers.calls}}}}}",
        "resilience4j: {timer: {instances: {orders: {metric-names: timers.calls}}}}",
        "seawall: {timer: {instances: {orders: {metric_names: timers.calls}}}}",
        "seawall.timer: {configs.x.metric_names: timers.calls, instances.orders.base_config: x}",
        "resilience4j.micrometer.timer: {configs.default.metricNames: timers.calls, instances.orders: }",
    ] {
        let config = yaml(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
        assert_eq!(value(&config, "timer.orders.metric_names"), "timers.calls", "{text}");
        assert_eq!(config.timers().get("orders").unwrap().metric_names(), "timers.calls");
        let settings = config.timer_settings("orders").unwrap();
        assert_eq!(settings.metric_names.as_deref(), Some("timers.calls"));
        assert_eq!(settings.on_failure_tag_resolver, None);
        assert!(config.timer_settings("users").is_none());
    }
    // All of them are one section: what is set in two places is set twice.
    let both = "resilience4j: {micrometer.timer.instances.a: {metricNames: timers.calls}, timer.instances.b: {}}\n\
                seawall.timer.instances.c: {}";
    let config = yaml(both).unwrap();
    assert_eq!(config.timers().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b", "c"]);
    let twice = "resilience4j: {micrometer.timer.instances.a: {metricNames: timers.calls}}\n\
                 seawall.timer.instances.a: {metric_names: timers.calls}";
    assert!(wrong(twice).contains("set twice"), "{}", wrong(twice));
}

#[test]
fn a_mapped_class_tags_failures() {
    let text =
        "resilience4j.micrometer.timer.instances.orders.onFailureTagResolver: com.example.Tags";
    let config = read(&tagged(), text);
    let registry = Registry::new();
    config.apply(&registry).unwrap();
    let orders = registry.timers().find("orders").unwrap();
    orders.start().failure(Cause::Timeout);
    orders.start().failure(Cause::Connect);
    let tags: Vec<_> = orders.failures().into_iter().map(|(tag, _)| tag).collect();
    assert_eq!(tags, ["late", "bad"]);
    assert!(wrong(text).contains("give it one with `ClassMap`"), "{}", wrong(text));
    // What stands for a tag is no predicate, and no cause.
    for key in ["recordExceptions", "recordFailurePredicate"] {
        let text = format!("resilience4j.circuitbreaker.instances.a.{key}: com.example.Tags");
        let errors = tagged().read(Format::Yaml, "f", text.as_bytes()).unwrap_err().to_string();
        assert!(errors.contains("that `ClassMap` has causes or a predicate for"), "{errors}");
    }
}

#[test]
fn an_order_says_that_they_are_innermost() {
    for fine in [
        "resilience4j: {retry.retryAspectOrder: 1, timer.timerAspectOrder: 2147483647}",
        "resilience4j: {micrometer.timer.timer-aspect-order: 2147483647, bulkhead.bulkheadAspectOrder: 2147483646}",
    ] {
        let config = yaml(fine).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warnings().len(), 2, "{:?}", config.warnings());
    }
    for order in ["2147483646", "0", "-1"] {
        let text = format!("resilience4j.micrometer.timer.timerAspectOrder: {order}");
        let expected = format!(
            "timerAspectOrder: {order} is not allowed, must be part of the order retry, circuit breaker, rate limiter, time \
             limiter, bulkhead, timer from low to high"
        );
        assert!(wrong(&text).contains(&expected), "{}", wrong(&text));
    }
    // The last place of all is theirs.
    let last = "resilience4j.bulkhead.bulkheadAspectOrder: 2147483647";
    assert!(wrong(last).contains("bulkhead, timer from low to high"), "{}", wrong(last));
}

const FILE: &str = "
seawall:
  timer:
    configs: {default: {on_failure_tag_resolver: com.example.Tags}}
    instances: {orders: {metric_names: timers.orders}, users: {}}
  retry.instances.orders: {max_attempts: 2}
  pipelines:
    shop: {timer: users, retry: orders}
    orders: {}
";

#[test]
fn explain_has_them_and_the_pipelines_that_they_are_in() {
    let config = read(&tagged(), FILE);
    for (key, told, from) in [
        ("timer.orders.metric_names", "timers.orders", "application.yml:5"),
        ("timer.users.metric_names", "resilience4j.timer.calls", "default"),
        (
            "timer.users.on_failure_tag_resolver",
            "com.example.Tags",
            "application.yml:4 (configs.default)",
        ),
        ("pipelines.shop.timer", "users", "application.yml:8"),
        ("pipelines.orders.timer", "orders", "default"),
    ] {
        assert_eq!(line(&config, key), (told.to_owned(), from.to_owned()), "{key}");
    }
    let plans: Vec<_> = config.pipelines().map(|plan| plan.timer.as_deref().unwrap()).collect();
    assert_eq!(plans, ["users", "orders"]);
}

#[test]
fn a_pipeline_may_have_a_timer_and_nothing_else() {
    let text = "seawall: {timer.instances: {a: {}, b: {}}, retry.instances.b: {}, pipelines: {a: {}, b: {timer: b}}}";
    let config = yaml(text).unwrap_or_else(|errors| panic!("{errors}"));
    for plan in config.pipelines() {
        assert_eq!(plan.timer, Some(plan.name.clone()));
        assert!(plan.retry.is_none(), "one that names a step has no other");
    }
}

/// The settings of a timer are a new `Arc` after each update.
fn settings(timer: &Timer) -> *const seawall::TimerConfig {
    std::sync::Arc::as_ptr(&timer.config())
}

const EVERY: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_changed_name_is_applied_in_place_and_what_has_not_changed_is_not_touched() {
    let directory = Directory::new();
    let path = directory.path("application.yml");
    fs::write(&path, FILE).unwrap();
    let registry = Registry::new();
    let watch = tagged().watch(&path, &registry, EVERY).unwrap();
    let [orders, users] = ["orders", "users"].map(|name| registry.timers().find(name).unwrap());
    let pipeline = registry.pipeline("orders").unwrap();
    pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    let (before, untouched) = (settings(&orders), settings(&users));
    // A comment is no change, though there is a function among the settings.
    fs::write(&path, format!("# Mended.\n{FILE}")).unwrap();
    tokio::time::sleep(EVERY * 5 / 2).await;
    assert_eq!(watch.reloads(), (2, 0));
    assert_eq!((settings(&orders), settings(&users)), (before, untouched));
    fs::write(&path, FILE.replace("timers.orders", "timers.renamed")).unwrap();
    tokio::time::sleep(EVERY * 5 / 2).await;
    assert_eq!(watch.reloads(), (3, 0));
    assert_eq!(orders.config().metric_names(), "timers.renamed");
    assert_eq!(settings(&users), untouched);
    pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    assert_eq!(orders.metrics().successful.count(), 2, "what was counted goes on");
    assert_eq!(orders.config().failure_tag(Cause::Timeout), "late");
    // A bad one changes nothing.
    fs::write(&path, FILE.replace("timers.orders", "7")).unwrap();
    tokio::time::sleep(EVERY * 5 / 2).await;
    assert_eq!(orders.config().metric_names(), "timers.renamed");
    let error = watch.last_error().unwrap().to_string();
    assert!(error.contains("metric_names: 7 is not allowed, must be 1 to 200 letters"), "{error}");
}

#[test]
fn what_is_taken_out_of_the_file_lives_on_and_is_told() {
    let registry = Registry::new();
    read(&tagged(), FILE).apply(&registry).unwrap();
    let shorter = FILE.replace(", users: {}", "").replace("timer: users, ", "");
    let applied = read(&tagged(), &shorter).apply(&registry).unwrap();
    assert_eq!(applied.not_in_file, [(InstanceKind::Timer, "users".into())]);
    assert!(registry.timers().find("users").is_some());
    // What no file names has the file's default.
    let other = registry.timers().get("other").unwrap();
    assert_eq!(other.config().failure_tag(Cause::Timeout), "late");
}
