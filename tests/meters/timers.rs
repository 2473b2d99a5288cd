//! A timer's own meter, under whatever name.

use seawall::telemetry::Meters;
use seawall::telemetry::meters::{Reading, Timing};
use seawall::{Cause, Registry, Timer, TimerConfig};
use tokio::time::advance;

use crate::strict;
use crate::support::{Shop, ms, reading, reading_of};

fn named(name: &str) -> TimerConfig {
    TimerConfig::builder().metric_names(name).build().unwrap()
}

fn timing(meters: &Meters, metric: &str, labels: &[(&str, &str)]) -> Option<Timing> {
    reading_of(&meters.collect(), metric, labels).map(|reading| match reading {
        Reading::Timer(timing) => timing,
        other => panic!("{metric}: {other:?}"),
    })
}

#[tokio::test(start_paused = true)]
async fn calls_are_timed_by_how_they_ended_and_why() {
    let Shop { timer, meters, .. } = Shop::new();
    for (took, failure) in
        [(3, None), (40, None), (7, Some(Cause::Timeout)), (9, Some(Cause::Timeout))]
    {
        let measurement = timer.start();
        advance(ms(took)).await;
        match failure {
            None => measurement.success(),
            Some(cause) => measurement.failure(cause),
        }
    }
    let of = |labels: &[_]| match reading(&meters.collect(), "timer.calls", labels) {
        Some(Reading::Timer(timing)) => timing,
        other => panic!("{labels:?}: {other:?}"),
    };
    let good = of(&[("name", "orders"), ("kind", "successful"), ("failure", "")]);
    assert_eq!((good.count(), good.sum(), good.max()), (2, ms(43), ms(40)));
    assert_eq!(good, timer.metrics().successful);
    let bad = of(&[("name", "orders"), ("kind", "failed"), ("failure", "timeout")]);
    assert_eq!((bad.count(), bad.sum(), bad.max()), (2, ms(16), ms(9)));

    let text = meters.prometheus();
    let series = r#"resilience4j_timer_calls_seconds_count{name="orders",kind="failed",failure="timeout"} 2"#;
    assert!(text.contains(series), "{text}");
    let series =
        r#"resilience4j_timer_calls_seconds_max{name="orders",kind="successful",failure=""} 0.04"#;
    assert!(text.contains(series), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_name_of_its_own_is_a_family_of_its_own() {
    let meters = Meters::new();
    let plain = Timer::with_defaults("orders");
    let own = Timer::new("stock", named("timer.tests.own-family"));
    let same = Timer::new("depot", named("timer_tests_own.family"));
    [&plain, &own, &same].into_iter().for_each(|timer| {
        meters.watch(timer);
        timer.start().failure(Cause::Reset);
    });
    let failed = |metric, name| {
        timing(&meters, metric, &[("name", name), ("kind", "failed"), ("failure", "reset")])
    };
    assert_eq!(failed("resilience4j.timer.calls", "orders").unwrap().count(), 1);
    assert_eq!(failed("timer.tests.own-family", "stock").unwrap().count(), 1);
    assert!(failed("resilience4j.timer.calls", "stock").is_none());
    assert_eq!(failed("timer_tests_own.family", "depot").unwrap().count(), 1);

    // To Prometheus the two are one, and a family twice would be none.
    let samples = strict::parse(&meters.prometheus());
    let of = |family: &str| samples.iter().filter(|sample| sample.name == family).count();
    assert_eq!(of("timer_tests_own_family_seconds_count"), 4);
    assert_eq!(of("timer_tests_own_family_seconds_max"), 4);
    assert_eq!(of("resilience4j_timer_calls_seconds_count"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_update_renames_it_and_what_was_counted_goes_on() {
    let registry = Registry::new();
    let meters = Meters::of(&registry);
    let timer = registry.timers().get("orders").unwrap();
    timer.start().success();
    timer.start().failure(Cause::Timeout);
    registry.timers().update("orders", named("timer.tests.renamed")).unwrap();
    timer.start().success();
    let of = |kind| timing(&meters, "timer.tests.renamed", &[("kind", kind)]).unwrap().count();
    assert_eq!((of("successful"), of("failed")), (2, 1));
    let text = meters.prometheus();
    strict::parse(&text);
    assert!(!text.contains("resilience4j_timer_calls"), "{text}");
    registry.timers().update("orders", TimerConfig::default()).unwrap();
    assert!(!meters.prometheus().contains("timer_tests_renamed"));
    assert_eq!(
        timing(&meters, "resilience4j.timer.calls", &[("kind", "successful")]).unwrap().count(),
        2
    );
}

#[test]
fn of_two_instances_with_one_name_the_calls_add_up() {
    let meters = Meters::new();
    let both = ["orders", "orders"].map(Timer::with_defaults);
    both.iter().for_each(|timer| meters.watch(timer));
    both[0].start().success();
    both[1].start().success();
    both[1].start().failure(Cause::Timeout);
    let of = |kind| timing(&meters, "resilience4j.timer.calls", &[("kind", kind)]);
    assert_eq!((of("successful").unwrap().count(), of("failed").unwrap().count()), (2, 1));
}

#[test]
fn rg08_it_comes_and_goes_with_the_registrys_instance() {
    let registry = Registry::new();
    let meters = Meters::of(&registry);
    let timer = registry.timers().get("orders").unwrap();
    timer.start().success();
    let count = || {
        let of = timing(&meters, "resilience4j.timer.calls", &[("kind", "successful")]);
        of.map(|timing| timing.count())
    };
    assert_eq!(count(), Some(1));
    registry.timers().replace(Timer::with_defaults("orders")).unwrap();
    timer.start().success();
    assert_eq!(count(), Some(0), "it is another");
    registry.timers().remove("orders").unwrap();
    assert_eq!(count(), None);
}

/// Whatever a function says of a failure, and a tag of the user's that is called like the meter's own.
#[test]
fn hostile_tags_give_a_text_that_parses() {
    const HOSTILE: [&str; 7] =
        ["", "\"", "\\", "\n", "}", "x\n# TYPE evil gauge\nevil 1", "Köln \u{0}🍕"];
    let config = TimerConfig::builder().failure_tag(|cause| match cause {
        Cause::Status(at) => HOSTILE[usize::from(at)],
        _ => "other",
    });
    let timer = Timer::new("a\"b\\c\nd", config.build().unwrap());
    let meters = Meters::new();
    meters.watch_with(&timer, [("failure", "evil"), ("kind", "evil"), ("le", "1"), ("a-b", "\n")]);
    (0..HOSTILE.len() as u16).for_each(|at| timer.start().failure(Cause::Status(at)));
    timer.start().success();
    let samples = strict::parse(&meters.prometheus());
    let counts = samples.iter().filter(|it| it.name == "resilience4j_timer_calls_seconds_count");
    let mut found: Vec<_> =
        counts.map(|it| (&*it.labels["kind"], &*it.labels["failure"])).collect();
    // Prometheus's text has no NUL.
    let shown: Vec<_> = HOSTILE.iter().map(|tag| tag.replace('\0', "\u{fffd}")).collect();
    let mut expected: Vec<_> = shown.iter().map(|tag| ("failed", &**tag)).collect();
    expected.push(("successful", ""));
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(
        samples.iter().all(|sample| sample.labels.get("name").is_none_or(|it| it == "a\"b\\c\nd"))
    );
}
