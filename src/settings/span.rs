//! A span of time that may be replaced while calls read it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seconds and nanoseconds in one word, so that nobody reads half of one span and half of another.
#[derive(Debug)]
pub(crate) struct Span(AtomicU64);

const NANOS: u32 = 30;
/// More than five centuries.
const LONGEST: Duration = Duration::new((1 << (u64::BITS - NANOS)) - 1, 999_999_999);

impl Span {
    pub(crate) fn new(span: Duration) -> Self {
        let word = Self(AtomicU64::new(0));
        word.set(span);
        word
    }

    #[inline]
    pub(crate) fn get(&self) -> Duration {
        let word = self.0.load(Ordering::Relaxed);
        // The compiler does not know that there are not more, and would have them carried over.
        let nanos = (word as u32 & ((1 << NANOS) - 1)).min(999_999_999);
        Duration::new(word >> NANOS, nanos)
    }

    /// What is longer than five centuries is that long.
    pub(crate) fn set(&self, span: Duration) {
        let span = span.min(LONGEST);
        let word = span.as_secs() << NANOS | u64::from(span.subsec_nanos());
        self.0.store(word, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_it_was_written() {
        let span = Span::new(Duration::MAX);
        assert_eq!(span.get(), LONGEST);
        for written in [Duration::ZERO, Duration::new(60, 999_999_999), LONGEST] {
            span.set(written);
            assert_eq!(span.get(), written);
        }
    }
}
