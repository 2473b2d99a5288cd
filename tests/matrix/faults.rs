//! The faults, and beside each what is to be expected.
//!
//! A call is a GET (over gRPC, a call marked as idempotent), which may be sent again until the head of its answer is there. What
//! breaks after the head is the caller's to see, and counts as a failure; it is never sent again.

use std::fmt;
use std::time::Duration;

use crate::support::{Behaviour, Http2Code, OnConnect};

/// What is to come of a cell.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    Is {
        /// In the words of `kinds.rs`.
        got: &'static str,
        /// Attempts that the circuit breaker has counted to their end.
        attempts: u64,
        /// Requests that the server has seen.
        requests: usize,
    },
    /// There is no such cell, for this reason.
    Cannot(&'static str),
}

/// How often the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// Only the first attempt.
    Once,
    Always,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Once { "once" } else { "always" })
    }
}

/// Limits of the call. Far away, where they are not what the cell is about.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub attempt: Duration,
    pub call: Duration,
}

const FAR: Limits = limits(10_000, 20_000);

const fn limits(attempt: u64, call: u64) -> Limits {
    Limits { attempt: Duration::from_millis(attempt), call: Duration::from_millis(call) }
}

/// What is to be expected over HTTP/1.1, over HTTP/2, and of gRPC.
type Wants = [Want; 3];

pub struct Fault {
    pub name: &'static str,
    pub limits: Limits,
    pub is_refused: bool,
    away: bool,
    /// What the server asks for before each retry.
    pub pause: Duration,
    /// What the server does instead of answering whole.
    behaviour: fn(Behaviour) -> Behaviour,
    once: Wants,
    /// None where a second attempt is never made, so that it is the same.
    always: Option<Wants>,
}

const fn is(got: &'static str, attempts: u64, requests: usize) -> Want {
    Want::Is { got, attempts, requests }
}

/// The same over both versions, and the same of gRPC.
const fn all(got: &'static str, attempts: u64, requests: usize) -> Wants {
    but_grpc(got, got, attempts, requests)
}

/// The same over both versions, and in gRPC's words.
const fn but_grpc(got: &'static str, grpc: &'static str, attempts: u64, requests: usize) -> Wants {
    each([got, got, grpc], attempts, requests)
}

/// In the words of each.
const fn each(got: [&'static str; 3], attempts: u64, requests: usize) -> Wants {
    [is(got[0], attempts, requests), is(got[1], attempts, requests), is(got[2], attempts, requests)]
}

const NO_GOAWAY: Want = Want::Cannot("HTTP/1.1 has no GOAWAY");
const NO_STREAMS: Want = Want::Cannot("HTTP/1.1 has no streams to refuse");

pub const FAULTS: &[Fault] = &[
    Fault { name: "none", once: all("whole", 1, 1), ..PLAIN },
    Fault {
        name: "refused",
        is_refused: true,
        once: all("whole", 2, 1),
        always: Some(but_grpc("refused", "Unavailable: refused", 3, 0)),
        ..PLAIN
    },
    Fault {
        name: "reset before head",
        behaviour: |_| Behaviour::reset(),
        once: all("whole", 2, 2),
        always: Some(each(["reset", "lost", "Unknown: lost"], 3, 3)),
        ..PLAIN
    },
    Fault {
        name: "reset in body",
        behaviour: |whole| whole.reset_later(3, Duration::from_millis(200)),
        once: each(["body: reset", "body: lost", "Unknown: lost"], 1, 1),
        ..PLAIN
    },
    Fault {
        name: "hang before head",
        limits: limits(1_500, 10_000),
        behaviour: |_| Behaviour::hang(),
        once: all("whole", 2, 2),
        always: Some(but_grpc("attempt timed out", "DeadlineExceeded: attempt timed out", 3, 3)),
        ..PLAIN
    },
    Fault {
        name: "hang in body",
        limits: limits(2_400, 2_500),
        behaviour: |whole| whole.hang_after(3),
        once: but_grpc("body: deadline exceeded", "DeadlineExceeded: deadline exceeded", 1, 1),
        ..PLAIN
    },
    Fault {
        name: "trickle",
        limits: limits(1_500, 10_000),
        // Longer than an attempt may take to its head.
        behaviour: |whole| whole.trickle(1, Duration::from_millis(320)),
        once: all("whole", 1, 1),
        ..PLAIN
    },
    Fault {
        name: "503, Retry-After: 1",
        behaviour: |_| Behaviour::unavailable(1),
        pause: Duration::from_secs(1),
        once: all("whole", 2, 2),
        always: Some(but_grpc("503", "Unavailable", 3, 3)),
        ..PLAIN
    },
    Fault {
        name: "GOAWAY, not taken on",
        away: true,
        once: [NO_GOAWAY, is("whole", 2, 1), is("whole", 2, 1)],
        always: Some([NO_GOAWAY, is("GOAWAY", 3, 0), is("Unknown: GOAWAY", 3, 0)]),
        ..PLAIN
    },
    Fault {
        name: "GOAWAY, taken on",
        behaviour: |_| Behaviour::go_away(Http2Code::NO_ERROR),
        once: [NO_GOAWAY, is("whole", 2, 2), is("whole", 2, 2)],
        always: Some([NO_GOAWAY, is("lost", 3, 3), is("Unknown: lost", 3, 3)]),
        ..PLAIN
    },
    Fault {
        name: "REFUSED_STREAM",
        behaviour: |_| Behaviour::refuse_stream(),
        once: [NO_STREAMS, is("whole", 2, 2), is("whole", 2, 2)],
        always: Some([NO_STREAMS, is("REFUSED_STREAM", 3, 3), is("Unknown: REFUSED_STREAM", 3, 3)]),
        ..PLAIN
    },
    Fault {
        name: "half body",
        behaviour: |whole| whole.close_after(3),
        once: each(["body: broken off", "body: lost", "Unknown: lost"], 1, 1),
        ..PLAIN
    },
    Fault {
        name: "length too long",
        behaviour: |whole| whole.claims_length(99),
        once: each(["body: broken off", "body: wrong length", "Unknown: wrong length"], 1, 1),
        ..PLAIN
    },
    Fault {
        name: "length too short",
        behaviour: |whole| whole.claims_length(3),
        // HTTP/1.1 cannot know better: what follows belongs to no answer.
        once: each(["\"lea\"", "body: wrong length", "Unknown: wrong length"], 1, 1),
        ..PLAIN
    },
];

/// What a fault has unless it says otherwise.
const PLAIN: Fault = Fault {
    name: "",
    limits: FAR,
    is_refused: false,
    away: false,
    pause: Duration::ZERO,
    behaviour: |whole| whole,
    once: all("", 0, 0),
    always: None,
};

impl Fault {
    pub fn hows(&self) -> impl Iterator<Item = How> {
        [How::Once, How::Always].into_iter().take(1 + usize::from(self.always.is_some()))
    }

    pub fn want(&self, how: How, http2: bool, grpc: bool) -> Want {
        let wants =
            if how == How::Once { &self.once } else { self.always.as_ref().expect("asked") };
        wants[if grpc { 2 } else { usize::from(http2) }]
    }

    pub fn span(&self, how: How) -> Duration {
        let attempts = if how == How::Once { 1 } else { 3 };
        let pauses = self.pause * attempts;
        if self.limits.attempt == FAR.attempt { pauses } else { self.limits.attempt * attempts }
    }

    /// What becomes of connections, and what the server does with one request after the other.
    pub fn script(
        &self,
        how: How,
        grpc: bool,
    ) -> (impl Fn(usize) -> OnConnect + use<>, Vec<Behaviour>) {
        let whole = if grpc { grpc_whole() } else { Behaviour::ok(crate::callers::WHOLE) };
        let (away, always) = (self.away, how == How::Always);
        let on_connect = move |n| match n {
            _ if !away || (n > 0 && !always) => OnConnect::Serve,
            _ => OnConnect::GoAway(Http2Code::NO_ERROR),
        };
        let script = if self.is_refused || self.away {
            vec![whole]
        } else if always {
            vec![(self.behaviour)(whole)]
        } else {
            vec![(self.behaviour)(whole.clone()), whole]
        };
        (on_connect, script)
    }
}

/// `HealthCheckResponse { status: SERVING }`, with its length before it, and the status after it.
fn grpc_whole() -> Behaviour {
    let head = Behaviour::status(200).header("content-type", "application/grpc");
    head.body(&[0, 0, 0, 0, 2, 8, 1][..]).trailer("grpc-status", "0")
}
