//! The timers of a registry: the same as of every pattern.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use seawall::registry::{Change, PipelineSpec, RegistryError, Tags};
use seawall::telemetry::{Event, EventKind, InstanceKind, RegistryEvent};
use seawall::{Cause, Registry, Timer, TimerConfig};

fn named(name: &str) -> TimerConfig {
    TimerConfig::builder().metric_names(name).build().unwrap()
}

#[test]
fn rg01_same_name_twice_is_the_same_timer_and_the_first_settings_win() {
    let registry = Registry::new();
    let timers = registry.timers();
    let first = timers.get_with("orders", named("timer.tests.first")).unwrap();
    let second = timers.get_with("orders", TimerConfig::default()).unwrap();
    first.start().success();
    assert_eq!(second.metrics().successful.count(), 1);
    assert_eq!(second.config().metric_names(), "timer.tests.first");
    assert!(registry.time_limiters().find("orders").is_none());
    assert_eq!(timers.list().len(), 1);
}

#[test]
fn rg02_racing_creators_share_one() {
    let registry = Registry::new();
    let made = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let settings = || {
                    made.fetch_add(1, Ordering::Relaxed);
                    TimerConfig::default()
                };
                registry.timers().get_with("orders", settings).unwrap().start().success();
            });
        }
    });
    let timer = registry.timers().find("orders").unwrap();
    assert_eq!((made.load(Ordering::Relaxed), timer.metrics().successful.count()), (1, 20));
}

#[test]
fn rg03_rg04_settings_by_name() {
    let timers = Registry::new().timers();
    assert_eq!(timers.config("default").unwrap().metric_names(), "resilience4j.timer.calls");
    let refused = timers.add_config("default", TimerConfig::default()).unwrap_err();
    assert!(matches!(refused, RegistryError::DefaultConfig { .. }), "{refused}");
    timers.set_default_config(named("timer.tests.default"));
    timers.add_config("own", named("timer.tests.own")).unwrap();
    assert_eq!(timers.get("a").unwrap().config().metric_names(), "timer.tests.default");
    assert_eq!(timers.get_with("b", "own").unwrap().config().metric_names(), "timer.tests.own");
    let error = timers.get_with("c", "owm").unwrap_err();
    assert_eq!(error.to_string(), "no settings of a timer are named `owm`; did you mean `own`?");
    let error = timers.get_with("c", TimerConfig::builder().metric_names("")).unwrap_err();
    assert!(error.to_string().starts_with("timer `c`: `metric_names` is ``"), "{error}");
    assert!(timers.find("c").is_none());
}

#[test]
fn rg05_tags_merge_and_the_instance_wins() {
    let registry = Registry::new();
    registry.set_tags([("region", "eu"), ("team", "shop")]);
    registry.timers().get_tagged("orders", "default", [("team", "orders")]).unwrap();
    let merged = Tags::from([("region", "eu"), ("team", "orders")]);
    assert_eq!(registry.timers().tags("orders"), Some(merged));
}

#[test]
fn rg06_rg09_replaced_updated_removed() {
    let registry = Registry::new();
    let timers = registry.timers();
    assert!(timers.replace(Timer::with_defaults("orders")).is_none());
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    timers.subscribe(move |change| {
        tell.lock().unwrap().push(match change {
            Change::Added(_) => "added",
            Change::Removed(_) => "removed",
            Change::Replaced { .. } => "replaced",
            Change::Updated(_) => "updated",
            Change::ConfigConflict { .. } => "conflict",
            _ => "else",
        });
    });
    let orders = timers.get("orders").unwrap();
    orders.start().failure(Cause::Timeout);
    let updated = timers.update("orders", named("timer.tests.updated")).unwrap();
    assert_eq!(updated.metrics().failed.count(), 1, "counters stay");
    assert_eq!(orders.config().metric_names(), "timer.tests.updated", "whoever holds it has it");
    timers.get_with("orders", named("timer.tests.conflict")).unwrap();
    let old = timers.replace(Timer::with_defaults("orders")).unwrap();
    assert_eq!(old.metrics().failed.count(), 1);
    assert_eq!(timers.get("orders").unwrap().metrics().failed.count(), 0);
    assert!(timers.remove("orders").is_some() && timers.remove("orders").is_none());
    assert_eq!(*told.lock().unwrap(), ["added", "updated", "conflict", "replaced", "removed"]);
    let error = timers.update("orders", TimerConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "there is no timer `orders`");
}

#[test]
fn an_observer_hears_present_and_future_timers() {
    let registry = Registry::new();
    let present = registry.timers().get("present").unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let tell = heard.clone();
    let id = registry.observe(move |event: &Event<'_>| {
        let what = match event.kind {
            EventKind::Registry(InstanceKind::Timer, RegistryEvent::Added) => "added",
            EventKind::Timer(_) => "timer",
            _ => "else",
        };
        tell.lock().unwrap().push(format!("{} {what}", event.name));
    });
    let future = registry.timers().get("future").unwrap();
    present.start().success();
    future.start().success();
    let expected =
        ["future added", "present timer", "present timer", "future timer", "future timer"];
    assert_eq!(*heard.lock().unwrap(), expected);
    registry.unobserve(id);
    present.start().success();
    assert_eq!(heard.lock().unwrap().len(), expected.len());
    let kind = InstanceKind::Timer;
    assert_eq!((kind.key(), kind.to_string()), ("timer", "timer".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_has_it_by_name_and_by_definition() {
    let registry = Registry::new();
    let call = async |name: &str| {
        let pipeline = registry.pipeline(name).unwrap();
        pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    };
    let count = |name: &str| registry.timers().find(name).unwrap().metrics().successful.count();
    registry.timers().get("orders").unwrap();
    call("orders").await;
    assert_eq!(count("orders"), 1, "a timer alone is a pipeline");

    registry.timers().get("fine").unwrap();
    let spec = PipelineSpec::new().timer("fine");
    registry.pipelines().define("stock", spec.clone()).unwrap();
    call("stock").await;
    assert_eq!((count("orders"), count("fine")), (1, 1));
    assert!(spec != PipelineSpec::new());
    let error = registry.pipelines().define("x", PipelineSpec::new().timer("fin")).unwrap_err();
    assert_eq!(error.to_string(), "there is no timer `fin`; did you mean `fine`?");

    // One that was handed out follows.
    let pipeline = registry.pipeline("late").err();
    assert!(pipeline.is_some());
    registry.retries().get("late").unwrap();
    let pipeline = registry.pipeline("late").unwrap();
    let call = async || pipeline.call(|| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    call().await;
    registry.timers().get("late").unwrap();
    call().await;
    assert_eq!(count("late"), 1);
    registry.timers().replace(Timer::with_defaults("late")).unwrap();
    call().await;
    call().await;
    assert_eq!(count("late"), 2);
    registry.timers().remove("late").unwrap();
    call().await;
    assert!(pipeline.timer().is_none());
}
