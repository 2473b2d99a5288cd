//! Seedable dice for jitter.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::sync::Lock;

/// A source of random numbers; clones share it.
///
/// By default it is seeded by the operating system. A test seeds it, and then sees the same jitter
/// in every run:
///
/// ```
/// use seawall::Random;
///
/// let (a, b) = (Random::seeded(7), Random::seeded(7));
/// assert_eq!(a.fraction(), b.fraction());
/// ```
#[derive(Clone, Debug)]
pub struct Random(Arc<Lock<SmallRng>>);

impl Random {
    /// Dice that always fall the same way.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Lock::new(SmallRng::seed_from_u64(seed))))
    }

    /// A number from 0 (included) to 1 (not included), all equally likely.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.0.lock().random()
    }

    /// Any number, all equally likely.
    pub(crate) fn number(&self) -> u64 {
        self.0.lock().random()
    }

    /// A span from zero to `most`, all equally likely.
    pub(crate) fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.fraction()).min(most)
    }
}

impl Default for Random {
    fn default() -> Self {
        // The standard library's hasher is seeded by the operating system, which is all that jitter needs.
        Self::seeded(RandomState::new().hash_one(()))
    }
}
