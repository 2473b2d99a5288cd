//! Of the timer.

use seawall::telemetry::Meters;
use seawall::{Cause, Timer, TimerConfig};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn rg9_a_timer_keeps_what_it_counted_and_its_observers() {
    let timer = Timer::with_defaults("inventory");
    let heard = Heard::default();
    timer.observe(heard.observer());
    timer.start().success();
    let early = timer.start();
    let (metrics, told) = (timer.metrics(), heard.events());
    let config = TimerConfig::builder().metric_names("update.tests.calls").failure_tag(|_| "mine");
    timer.update(config.build().unwrap());
    assert_eq!((timer.metrics(), heard.events()), (metrics, told));
    assert_eq!(timer.config().metric_names(), "update.tests.calls");
    early.failure(Cause::Reset);
    assert_eq!(timer.failures()[0].0, "mine", "it ended after the update");
    assert_eq!(heard.events(), told + 1);

    let meters = Meters::new();
    meters.watch(&timer);
    let text = meters.prometheus();
    assert!(!text.contains("resilience4j_timer"), "{text}");
    let successful = text.lines().find(|it| {
        it.starts_with("update_tests_calls_seconds_count") && it.contains("kind=\"successful\"")
    });
    assert!(successful.is_some_and(|it| it.ends_with(" 1")), "{text}");

    timer.update(TimerConfig::default());
    timer.start().failure(Cause::Reset);
    let tags: Vec<_> = timer.failures().iter().map(|(tag, _)| *tag).collect();
    assert_eq!(tags, ["mine", Cause::Reset.key()]);
}
