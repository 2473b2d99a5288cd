//! What the server does with one request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::answer::{Answer, Framing, Step, check_status};
use super::{Gate, Http2Code};

/// What the server does with one request.
///
/// Made by one of the constructors and then shaped: `Behaviour::ok("tea").delayed(second).close_after(2)`. Methods that shape
/// the head or the body need a behaviour that has them, and panic if it has none.
#[derive(Clone, Debug)]
#[must_use = "a behaviour does nothing until a script returns it"]
pub struct Behaviour {
    pub(super) before: Before,
    pub(super) act: Act,
    pub(super) after: After,
}

/// What comes before everything else.
#[derive(Clone, Debug)]
pub(super) enum Before {
    Nothing,
    Delay(Duration),
    Gate(Gate),
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Answer(Answer),
    Echo,
    /// Never an answer.
    Hang,
    /// The connection ends with an RST.
    Reset,
    /// The connection ends with a FIN.
    Close,
    /// These bytes and then a FIN (HTTP/1 only).
    Raw(Bytes),
    /// 200 to a CONNECT, or 101 and this protocol's name; then whatever comes goes back.
    Tunnel(Option<HeaderValue>),
    /// `RST_STREAM` (HTTP/2 only).
    ResetStream(Http2Code),
    /// GOAWAY that names this stream as the last one that was taken on, and the end (HTTP/2 only).
    GoAway(Http2Code),
}

/// What becomes of the connection when the answer is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    /// Closed without a word, after so long. HTTP/2: without GOAWAY.
    Close(Duration),
    /// Closed with `connection: close`. HTTP/2: with `GOAWAY(NO_ERROR)`, other streams finish.
    Announce,
}

// ## Whole answers

impl Behaviour {
    /// An answer with this status and no body.
    ///
    /// # Panics
    ///
    /// If it is no status: below 100 or above 999.
    pub fn status(status: u16) -> Self {
        check_status(status);
        Self::act(Act::Answer(Answer {
            status,
            headers: HeaderMap::new(),
            framing: Framing::Length,
            body: Vec::new(),
            trailers: None,
        }))
    }

    /// 200 and this body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200).body(body)
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::status(204)
    }

    /// 200 and a body of so many bytes, sent in pieces of 16 KiB.
    pub fn big(bytes: usize) -> Self {
        let piece = Bytes::from(vec![b'.'; 16 * 1024]);
        let whole = std::iter::repeat_n(piece.clone(), bytes / piece.len());
        let rest = piece.slice(..bytes % piece.len());
        let steps = whole.chain([rest]).map(Step::Send).collect();
        Self::status(200).steps(|_| steps)
    }

    /// 200 and a body that never ends: `piece` again and again, `every` so often.
    pub fn endless(piece: impl Into<Bytes>, every: Duration) -> Self {
        let piece = piece.into();
        Self::status(200).chunked().steps(|_| vec![Step::Repeat(piece, every)])
    }

    /// 503 with `Retry-After` in seconds.
    pub fn unavailable(retry_after: u64) -> Self {
        Self::status(503).header("retry-after", &retry_after.to_string())
    }

    /// A redirect with this status (301, 302, 303, 307, 308) to this `location`.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// 200 and the request's body. Its head comes back in `echo-method`, `echo-target` and, for each
    /// header `name`, in `echo-header-name`.
    pub fn echo() -> Self {
        Self::act(Act::Echo)
    }

    /// 101 to this protocol, and then an echo of whatever comes. HTTP/2 has no upgrades, and resets
    /// the stream with `HTTP_1_1_REQUIRED`.
    ///
    /// # Panics
    ///
    /// If the name cannot stand in a header.
    pub fn upgrade(protocol: &str) -> Self {
        let protocol = HeaderValue::from_str(protocol).expect("a protocol's name");
        Self::act(Act::Tunnel(Some(protocol)))
    }

    /// 200 to a CONNECT, and then an echo of whatever comes.
    pub const fn tunnel() -> Self {
        Self::act(Act::Tunnel(None))
    }
}

// ## No answer

impl Behaviour {
    /// The request is read, and nothing ever comes back.
    pub const fn hang() -> Self {
        Self::act(Act::Hang)
    }

    /// TCP reset instead of an answer.
    pub const fn reset() -> Self {
        Self::act(Act::Reset)
    }

    /// The connection is closed in order (FIN), with no answer.
    pub const fn close() -> Self {
        Self::act(Act::Close)
    }

    /// HTTP/1.1: these bytes instead of an answer, then the connection is closed in order.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::act(Act::Raw(bytes.into()))
    }

    /// HTTP/1.1: the head breaks off in a header, then the connection is closed in order.
    pub fn half_head() -> Self {
        Self::raw("HTTP/1.1 200 OK\r\ncontent-le")
    }

    /// HTTP/2: `RST_STREAM` with `REFUSED_STREAM`: the request was not looked at.
    pub fn refuse_stream() -> Self {
        Self::reset_stream(Http2Code::REFUSED_STREAM)
    }

    /// HTTP/2: `RST_STREAM` with this error code, as an [`Http2Code`] or whatever else is one.
    pub fn reset_stream(code: impl Into<u32>) -> Self {
        Self::act(Act::ResetStream(Http2Code::from(code.into())))
    }

    /// HTTP/2: GOAWAY that counts this request among those taken on, and the end of the connection.
    ///
    /// [`OnConnect::GoAway`](super::OnConnect::GoAway) sends one that does not.
    pub fn go_away(code: impl Into<u32>) -> Self {
        Self::act(Act::GoAway(Http2Code::from(code.into())))
    }

    const fn act(act: Act) -> Self {
        Self { before: Before::Nothing, act, after: After::Keep }
    }
}

// ## Before and after

impl Behaviour {
    /// Comes so much later.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.before = Before::Delay(delay);
        self
    }

    /// Comes when the gate lets it.
    pub fn held(mut self, gate: &Gate) -> Self {
        self.before = Before::Gate(gate.clone());
        self
    }

    /// The connection closes after the answer, which does not say so.
    pub const fn then_close(self) -> Self {
        self.then_close_after(Duration::ZERO)
    }

    /// The idle connection closes so long after the answer, which does not say so.
    pub const fn then_close_after(mut self, idle: Duration) -> Self {
        self.after = After::Close(idle);
        self
    }

    /// The connection closes after the answer, which says so: `connection: close`, in HTTP/2 a
    /// `GOAWAY(NO_ERROR)` that lets the streams under way finish.
    pub const fn announce_close(mut self) -> Self {
        self.after = After::Announce;
        self
    }

    /// Itself, if the protocol has it.
    pub(super) fn checked(self, http2: bool) -> Result<Self, String> {
        let fits = match &self.act {
            Act::Raw(_) => !http2,
            Act::ResetStream(_) | Act::GoAway(_) => http2,
            Act::Answer(answer) => http2 || !answer.resets_stream(),
            _ => true,
        };
        let version = if http2 { "HTTP/2" } else { "HTTP/1.1" };
        if fits { Ok(self) } else { Err(format!("{version} has no {:?}", self.act)) }
    }
}
