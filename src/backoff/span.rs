//! Arithmetic with spans that nothing overflows.

use std::time::Duration;

/// The longest wait that any formula gives: about 584 million years, all that milliseconds in 64
/// bits can say. A wait that long only means "never".
pub(super) const LONGEST: Duration = Duration::from_millis(u64::MAX);

/// Growth stops here, so that a multiplier hardly above 1 cannot keep a processor busy.
pub(super) const LAST_STEP: u32 = 100_000;

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// `span · factor`, cut to whole nanoseconds. What cannot be said is the longest wait; nothing, multiplied
/// by whatever, is nothing.
pub(super) fn scale(span: Duration, factor: f64) -> Duration {
    if span.is_zero() {
        return span;
    }
    let nanos = span.as_nanos() as f64 * factor;
    if nanos.is_nan() || nanos >= LONGEST.as_nanos() as f64 {
        return LONGEST;
    }
    let nanos = nanos as u128;
    Duration::new((nanos / NANOS_PER_SEC) as u64, (nanos % NANOS_PER_SEC) as u32)
}

/// `initial · factorˢᵗᵉᵖˢ`, cut to whole nanoseconds at the end.
pub(super) fn raise(initial: Duration, factor: f64, steps: u32) -> Duration {
    scale(initial, factor.powi(steps.min(LAST_STEP) as i32))
}

/// Multiplies `steps` times, cut to whole milliseconds each time.
pub(super) fn grow(initial: Duration, multiplier: f64, steps: u32) -> Duration {
    let mut wait = millis(initial);
    for _ in 0..steps.min(LAST_STEP) {
        let next = (wait as f64 * multiplier) as u64;
        if next == wait {
            break;
        }
        wait = next;
    }
    Duration::from_millis(wait)
}

/// Even over `from` (included) to `to` (not included); `from` if there is nothing between.
pub(super) fn between(from: Duration, to: Duration, fraction: f64) -> Duration {
    let Some(width) = to.checked_sub(from).filter(|width| !width.is_zero()) else { return from };
    // The fraction is below 1 by enough for the product to be cut to less than the width.
    from.saturating_add(scale(width, fraction))
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_end_is_not_reached_though_a_float_rounds_up() {
        let (least, most) = (Duration::ZERO, Duration::from_nanos((1 << 60) + 385));
        let fraction = 1.0 - f64::EPSILON / 2.0;
        assert!(between(least, most, fraction) < most);
        assert_eq!(between(most, least, fraction), most, "nothing between");
    }
}
