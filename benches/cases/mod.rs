//! What is measured: one call of each layer, over a service that answers at once.
//!
//! One call is `poll_ready`, `call`, polls to the end with a waker that does nothing, and the drop. The
//! same list is timed (`layers`), counted in instructions (`instructions`) and held to no allocation
//! (`tests/allocations.rs`). A new layer is one line in `list.rs`.

// Each binary uses a part of this.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, missing_debug_implementations)]

mod bottom;
pub mod callgrind;
mod list;
pub mod rounds;

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use bottom::{Immediate, PendingOnce};
pub use list::all;
use tower::{Layer, Service};

/// Something that can be called `n` times.
pub struct Case {
    pub name: &'static str,
    /// The case that stands for no layer at all.
    pub base: &'static str,
    /// Instructions above the base that a call may take.
    pub target: Option<u32>,
    /// Size of the future of one call, in bytes.
    pub future: usize,
    refuses: bool,
    calls: Box<dyn FnMut(u64, bool)>,
}

pub const BARE: &str = "bare";
pub const BARE_PENDING: &str = "bare, pending once";

// ## Making cases

impl Case {
    /// A layer over [`Immediate`]; a tuple of layers has the outermost first.
    pub fn layer<L>(name: &'static str, layer: L) -> Self
    where
        L: Layer<Immediate>,
        L::Service: Service<u32> + 'static,
    {
        Self::service(name, layer.layer(Immediate))
    }

    /// A layer over [`PendingOnce`].
    pub fn pending_layer<L>(name: &'static str, layer: L) -> Self
    where
        L: Layer<PendingOnce>,
        L::Service: Service<u32> + 'static,
    {
        Self::service(name, layer.layer(PendingOnce)).over(BARE_PENDING)
    }

    /// Any service of any error.
    pub fn service<S: Service<u32> + 'static>(name: &'static str, mut service: S) -> Self {
        Self::new(name, size_of::<S::Future>(), move |n, refuses| {
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..n {
                let service = black_box(&mut service);
                assert!(service.poll_ready(&mut cx).is_ready());
                let answer = finish(service.call(black_box(1)), &mut cx);
                debug_assert_eq!(answer.is_err(), refuses);
            }
        })
    }

    /// A handle that makes a future.
    pub fn handle<F, T, E>(name: &'static str, mut call: impl FnMut() -> F + 'static) -> Self
    where
        F: Future<Output = Result<T, E>>,
    {
        Self::new(name, size_of::<F>(), move |n, refuses| {
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..n {
                let answer = finish(call(), &mut cx);
                debug_assert_eq!(answer.is_err(), refuses);
            }
        })
    }

    /// No future at all.
    pub fn by_hand(name: &'static str, mut call: impl FnMut() + 'static) -> Self {
        Self::new(name, 0, move |n, _| (0..n).for_each(|_| call()))
    }

    fn new(name: &'static str, future: usize, calls: impl FnMut(u64, bool) + 'static) -> Self {
        let calls = Box::new(calls);
        Self { name, base: BARE, target: None, future, refuses: false, calls }
    }

    /// Names another base than [`BARE`].
    #[must_use]
    pub fn over(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    /// Every call ends in an error; without this every call must succeed. Checked in debug builds.
    #[must_use]
    pub fn refuses(self) -> Self {
        Self { refuses: true, ..self }
    }

    /// Sets the target.
    #[must_use]
    pub fn at_most(self, instructions: u32) -> Self {
        Self { target: Some(instructions), ..self }
    }

    /// Makes `n` calls.
    pub fn run(&mut self, n: u64) {
        (self.calls)(n, self.refuses);
    }
}

#[inline]
fn finish<F: Future>(future: F, cx: &mut Context<'_>) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = black_box(future.as_mut().poll(cx)) {
            return output;
        }
    }
}
