//! What every module here needs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::telemetry::{Event, EventKind, TimerEvent};
use seawall::{Cause, Timer, TimerConfig};
use tokio::time::sleep;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn timer() -> Timer {
    Timer::with_defaults("shop")
}

pub(crate) fn tagging(tag: impl Fn(Cause) -> &'static str + Send + Sync + 'static) -> Timer {
    Timer::new("shop", TimerConfig::builder().failure_tag(tag).build().unwrap())
}

/// How many calls succeeded, and how long they took together.
pub(crate) fn successes(timer: &Timer) -> (u64, Duration) {
    let of = timer.metrics().successful;
    (of.count(), of.sum())
}

/// The same of the failures by tag. All of them together are what the metrics say.
pub(crate) fn failures(timer: &Timer) -> Vec<(&'static str, u64, Duration)> {
    let by_tag: Vec<_> =
        timer.failures().into_iter().map(|(tag, of)| (tag, of.count(), of.sum())).collect();
    let all = timer.metrics().failed;
    assert_eq!(all.count(), by_tag.iter().map(|(_, count, _)| *count).sum::<u64>());
    assert_eq!(all.sum(), by_tag.iter().map(|(_, _, sum)| *sum).sum::<Duration>());
    by_tag
}

pub(crate) fn listen(timer: &Timer) -> impl Fn() -> Vec<TimerEvent> + use<> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    timer.observe(move |event: &Event<'_>| {
        let EventKind::Timer(kind) = event.kind else { panic!("of another pattern") };
        assert_eq!(event.name, "shop");
        told.lock().unwrap().push(kind);
    });
    move || std::mem::take(&mut *heard.lock().unwrap())
}

/// Takes so long, and ends so.
pub(crate) async fn after<T, E>(wait: Duration, result: Result<T, E>) -> Result<T, E> {
    sleep(wait).await;
    result
}

/// Panics without a report on the screen.
pub(crate) fn quiet_panic() -> ! {
    std::panic::resume_unwind(Box::new("told to panic"))
}
