//! Resilience4j's aspect orders: a pipeline's order is fixed, so they may only say that very order.

use super::model::kind::{Kind, Setting};
use super::problem::{Origin, Report};
use super::read::Reader;
use super::tree::branch::Branch;

/// Outermost first, with Resilience4j's defaults; the lower is the outer.
const FIXED: [(&str, i64); 6] = [
    ("retryaspectorder", LAST - 5),
    ("circuitbreakeraspectorder", LAST - 4),
    ("ratelimiteraspectorder", LAST - 3),
    ("timelimiteraspectorder", LAST - 2),
    ("bulkheadaspectorder", LAST - 1),
    ("timeraspectorder", LAST),
];
const LAST: i64 = i32::MAX as i64;

#[derive(Debug, Default)]
pub(super) struct Orders {
    set: Vec<(usize, i64, Origin, std::sync::Arc<str>)>,
}

impl Orders {
    pub(super) fn read<'t>(&mut self, reader: &mut Reader<'_, 't>, id: &str, branch: &Branch<'t>) {
        let kind = Kind::Int { least: i32::MIN.into(), most: LAST };
        let Some(set) = reader.value(kind, branch) else { return };
        let place = FIXED.iter().position(|(key, _)| *key == id);
        if let (Some(place), Setting::Int(order)) = (place, set.setting) {
            self.set.push((place, order, set.origin, set.path));
        }
    }

    pub(super) fn check(&self, report: &mut Report) {
        let mut all = FIXED.map(|(_, order)| order);
        for (place, order, ..) in &self.set {
            all[*place] = *order;
        }
        let fits = all.windows(2).all(|pair| pair[0] < pair[1]);
        for (_, order, at, path) in &self.set {
            if fits {
                report.warn(at, path, "has no effect: a pipeline has this order at any rate");
                continue;
            }
            let expected = "part of the order retry, circuit breaker, rate limiter, time limiter, bulkhead, timer from \
                            low to high, which is fixed (another is had by composing layers)";
            report.refuse(at, path, &order.to_string(), expected, None);
        }
    }
}
