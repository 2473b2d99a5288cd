//! Users' code runs outside every lock of the registry, the ends of their types too.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use seawall::keyed::Keyed;
use seawall::registry::{Change, PipelineSpec};
use seawall::telemetry::{Event, Observer};
use seawall::{Bulkhead, RateLimiter, RateLimiterConfig, Registry};

use super::races::ends;

/// Looks at the registry when it ends.
struct Farewell(Registry);

impl Observer for Farewell {
    fn on_event(&self, _: &Event<'_>) {}
}

impl Drop for Farewell {
    fn drop(&mut self) {
        drop((self.0.retries().list(), self.0.bulkheads().list()));
        drop((self.0.keyed(), self.0.pipelines().names()));
    }
}

#[test]
fn an_observer_that_ends_may_use_the_registry() {
    ends(|| {
        let registry = Registry::new();
        registry.bulkheads().get("orders").unwrap();
        let id = registry.observe(Farewell(registry.clone()));
        registry.unobserve(id);
    });
}

#[test]
fn an_observer_that_ends_may_use_the_registry_of_a_keyed_group() {
    ends(|| {
        let registry = Registry::new();
        let hosts = Keyed::new("hosts", |host| Ok(Bulkhead::with_defaults(host))).unwrap();
        registry.add_keyed(&hosts);
        let id = registry.observe(Farewell(registry.clone()));
        registry.unobserve(id);
    });
}

/// Uses the registry for each piece of text.
struct Page(Registry, String);

impl Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        drop((self.0.bulkheads().list(), self.0.pipelines().names(), self.0.keyed()));
        self.1.push_str(text);
        Ok(())
    }
}

#[test]
fn whoever_prints_the_registry_may_use_it() {
    let text = ends(|| {
        let registry = Registry::new();
        registry.bulkheads().get("orders").unwrap();
        registry.pipelines().define("shop", PipelineSpec::new().bulkhead("orders")).unwrap();
        let mut page = Page(registry.clone(), String::new());
        write!(page, "{registry:?}").unwrap();
        page.1
    });
    assert!(text.contains("orders") && text.contains("shop"), "{text}");
}

/// Puts another limiter in the place of the one whose settings it is part of.
struct Successor(Registry, RateLimiter);

impl Drop for Successor {
    fn drop(&mut self) {
        self.0.rate_limiters().replace(self.1.clone());
    }
}

#[test]
fn an_update_says_nothing_of_an_instance_that_has_been_replaced_meanwhile() {
    let told = ends(|| {
        let registry = Registry::new();
        let limiters = registry.rate_limiters();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        limiters.subscribe(move |change| {
            tell.lock().unwrap().push(match change {
                Change::Added(_) => "added",
                Change::Replaced { .. } => "replaced",
                Change::Updated(_) => "updated",
                Change::ConfigConflict { .. } => "conflict",
                _ => "else",
            });
        });
        let end = Successor(registry.clone(), RateLimiter::with_defaults("orders"));
        let config = RateLimiterConfig::builder().drain_on(move |_| {
            let _ = &end;
            false
        });
        limiters.get_with("orders", config).unwrap();
        let narrow = RateLimiterConfig::builder().limit_for_period(7);
        limiters.update("orders", narrow.clone()).unwrap();
        // The one that has the name now never got these.
        limiters.get_with("orders", narrow).unwrap();
        std::mem::take(&mut *told.lock().unwrap())
    });
    assert_eq!(told, ["added", "replaced", "conflict"]);
}
