//! A file's settings in a registry.

use seawall::Registry;
use seawall::config::Config;
use seawall::registry::InstanceKind;

use crate::support::yaml;

const FILE: &str = "
seawall:
  circuit_breaker:
    tags: {team: shop}
    configs: {default: {slidingWindowSize: 5}, shared: {slidingWindowSize: 6}}
    instances: {zebra: {}, orders: {baseConfig: shared}}
  retry.instances.orders: {max_attempts: 2, budget: {kind: share}}
  time_limiter.instances.orders: {timeout_duration: 1s}
  timer.instances: {orders: {metric_names: apply.calls}, other: {}}
  pipelines:
    shop: {protocol: http, deadline: 5s, retry: orders, circuit_breaker: zebra}
    orders: {deadline: 3s}
";

fn config(text: &str) -> Config {
    yaml(text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn instances_are_made_in_the_order_of_the_file_and_pipelines_of_them() {
    let registry = Registry::new();
    let applied = config(FILE).apply(&registry).unwrap();
    let names: Vec<_> = applied.created.iter().map(|(kind, name)| (*kind, &**name)).collect();
    assert_eq!(
        names,
        [
            (InstanceKind::CircuitBreaker, "zebra"),
            (InstanceKind::CircuitBreaker, "orders"),
            (InstanceKind::Retry, "orders"),
            (InstanceKind::TimeLimiter, "orders"),
            (InstanceKind::Timer, "orders"),
            (InstanceKind::Timer, "other"),
            (InstanceKind::Pipeline, "shop"),
            (InstanceKind::Pipeline, "orders"),
        ]
    );
    assert!(applied.updated.is_empty() && applied.not_in_file.is_empty());
    let shop = registry.http_pipeline("shop").unwrap();
    assert_eq!(shop.circuit_breaker().unwrap().name(), "zebra");
    // One that names no instance has all those of its name.
    let orders = registry.pipeline("orders").unwrap();
    assert_eq!(orders.retry().unwrap().name(), "orders");
    assert_eq!(orders.circuit_breaker().unwrap().name(), "orders");
    assert_eq!(orders.timer().unwrap().config().metric_names(), "apply.calls");
    assert!(shop.timer().is_none(), "one that names instances has those alone");
    // What is in no file has the file's default.
    let other = registry.circuit_breakers().get("other").unwrap();
    assert!(format!("{:?}", other.config()).contains("Count(5)"));
    let shared = registry.circuit_breakers().config("shared").unwrap();
    assert!(format!("{shared:?}").contains("Count(6)"));
    assert_eq!(registry.circuit_breakers().tags("zebra").unwrap().get("team"), Some("shop"));
}

#[test]
fn what_is_there_is_updated_in_place_and_what_is_not_in_the_file_is_told() {
    let registry = Registry::new();
    config(FILE).apply(&registry).unwrap();
    let retry = registry.retries().find("orders").unwrap();
    let breaker = registry.circuit_breakers().find("orders").unwrap();
    breaker.transition_to_open().unwrap();
    let changed = FILE
        .replace("max_attempts: 2", "max_attempts: 4")
        .replace("zebra: {}, ", "")
        .replace(", circuit_breaker: zebra", ", timer: other");
    let applied = config(&changed).apply(&registry).unwrap();
    assert_eq!(applied.created, []);
    assert_eq!(applied.not_in_file, [(InstanceKind::CircuitBreaker, "zebra".into())]);
    assert!(applied.updated.contains(&(InstanceKind::Retry, "orders".into())));
    assert_eq!(retry.config().max_attempts(), 4);
    assert_eq!(breaker.state(), seawall::State::Open);
    let shop = registry.http_pipeline("shop").unwrap();
    assert!(shop.circuit_breaker().is_none());
    assert_eq!(shop.timer().unwrap().name(), "other");
}

#[test]
fn references_and_times_of_pipelines_are_checked() {
    for (from, to, part) in [
        ("retry: orders", "retry: ordres", "there is no `ordres`, did you mean `orders`?"),
        ("retry: orders", "timer: othre", "timer: there is no `othre`, did you mean `other`?"),
        ("{deadline: 3s}", "{deadline: 500ms}", "must be at least 1s, its time limiter's timeout"),
        ("{deadline: 3s}", "{deadline: 3s, classifier: x}", "there is no `x`"),
        ("orders: {deadline: 3s}", "nobody: {protocol: grpc}", "names no step"),
    ] {
        let text = FILE.replace(from, to);
        assert_ne!(text, FILE);
        let errors = yaml(&text).unwrap_err().to_string();
        assert!(errors.contains(part), "{errors}");
    }
}
