//! Asking formulas.

use std::num::NonZeroU32;
use std::time::Duration;

use seawall::{Backoff, BackoffContext, CircuitBreakerConfig, Random, Waits};

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn context(attempt: u32) -> BackoffContext {
    BackoffContext::new(NonZeroU32::new(attempt).unwrap())
}

pub(crate) fn wait(backoff: &Backoff, attempt: u32) -> Duration {
    backoff.wait(&context(attempt), &Random::seeded(1)).unwrap()
}

/// The first so many waits, in milliseconds.
pub(crate) fn waits<const N: usize>(backoff: &Backoff) -> [u128; N] {
    std::array::from_fn(|index| wait(backoff, index as u32 + 1).as_millis())
}

/// Waits of one attempt, with the dice of one seed.
pub(crate) fn rolled(backoff: &Backoff, attempt: u32, times: usize) -> Vec<Duration> {
    let random = Random::seeded(42);
    (0..times).map(|_| backoff.wait(&context(attempt), &random).unwrap()).collect()
}

/// The waits of one call.
pub(crate) fn call(backoff: &Backoff, random: &Random, attempts: u32) -> Vec<Duration> {
    let mut waits = Waits::default();
    (1..=attempts).map_while(|attempt| waits.next(backoff, &context(attempt), random)).collect()
}

pub(crate) fn refused(backoff: Backoff) -> String {
    CircuitBreakerConfig::builder().open_wait(backoff).build().unwrap_err().to_string()
}

pub(crate) fn mean(waits: &[Duration]) -> Duration {
    waits.iter().sum::<Duration>() / waits.len() as u32
}

/// Even over `least` to `most`: within, close to both ends, and with the mean in the middle.
#[track_caller]
pub(crate) fn assert_even(waits: &[Duration], least: Duration, most: Duration) {
    let (min, max) = (*waits.iter().min().unwrap(), *waits.iter().max().unwrap());
    let near = (most - least) / 50;
    assert!(least <= min && max <= most, "{min:?} to {max:?}");
    assert!(min <= least + near && max >= most - near, "{min:?} to {max:?}");
    let middle = (least + most) / 2;
    assert!(mean(waits).abs_diff(middle) <= near, "{:?} instead of {middle:?}", mean(waits));
}
