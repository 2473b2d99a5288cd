//! Status codes: sets of them, and where a response has its own.

use std::fmt;

use http::{HeaderMap, StatusCode};
use tonic::{Code, Status};

/// A set of status codes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Codes(u32);

impl Codes {
    pub(super) const fn of(codes: &[Code]) -> Self {
        let (mut set, mut i) = (0, 0);
        while i < codes.len() {
            set |= 1 << codes[i] as u32;
            i += 1;
        }
        Self(set)
    }

    /// All but `OK` of which `is_in` says so.
    pub(super) fn when(is_in: impl Fn(Code) -> bool) -> Self {
        let all = (1..=16).map(Code::from_i32);
        Self(all.filter(|code| is_in(*code)).fold(0, |set, code| set | 1 << code as u32))
    }

    pub(super) const fn has(self, code: Code) -> bool {
        self.0 & (1 << code as u32) != 0
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = (0..=16).map(Code::from_i32);
        f.debug_set().entries(all.filter(|code| self.has(*code)).map(NoQuotes)).finish()
    }
}

/// The variant's name, and not its description.
struct NoQuotes(Code);

impl fmt::Debug for NoQuotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The code in a head or in trailers.
pub(super) fn told(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// What gRPC makes of an HTTP status without a code; nothing of 200, where the code comes later.
pub(super) const fn of_http(status: StatusCode) -> Option<Code> {
    Some(match status {
        StatusCode::OK => return None,
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    })
}
