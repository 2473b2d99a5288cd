//! What spans call things.

use std::borrow::Cow;
use std::fmt;

use super::RequestInfo;
use crate::error::{Reason, Rejected};
use crate::outcome::{Cause, Outcome, Verdict};

/// `error.type`: few words for many errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorType {
    Status(u16),
    Word(&'static str),
}

impl From<Cause> for ErrorType {
    fn from(cause: Cause) -> Self {
        Self::Word(match cause {
            Cause::Status(status) => return Self::Status(status),
            Cause::Grpc(code) => grpc(code),
            Cause::Connect => "connect",
            Cause::Unprocessed => "unprocessed",
            Cause::Permanent => "permanent",
            Cause::Timeout => "timeout",
            Cause::Reset => "reset",
            Cause::Overloaded => "overloaded",
            Cause::Refused => "refused",
            Cause::Cancelled => "cancelled",
            Cause::Other => "_OTHER",
        })
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// `seawall.outcome`.
    pub(super) outcome: &'static str,
    pub(super) error: Option<ErrorType>,
}

impl End {
    pub(super) const CANCELLED: Self =
        Self { outcome: "cancelled", error: Some(ErrorType::Word("cancelled")) };

    pub(super) fn of(verdict: &Verdict, rejected: Option<&Rejected>) -> Self {
        if let Some(rejected) = rejected {
            let outcome = match () {
                () if rejected.is_refusal() => "refused",
                () if rejected.is_timeout() => "timed_out",
                () => "failure",
            };
            return Self { outcome, error: Some(ErrorType::Word(reason(rejected.reason()))) };
        }
        let error = || verdict.cause().map(ErrorType::from);
        match verdict.outcome() {
            Outcome::Success => Self { outcome: "success", error: None },
            Outcome::Ignored => Self { outcome: "ignored", error: None },
            Outcome::Failure => Self { outcome: "failure", error: error() },
        }
    }

    pub(super) fn failed(cause: Cause) -> Self {
        Self { outcome: "failure", error: Some(cause.into()) }
    }
}

pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::CircuitOpen => "circuit_open",
        Reason::CircuitHalfOpen => "circuit_half_open",
        Reason::CircuitForcedOpen => "circuit_forced_open",
        Reason::BulkheadFull => "bulkhead_full",
        Reason::RateLimited => "rate_limited",
        Reason::DeadlinePassed => "deadline_passed",
        Reason::CannotDetach => "cannot_detach",
        Reason::AttemptTimedOut => "attempt_timed_out",
        Reason::DeadlineExceeded => "deadline_exceeded",
        Reason::RuntimeShutDown => "runtime_shut_down",
        Reason::RetryBudgetSpent { .. } => "retry_budget_spent",
        Reason::AttemptsExhausted { .. } => "attempts_exhausted",
    }
}

/// The name of a code of gRPC.
pub(super) const fn grpc(code: i32) -> &'static str {
    match code {
        0 => "OK",
        1 => "CANCELLED",
        3 => "INVALID_ARGUMENT",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        9 => "FAILED_PRECONDITION",
        10 => "ABORTED",
        11 => "OUT_OF_RANGE",
        12 => "UNIMPLEMENTED",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        15 => "DATA_LOSS",
        16 => "UNAUTHENTICATED",
        _ => "UNKNOWN",
    }
}

/// The methods that are told as they are.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// `http.request.method`.
pub(super) fn method(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

/// What the span of an attempt is called: few names for many requests.
pub(super) fn name(info: &RequestInfo) -> Option<Cow<'_, str>> {
    if let Some(method) = &info.rpc_method {
        return Some(method.into());
    }
    let method = match method(info.http_method.as_deref()?) {
        "_OTHER" => "HTTP",
        known => known,
    };
    Some(match &info.url_template {
        Some(template) => format!("{method} {template}").into(),
        None => method.into(),
    })
}
