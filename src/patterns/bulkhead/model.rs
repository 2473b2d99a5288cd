//! The bulkhead on the paused clock, against a model that is too plain to be wrong.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::{Acquire, Bulkhead, BulkheadConfig, BulkheadPermit};

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    TryEnter,
    Finish(usize),
    Release(usize),
    Poll(usize),
    Drop(usize),
    Resize(u32),
    Wait(u64),
    Advance(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Enter),
        1 => Just(Step::TryEnter),
        3 => (0..6_usize).prop_map(Step::Finish),
        1 => (0..6_usize).prop_map(Step::Release),
        4 => (0..6_usize).prop_map(Step::Poll),
        2 => (0..6_usize).prop_map(Step::Drop),
        1 => (0..6_u32).prop_map(Step::Resize),
        1 => prop_oneof![Just(0), 1_000..30_000_u64].prop_map(Step::Wait),
        3 => (1..20_000_u64).prop_map(Step::Advance),
    ];
    proptest::collection::vec(step, 0..120)
}

/// The naive bulkhead. Waiters are known by number; times are microseconds.
struct Model {
    now: u64,
    limit: u32,
    wait: u64,
    capacity: Option<u32>,
    inside: u32,
    line: VecDeque<usize>,
}

impl Model {
    fn has_room(&self) -> bool {
        self.inside < self.limit
    }

    fn has_room_to_wait(&self) -> bool {
        self.wait > 0 && self.capacity.is_none_or(|calls| self.line.len() < calls as usize)
    }

    fn serve(&mut self, waiters: &mut [Waiter]) {
        while self.has_room()
            && let Some(number) = self.line.pop_front()
        {
            self.inside += 1;
            waiters.iter_mut().find(|waiter| waiter.number == number).unwrap().called = true;
        }
    }
}

/// A future that was pending, and what the model says of it.
struct Waiter {
    number: usize,
    expires: u64,
    called: bool,
    future: Pin<Box<Acquire>>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Waiter {
    fn poll(&mut self) -> Poll<Result<BulkheadPermit, crate::Rejected>> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.bell.clone().into()))
    }
}

async fn replay(limit: u32, wait: u64, capacity: Option<u32>, steps: Vec<Step>) {
    let mut config = BulkheadConfig::builder().max_concurrent_calls(limit).max_wait(micros(wait));
    if let Some(calls) = capacity {
        config = config.queue_capacity(calls);
    }
    let bulkhead = Bulkhead::new("model", config.build().unwrap());
    let started = Instant::now();
    let mut model = Model { now: 0, limit, wait, capacity, inside: 0, line: VecDeque::new() };
    let (mut permits, mut waiters) = (Vec::new(), Vec::<Waiter>::new());
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Enter => {
                let mut waiter = Waiter {
                    number,
                    expires: model.now + model.wait,
                    called: false,
                    future: Box::pin(bulkhead.acquire()),
                    bell: Arc::default(),
                };
                match waiter.poll() {
                    Poll::Ready(Ok(permit)) => {
                        assert!(model.has_room() && model.line.is_empty());
                        model.inside += 1;
                        permits.push(permit);
                    }
                    Poll::Ready(Err(_)) => assert!(!model.has_room() && !model.has_room_to_wait()),
                    Poll::Pending => {
                        assert!(!model.has_room() && model.has_room_to_wait());
                        model.line.push_back(number);
                        waiters.push(waiter);
                    }
                }
            }
            Step::TryEnter => {
                let permit = bulkhead.try_acquire();
                assert_eq!(permit.is_ok(), model.has_room());
                model.inside += u32::from(permit.is_ok());
                permits.extend(permit);
            }
            Step::Finish(n) | Step::Release(n) if n < permits.len() => {
                let permit = permits.remove(n);
                if matches!(step, Step::Finish(_)) {
                    drop(permit);
                } else {
                    permit.release();
                }
                model.inside -= 1;
                model.serve(&mut waiters);
            }
            Step::Poll(n) if n < waiters.len() => match waiters[n].poll() {
                Poll::Ready(Ok(permit)) => {
                    assert!(waiters.remove(n).called);
                    permits.push(permit);
                }
                Poll::Ready(Err(_)) => {
                    let waiter = waiters.remove(n);
                    assert!(!waiter.called && waiter.expires <= model.now);
                    model.line.retain(|&other| other != waiter.number);
                }
                Poll::Pending => {
                    assert!(!waiters[n].called && model.now < waiters[n].expires);
                    waiters[n].bell.0.store(false, Ordering::Relaxed);
                }
            },
            Step::Drop(n) if n < waiters.len() => {
                let waiter = waiters.remove(n);
                drop(waiter.future);
                if waiter.called {
                    model.inside -= 1;
                    model.serve(&mut waiters);
                } else {
                    model.line.retain(|&other| other != waiter.number);
                }
            }
            Step::Resize(limit) => {
                bulkhead.change_max_concurrent_calls(limit).unwrap();
                model.limit = limit;
                model.serve(&mut waiters);
            }
            Step::Wait(wait) => {
                bulkhead.change_max_wait(micros(wait));
                model.wait = wait;
            }
            Step::Advance(by) => {
                advance(micros(by)).await;
                model.now += by;
                // Timers may be late by their granularity, and the clock may stand with them.
                model.now = model.now.max(started.elapsed().as_micros() as u64);
            }
            _ => {}
        }
        // Gives the coop budget back that the polls have used up.
        tokio::task::yield_now().await;
        let metrics = bulkhead.metrics();
        assert_eq!(metrics.in_flight, model.inside);
        assert_eq!(metrics.max_concurrent_calls, model.limit);
        assert_eq!(metrics.available, model.limit.saturating_sub(model.inside));
        assert_eq!(metrics.waiting, model.line.len());
        assert_eq!(metrics.queue_capacity, model.capacity);
        let remaining = model.capacity.map(|calls| calls - model.line.len() as u32);
        assert_eq!(metrics.queue_remaining, remaining);
        for waiter in &waiters {
            let woken = waiter.bell.0.load(Ordering::Relaxed);
            assert!(woken || !waiter.called, "whoever has a place is told");
            assert!(!woken || waiter.called || waiter.expires <= model.now, "nobody else is");
        }
    }
    drop((permits, waiters));
    let metrics = bulkhead.metrics();
    assert_eq!((metrics.in_flight, metrics.waiting), (0, 0));
}

const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(
        limit in 0..4_u32,
        wait in prop_oneof![Just(0), 1_000..30_000_u64],
        capacity in prop::option::of(0..4_u32),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(replay(limit, wait, capacity, steps));
    }
}
