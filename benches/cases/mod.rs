//! What is measured: one call of each layer, over a service that answers at once.
//!
//! One call is `poll_ready`, `call`, polls to the end with a waker that does nothing, and the drop. The
//! same list is timed (`layers`), counted in instructions (`instructions`) and held to no allocation
//! (`tests/allocations.rs`). A new layer is one line in [`all`].

// Each binary uses a part of this.
#![allow(dead_code)]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Error, Retry, RetryLayer,
    SlidingWindow,
};
use tower::{Layer, Service};

/// The error of the services at the bottom.
pub type Failure = Error<Infallible>;

/// Something that can be called `n` times.
pub struct Case {
    pub name: &'static str,
    /// The case that stands for no layer at all.
    pub base: &'static str,
    /// Instructions above the base that a call may take.
    pub target: Option<u32>,
    /// Size of the future of one call, in bytes.
    pub future: usize,
    calls: Box<dyn FnMut(u64)>,
}

pub const BARE: &str = "bare";
pub const BARE_PENDING: &str = "bare, pending once";

/// All cases. They need a runtime with a timer to be entered.
pub fn all() -> Vec<Case> {
    const SECOND: Duration = Duration::from_secs(1);
    let count = |calls| breaker(SlidingWindow::Count(calls), Duration::MAX);
    let time = |seconds| breaker(SlidingWindow::Time { seconds }, Duration::MAX);
    let slow = |window| breaker(window, SECOND);
    let layer = CircuitBreakerLayer::new;

    vec![
        Case::service(BARE, Immediate),
        Case::service(BARE_PENDING, PendingOnce).over(BARE_PENDING),
        // Circuit breaker.
        Case::layer("breaker, last 100", layer(count(100))).at_most(130),
        Case::layer("breaker, last 100 000", layer(count(100_000))).at_most(133),
        Case::layer("breaker, last 60 s", layer(time(60))).at_most(220),
        Case::layer("breaker, last 100, slow calls", layer(slow(SlidingWindow::Count(100))))
            .at_most(210),
        Case::layer("breaker, last 60 s, slow", layer(slow(SlidingWindow::Time { seconds: 60 })))
            .at_most(300),
        Case::layer("breaker, 5 in a row", layer(breaker(SlidingWindow::Consecutive(5), SECOND))),
        Case::layer("breaker, defaults", layer(CircuitBreaker::with_defaults("bench"))),
        Case::layer("breaker, disabled", layer(set(CircuitBreaker::transition_to_disabled))),
        Case::layer("breaker, refuses", layer(set(open))).at_most(70),
        Case::handle("breaker, call", {
            let breaker = count(100);
            move || breaker.call(ready(Ok::<_, Infallible>(black_box(1))))
        }),
        Case::by_hand("breaker, permit", {
            let breaker = count(100);
            move || breaker.try_acquire().expect("a closed circuit").success()
        }),
        Case::by_hand("breaker, permit refused", {
            let breaker = set(open);
            move || drop(black_box(breaker.try_acquire().expect_err("an open circuit")))
        }),
        // Retry.
        Case::layer("retry, none needed", RetryLayer::new(Retry::with_defaults("bench")))
            .at_most(40),
        // Stacks.
        Case::layer(
            "retry, breaker",
            (RetryLayer::new(Retry::with_defaults("bench")), layer(count(100))),
        ),
    ]
}

fn breaker(window: SlidingWindow, slow: Duration) -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .sliding_window(window)
        .slow_call_duration_threshold(slow)
        .build()
        .expect("valid settings");
    CircuitBreaker::new("bench", config)
}

fn set(to: impl FnOnce(&CircuitBreaker)) -> CircuitBreaker {
    let breaker = CircuitBreaker::with_defaults("bench");
    to(&breaker);
    breaker
}

fn open(breaker: &CircuitBreaker) {
    breaker.transition_to_open_for(Duration::from_secs(3600)).expect("closed circuits open");
}

// ## Making cases

impl Case {
    /// A layer over [`Immediate`]; a tuple of layers has the outermost first.
    pub fn layer<L>(name: &'static str, layer: L) -> Self
    where
        L: Layer<Immediate>,
        L::Service: Service<u32, Error = Failure> + 'static,
    {
        Self::service(name, layer.layer(Immediate))
    }

    /// A layer over [`PendingOnce`].
    pub fn pending_layer<L>(name: &'static str, layer: L) -> Self
    where
        L: Layer<PendingOnce>,
        L::Service: Service<u32, Error = Failure> + 'static,
    {
        Self::service(name, layer.layer(PendingOnce)).over(BARE_PENDING)
    }

    /// Any service of any error.
    pub fn service<S: Service<u32> + 'static>(name: &'static str, mut service: S) -> Self {
        Self::new(name, size_of::<S::Future>(), move |n| {
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..n {
                let service = black_box(&mut service);
                assert!(service.poll_ready(&mut cx).is_ready());
                finish(service.call(black_box(1)), &mut cx);
            }
        })
    }

    /// A handle that makes a future.
    pub fn handle<F: Future>(name: &'static str, mut call: impl FnMut() -> F + 'static) -> Self {
        Self::new(name, size_of::<F>(), move |n| {
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..n {
                finish(call(), &mut cx);
            }
        })
    }

    /// No future at all.
    pub fn by_hand(name: &'static str, mut call: impl FnMut() + 'static) -> Self {
        Self::new(name, 0, move |n| (0..n).for_each(|_| call()))
    }

    fn new(name: &'static str, future: usize, calls: impl FnMut(u64) + 'static) -> Self {
        Self { name, base: BARE, target: None, future, calls: Box::new(calls) }
    }

    /// Names another base than [`BARE`].
    #[must_use]
    pub fn over(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    /// Sets the target.
    #[must_use]
    pub fn at_most(self, instructions: u32) -> Self {
        Self { target: Some(instructions), ..self }
    }

    /// Makes `n` calls.
    pub fn run(&mut self, n: u64) {
        (self.calls)(n);
    }
}

#[inline]
fn finish<F: Future>(future: F, cx: &mut Context<'_>) {
    let mut future = pin!(future);
    while black_box(future.as_mut().poll(cx)).is_pending() {}
}

// ## The services at the bottom

/// Answers at once.
#[derive(Clone, Copy, Debug)]
pub struct Immediate;

impl Service<u32> for Immediate {
    type Response = u32;
    type Error = Failure;
    type Future = Ready<Result<u32, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        ready(Ok(request))
    }
}

/// Answers at the second poll.
#[derive(Clone, Copy, Debug)]
pub struct PendingOnce;

impl Service<u32> for PendingOnce {
    type Response = u32;
    type Error = Failure;
    type Future = Second;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        Second { answer: request, polled: false }
    }
}

/// The future of [`PendingOnce`].
#[derive(Debug)]
pub struct Second {
    answer: u32,
    polled: bool,
}

impl Future for Second {
    type Output = Result<u32, Failure>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::replace(&mut self.polled, true) {
            Poll::Ready(Ok(self.answer))
        } else {
            Poll::Pending
        }
    }
}
