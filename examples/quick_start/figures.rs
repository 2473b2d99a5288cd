//! Figures, and how they are written.

use std::time::Duration;

use crate::traffic::{Call, Outcome};

/// The share of calls that succeeded, from 0 to 1.
pub(crate) fn success_share(calls: &[Call]) -> f64 {
    let ok = calls.iter().filter(|call| call.outcome == Outcome::Ok).count();
    ok as f64 / calls.len().max(1) as f64
}

/// How long callers waited, for whatever came of it.
pub(crate) struct Waits(Vec<Duration>);

impl Waits {
    pub(crate) fn of(calls: &[Call]) -> Self {
        let mut waits: Vec<_> = calls.iter().map(|call| call.wait).collect();
        waits.sort_unstable();
        Self(waits)
    }

    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(crate) fn span(span: Duration) -> String {
    if span < Duration::from_millis(995) {
        format!("{:.0} ms", span.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", span.as_secs_f64())
    }
}
