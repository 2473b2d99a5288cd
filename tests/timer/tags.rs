//! What failures are called.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seawall::{Cause, Timer, TimerConfig};

use crate::support::*;

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A tag for each status: `t400`, say.
fn by_status() -> Timer {
    tagging(|cause| match cause {
        Cause::Status(status) => leaked(format!("t{status}")),
        _ => "other",
    })
}

fn fail(timer: &Timer, causes: impl IntoIterator<Item = Cause>) {
    causes.into_iter().for_each(|cause| timer.start().failure(cause));
}

fn counts(timer: &Timer) -> Vec<(&'static str, u64)> {
    failures(timer).into_iter().map(|(tag, count, _)| (tag, count)).collect()
}

#[test]
fn by_default_a_cause_is_called_as_files_call_it() {
    let timer = timer();
    let causes = [
        (Cause::Status(503), "503"),
        (Cause::Grpc(4), "grpc:deadline_exceeded"),
        (Cause::Connect, "connect"),
        (Cause::Unprocessed, "unprocessed"),
        (Cause::Permanent, "permanent"),
        (Cause::Timeout, "timeout"),
        (Cause::Reset, "reset"),
        (Cause::Overloaded, "overloaded"),
        (Cause::Refused, "refused"),
        (Cause::Cancelled, "cancelled"),
        (Cause::Other, "other"),
    ];
    fail(&timer, causes.map(|(cause, _)| cause));
    fail(&timer, [Cause::Timeout]);
    let expected = causes.map(|(cause, tag)| (tag, 1 + u64::from(cause == Cause::Timeout)));
    assert_eq!(counts(&timer), expected, "in the order in which they came up");
}

#[test]
fn thirty_two_tags_are_kept_apart_and_further_ones_are_other() {
    let timer = by_status();
    let heard = listen(&timer);
    fail(&timer, (100..150).map(Cause::Status));
    let found = counts(&timer);
    assert_eq!(found.len(), 33);
    for (index, (tag, count)) in found[..32].iter().enumerate() {
        assert_eq!((*tag, *count), (leaked(format!("t{}", 100 + index)), 1));
    }
    assert_eq!(found[32], ("other", 50 - 32));
    // Those that are known already go on.
    fail(&timer, [Cause::Status(131), Cause::Status(132), Cause::Other]);
    let found = counts(&timer);
    assert_eq!((found[31], found[32]), (("t131", 2), ("other", 50 - 32 + 2)));
    // Observers hear what it is counted as.
    let tags: Vec<_> = heard().into_iter().filter_map(tag).collect();
    assert_eq!((tags[31], tags[32], tags[49]), ("t131", "other", "other"));
}

fn tag(event: seawall::telemetry::TimerEvent) -> Option<&'static str> {
    match event {
        seawall::telemetry::TimerEvent::Failure { tag, .. } => Some(tag),
        _ => None,
    }
}

#[test]
fn other_takes_no_place_of_the_thirty_two() {
    let timer = by_status();
    fail(&timer, [Cause::Other]);
    fail(&timer, (100..133).map(Cause::Status));
    let found = counts(&timer);
    assert_eq!(found.len(), 33);
    assert_eq!((found[0], found[32]), (("other", 2), ("t131", 1)));
}

#[test]
fn a_tag_is_its_text_wherever_that_lies() {
    let timer = tagging(|_| leaked("same".to_owned()));
    fail(&timer, [Cause::Timeout, Cause::Reset]);
    assert_eq!(counts(&timer), [("same", 2)]);
    // Whatever it is, and nothing at all.
    let timer = tagging(|cause| if cause == Cause::Reset { "" } else { "a\"b\\\n" });
    fail(&timer, [Cause::Timeout, Cause::Reset]);
    assert_eq!(counts(&timer), [("a\"b\\\n", 1), ("", 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_function_is_asked_once_for_each_failure_and_for_no_success() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let timer = tagging(move |cause| {
        count.fetch_add(1, Ordering::Relaxed);
        assert_eq!(cause, Cause::Overloaded);
        "told"
    });
    let heard = listen(&timer);
    timer.call(after(ms(1), Ok::<_, &str>(()))).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    fail(&timer, [Cause::Overloaded]);
    assert_eq!((asked.load(Ordering::Relaxed), counts(&timer)), (1, vec![("told", 1)]));
    assert_eq!(heard().len(), 4);
}

/// It may look at the timer, and even call it: no lock is held.
#[test]
fn the_function_may_use_the_timer_itself() {
    let cell = Arc::new(OnceLock::<Timer>::new());
    let inside = cell.clone();
    let timer = tagging(move |cause| {
        let timer = inside.get().unwrap();
        if cause == Cause::Timeout {
            timer.start().failure(Cause::Reset);
            assert_eq!(timer.failures().len(), 1);
            timer.update(TimerConfig::default());
            return "outer";
        }
        "inner"
    });
    cell.set(timer.clone()).unwrap();
    // In a thread of its own, which would hang.
    let (tell, hear) = std::sync::mpsc::channel();
    let failing = timer.clone();
    std::thread::spawn(move || {
        fail(&failing, [Cause::Timeout]);
        tell.send(()).unwrap();
    });
    hear.recv_timeout(Duration::from_secs(20)).expect("it hangs");
    assert_eq!(counts(&timer), [("inner", 1), ("outer", 1)]);
    fail(&timer, [Cause::Reset]);
    assert_eq!(counts(&timer).last(), Some(&("reset", 1)), "it has new settings");
}
