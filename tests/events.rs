//! Events as a stream: their order, what a slow reader loses, and when it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use seawall::patterns::Instance;
use seawall::telemetry::{
    BulkheadEvent, CircuitBreakerEvent, Event, EventKind, EventRecord, Events, RegistryEvent,
    RetryEvent, TimerEvent,
};
use seawall::{
    Backoff, Bulkhead, CircuitBreaker, CircuitBreakerConfig, Pipeline, RateLimiter, Registry,
    Retry, RetryConfig, TimeLimiter, Timer, TimerConfig,
};
use tokio::time::Instant;

fn all(events: &mut Events) -> Vec<EventRecord> {
    std::iter::from_fn(|| events.try_recv()).collect()
}

fn bulkhead_events(events: &mut Events) -> Vec<(BulkheadEvent, u64)> {
    let kind = |record: EventRecord| match record.kind {
        EventKind::Bulkhead(event) => (event, record.missed),
        other => panic!("{other:?}"),
    };
    all(events).into_iter().map(kind).collect()
}

/// That the record has the clock on the wall is what is tested.
#[allow(clippy::disallowed_methods)]
fn wall() -> SystemTime {
    SystemTime::now()
}

/// One permission asked for and given back: two events.
fn enter(bulkhead: &Bulkhead) {
    drop(bulkhead.try_acquire().unwrap());
}

#[tokio::test(start_paused = true)]
async fn events_come_in_their_order_with_name_and_times() {
    let before = wall();
    let bulkhead = Bulkhead::with_defaults("it");
    let mut events = bulkhead.events(10);
    enter(&bulkhead);
    tokio::time::advance(Duration::from_secs(5)).await;
    enter(&bulkhead);
    let records = all(&mut events);
    use BulkheadEvent::{CallFinished, CallPermitted};
    let kinds: Vec<_> = records.iter().map(|it| it.kind).collect();
    let expected = [CallPermitted, CallFinished, CallPermitted, CallFinished];
    assert_eq!(kinds, expected.map(EventKind::Bulkhead));
    assert!(records.iter().all(|it| &*it.name == "it" && it.missed == 0));
    assert_eq!(records[3].at - records[0].at, Duration::from_secs(5));
    assert_eq!(records[3].at, Instant::now());
    assert!(records.iter().all(|it| (before..=wall()).contains(&it.time)));
    assert!(Arc::ptr_eq(&records[0].name, &records[1].name), "the name is kept once");
}

#[test]
fn a_slow_reader_loses_the_oldest_and_is_told_how_many() {
    let bulkhead = Bulkhead::with_defaults("it");
    let mut events = bulkhead.events(3);
    (0..4).for_each(|_| enter(&bulkhead));
    assert_eq!(events.len(), 3);
    use BulkheadEvent::{CallFinished, CallPermitted};
    assert_eq!(
        bulkhead_events(&mut events),
        [(CallFinished, 5), (CallPermitted, 0), (CallFinished, 0)]
    );
    enter(&bulkhead);
    assert_eq!(bulkhead_events(&mut events), [(CallPermitted, 0), (CallFinished, 0)]);
}

#[test]
fn a_capacity_of_zero_is_one() {
    let bulkhead = Bulkhead::with_defaults("it");
    for capacity in [0, 1] {
        let mut events = bulkhead.events(capacity);
        (0..3).for_each(|_| enter(&bulkhead));
        assert_eq!(bulkhead_events(&mut events), [(BulkheadEvent::CallFinished, 5)]);
    }
    let mut huge = bulkhead.events(usize::MAX);
    enter(&bulkhead);
    assert_eq!(all(&mut huge).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_woken_and_the_end_follows_the_last_event() {
    let breaker = CircuitBreaker::with_defaults("it");
    let mut events = breaker.events(10);
    let reader = tokio::spawn(async move {
        let mut kinds = Vec::new();
        while let Some(record) = events.next().await {
            kinds.push(record.kind);
        }
        assert!(events.recv().await.is_none());
        kinds
    });
    tokio::task::yield_now().await;
    breaker.try_acquire().unwrap().success();
    tokio::task::yield_now().await;
    breaker.reset();
    drop(breaker);
    let kinds = reader.await.unwrap();
    use CircuitBreakerEvent::{Reset, Success};
    assert!(
        matches!(
            kinds[..],
            [EventKind::CircuitBreaker(Success { .. }), EventKind::CircuitBreaker(Reset)]
        ),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn dropping_the_wait_loses_no_event() {
    let bulkhead = Bulkhead::with_defaults("it");
    let mut events = bulkhead.events(10);
    {
        let mut wait = std::pin::pin!(events.recv());
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        enter(&bulkhead);
    }
    assert_eq!(all(&mut events).len(), 2);
}

#[test]
fn dropping_it_takes_the_observer_off_and_it_holds_no_instance() {
    let limiter = TimeLimiter::with_defaults("it");
    let listeners = || {
        let text = format!("{limiter:?}");
        let at = text.find("count: ").expect("the number of observers") + "count: ".len();
        text[at..].chars().next()
    };
    assert_eq!(listeners(), Some('0'));
    let (first, second) = (limiter.events(10), limiter.events(10));
    assert_eq!(listeners(), Some('2'));
    assert!(!limiter.is_shared(), "a stream keeps nothing alive");
    drop(first);
    assert_eq!(listeners(), Some('1'));
    // After the instance, too.
    drop(limiter);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn every_handle_has_them() {
    let mut seen = Vec::new();
    let (breaker, bulkhead) = (CircuitBreaker::with_defaults("a"), Bulkhead::with_defaults("b"));
    let (limiter, time) = (RateLimiter::with_defaults("c"), TimeLimiter::with_defaults("d"));
    let retry = RetryConfig::builder()
        .max_attempts(2)
        .backoff(Backoff::fixed(Duration::ZERO))
        .build()
        .unwrap();
    let retry = Retry::new("e", retry);
    let timer = Timer::with_defaults("f");
    let mut streams = [
        breaker.events(9),
        bulkhead.events(9),
        limiter.events(9),
        time.events(9),
        retry.events(9),
        timer.events(9),
    ];
    breaker.call(ok()).await.unwrap();
    bulkhead.call(ok()).await.unwrap();
    limiter.call(ok()).await.unwrap();
    time.call(ok()).await.unwrap();
    timer.call(ok()).await.unwrap();
    retry.call(|| async { Err::<(), _>(io::Error::other("broken")) }).await.unwrap_err();
    for stream in &mut streams {
        let records = all(stream);
        assert!(records.iter().all(|it| it.name == records[0].name));
        seen.push((records[0].name.to_string(), records.len()));
    }
    let expected = [("a", 1), ("b", 2), ("c", 1), ("d", 1), ("e", 2), ("f", 2)];
    assert_eq!(seen, expected.map(|(name, count)| (name.to_owned(), count)));
}

async fn ok() -> Result<(), io::Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_pipelines_stream_has_all_steps_and_ends_with_the_last() {
    let pipeline = Pipeline::builder("it")
        .retry(RetryConfig::builder().backoff(Backoff::fixed(Duration::from_millis(1))))
        .circuit_breaker(CircuitBreakerConfig::builder())
        .timer(TimerConfig::builder())
        .build()
        .unwrap();
    let retry = pipeline.retry().unwrap().clone();
    let mut events = pipeline.events(100);
    let tries = AtomicU32::new(0);
    let tries = Arc::new(tries);
    let work = move || {
        let first = tries.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { Err(io::Error::other("broken")) } else { Ok(()) } }
    };
    pipeline.call(work).await.unwrap();
    let kinds: Vec<_> = all(&mut events).into_iter().map(|it| it.kind).collect();
    use {CircuitBreakerEvent as Breaker, RetryEvent as Again};
    assert!(
        matches!(
            kinds[..],
            [
                EventKind::Timer(TimerEvent::Start),
                EventKind::Timer(TimerEvent::Failure { .. }),
                EventKind::CircuitBreaker(Breaker::Error { .. }),
                EventKind::Retry(Again::Retry { .. }),
                EventKind::Timer(TimerEvent::Start),
                EventKind::Timer(TimerEvent::Success { .. }),
                EventKind::CircuitBreaker(Breaker::Success { .. }),
                EventKind::Retry(Again::Success { .. })
            ]
        ),
        "{kinds:?}"
    );
    drop(pipeline);
    let mut wait = std::pin::pin!(events.recv());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut cx).is_pending(), "the retry is still there");
    drop(retry);
    assert!(wait.as_mut().poll(&mut cx).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_registrys_stream_has_what_is_there_and_what_comes() {
    let registry = Registry::new();
    let first = registry.bulkheads().get("first").unwrap();
    let mut events = registry.events(100);
    let second = registry.bulkheads().get("second").unwrap();
    enter(&first);
    enter(&second);
    let records = all(&mut events);
    let names: Vec<_> = records.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["second", "first", "first", "second", "second"]);
    assert!(matches!(records[0].kind, EventKind::Registry(_, RegistryEvent::Added)));
    // From what is removed it is taken off.
    registry.bulkheads().remove("first");
    enter(&first);
    assert_eq!(all(&mut events).len(), 1);
    let mut cx = Context::from_waker(Waker::noop());
    drop(registry);
    assert!(events.poll_recv(&mut cx).is_pending(), "the second is still there");
    drop(second);
    assert!(matches!(events.poll_recv(&mut cx), Poll::Ready(None)));
}

#[test]
fn a_listener_that_panics_harms_no_stream() {
    let bulkhead = Bulkhead::with_defaults("it");
    bulkhead.observe(|_: &Event<'_>| std::panic::panic_any("a listener's own fault"));
    let mut events = bulkhead.events(10);
    std::panic::set_hook(Box::new(|_| {}));
    enter(&bulkhead);
    drop(std::panic::take_hook());
    assert_eq!(all(&mut events).len(), 2);
}

/// Many writers and a reader that cannot keep up: what is read and what is told to be lost adds up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_untold_between_threads() {
    const CALLS: u64 = 20_000;
    let bulkhead = Bulkhead::with_defaults("it");
    let mut events = bulkhead.events(7);
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let bulkhead = bulkhead.clone();
            std::thread::spawn(move || (0..CALLS).for_each(|_| enter(&bulkhead)))
        })
        .collect();
    drop(bulkhead);
    let mut total = 0;
    while let Some(record) = events.recv().await {
        total += 1 + record.missed;
    }
    assert_eq!(total, 2 * 2 * CALLS);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}
