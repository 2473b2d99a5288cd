//! Of the bulkhead.

use std::time::Duration;

use seawall::patterns::bulkhead::Acquire;
use seawall::{Bulkhead, BulkheadConfig, BulkheadConfigBuilder};
use tokio::time::advance;
use tokio_test::task::{Spawn, spawn};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};

use crate::support::*;

fn bulkhead(settings: impl FnOnce(BulkheadConfigBuilder) -> BulkheadConfigBuilder) -> Bulkhead {
    let base = BulkheadConfig::builder().max_concurrent_calls(1).max_wait(Duration::MAX);
    Bulkhead::new("inventory", settings(base).build().unwrap())
}

fn change(
    bulkhead: &Bulkhead,
    settings: impl FnOnce(BulkheadConfigBuilder) -> BulkheadConfigBuilder,
) {
    bulkhead.update(settings(bulkhead.config().to_builder()).build().unwrap());
}

fn waiting(bulkhead: &Bulkhead) -> Spawn<Acquire> {
    let mut wait = spawn(bulkhead.acquire());
    assert_pending!(wait.poll());
    wait
}

#[tokio::test(start_paused = true)]
async fn rg9_a_bulkhead_keeps_its_places_its_queue_and_its_observers() {
    let bulkhead = bulkhead(|it| it);
    let heard = Heard::default();
    bulkhead.observe(heard.observer());
    let place = bulkhead.try_acquire().unwrap();
    let mut first = waiting(&bulkhead);
    change(&bulkhead, |it| it.max_concurrent_calls(1).keep_alive(s(1)));
    let metrics = bulkhead.metrics();
    assert_eq!((metrics.in_flight, metrics.waiting, heard.events()), (1, 1, 1));
    assert!(!first.is_woken());
    drop(place);
    assert!(first.is_woken());
    drop(assert_ready_ok!(first.poll()));
    assert_eq!((bulkhead.metrics().in_flight, heard.events()), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_raised_limit_wakes_as_many_as_there_is_room_for() {
    for fair in [true, false] {
        let bulkhead = bulkhead(|it| it.fair(fair));
        let place = bulkhead.try_acquire().unwrap();
        let mut waits: Vec<_> = (0..3).map(|_| waiting(&bulkhead)).collect();
        change(&bulkhead, |it| it.max_concurrent_calls(3));
        assert_eq!(waits.iter().map(Spawn::is_woken).collect::<Vec<_>>(), [true, true, false]);
        let places: Vec<_> = (0..2).map(|n| assert_ready_ok!(waits[n].poll())).collect();
        change(&bulkhead, |it| it.max_concurrent_calls(0));
        assert_eq!(bulkhead.metrics().in_flight, 3, "nobody is interrupted");
        drop((place, places));
        assert_pending!(waits[2].poll());
        change(&bulkhead, |it| it.max_concurrent_calls(1));
        assert!(waits[2].is_woken());
        drop(assert_ready_ok!(waits[2].poll()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_queue_refuses_newcomers_only() {
    let bulkhead = bulkhead(|it| it);
    let place = bulkhead.try_acquire().unwrap();
    let mut waits: Vec<_> = (0..3).map(|_| waiting(&bulkhead)).collect();
    change(&bulkhead, |it| it.queue_capacity(1));
    assert_ready_err!(spawn(bulkhead.acquire()).poll());
    assert_eq!(bulkhead.metrics().waiting, 3);
    drop(place);
    for wait in &mut waits {
        assert!(wait.is_woken());
        drop(assert_ready_ok!(wait.poll()));
    }
    let place = bulkhead.try_acquire().unwrap();
    let _one = waiting(&bulkhead);
    assert_ready_err!(spawn(bulkhead.acquire()).poll());
    change(&bulkhead, |it| it.queue_capacity(2));
    let _two = waiting(&bulkhead);
    drop(place);
}

#[tokio::test(start_paused = true)]
async fn a_new_wait_is_for_those_who_come_from_now_on() {
    let bulkhead = bulkhead(|it| it.max_wait(s(5)));
    let _place = bulkhead.try_acquire().unwrap();
    let mut early = waiting(&bulkhead);
    change(&bulkhead, |it| it.max_wait(s(1)));
    let mut late = waiting(&bulkhead);
    advance(s(1)).await;
    assert_ready_err!(late.poll());
    assert_pending!(early.poll());
    advance(s(4)).await;
    assert_ready_err!(early.poll());
}

#[tokio::test(start_paused = true)]
async fn who_was_called_under_one_rule_of_fairness_loses_nothing_under_the_other() {
    // Called with a place in hand, then the bulkhead becomes unfair.
    let fair = bulkhead(|it| it);
    let place = fair.try_acquire().unwrap();
    let (mut first, mut second) = (waiting(&fair), waiting(&fair));
    drop(place);
    change(&fair, |it| it.fair(false));
    assert!(fair.try_acquire().is_err(), "the place is taken, though its owner has not looked");
    let place = assert_ready_ok!(first.poll());
    drop(place);
    assert!(second.is_woken());
    let faster = fair.try_acquire().unwrap();
    assert_pending!(second.poll());
    drop(faster);
    drop(assert_ready_ok!(second.poll()));

    // Called to look, then the bulkhead becomes fair.
    let unfair = bulkhead(|it| it.fair(false));
    let place = unfair.try_acquire().unwrap();
    let (mut first, mut second) = (waiting(&unfair), waiting(&unfair));
    drop(place);
    assert!(first.is_woken() && !second.is_woken());
    change(&unfair, |it| it.fair(true));
    assert!(unfair.try_acquire().is_err(), "somebody waits");
    let place = assert_ready_ok!(first.poll());
    drop(place);
    assert!(second.is_woken());
    assert!(unfair.try_acquire().is_err(), "the place is handed over");
    drop(assert_ready_ok!(second.poll()));
    assert_eq!((fair.metrics().in_flight, unfair.metrics().in_flight), (0, 0));
}
