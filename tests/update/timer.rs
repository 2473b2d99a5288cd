//! Of the timer.

use std::io;

use seawall::telemetry::{Event, EventKind, Meters, TimerEvent};
use seawall::{Cause, Timer, TimerConfig};
use tokio::time::advance;

use crate::support::*;

fn tagged(tag: &'static str) -> TimerConfig {
    TimerConfig::builder().failure_tag(move |_| tag).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn rg9_a_timer_keeps_its_counters_and_observers() {
    let timer = Timer::with_defaults("inventory");
    let heard = Heard::default();
    timer.observe(heard.observer());
    timer.call(async { Ok::<_, io::Error>(()) }).await.unwrap();
    timer.start().failure(Cause::Timeout);
    let config = tagged("own").to_builder().metric_names("timer.tests.update").build().unwrap();
    timer.update(config);
    assert_eq!(timer.config().metric_names(), "timer.tests.update");
    timer.start().failure(Cause::Timeout);
    let metrics = timer.metrics();
    assert_eq!((metrics.successful.count(), metrics.failed.count(), heard.events()), (1, 2, 6));
}

#[tokio::test(start_paused = true)]
async fn rg9_failure_tag_counts_for_calls_that_end_from_then_on() {
    let timer = Timer::new("inventory", tagged("before"));
    timer.start().failure(Cause::Timeout);
    let under_way = timer.start();
    advance(ms(5)).await;
    timer.update(tagged("after"));
    under_way.failure(Cause::Timeout);
    timer.update(TimerConfig::default());
    drop(timer.start());
    let tags: Vec<_> = timer.failures().into_iter().map(|(tag, of)| (tag, of.sum())).collect();
    assert_eq!(tags, [("before", ms(0)), ("after", ms(5)), ("cancelled", ms(0))]);
}

#[tokio::test(start_paused = true)]
async fn rg9_metric_names_has_all_counts_at_once_and_events_from_then_on() {
    let timer = Timer::with_defaults("inventory");
    let meters = Meters::new();
    meters.watch(&timer);
    let mut events = timer.events(10);
    timer.start().success();
    let under_way = timer.start();
    let own = TimerConfig::builder().metric_names("timer.tests.update-names");
    timer.update(own.build().unwrap());
    let collected = meters.collect();
    assert!(collected.get("resilience4j.timer.calls").is_none());
    assert!(collected.get("timer.tests.update-names").is_some());
    under_way.success();
    let metrics = std::iter::from_fn(|| events.try_recv()).filter_map(|it| match it.kind {
        EventKind::Timer(TimerEvent::Success { metric, .. }) => Some(metric),
        _ => None,
    });
    let metrics: Vec<_> = metrics.collect();
    assert_eq!(metrics, ["resilience4j.timer.calls", "timer.tests.update-names"]);
}

/// Settings go as a whole: nobody hears of the one's tag with the other's name.
#[test]
fn an_update_between_threads_is_seen_whole() {
    let timer = Timer::with_defaults("inventory");
    let settings = ["one", "two"].map(|tag| {
        let name = format!("timer.tests.whole.{tag}");
        tagged(tag).to_builder().metric_names(name).build().unwrap()
    });
    timer.update(settings[0].clone());
    timer.observe(|event: &Event<'_>| {
        if let EventKind::Timer(TimerEvent::Failure { metric, tag, .. }) = event.kind
            && !metric.ends_with(tag)
        {
            // A panic here would be caught.
            std::process::abort();
        }
    });
    const CALLS: u64 = 5_000;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..CALLS).for_each(|_| timer.start().failure(Cause::Other)));
        }
        for update in 0..2_000 {
            timer.update(settings[update % 2].clone());
        }
    });
    let counts: Vec<_> = timer.failures().into_iter().map(|(tag, of)| (tag, of.count())).collect();
    assert!(counts.iter().all(|(tag, _)| ["one", "two"].contains(tag)), "{counts:?}");
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 2 * CALLS);
}
