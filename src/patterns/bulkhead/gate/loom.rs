//! The word against the queue's lock, in every order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use loom::thread;

use super::{Entry, Gate};
use crate::sync::model;

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn full(fair: bool, capacity: usize) -> Arc<Gate> {
    let gate = Gate::new(1, fair, capacity);
    assert!(gate.enter());
    Arc::new(gate)
}

/// Comes in or waits; the ticket of one that waits, and the bell that it will hear.
fn come(gate: &Gate) -> Result<(), Option<(usize, Arc<Bell>)>> {
    match gate.join() {
        Entry::In => Ok(()),
        Entry::Full => Err(None),
        Entry::InLine(ticket) => {
            let bell = Arc::new(Bell::default());
            if gate.check(ticket, &Waker::from(bell.clone())) {
                Ok(())
            } else {
                Err(Some((ticket, bell)))
            }
        }
    }
}

fn is_empty(gate: &Gate) {
    assert_eq!((gate.word().in_flight(), gate.waiting()), (0, 0));
    assert!(!gate.word().is_queued());
    assert!(gate.enter());
}

#[test]
fn whoever_leaves_sees_whoever_has_queued_up() {
    for fair in [true, false] {
        model(move || {
            let gate = full(fair, usize::MAX);
            let newcomer = thread::spawn({
                let gate = gate.clone();
                move || come(&gate)
            });
            gate.leave();
            if let Err(waits) = newcomer.join().unwrap() {
                let (ticket, bell) = waits.expect("there is room");
                assert_eq!(bell.0.load(Ordering::Relaxed), 1, "it sleeps for ever");
                assert!(gate.check(ticket, Waker::noop()));
            }
            gate.leave();
            is_empty(&gate);
        });
    }
}

#[test]
fn one_who_goes_and_one_who_leaves_lose_no_place() {
    for fair in [true, false] {
        model(move || {
            let gate = full(fair, usize::MAX);
            let Err(Some((first, _))) = come(&gate) else { panic!("it is full") };
            let Err(Some((second, bell))) = come(&gate) else { panic!("it is full") };
            let going = thread::spawn({
                let gate = gate.clone();
                move || gate.abandon(first)
            });
            gate.leave();
            going.join().unwrap();
            assert_eq!(bell.0.load(Ordering::Relaxed), 1);
            assert!(gate.check(second, Waker::noop()));
            gate.leave();
            is_empty(&gate);
        });
    }
}

#[test]
fn a_wait_that_is_over_ends_in_or_out_but_not_between() {
    for fair in [true, false] {
        model(move || {
            let gate = full(fair, usize::MAX);
            let Err(Some((ticket, _))) = come(&gate) else { panic!("it is full") };
            let expired = thread::spawn({
                let gate = gate.clone();
                move || gate.withdraw(ticket)
            });
            gate.leave();
            if expired.join().unwrap() {
                assert_eq!(gate.word().in_flight(), 1);
                gate.leave();
            }
            is_empty(&gate);
        });
    }
}

#[test]
fn there_are_never_more_in_than_the_limit() {
    for fair in [true, false] {
        model(move || {
            let gate = Arc::new(Gate::new(1, fair, usize::MAX));
            let inside = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
            let stay = {
                let (gate, inside) = (gate.clone(), inside.clone());
                move || {
                    if gate.enter() {
                        assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0);
                        inside.fetch_sub(1, Ordering::AcqRel);
                        gate.leave();
                    }
                }
            };
            let other = thread::spawn(stay.clone());
            stay();
            other.join().unwrap();
            is_empty(&gate);
        });
    }
}

#[test]
fn what_is_done_inside_is_seen_by_the_next_one_in() {
    model(|| {
        let gate = Arc::new(Gate::new(1, true, usize::MAX));
        let inside = Arc::new(loom::cell::UnsafeCell::new(0));
        let stay = {
            let (gate, inside) = (gate.clone(), inside.clone());
            move || {
                if gate.enter() {
                    // loom fails if the other one's access is not ordered before this one.
                    inside.with_mut(drop);
                    gate.leave();
                }
            }
        };
        let other = thread::spawn(stay.clone());
        stay();
        other.join().unwrap();
    });
}

#[test]
fn the_bound_of_the_queue_holds_exactly() {
    for fair in [true, false] {
        model(move || {
            let gate = full(fair, 1);
            let comers: Vec<_> = (0..2)
                .map(|_| {
                    let gate = gate.clone();
                    thread::spawn(move || come(&gate))
                })
                .collect();
            let (mut refused, mut waiting) = (0, Vec::new());
            for comer in comers {
                match comer.join().unwrap() {
                    Ok(()) => panic!("it is full"),
                    Err(None) => refused += 1,
                    Err(Some((ticket, _))) => waiting.push(ticket),
                }
            }
            assert_eq!((refused, waiting.len(), gate.waiting()), (1, 1, 1));
            waiting.into_iter().for_each(|ticket| gate.abandon(ticket));
            gate.leave();
            is_empty(&gate);
        });
    }
}

#[test]
fn a_raised_limit_misses_nobody() {
    for fair in [true, false] {
        model(move || {
            let gate = full(fair, usize::MAX);
            let newcomer = thread::spawn({
                let gate = gate.clone();
                move || come(&gate)
            });
            gate.set(2, fair, usize::MAX).into_iter().for_each(Waker::wake);
            if let Err(waits) = newcomer.join().unwrap() {
                let (ticket, bell) = waits.expect("there is room");
                assert_eq!(bell.0.load(Ordering::Relaxed), 1);
                assert!(gate.check(ticket, Waker::noop()));
            }
            gate.leave();
            gate.leave();
            is_empty(&gate);
        });
    }
}

#[test]
fn another_rule_of_fairness_misses_nobody() {
    for fair in [true, false] {
        model(move || {
            let gate = full(fair, usize::MAX);
            let Err(Some((ticket, bell))) = come(&gate) else { panic!("it is full") };
            let leaves = thread::spawn({
                let gate = gate.clone();
                move || gate.leave()
            });
            gate.set(1, !fair, usize::MAX).into_iter().for_each(Waker::wake);
            leaves.join().unwrap();
            assert!(bell.0.load(Ordering::Relaxed) >= 1);
            assert!(gate.check(ticket, Waker::noop()));
            gate.leave();
            is_empty(&gate);
        });
    }
}
