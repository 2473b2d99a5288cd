//! Tests of what takes time, on tokio's paused clock: nothing sleeps, and times are exact.
//!
//! With `#[tokio::test(start_paused = true)]` tokio's clock stands still while anything is to be done, and jumps to
//! the next timer when nothing is. These helpers are what one needs beyond that.
//!
//! ```
//! use std::time::Duration;
//! use seawall::testing::clock;
//! use seawall::{Backoff, Retry, RetryConfig};
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! async fn the_third_attempt_comes_after_three_seconds() {
//!     let backoff = Backoff::exponential(Duration::from_secs(1), 2.0);
//!     let config = RetryConfig::builder().max_attempts(3).backoff(backoff).build().unwrap();
//!     let retry = Retry::new("inventory", config);
//!     let fails = || async { Err::<(), _>(std::io::Error::other("down")) };
//!
//!     // How long did it take?
//!     let (outcome, span) = clock::took(retry.call(fails)).await;
//!     assert!(outcome.is_err());
//!     assert_eq!(span, Duration::from_secs(1 + 2));
//!
//!     // Pending until then, and not a millisecond longer.
//!     clock::ready_after(Duration::from_secs(3), retry.call(fails)).await.unwrap_err();
//!
//!     // What happens meanwhile, step by step.
//!     let call = tokio::spawn(async move { retry.call(fails).await });
//!     clock::advance(Duration::from_secs(2)).await;
//!     assert!(!call.is_finished());
//!     clock::advance(Duration::from_secs(1)).await;
//!     assert!(call.is_finished());
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
//! #     .block_on(the_third_attempt_comes_after_three_seconds());
//! ```
//!
//! Tokio's own `advance` jumps: a pause that begins on the way, when another is over, is counted from the end of the jump.
//! After `tokio::time::advance(3 s)` the retry above would only then begin its second pause.

use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{Instant, sleep};

use crate::deadline::later;
use crate::testing::either::{Either, either};

/// Tokio's timers fire in steps of this.
const TICK: Duration = Duration::from_millis(1);

/// What a loopback socket needs, with a lot to spare.
const ON_THE_WAY: Duration = Duration::from_millis(10);

/// Lets all tasks do what they can do now, without moving the clock.
///
/// What waits for bytes of a socket is not waited for; see [`FaultServer::until`](super::server::FaultServer::until).
pub async fn settle() {
    // A task that was woken can wake another. Nothing tells that there is none left, and each turn
    // runs all that are ready, so this is plenty.
    for _ in 0..32 {
        yield_now().await;
    }
}

/// Moves the paused clock on, stops at every timer on the way, and lets all tasks do what they then can do.
///
/// For a clock that is held still by [`freeze`], use [`Frozen::advance`].
///
/// # Panics
///
/// If the clock is not paused.
pub async fn advance(span: Duration) {
    // Says so if the clock is not paused.
    tokio::time::advance(Duration::ZERO).await;
    let start = Instant::now();
    settle().await;
    // A timer can be late by a tick if the clock stands between two, so the last one is left over.
    let most = Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    if most > TICK {
        sleep(most - TICK).await;
        settle().await;
    }
    tokio::time::advance(span.saturating_sub(start.elapsed())).await;
    settle().await;
}

/// Runs a future to its end, and tells how much of tokio's time it took.
pub async fn took<F: Future>(future: F) -> (F::Output, Duration) {
    let start = Instant::now();
    let output = future.await;
    (output, start.elapsed())
}

/// Runs a future that must be pending until exactly `span` from now, and gives its output.
///
/// # Panics
///
/// If it is ready before, or not ready then.
pub async fn ready_after<F: Future>(span: Duration, future: F) -> F::Output {
    let limit = sleep(span.saturating_add(TICK));
    match either(took(future), limit).await {
        Either::First((output, took)) => {
            assert_eq!(took, span, "ready after {took:?} instead of {span:?}");
            output
        }
        Either::Second(()) => panic!("not ready after {span:?}"),
    }
}

/// Runs a future for `span`, through which it must be pending, and drops it.
///
/// # Panics
///
/// If it is ready before or just then.
pub async fn pending_for(span: Duration, future: impl Future) {
    let start = Instant::now();
    if let Either::First(_) = either(future, sleep(span)).await {
        panic!("ready after {:?}, within {span:?}", start.elapsed());
    }
}

/// Holds the paused clock still: while this lives, only its [`advance`](Frozen::advance) moves the clock.
///
/// For tests with real sockets. While bytes are under way there is nothing to do, and tokio would jump to
/// the next timer, which may be a timeout.
///
/// ```
/// use std::time::Duration;
/// use seawall::testing::{clock, server::{Behaviour, FaultServer}};
///
/// # /*
/// #[tokio::test(start_paused = true)]
/// # */
/// async fn a_server_that_says_in_a_minute_is_asked_in_a_minute() {
///     let clock = clock::freeze();
///     let server = FaultServer::sequence([Behaviour::unavailable(20), Behaviour::ok("42")]);
///     let client = seawall::reqwest::Client::new();
///     let call = tokio::spawn(client.get(server.url("/stock")).send());
///
///     server.until(|counts| counts.requests == 1 && counts.in_flight == 0).await;
///     clock.advance(Duration::from_secs(19)).await;
///     assert_eq!(server.counts().requests, 1);
///     clock.advance(Duration::from_secs(6)).await; // `safe` settings come back up to a fifth later
///     server.until(|counts| counts.requests == 2).await;
///     assert!(call.await.unwrap().is_ok());
/// }
/// # rustls::crypto::ring::default_provider().install_default().unwrap();
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
/// #     .block_on(a_server_that_says_in_a_minute_is_asked_in_a_minute());
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime.
#[must_use = "the clock goes on when this is dropped"]
pub fn freeze() -> Frozen {
    let (held, let_go) = channel::<()>();
    // Tokio moves no paused clock while a blocking task runs, for it cannot know what that waits for.
    drop(spawn_blocking(move || let_go.recv()));
    Frozen { _held: held }
}

/// A clock held still; see [`freeze`].
#[derive(Debug)]
pub struct Frozen {
    _held: Sender<()>,
}

impl Frozen {
    /// Moves the clock on by steps of a millisecond, and lets all tasks do what they can do after each.
    ///
    /// What is on its way over a socket of this machine has ten real milliseconds to come, before the clock moves.
    /// What is sent meanwhile is not waited for: advance to where a request is sent, wait
    /// [until](super::server::FaultServer::until) the server has it, and go on.
    ///
    /// # Panics
    ///
    /// If the clock is not paused.
    pub async fn advance(&self, span: Duration) {
        let end = later(Instant::now(), span);
        wall_timer(ON_THE_WAY).await;
        settle().await;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            tokio::time::advance(left.min(TICK)).await;
            // A few turns each time; all that is needed at the end.
            yield_now().await;
            if left <= TICK {
                return settle().await;
            }
        }
    }
}

/// Is ready after so long on the clock on the wall; tokio's clock, if it is paused, stands still until then.
pub(super) async fn wall_timer(span: Duration) {
    let (_held, let_go) = channel::<()>();
    // As in `freeze`. This ends early if the future is dropped.
    let timer = spawn_blocking(move || let_go.recv_timeout(span));
    if let Ok(Ok(()) | Err(RecvTimeoutError::Disconnected)) = timer.await {
        unreachable!("the sender is held and sends nothing");
    }
}
