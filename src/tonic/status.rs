//! seawall's words as a gRPC status.

use std::error::Error as StdError;
use std::sync::Arc;

use tonic::metadata::MetadataMap;
use tonic::{Code, Status, TimeoutExpired};

use super::pushback::{self, PUSHBACK};
use crate::error::{Error, FromRejected, Reason, Rejected};

/// The code is told by the reason, the message is the rejection's own, and the rejection is the source.
impl FromRejected for Status {
    fn from_rejected(rejected: Rejected) -> Self {
        let mut metadata = MetadataMap::new();
        if let Some(wait) = rejected.retry_after() {
            metadata.insert(PUSHBACK, pushback::write(wait).into());
        }
        let mut status =
            Self::with_metadata(code(rejected.reason()), rejected.to_string(), metadata);
        status.set_source(Arc::new(rejected));
        status
    }

    fn as_rejected(&self) -> Option<&Rejected> {
        Rejected::find(self)
    }
}

impl From<Rejected> for Status {
    fn from(rejected: Rejected) -> Self {
        Self::from_rejected(rejected)
    }
}

/// The client's error becomes what tonic makes of it, and its source.
impl<E: Into<Box<dyn StdError + Send + Sync>>> From<Error<E>> for Status {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Rejected(rejected) => Self::from_rejected(rejected),
            Error::Service(error) => of_channel(error),
        }
    }
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::BulkheadFull | Reason::RateLimited => Code::ResourceExhausted,
        Reason::AttemptTimedOut | Reason::DeadlinePassed | Reason::DeadlineExceeded => {
            Code::DeadlineExceeded
        }
        _ => Code::Unavailable,
    }
}

/// What a channel failed with.
pub(super) fn of_channel(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Status {
    let status = Status::from_error(error.into());
    if !has_timed_out(&status) {
        return status;
    }
    // tonic says that the caller has cancelled.
    let mut late = Status::deadline_exceeded(status.message());
    late.set_source(Arc::new(status));
    late
}

/// Was it a timer of the channel's own that ended the call?
pub(super) fn has_timed_out(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(error) = next {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        next = error.source();
    }
    false
}
