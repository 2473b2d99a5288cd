//! How long to wait before the next try: formulas without a clock.
//!
//! A retry asks for the pause before its next attempt, an open circuit breaker for the time until
//! its first trial. Both number their tries from 1; peers that count from 0 have our *n* − 1.
//!
//! | constructor | wait before try *n* | answers to |
//! |---|---|---|
//! | [`fixed`](Backoff::fixed) | `wait` | Resilience4j fixed (500 ms), Polly constant (2 s), failsafe-go delay |
//! | [`linear`](Backoff::linear) | `initial + (n − 1) · step` | Polly linear, with `initial = step` (2 s) |
//! | [`exponential`](Backoff::exponential) | `initial · multiplierⁿ⁻¹`, cut to whole milliseconds at every step | Resilience4j exponential (500 ms, 1.5) |
//! | [`geometric`](Backoff::geometric) | `initial · factorⁿ⁻¹`, not cut | Polly exponential (2 s, 2), failsafe-go backoff (factor 2), AWS exponential (2), tower before its jitter (50 ms, 2) |
//! | [`full_jitter`](Backoff::full_jitter) | anything from 0 to `min(cap, base · 2ⁿ⁻¹)` | AWS full jitter, Smithy standard (1 s or 50 ms, cap 20 s) |
//! | [`equal_jitter`](Backoff::equal_jitter) | `e/2` and anything from 0 to `e/2`, with `e = min(cap, base · 2ⁿ⁻¹)` | AWS equal jitter |
//! | [`decorrelated`](Backoff::decorrelated) | anything from `base` to thrice the last wait, at most `cap` | AWS decorrelated jitter |
//! | [`smooth`](Backoff::smooth) | a random walk along `2ᵗ · tanh √4t` | Polly exponential with jitter (2 s) |
//! | [`uniform`](Backoff::uniform) | anything from `least` to `most` | failsafe-go random delay |
//! | [`iterate`](Backoff::iterate) | your function applied *n* − 1 times | Resilience4j's own function |
//! | [`sequence`](Backoff::sequence) | the *n*-th of an iterator | |
//! | [`custom`](Backoff::custom) | what your function says | |
//!
//! | modifier | effect | answers to |
//! |---|---|---|
//! | [`capped`](Backoff::capped) | no wait is longer | all of them |
//! | [`randomized`](Backoff::randomized) | `wait · (1 ± f)`, in whole milliseconds, at least one | Resilience4j randomized (0.5) |
//! | [`jitter_factor`](Backoff::jitter_factor) | `wait · (1 ± f)` | failsafe-go jitter factor, Polly constant and linear with jitter (0.25) |
//! | [`jitter`](Backoff::jitter) | `wait ± span` | failsafe-go jitter |
//! | [`lengthened`](Backoff::lengthened) | up to `f · wait` more | tower (0.99) |
//!
//! The last jitter given counts. The cap always holds after the jitter too. Nothing overflows: what is too long becomes
//! the cap. A base of zero stays zero, but for `randomized`.

mod check;
mod context;
mod described;
mod formula;
mod jitter;
mod span;
mod waits;

use std::sync::Arc;
use std::time::Duration;

pub use context::BackoffContext;
use formula::Formula;
use jitter::Jitter;
pub use waits::Waits;

use crate::random::Random;

/// A formula for waits.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use seawall::{Backoff, BackoffContext, Random};
///
/// let backoff = Backoff::exponential(Duration::from_millis(500), 1.5).capped(Duration::from_secs(2));
/// let wait = |attempt| {
///     let context = BackoffContext::new(NonZeroU32::new(attempt).unwrap());
///     backoff.wait(&context, &Random::seeded(1)).unwrap().as_millis()
/// };
/// assert_eq!([wait(1), wait(2), wait(3), wait(4), wait(5)], [500, 750, 1125, 1687, 2000]);
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    formula: Formula,
    jitter: Jitter,
    /// The jitter was given after the cap, and so spreads what is capped.
    jitter_after_cap: bool,
    cap: Option<Duration>,
}

// ## Formulas

impl Backoff {
    const fn of(formula: Formula) -> Self {
        Self { formula, jitter: Jitter::None, jitter_after_cap: false, cap: None }
    }

    /// The same wait every time. Range: from 0.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self::of(Formula::Fixed(wait))
    }

    /// Grows by `step` from try to try. Range of `initial`: from 1 ms.
    #[must_use]
    pub const fn linear(initial: Duration, step: Duration) -> Self {
        Self::of(Formula::Linear { initial, step })
    }

    /// Grows by a factor, in whole milliseconds as Resilience4j counts.
    ///
    /// Range of `initial`: from 1 ms. Range of `multiplier`: above 0. Growth stops after 100 000
    /// tries.
    #[must_use]
    pub const fn exponential(initial: Duration, multiplier: f64) -> Self {
        Self::of(Formula::Exponential { initial, multiplier })
    }

    /// Grows by a factor, to the nanosecond: for waits below a millisecond, and for the numbers of Polly,
    /// failsafe-go, AWS and tower, which cut nothing.
    ///
    /// Range of `initial`: from 0. Range of `factor`: above 0. Growth stops after 100 000 tries.
    #[must_use]
    pub const fn geometric(initial: Duration, factor: f64) -> Self {
        Self::of(Formula::Geometric { initial, factor })
    }

    /// AWS's full jitter: anything from zero to `min(cap, base · 2ⁿ⁻¹)`, all equally likely.
    ///
    /// Spreads callers that failed together as far apart as possible. Range of `base`: from 0.
    #[must_use]
    pub const fn full_jitter(base: Duration, cap: Duration) -> Self {
        Self::of(Formula::FullJitter { base }).capped(cap)
    }

    /// AWS's equal jitter: never less than half of `min(cap, base · 2ⁿ⁻¹)`, and up to all of it.
    ///
    /// For a backend that needs some rest for certain. Range of `base`: from 0.
    #[must_use]
    pub const fn equal_jitter(base: Duration, cap: Duration) -> Self {
        Self::of(Formula::EqualJitter { base }).capped(cap)
    }

    /// AWS's decorrelated jitter: anything from `base` to thrice the last wait, which is `base` at first.
    ///
    /// Range of `base`: from 0.
    #[must_use]
    pub const fn decorrelated(base: Duration, cap: Duration) -> Self {
        Self::of(Formula::Decorrelated { base }).capped(cap)
    }

    /// Polly's exponential backoff with jitter: doubles in the long run, and over many callers no moment is
    /// likelier than those around it.
    ///
    /// `base`: the median of the first wait, about. Range: from 0.
    #[must_use]
    pub const fn smooth(base: Duration) -> Self {
        Self::of(Formula::Smooth { base })
    }

    /// Anything from `least` (included) to `most` (not included), all equally likely.
    ///
    /// Range: `least` below `most`.
    #[must_use]
    pub const fn uniform(least: Duration, most: Duration) -> Self {
        Self::of(Formula::Uniform { least, most })
    }

    /// `initial`, and from then on what `step` makes of the wait before. Cap and jitter are not fed back to
    /// it.
    ///
    /// In a circuit breaker it is called as a [`custom`](Self::custom) formula is.
    #[must_use]
    pub fn iterate(
        initial: Duration,
        step: impl Fn(Duration) -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self::of(Formula::Iterate { initial, step: Arc::new(step) })
    }

    /// The waits of an iterator that `make` makes for every call. When it ends, there is no further try.
    ///
    /// In a circuit breaker an iterator lasts until the circuit has closed; its end there means what
    /// `None` of a [`custom`](Self::custom) formula means.
    ///
    /// ```
    /// use std::{iter, time::Duration};
    /// use seawall::Backoff;
    ///
    /// const LIST: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
    /// let twice = Backoff::sequence(|| LIST);
    /// let again_and_again = Backoff::sequence(|| LIST.into_iter().chain(iter::repeat(LIST[1])));
    /// ```
    #[must_use]
    pub fn sequence<I>(make: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: IntoIterator<Item = Duration, IntoIter: Send + Sync + 'static>,
    {
        Self::of(Formula::Sequence(Arc::new(move || Box::new(make().into_iter()))))
    }

    /// Your own formula. `None` gives up: there is no further try.
    ///
    /// A circuit breaker takes `None` for "as long as can be", and a panic for 60 s. The function is
    /// called once a wait, never under a lock; until it returns, the open circuit just refuses.
    #[must_use]
    pub fn custom(
        formula: impl Fn(&BackoffContext) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Formula::Custom(Arc::new(formula)))
    }
}

// ## Modifiers

impl Backoff {
    /// Spreads every wait *w* evenly over *w* − *f·w* to *w* + *f·w*, as Resilience4j does: in whole
    /// milliseconds, never below one, and before the cap.
    ///
    /// Range of `factor`: 0 to 1. Resilience4j's default is 0.5.
    #[must_use]
    pub const fn randomized(mut self, factor: f64) -> Self {
        self.jitter = Jitter::Randomized(factor);
        self.jitter_after_cap = false;
        self
    }

    /// Spreads every wait *w* evenly over *w* − *f·w* to *w* + *f·w*. A wait of zero stays zero.
    ///
    /// Given after [`capped`](Self::capped), it spreads what is capped already, as in failsafe-go: then waits at
    /// the cap differ still. Given before, waits far beyond the cap are all cut to it, as in Polly. Range of
    /// `factor`: 0 to 1. Polly's is 0.25.
    #[must_use]
    pub const fn jitter_factor(self, factor: f64) -> Self {
        self.spread(Jitter::Factor(factor))
    }

    /// Spreads every wait *w* evenly over *w* − `span` to *w* + `span`. A wait of zero stays zero.
    ///
    /// Given before or after [`capped`](Self::capped), as [`jitter_factor`](Self::jitter_factor).
    #[must_use]
    pub const fn jitter(self, span: Duration) -> Self {
        self.spread(Jitter::Span(span))
    }

    /// Makes every wait *w* longer by anything up to *f·w*.
    ///
    /// Given before or after [`capped`](Self::capped), as [`jitter_factor`](Self::jitter_factor). Range of
    /// `factor`: 0 to 100. tower's is 0.99.
    #[must_use]
    pub const fn lengthened(self, factor: f64) -> Self {
        self.spread(Jitter::Longer(factor))
    }

    const fn spread(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self.jitter_after_cap = self.cap.is_some();
        self
    }

    /// No wait is longer than `cap`, jitter included. Range: from 1 ms.
    #[must_use]
    pub const fn capped(mut self, cap: Duration) -> Self {
        self.cap = Some(cap);
        self
    }
}

impl Backoff {
    /// One wait by itself, or `None` if there shall be no further try. [`Waits`] gives those of a
    /// whole call, which differ where a formula remembers what it gave before.
    #[must_use]
    pub fn wait(&self, context: &BackoffContext, random: &Random) -> Option<Duration> {
        self.after(&mut Waits::default(), context, random)
    }

    fn after(
        &self,
        waits: &mut Waits,
        context: &BackoffContext,
        random: &Random,
    ) -> Option<Duration> {
        let cap = self.cap.unwrap_or(span::LONGEST);
        let mut wait = self.formula.wait(waits, context, random, cap)?;
        if self.jitter_after_cap {
            wait = wait.min(cap);
        }
        Some(self.jitter.apply(wait, random).min(cap))
    }

    /// The wait, if it is always the same.
    pub(crate) const fn as_fixed(&self) -> Option<Duration> {
        match (&self.formula, self.jitter) {
            (Formula::Fixed(wait), Jitter::None) => Some(*wait),
            _ => None,
        }
    }

    pub(crate) const fn is_custom(&self) -> bool {
        matches!(self.formula, Formula::Custom(_))
    }
}
