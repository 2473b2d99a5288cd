//! When the server wants to be asked again: `grpc-retry-pushback-ms`.

use std::time::Duration;

use http::HeaderMap;

pub(super) const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What the server says of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    Silent,
    After(Duration),
    /// A negative number. What nobody can read, or what is said twice, is taken for one, as gRPC has it.
    Never,
}

pub(super) fn read(headers: &HeaderMap) -> Pushback {
    let mut values = headers.get_all(PUSHBACK).iter();
    let Some(value) = values.next() else { return Pushback::Silent };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    // More than fits is not a number of milliseconds to gRPC either.
    match text.and_then(|text| text.parse::<i32>().ok()) {
        Some(ms @ 0..) => Pushback::After(Duration::from_millis(ms.unsigned_abs().into())),
        _ => Pushback::Never,
    }
}

/// The number of milliseconds: rather one too many than one too few.
pub(super) fn write(wait: Duration) -> i32 {
    i32::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
