//! What observers are told.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall::patterns::Instance;
use seawall::telemetry::TimerEvent::{Failure, Start, Success};
use seawall::telemetry::{Event, EventKind};
use seawall::{Cause, Timer, TimerConfig, Verdict};
use tokio::time::{Instant, advance};

use crate::support::*;

const METRIC: &str = "resilience4j.timer.calls";

#[tokio::test(start_paused = true)]
async fn a_call_begins_and_ends_with_an_event() {
    let timer = timer();
    let heard = listen(&timer);
    timer.call(after(ms(30), Ok::<_, Infallible>(()))).await.unwrap();
    assert_eq!(heard(), [Start, Success { elapsed: ms(30), metric: METRIC }]);

    let measurement = timer.start();
    assert_eq!(heard(), [Start], "at once");
    advance(ms(8)).await;
    measurement.record(&Verdict::ignored(Cause::Status(429)));
    let cause = Cause::Status(429);
    assert_eq!(heard(), [Failure { elapsed: ms(8), metric: METRIC, cause, tag: "429" }]);

    let measurement = timer.start();
    advance(ms(9)).await;
    drop(measurement);
    let cause = Cause::Cancelled;
    let ended = Failure { elapsed: ms(9), metric: METRIC, cause, tag: "cancelled" };
    assert_eq!(heard(), [Start, ended]);
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_moment_and_what_the_settings_say_of_it() {
    let config = TimerConfig::builder().metric_names("timer.tests.own").failure_tag(|_| "mine");
    let timer = Timer::new("shop", config.build().unwrap());
    let mut events = timer.events(10);
    let begun = Instant::now();
    let measurement = timer.start();
    advance(ms(5)).await;
    measurement.failure(Cause::Reset);
    let (first, last) = (events.try_recv().unwrap(), events.try_recv().unwrap());
    assert_eq!((first.at, first.kind), (begun, EventKind::Timer(Start)));
    let failure =
        Failure { elapsed: ms(5), metric: "timer.tests.own", cause: Cause::Reset, tag: "mine" };
    assert_eq!((last.at, last.kind), (begun + ms(5), EventKind::Timer(failure)));
    assert_eq!(&*last.name, "shop");

    timer.start().success();
    assert!(events.try_recv().is_some());
    let success = Success { elapsed: ms(0), metric: "timer.tests.own" };
    assert_eq!(events.try_recv().unwrap().kind, EventKind::Timer(success));
    drop(timer);
    assert!(events.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn calls_that_overlap_are_told_as_they_end() {
    let timer = timer();
    let heard = listen(&timer);
    let slow = timer.call(after(ms(50), Ok::<_, Infallible>(())));
    let quick = timer.call(after(ms(20), Ok::<_, Infallible>(())));
    let (slow, quick) = tokio::join!(slow, quick);
    assert!(slow.is_ok() && quick.is_ok());
    let ends = [20, 50].map(|took| Success { elapsed: ms(took), metric: METRIC });
    assert_eq!(heard(), [Start, Start, ends[0], ends[1]]);
}

/// Who listens is looked at anew at each event.
#[tokio::test(start_paused = true)]
async fn an_observer_hears_what_happens_while_it_is_there() {
    let timer = timer();
    let measurement = timer.start();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let id = timer.attach(Arc::new(move |_: &Event<'_>| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    measurement.success();
    assert_eq!(heard.load(Ordering::Relaxed), 1, "the end of a call that began before");
    let measurement = timer.start();
    timer.detach(id);
    measurement.failure(Cause::Timeout);
    drop(timer.start());
    assert_eq!(heard.load(Ordering::Relaxed), 2);
    assert_eq!((successes(&timer).0, failures(&timer).len()), (1, 2), "what counts, counts alone");
}

/// When an observer hears of an end, the end is counted.
#[tokio::test(start_paused = true)]
async fn the_end_is_counted_before_it_is_told() {
    let timer = timer();
    let (inside, seen) = (timer.clone(), Arc::new(AtomicUsize::new(0)));
    let count = seen.clone();
    timer.observe(move |event: &Event<'_>| {
        let metrics = inside.metrics();
        match event.kind {
            EventKind::Timer(Success { .. }) => assert_eq!(metrics.successful.count(), 1),
            EventKind::Timer(Failure { .. }) => assert_eq!(metrics.failed.count(), 1),
            _ => return,
        }
        count.fetch_add(1, Ordering::Relaxed);
    });
    timer.start().success();
    timer.start().failure(Cause::Timeout);
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}
