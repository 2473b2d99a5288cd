//! A span of time and two marks in one word: what a call reads of settings that may be replaced while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The word itself. The span is at most [`LONGEST`](Self::LONGEST), which is more than a century.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanAnd(u64);

const NANOS: u32 = 30;
const SECONDS: u32 = 32;
const SPAN: u64 = (1 << (NANOS + SECONDS)) - 1;

impl SpanAnd {
    pub(crate) const FIRST_MARK: u64 = 1 << (NANOS + SECONDS);
    pub(crate) const SECOND_MARK: u64 = Self::FIRST_MARK << 1;
    pub(crate) const LONGEST: Duration = Duration::new(u32::MAX as u64, 999_999_999);

    pub(crate) fn new(span: Duration) -> Self {
        let span = span.min(Self::LONGEST);
        Self(span.as_secs() << NANOS | u64::from(span.subsec_nanos()))
    }

    pub(crate) const fn mark(self, mark: u64, is_set: bool) -> Self {
        if is_set { Self(self.0 | mark) } else { self }
    }

    #[inline]
    pub(crate) const fn has(self, mark: u64) -> bool {
        self.0 & mark != 0
    }

    #[inline]
    pub(crate) const fn span(self) -> Duration {
        let nanos = (self.0 & ((1 << NANOS) - 1)) as u32;
        Duration::new((self.0 & SPAN) >> NANOS, nanos)
    }
}

/// The word in its atomic.
#[derive(Debug)]
pub(crate) struct SpanWord(AtomicU64);

impl SpanWord {
    pub(crate) const fn new(word: SpanAnd) -> Self {
        Self(AtomicU64::new(word.0))
    }

    #[inline]
    pub(crate) fn get(&self) -> SpanAnd {
        SpanAnd(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, word: SpanAnd) {
        self.0.store(word.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::SpanAnd;

    #[test]
    fn the_span_and_its_marks_do_not_touch_each_other() {
        let (first, second) = (SpanAnd::FIRST_MARK, SpanAnd::SECOND_MARK);
        let spans = [Duration::ZERO, Duration::new(60, 999_999_999), Duration::MAX];
        for (span, kept) in spans.into_iter().zip([spans[0], spans[1], SpanAnd::LONGEST]) {
            let word = SpanAnd::new(span);
            assert_eq!((word.span(), word.has(first), word.has(second)), (kept, false, false));
            let marked = word.mark(first, true).mark(second, false);
            assert_eq!((marked.span(), marked.has(first), marked.has(second)), (kept, true, false));
            let marked = word.mark(second, true);
            assert_eq!((marked.span(), marked.has(first), marked.has(second)), (kept, false, true));
        }
    }
}
