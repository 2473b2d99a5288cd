//! The task behind timed transitions: it comes when needed, goes when not, and outlives no runtime.

use std::sync::LazyLock;

use seawall::patterns::circuit_breaker::State;
use seawall::telemetry::{CircuitBreakerEvent as Event, EventKind};
use seawall::{CircuitBreaker, CircuitBreakerConfigBuilder as Builder};
use tokio::runtime::{Builder as RuntimeBuilder, Handle, Runtime};

use crate::support::*;

const HALF_OPENED: (State, State) = (State::Open, State::HalfOpen);

fn timed(builder: Builder) -> Builder {
    last(1)(builder)
        .permitted_calls_in_half_open(1)
        .wait_duration_in_open_state(s(10))
        .automatic_transition_from_open_to_half_open(true)
}

fn paused() -> Runtime {
    RuntimeBuilder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn regression_the_task_ends_with_the_breaker() {
    let (breaker, _) = breaker(timed);
    assert_eq!(tasks(), 0, "a closed circuit needs none");
    fail(&breaker);
    let clone = breaker.clone();
    drop(breaker);
    settle().await;
    assert_eq!(tasks(), 1);
    drop(clone);
    settle().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn regression_the_task_ends_when_nothing_is_due() {
    let (breaker, _) = breaker(timed);
    for _ in 0..100 {
        fail(&breaker);
        assert_eq!(tasks(), 1);
        breaker.reset();
        settle().await;
        assert_eq!(tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn regression_there_is_one_task_however_often_the_state_changes() {
    let (breaker, log) = breaker(|builder| timed(builder).max_wait_in_half_open(s(1)));
    for _ in 0..1000 {
        fail(&breaker);
        breaker.reset();
    }
    fail(&breaker);
    assert!(tasks() <= 1);
    log.clear();
    pass(s(100)).await;
    assert_eq!(tasks(), 1);
    // Every 11 s a round: 10 s open, 1 s half-open.
    assert_eq!(log.transitions().len(), 18);
}

#[tokio::test(start_paused = true)]
async fn regression_a_shorter_wait_set_while_the_task_sleeps_is_kept() {
    let (breaker, log) = breaker(|builder| timed(builder).wait_duration_in_open_state(s(3600)));
    fail(&breaker);
    pass(s(1)).await;
    breaker.transition_to_open_for(s(2)).unwrap();
    log.clear();
    pass(ms(2002)).await;
    assert_eq!(log.transitions(), [HALF_OPENED]);
}

#[test]
fn regression_a_static_breaker_serves_two_runtimes_one_after_the_other() {
    static BREAKER: LazyLock<(CircuitBreaker, Log)> = LazyLock::new(|| breaker(timed));
    let (breaker, log) = &*BREAKER;
    // Before any runtime.
    fail(breaker);
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    log.clear();

    // The first runtime: a refused call is all that tells of it.
    let first = paused();
    first.block_on(async {
        refusal(breaker);
        pass(ms(10_002)).await;
        assert_eq!(log.transitions(), [HALF_OPENED]);
        fail(breaker);
        log.clear();
        settle().await;
    });
    // It ends, and with it the task, while the circuit is open.
    drop(first);

    paused().block_on(async {
        // This runtime's clock began to run behind.
        tokio::time::advance(s(10)).await;
        refusal(breaker);
        pass(s(30)).await;
        assert_eq!(log.transitions(), [HALF_OPENED]);
        ok(breaker);
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[tokio::test(start_paused = true)]
async fn regression_a_trial_refused_in_a_new_runtime_starts_the_timer_of_the_longest_wait() {
    let (breaker, log) = std::thread::spawn(|| {
        let (breaker, log) = breaker(|builder| timed(builder).max_wait_in_half_open(s(5)));
        breaker.transition_to_open().unwrap();
        breaker.transition_to_half_open().unwrap();
        log.clear();
        (breaker, log)
    })
    .join()
    .unwrap();
    let _trial = breaker.try_acquire().unwrap();
    pass(ms(5100)).await;
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Open)]);
}

/// No task, no runtime: whoever asks finds the transitions that were due.
#[test]
fn regression_without_a_runtime_a_look_finds_what_was_due() {
    let (breaker, log) = breaker(|builder| {
        timed(builder).wait_duration_in_open_state(ms(1)).max_wait_in_half_open(ms(1))
    });
    fail(&breaker);
    while log.transitions().len() < 5 {
        let _ = breaker.state();
        std::thread::yield_now();
    }
}

#[tokio::test(start_paused = true)]
async fn regression_a_year_of_timers_takes_no_time() {
    const YEAR: std::time::Duration = s(365 * 24 * 3600);
    let (breaker, log) = breaker(|builder| {
        timed(builder).wait_duration_in_open_state(ms(1)).max_wait_in_half_open(ms(1))
    });
    fail(&breaker);
    for _ in 0..3 {
        log.clear();
        tokio::time::advance(YEAR).await;
        let _ = breaker.state();
        settle().await;
        let rounds = log.transitions().len();
        assert!((2..500).contains(&rounds), "{rounds} transitions for one look");
    }
    // And it goes on in step with the clock.
    log.clear();
    pass(ms(20)).await;
    let rounds = log.transitions().len();
    assert!((5..=21).contains(&rounds), "{rounds} transitions in 20 ms");
}

#[tokio::test(start_paused = true)]
async fn regression_waits_of_zero_do_not_spin() {
    let (breaker, log) = breaker(|builder| {
        last(1)(builder)
            .automatic_transition_from_open_to_half_open(true)
            .max_wait_in_half_open(std::time::Duration::from_nanos(1))
            .open_wait(seawall::Backoff::custom(|_| Some(std::time::Duration::ZERO)))
    });
    fail(&breaker);
    assert_eq!(breaker.state(), State::HalfOpen);
    tokio::time::advance(s(3600)).await;
    let _ = breaker.state();
    assert!(log.transitions().len() < 500);
}

/// On real threads and the real clock: the transition must come, however the threads interleave.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn regression_no_wake_is_lost_among_threads() {
    let (breaker, _) = breaker(|builder| timed(builder).max_wait_in_half_open(s(3600)));
    let (sender, mut half_opened) = tokio::sync::mpsc::unbounded_channel();
    breaker.observe(move |event: &seawall::telemetry::Event<'_>| {
        if let EventKind::CircuitBreaker(Event::StateTransition { to: State::HalfOpen, .. }) =
            event.kind
        {
            let _ = sender.send(());
        }
    });
    for _ in 0..200 {
        let tasks = (0..4).map(|task| {
            let breaker = breaker.clone();
            tokio::spawn(async move {
                for turn in 0..10 {
                    match (task + turn) % 3 {
                        0 => breaker.reset(),
                        1 => drop(breaker.transition_to_open_for(ms(1))),
                        _ => drop(breaker.transition_to_half_open()),
                    }
                }
            })
        });
        futures_util::future::join_all(tasks).await;
        breaker.reset();
        while half_opened.try_recv().is_ok() {}
        breaker.transition_to_open_for(ms(1)).unwrap();
        tokio::time::timeout(s(20), half_opened.recv()).await.expect("the wake was lost");
    }
}
