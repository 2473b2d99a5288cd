//! What the server knows: its script, its counters, and what it has seen.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use tokio::sync::watch;

use super::accept::{Acceptor, OnConnect};
use super::behaviour::Behaviour;
use crate::sync::Lock;

/// A request as it reached the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The target as it was sent: over HTTP/1.1 the path, over HTTP/2 with scheme and authority.
    pub uri: Uri,
    /// The version that it was sent in.
    pub version: Version,
    /// The header fields.
    pub headers: HeaderMap,
    /// The whole body. Empty if the server answers early.
    pub body: Bytes,
    /// The fields after the body.
    pub trailers: Option<HeaderMap>,
    /// Which of the server's connections it came over, from 0.
    pub connection: usize,
    /// The name that the client asked for in the TLS handshake, if [`Accepted`](super::Accepted) says so.
    pub server_name: Option<String>,
}

/// What the server has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests whose head (and body, unless the server answers early) has come.
    pub requests: usize,
    /// Requests that are being answered: hanging, waiting, sending. Over HTTP/2, the streams at work.
    pub in_flight: usize,
    /// Connections ever accepted.
    pub connections: usize,
    /// Connections open now.
    pub open: usize,
}

pub(super) type Script = Box<dyn Fn(&Seen, usize) -> Behaviour + Send + Sync>;

pub(super) struct Shared {
    pub(super) script: Script,
    pub(super) on_connect: Box<dyn Fn(usize) -> OnConnect + Send + Sync>,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) counts: watch::Sender<Counts>,
    pub(super) seen: Lock<Vec<Seen>>,
    pub(super) mistakes: Lock<Vec<String>>,
    pub(super) answers_early: bool,
    pub(super) http2: bool,
}

impl Shared {
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    /// Counts the request and asks the script.
    pub(super) fn admit(self: &Arc<Self>, request: &Seen, http2: bool) -> (Behaviour, InFlight) {
        let mut seen = self.seen.lock();
        let n = seen.len();
        seen.push(request.clone());
        self.count(|counts| {
            counts.requests += 1;
            counts.in_flight += 1;
        });
        drop(seen);
        let in_flight = InFlight(self.clone());
        let asked = catch_unwind(AssertUnwindSafe(|| (self.script)(request, n)));
        let asked = asked
            .map_err(|panic| format!("the script panicked at request {n}: {}", words(&*panic)));
        let behaviour = asked.and_then(|behaviour| behaviour.checked(http2));
        (behaviour.unwrap_or_else(|mistake| self.mistaken(mistake)), in_flight)
    }

    /// Asks what becomes of the connection.
    pub(super) fn connected(&self, n: usize) -> OnConnect {
        catch_unwind(AssertUnwindSafe(|| (self.on_connect)(n))).unwrap_or_else(|panic| {
            self.note(format!("the script panicked at connection {n}: {}", words(&*panic)));
            OnConnect::Close
        })
    }

    pub(super) fn note(&self, mistake: String) {
        self.mistakes.lock().push(mistake);
    }

    /// Notes the mistake for the test, and answers with it.
    fn mistaken(&self, mistake: String) -> Behaviour {
        let answer = Behaviour::status(500).body(mistake.clone()).announce_close();
        self.note(mistake);
        answer
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or("no message")
}

/// A request being answered.
pub(super) struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.count(|counts| counts.in_flight -= 1);
    }
}
