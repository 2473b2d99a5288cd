//! What every module here needs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use seawall::telemetry::Event;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An observer that counts.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<AtomicUsize>);

impl Heard {
    pub(crate) fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let heard = self.0.clone();
        move |_| {
            heard.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn events(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Looks at a future once, without a waker of its own.
pub(crate) fn peek<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()))
}
