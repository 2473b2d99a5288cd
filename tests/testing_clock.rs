//! `seawall::testing::clock`: time that is told and moved to the millisecond.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall::testing::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A task that sleeps again and again, and when it woke.
fn ticking(every: Duration) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let counts = count.clone();
    tokio::spawn(async move {
        loop {
            sleep(every).await;
            counts.fetch_add(1, Ordering::Relaxed);
        }
    });
    count
}

#[tokio::test(start_paused = true)]
async fn advance_stops_at_every_timer_on_the_way() {
    let count = ticking(ms(10));
    clock::advance(ms(100)).await;
    assert_eq!(count.load(Ordering::Relaxed), 10);
    clock::advance(ms(9)).await;
    assert_eq!(count.load(Ordering::Relaxed), 10);
    clock::advance(ms(1)).await;
    assert_eq!(count.load(Ordering::Relaxed), 11);

    // tokio's own does not.
    let count = ticking(ms(10));
    tokio::task::yield_now().await;
    tokio::time::advance(ms(100)).await;
    tokio::task::yield_now().await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn advance_is_exact_for_any_span_and_from_any_point() {
    let start = Instant::now();
    let mut sum = Duration::ZERO;
    let spans = [ms(0), ms(1), ms(2), Duration::from_micros(300), ms(7), Duration::from_nanos(1)];
    for span in spans.into_iter().chain([Duration::from_micros(9_700), Duration::from_secs(86_400)])
    {
        clock::advance(span).await;
        sum += span;
        assert_eq!(start.elapsed(), sum, "{span:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn advance_lets_tasks_that_wake_each_other_come_to_rest() {
    let notes: Arc<[Notify; 20]> = Arc::default();
    // Each is told by the one before it, and the last to be spawned is the first to be told.
    for n in (0..19).rev() {
        let notes = notes.clone();
        tokio::spawn(async move {
            notes[n].notified().await;
            notes[n + 1].notify_one();
        });
    }
    let first = notes.clone();
    tokio::spawn(async move {
        sleep(ms(10)).await;
        first[0].notify_one();
    });
    clock::advance(ms(10)).await;
    let mut told = tokio_test::task::spawn(notes[19].notified());
    assert!(told.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn took_tells_the_time_of_the_clock() {
    let (output, span) = clock::took(async {
        sleep(ms(70)).await;
        sleep(ms(1)).await;
        42
    })
    .await;
    assert_eq!((output, span), (42, ms(71)));
    assert_eq!(clock::took(async {}).await.1, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn ready_after_gives_the_output_of_what_is_ready_just_then() {
    assert_eq!(clock::ready_after(Duration::ZERO, async { 1 }).await, 1);
    let call = async {
        sleep(ms(20)).await;
        2
    };
    assert_eq!(clock::ready_after(ms(20), call).await, 2);
}

#[tokio::test(start_paused = true)]
#[should_panic = "ready after 19ms instead of 20ms"]
async fn ready_after_refuses_what_is_early() {
    clock::ready_after(ms(20), sleep(ms(19))).await;
}

#[tokio::test(start_paused = true)]
#[should_panic = "20ms"]
async fn ready_after_refuses_what_is_late() {
    clock::ready_after(ms(20), sleep(ms(21))).await;
}

#[tokio::test(start_paused = true)]
#[should_panic = "not ready after 20ms"]
async fn ready_after_does_not_wait_for_ever() {
    clock::ready_after(ms(20), pending::<()>()).await;
}

#[tokio::test(start_paused = true)]
async fn pending_for_bears_what_is_ready_later() {
    clock::pending_for(ms(20), sleep(ms(21))).await;
    clock::pending_for(Duration::from_secs(86_400), pending::<()>()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic = "ready after 20ms, within 20ms"]
async fn pending_for_refuses_what_is_ready_just_then() {
    clock::pending_for(ms(20), sleep(ms(20))).await;
}

#[tokio::test]
#[should_panic = "time is not frozen"]
async fn a_clock_that_runs_cannot_be_advanced() {
    clock::advance(ms(1)).await;
}

/// A server that answers after so much real time, and a call to it.
async fn slow_round_trip() -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let (never, wait) = std::sync::mpsc::channel::<()>();
        let _ = wait.recv_timeout(ms(30));
        drop(never);
        stream.write_all(b"!").unwrap();
    });
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"?").await?;
    stream.read_exact(&mut [0]).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_frozen_clock_stands_while_bytes_are_under_way() {
    let start = Instant::now();
    let frozen = clock::freeze();
    timeout(ms(1), slow_round_trip()).await.expect("no time passes").unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(frozen);
    // Without it, tokio takes the wait for idleness.
    timeout(ms(1), slow_round_trip()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_frozen_clock_stops_at_every_timer_on_the_way_when_it_is_advanced() {
    let start = Instant::now();
    let frozen = clock::freeze();
    let count = ticking(ms(10));
    frozen.advance(ms(99)).await;
    assert_eq!(count.load(Ordering::Relaxed), 9);
    frozen.advance(Duration::from_micros(1_000)).await;
    assert_eq!(count.load(Ordering::Relaxed), 10);
    frozen.advance(Duration::from_micros(2_500)).await;
    assert_eq!(start.elapsed(), Duration::from_micros(102_500));
    drop(frozen);
    // Now it goes on by itself.
    sleep(Duration::from_secs(1)).await;
    assert!(count.load(Ordering::Relaxed) > 100);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_clock_can_be_advanced_by_minutes() {
    let frozen = clock::freeze();
    let count = ticking(Duration::from_secs(1));
    frozen.advance(Duration::from_secs(60)).await;
    assert_eq!(count.load(Ordering::Relaxed), 60);
}
