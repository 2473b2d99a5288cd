//! What causes are called, in files and by meters.

use super::Cause;

/// Those that have no number.
pub(super) const NAMED: [(&str, Cause); 9] = [
    ("connect", Cause::Connect),
    ("unprocessed", Cause::Unprocessed),
    ("permanent", Cause::Permanent),
    ("timeout", Cause::Timeout),
    ("reset", Cause::Reset),
    ("overloaded", Cause::Overloaded),
    ("refused", Cause::Refused),
    ("cancelled", Cause::Cancelled),
    ("other", Cause::Other),
];

/// gRPC's codes by number.
pub(super) const GRPC: [&str; 17] = [
    "grpc:ok",
    "grpc:cancelled",
    "grpc:unknown",
    "grpc:invalid_argument",
    "grpc:deadline_exceeded",
    "grpc:not_found",
    "grpc:already_exists",
    "grpc:permission_denied",
    "grpc:resource_exhausted",
    "grpc:failed_precondition",
    "grpc:aborted",
    "grpc:out_of_range",
    "grpc:unimplemented",
    "grpc:internal",
    "grpc:unavailable",
    "grpc:data_loss",
    "grpc:unauthenticated",
];

/// All that HTTP can have, from 100 on, so that a meter is given one without writing it.
static STATUSES: [[u8; 3]; 900] = {
    let (mut all, mut at) = ([*b"100"; 900], 0_u16);
    while at < 900 {
        let status = at + 100;
        let digits = [status / 100, status / 10 % 10, status % 10];
        all[at as usize] = [b'0' + digits[0] as u8, b'0' + digits[1] as u8, b'0' + digits[2] as u8];
        at += 1;
    }
    all
};

impl Cause {
    /// The cause as a list in a file, a [`CauseMatcher`](super::CauseMatcher) and a meter's tag spell it: `503`, `grpc:unavailable`,
    /// `timeout`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Status(status) => {
                let digits = status.checked_sub(100).and_then(|at| STATUSES.get(usize::from(at)));
                digits.and_then(|digits| str::from_utf8(digits).ok()).unwrap_or("other")
            }
            Self::Grpc(code) => {
                usize::try_from(code).ok().and_then(|code| GRPC.get(code)).unwrap_or(&GRPC[2])
            }
            cause => NAMED.iter().find(|(_, is)| *is == cause).map_or("other", |(name, _)| name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cause, CauseMatcher};
    use super::{GRPC, NAMED};

    #[test]
    fn what_a_cause_is_called_matches_it_and_it_alone() {
        let codes = (0..GRPC.len()).map(|code| Cause::Grpc(code as i32));
        let named = NAMED.map(|(_, cause)| cause);
        let all: Vec<_> = (100..1000).map(Cause::Status).chain(codes).chain(named).collect();
        for cause in &all {
            let matcher: CauseMatcher = cause.key().parse().unwrap();
            assert_eq!(all.iter().filter(|other| matcher.matches(**other)).count(), 1, "{cause:?}");
            assert!(matcher.matches(*cause) && matcher.to_string() == cause.key(), "{cause:?}");
        }
    }

    #[test]
    fn numbers_that_nobody_knows_have_a_name_too() {
        assert_eq!(Cause::Status(99).key(), "other");
        assert_eq!(Cause::Status(1000).key(), "other");
        assert_eq!(Cause::Grpc(17).key(), "grpc:unknown");
        assert_eq!(Cause::Grpc(-1).key(), "grpc:unknown");
    }
}
