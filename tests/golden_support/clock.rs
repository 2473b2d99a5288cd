//! Time that moves only when it is told to, or while somebody sleeps.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{self, Instant};

/// A runtime with a paused clock.
pub(crate) struct Clock {
    runtime: Runtime,
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
        let start = runtime.block_on(async { Instant::now() });
        Self { runtime, start }
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.run(time::advance(by));
    }

    /// Since the beginning.
    pub(crate) fn time(&self) -> Duration {
        self.run(async { self.start.elapsed() })
    }
}

/// Polls once, with nobody to be woken.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
