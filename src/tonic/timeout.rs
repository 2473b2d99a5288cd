//! How long the server has: `grpc-timeout`.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::deadline::Deadline;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When the whole call has to be over. Goes to the channel with each attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallDeadline(pub(super) Deadline);

/// The timeout that a request has, if it is a valid one.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// Tells the server what is left, unless the request has told it of less.
pub(super) fn announce<B>(request: &mut Request<B>) {
    let Some(CallDeadline(deadline)) = request.extensions_mut().remove() else { return };
    let left = deadline.remaining();
    if read(request.headers()).is_none_or(|set| set > left) {
        request.headers_mut().insert(TIMEOUT, write(left));
    }
}

/// At most eight digits, in the finest unit from milliseconds on in which they fit. Rounded up, as tonic's channel
/// limits the call by this header, too, and the deadline itself shall strike first.
fn write(left: Duration) -> HeaderValue {
    const MOST: u64 = 99_999_999;
    let millis = left.as_nanos().div_ceil(1_000_000).max(1);
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let text = match (millis, left.as_secs()) {
        (0..=MOST, _) => format!("{millis}m"),
        (_, seconds @ 0..MOST) => format!("{}S", seconds + 1),
        (_, seconds) => format!("{}H", (seconds / 3600 + 1).min(MOST)),
    };
    HeaderValue::try_from(text).expect("digits and a letter")
}
