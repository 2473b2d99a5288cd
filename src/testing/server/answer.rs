//! Head and body of an answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::behaviour::{Act, Behaviour};
use super::shared::Seen;
use super::{Gate, Http2Code};

/// How long the client has to read what comes before a reset.
const BEFORE_RESET: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    pub(super) body: Vec<Step>,
    pub(super) trailers: Option<HeaderMap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The body's true length.
    Length,
    /// Some other length.
    Claim(u64),
    Chunked,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Bytes),
    Wait(Duration),
    Gate(Gate),
    /// The same piece for ever.
    Repeat(Bytes, Duration),
    Hang,
    Reset,
    Close,
    /// `RST_STREAM` (HTTP/2 only).
    ResetStream(Http2Code),
}

impl Behaviour {
    /// Another status: `Behaviour::big(1_000).with_status(503)`.
    ///
    /// # Panics
    ///
    /// If it is no status, or there is no head.
    pub fn with_status(self, status: u16) -> Self {
        check_status(status);
        self.answer(|answer| answer.status = status)
    }

    /// One more header. `content-length` is [`claims_length`](Self::claims_length)'s.
    ///
    /// # Panics
    ///
    /// If name or value cannot stand in a header, or there is no head.
    pub fn header(self, name: &str, value: &str) -> Self {
        let (name, value) = field(name, value);
        self.answer(|answer| {
            answer.headers.append(name, value);
        })
    }

    /// Another body.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.steps(|_| vec![Step::Send(body)])
    }

    /// Says `bytes` in `content-length`, whatever the body. HTTP/1.1 closes in order if more was
    /// promised than sent.
    pub fn claims_length(self, bytes: u64) -> Self {
        self.answer(|answer| answer.framing = Framing::Claim(bytes))
    }

    /// Says no length; HTTP/1.1 sends chunks.
    pub fn chunked(self) -> Self {
        self.answer(|answer| answer.framing = Framing::Chunked)
    }

    /// A trailer after the body, which HTTP/1.1 sends in chunks.
    ///
    /// # Panics
    ///
    /// If name or value cannot stand in a header, or there is no head.
    pub fn trailer(self, name: &str, value: &str) -> Self {
        let (name, value) = field(name, value);
        self.answer(|answer| {
            answer.framing = Framing::Chunked;
            answer.trailers.get_or_insert_default().append(name, value);
        })
    }

    /// The body comes `bytes` at a time, `every` so often; the first piece comes at once.
    ///
    /// # Panics
    ///
    /// If `bytes` is 0 or there is no body.
    pub fn trickle(self, bytes: usize, every: Duration) -> Self {
        assert!(bytes > 0, "a body cannot come by pieces of 0 bytes");
        self.steps(|body| {
            let pieces = body.chunks(bytes).map(|piece| Step::Send(body.slice_ref(piece)));
            let mut steps: Vec<_> = pieces.flat_map(|piece| [piece, Step::Wait(every)]).collect();
            steps.pop();
            steps
        })
    }

    /// After so many bytes of the body the rest comes when the gate lets it.
    ///
    /// # Panics
    ///
    /// If the body has not so many bytes.
    pub fn held_after(self, bytes: usize, gate: &Gate) -> Self {
        let gate = gate.clone();
        self.split(bytes, |rest| vec![Step::Gate(gate), Step::Send(rest)])
    }

    /// Nothing comes after so many bytes of the body.
    ///
    /// # Panics
    ///
    /// If the body has not so many bytes.
    pub fn hang_after(self, bytes: usize) -> Self {
        self.split(bytes, |_| vec![Step::Hang])
    }

    /// TCP reset after so many bytes of the body, 20 ms later. See [`reset_later`](Self::reset_later).
    ///
    /// # Panics
    ///
    /// If the body has not so many bytes.
    pub fn reset_after(self, bytes: usize) -> Self {
        self.reset_later(bytes, BEFORE_RESET)
    }

    /// TCP reset so much `later` than so many bytes of the body.
    ///
    /// A reset takes away what the client has not read yet, the head included: on a busy machine leave it the time.
    ///
    /// # Panics
    ///
    /// If the body has not so many bytes.
    pub fn reset_later(self, bytes: usize, later: Duration) -> Self {
        self.split(bytes, |_| vec![Step::Wait(later), Step::Reset])
    }

    /// The connection is closed in order (FIN) after so many bytes of the body: an incomplete message.
    ///
    /// # Panics
    ///
    /// If the body has not so many bytes.
    pub fn close_after(self, bytes: usize) -> Self {
        self.split(bytes, |_| vec![Step::Close])
    }

    /// HTTP/2: `RST_STREAM` with this error code after so many bytes of the body, 20 ms later.
    ///
    /// # Panics
    ///
    /// If the body has not so many bytes.
    pub fn reset_stream_after(self, bytes: usize, code: impl Into<u32>) -> Self {
        let code = Http2Code::from(code.into());
        self.split(bytes, |_| vec![Step::Wait(BEFORE_RESET), Step::ResetStream(code)])
    }

    /// Sends so many bytes, and then what `end` makes of the rest.
    fn split(self, bytes: usize, end: impl FnOnce(Bytes) -> Vec<Step>) -> Self {
        self.answer(|answer| {
            let mut body = whole(&answer.body);
            assert!(bytes <= body.len(), "the body has {} bytes", body.len());
            if answer.framing == Framing::Length {
                answer.framing = Framing::Claim(body.len() as u64);
            }
            answer.body = vec![Step::Send(body.split_to(bytes))];
            answer.body.extend(end(body));
        })
    }

    pub(super) fn steps(self, change: impl FnOnce(Bytes) -> Vec<Step>) -> Self {
        self.answer(|answer| answer.body = change(whole(&answer.body)))
    }

    fn answer(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        let Act::Answer(answer) = &mut self.act else { panic!("{:?} has no head", self.act) };
        change(answer);
        self
    }
}

impl Answer {
    /// The answer that says what the request was.
    pub(super) fn echo(request: &Seen) -> Self {
        let mut headers = HeaderMap::new();
        let text = |text: &str| HeaderValue::from_str(text).expect("it came in a head");
        headers.append("echo-method", text(request.method.as_str()));
        headers.append("echo-target", text(&request.uri.to_string()));
        for (name, value) in &request.headers {
            let name = format!("echo-header-{name}").parse::<HeaderName>();
            // The prefix can make a name too long.
            let Ok(name) = name else { continue };
            headers.append(name, value.clone());
        }
        let body = vec![Step::Send(request.body.clone())];
        Self { status: 200, headers, framing: Framing::Length, body, trailers: None }
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("checked when the behaviour was made")
    }

    /// The body's true length, if it has one.
    pub(super) fn length(&self) -> u64 {
        whole(&self.body).len() as u64
    }

    /// What the head says of the length.
    pub(super) fn content_length(&self) -> Option<u64> {
        match self.framing {
            _ if self.is_bodiless() => None,
            Framing::Length => Some(self.length()),
            Framing::Claim(length) => Some(length),
            Framing::Chunked => None,
        }
    }

    /// Does the status alone say that there is no body?
    pub(super) const fn is_bodiless(&self) -> bool {
        matches!(self.status, 100..=199 | 204 | 304)
    }

    pub(super) fn resets_stream(&self) -> bool {
        matches!(self.body.last(), Some(Step::ResetStream(_)))
    }
}

pub(super) fn check_status(status: u16) {
    assert!((100..=999).contains(&status), "{status} is no status");
}

fn field(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name.parse().expect("a header's name"), value.parse().expect("a header's value"))
}

fn whole(steps: &[Step]) -> Bytes {
    if let [Step::Send(body)] = steps {
        return body.clone();
    }
    let mut body = Vec::new();
    for step in steps {
        match step {
            Step::Send(piece) => body.extend_from_slice(piece),
            Step::Wait(_) | Step::Gate(_) => {}
            _ => panic!("{step:?} must come last"),
        }
    }
    body.into()
}
