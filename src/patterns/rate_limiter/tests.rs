//! What the tests of the algorithms have in common.

use std::fmt::Debug;
use std::time::Duration;

use proptest::test_runner::{Config, RngSeed};

use super::state::{Answer, Patience};

pub(super) const ANY: Patience = Patience::Timeout(None);

pub(super) const fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// What a request that has to wait was promised.
pub(super) fn promised<T: Debug>(answer: Answer<T>) -> T {
    match answer {
        Answer::Wait(promise) => promise,
        other => panic!("{other:?} is no wait"),
    }
}

/// So many cases, always the same ones.
pub(super) fn seeded(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(6), failure_persistence: None, ..Config::default() }
}
