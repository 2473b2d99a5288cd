//! What the sliding windows hold: CB6 to CB11.

use seawall::SlidingWindow;
use seawall::patterns::circuit_breaker::{SliceAlignment, State};
use tokio::time::Instant;

use crate::support::*;

fn seconds(seconds: u32) -> (seawall::CircuitBreaker, Log) {
    breaker(|builder| builder.sliding_window(SlidingWindow::Time { seconds }))
}

#[tokio::test(start_paused = true)]
async fn cb06_count_window_holds_only_the_last_calls() {
    let (breaker, _) = breaker(|builder| last(5)(builder).failure_rate_threshold(100.0));
    fail(&breaker);
    fail(&breaker);
    for _ in 0..3 {
        ok(&breaker);
    }
    assert_eq!(counts(&breaker.metrics()), [5, 2, 0, 0]);
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [5, 1, 0, 0]);
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [5, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb06_slow_and_failed_calls_leave_the_count_window_too() {
    let (breaker, _) = breaker(|builder| {
        last(3)(builder).failure_rate_threshold(100.0).slow_call_rate_threshold(100.0)
    });
    slow_ok(&breaker);
    slow_fail(&breaker);
    fail(&breaker);
    assert_eq!(counts(&breaker.metrics()), [3, 2, 2, 1]);
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [3, 2, 1, 1]);
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [3, 1, 0, 0]);
    ok(&breaker);
    assert_eq!(counts(&breaker.metrics()), [3, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb07_an_outcome_of_second_0_is_there_at_second_4_and_gone_at_second_5() {
    let (breaker, _) = seconds(5);
    fail(&breaker);
    pass(ms(4999)).await;
    assert_eq!(counts(&breaker.metrics()), [1, 1, 0, 0]);
    pass(ms(1)).await;
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb08_a_gap_clears_one_slice_a_second_and_a_long_gap_all() {
    let (breaker, _) = seconds(5);
    for second in 0..5 {
        for _ in 0..=second {
            ok(&breaker);
        }
        fail(&breaker);
        pass(s(1)).await;
    }
    // Second 5 has begun, and second 0 with its two calls is gone: 3 + 4 + 5 + 6 are left.
    assert_eq!(counts(&breaker.metrics()), [18, 4, 0, 0]);
    pass(s(2)).await;
    assert_eq!(counts(&breaker.metrics()), [11, 2, 0, 0]);
    pass(s(5)).await;
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb08_a_gap_of_exactly_the_window_clears_all_and_one_second_less_does_not() {
    for (gap, left) in [(4, 1), (5, 0), (6, 0), (5_000_000, 0)] {
        let (breaker, _) = seconds(5);
        for _ in 0..4 {
            ok(&breaker);
            pass(s(1)).await;
        }
        ok(&breaker);
        pass(s(gap)).await;
        assert_eq!(breaker.metrics().buffered_calls, left, "after a gap of {gap} s");
        ok(&breaker);
        assert_eq!(breaker.metrics().buffered_calls, left + 1, "and it goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn cb09_calls_of_one_second_share_one_slice() {
    let (breaker, _) = seconds(2);
    ok(&breaker);
    pass(ms(500)).await;
    fail(&breaker);
    pass(ms(499)).await;
    fail(&breaker);
    pass(ms(1000)).await;
    assert_eq!(counts(&breaker.metrics()), [3, 2, 0, 0]);
    // They came within one second, so they go within one instant.
    pass(ms(1)).await;
    assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb10_looking_ages_the_window() {
    let (breaker, _) = breaker(|builder| {
        builder.sliding_window(SlidingWindow::Time { seconds: 3 }).minimum_number_of_calls(2)
    });
    ok(&breaker);
    ok(&breaker);
    assert_eq!(breaker.metrics().failure_rate, 0.0);
    pass(s(3)).await;
    assert_eq!(breaker.metrics().failure_rate, -1.0);
    assert_eq!(breaker.metrics().slow_call_rate, -1.0);
    assert_eq!(breaker.metrics().buffered_calls, 0);
}

#[tokio::test(start_paused = true)]
async fn cb10_the_first_failures_after_a_silence_are_not_judged_with_the_old_calls() {
    let (breaker, _) = breaker(|builder| {
        builder
            .sliding_window(SlidingWindow::Time { seconds: 3 })
            .minimum_number_of_calls(3)
            .failure_rate_threshold(50.0)
    });
    fail(&breaker);
    fail(&breaker);
    pass(s(3)).await;
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

/// Two runtimes whose clocks stand apart: the only way for tokio's clock to step back.
#[test]
fn cb11_a_clock_that_steps_back_loses_nothing() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let (ahead, behind) = (runtime(), runtime());
    for alignment in [SliceAlignment::FromStart, SliceAlignment::WallClock] {
        let (breaker, first) = ahead.block_on(async {
            let (breaker, _) = breaker(|builder| {
                builder
                    .sliding_window(SlidingWindow::Time { seconds: 5 })
                    .slice_alignment(alignment)
                    .minimum_number_of_calls(1000)
            });
            fail(&breaker);
            pass(s(1)).await;
            fail(&breaker);
            pass(s(1)).await;
            fail(&breaker);
            (breaker, Instant::now())
        });
        behind.block_on(async {
            assert!(Instant::now() + s(1) < first, "this clock should be behind");
            for _ in 0..20 {
                fail(&breaker);
            }
            assert_eq!(counts(&breaker.metrics()), [23, 23, 0, 0]);
        });
        ahead.block_on(async {
            assert_eq!(counts(&breaker.metrics()), [23, 23, 0, 0]);
            pass(s(5)).await;
            assert_eq!(counts(&breaker.metrics()), [0, 0, 0, 0]);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn slices_on_the_wall_clock_hold_between_four_and_five_seconds() {
    let (breaker, _) = breaker(|builder| {
        builder
            .sliding_window(SlidingWindow::Time { seconds: 5 })
            .slice_alignment(SliceAlignment::WallClock)
    });
    fail(&breaker);
    pass(s(4)).await;
    assert_eq!(breaker.metrics().buffered_calls, 1);
    pass(s(1)).await;
    assert_eq!(breaker.metrics().buffered_calls, 0);
}

#[tokio::test(start_paused = true)]
async fn consecutive_failures_open_and_a_success_between_begins_anew() {
    let (breaker, log) = breaker(|builder| builder.sliding_window(SlidingWindow::Consecutive(3)));
    fail(&breaker);
    fail(&breaker);
    ok(&breaker);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    ignored(&breaker);
    fail(&breaker);
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
}
