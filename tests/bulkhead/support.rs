//! Bulkheads to try, and what they tell.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::telemetry::{BulkheadEvent, Event, EventKind};
use seawall::{Bulkhead, BulkheadConfig, Reason, Rejected};

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn bulkhead(calls: u32, wait: Duration) -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(calls).max_wait(wait);
    Bulkhead::new("shop", config.build().unwrap())
}

/// In flight, waiting.
pub(crate) fn load(bulkhead: &Bulkhead) -> (u32, usize) {
    let metrics = bulkhead.metrics();
    (metrics.in_flight, metrics.waiting)
}

pub(crate) fn events(bulkhead: &Bulkhead) -> impl Fn() -> Vec<BulkheadEvent> + use<> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    bulkhead.observe(move |event: &Event<'_>| {
        let EventKind::Bulkhead(kind) = event.kind else { panic!("of another pattern") };
        assert_eq!(event.name, "shop");
        told.lock().unwrap().push(kind);
    });
    move || std::mem::take(&mut *heard.lock().unwrap())
}

pub(crate) fn is_full(rejected: &Rejected) -> bool {
    rejected.reason() == Reason::BulkheadFull && rejected.name() == "shop" && rejected.is_refusal()
}
