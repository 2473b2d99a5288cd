//! What the server does with one request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;

/// What the server does with one request.
#[derive(Clone, Debug)]
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
    ResetStream(h2::Reason),
    /// GOAWAY that names this stream as the last one that was taken on, and the end (HTTP/2 only).
    GoAway(h2::Reason),
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub framing: Framing,
    pub body: Vec<Step>,
    pub trailers: Option<HeaderMap>,
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
    /// The same piece for ever.
    Repeat(Bytes, Duration),
    Hang,
    Reset,
    Close,
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

/// Holds answers back until the test lets them go.
#[derive(Clone, Debug)]
pub struct Gate(pub(super) Arc<Semaphore>);

impl Gate {
    pub fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets so many answers go, now or when they come.
    pub fn release(&self, answers: usize) {
        self.0.add_permits(answers);
    }

    /// Lets all go.
    pub fn open(&self) {
        self.0.close();
    }
}

// ## Whole answers

impl Behaviour {
    /// An answer with this status and no body.
    pub fn status(status: u16) -> Self {
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

    /// 503 with `Retry-After` as a date, and the `Date` that the server believes in.
    pub fn unavailable_until(date: SystemTime, now: SystemTime) -> Self {
        Self::status(503)
            .header("date", &httpdate::fmt_http_date(now))
            .header("retry-after", &httpdate::fmt_http_date(date))
    }

    /// 200 and the request's body. Its head comes back in `echo-method`, `echo-target` and, for each
    /// header `name`, in `echo-header-name`.
    pub fn echo() -> Self {
        Self::act(Act::Echo)
    }

    /// 101 to this protocol, and then an echo of whatever comes.
    pub fn upgrade(protocol: &'static str) -> Self {
        Self::act(Act::Tunnel(Some(HeaderValue::from_static(protocol))))
    }

    /// 200 to a CONNECT, and then an echo of whatever comes.
    pub fn tunnel() -> Self {
        Self::act(Act::Tunnel(None))
    }
}

// ## No answer

impl Behaviour {
    /// The request is read, and nothing ever comes back.
    pub fn hang() -> Self {
        Self::act(Act::Hang)
    }

    /// TCP reset instead of an answer.
    pub fn reset() -> Self {
        Self::act(Act::Reset)
    }

    /// The connection is closed in order, with no answer.
    pub fn close() -> Self {
        Self::act(Act::Close)
    }

    /// HTTP/1: these bytes instead of an answer, then the connection is closed in order.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::act(Act::Raw(bytes.into()))
    }

    /// HTTP/1: the head breaks off in a header, then the connection is closed in order.
    pub fn half_head() -> Self {
        Self::raw("HTTP/1.1 200 OK\r\ncontent-le")
    }

    /// HTTP/2: `RST_STREAM` with `REFUSED_STREAM`: the request was not looked at.
    pub fn refuse_stream() -> Self {
        Self::reset_stream(h2::Reason::REFUSED_STREAM)
    }

    /// HTTP/2: `RST_STREAM`.
    pub fn reset_stream(reason: h2::Reason) -> Self {
        Self::act(Act::ResetStream(reason))
    }

    /// HTTP/2: GOAWAY that counts this request among those taken on, and the end of the connection.
    ///
    /// [`OnConnect::GoAway`](super::OnConnect::GoAway) sends one that does not.
    pub fn go_away(reason: h2::Reason) -> Self {
        Self::act(Act::GoAway(reason))
    }

    fn act(act: Act) -> Self {
        Self { before: Before::Nothing, act, after: After::Keep }
    }
}

// ## Head and body of an answer

impl Behaviour {
    pub fn with_status(self, status: u16) -> Self {
        self.answer(|answer| answer.status = status)
    }

    pub fn header(self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.answer(|answer| {
            answer.headers.append(HeaderName::from_static(name), value);
        })
    }

    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.steps(|_| vec![Step::Send(body)])
    }

    /// Says `bytes` in `content-length`, whatever the body. HTTP/1 closes in order if more was
    /// promised than sent.
    pub fn claims_length(self, bytes: u64) -> Self {
        self.answer(|answer| answer.framing = Framing::Claim(bytes))
    }

    /// Says no length; HTTP/1 sends chunks.
    pub fn chunked(self) -> Self {
        self.answer(|answer| answer.framing = Framing::Chunked)
    }

    /// A trailer after the body, which is sent in chunks.
    pub fn trailer(self, name: &'static str, value: &'static str) -> Self {
        self.answer(|answer| {
            answer.framing = Framing::Chunked;
            let trailers = answer.trailers.get_or_insert_default();
            trailers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        })
    }

    /// The body comes `bytes` at a time, `every` so often; the first piece comes at once.
    pub fn trickle(self, bytes: usize, every: Duration) -> Self {
        self.steps(|body| {
            let pieces = body.chunks(bytes).map(|piece| Step::Send(body.slice_ref(piece)));
            let mut steps: Vec<_> = pieces.flat_map(|piece| [piece, Step::Wait(every)]).collect();
            steps.pop();
            steps
        })
    }

    /// Nothing comes after so many bytes of the body.
    pub fn hang_after(self, bytes: usize) -> Self {
        self.cut(bytes, Step::Hang)
    }

    /// TCP reset after so many bytes of the body.
    pub fn reset_after(self, bytes: usize) -> Self {
        self.cut(bytes, Step::Reset)
    }

    /// The connection is closed in order after so many bytes of the body: an incomplete message.
    pub fn close_after(self, bytes: usize) -> Self {
        self.cut(bytes, Step::Close)
    }

    fn cut(self, bytes: usize, end: Step) -> Self {
        self.answer(|answer| {
            let body = whole(&answer.body);
            assert!(bytes <= body.len(), "the body has {} bytes", body.len());
            if answer.framing == Framing::Length {
                answer.framing = Framing::Claim(body.len() as u64);
            }
            answer.body = vec![Step::Send(body.slice(..bytes)), end];
        })
    }

    fn steps(self, change: impl FnOnce(Bytes) -> Vec<Step>) -> Self {
        self.answer(|answer| answer.body = change(whole(&answer.body)))
    }

    fn answer(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        let Act::Answer(answer) = &mut self.act else { panic!("{:?} has no head", self.act) };
        change(answer);
        self
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
    pub fn then_close(self) -> Self {
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
}

impl Answer {
    /// The body's true length, if it has one.
    pub fn length(&self) -> u64 {
        whole(&self.body).len() as u64
    }
}

fn whole(steps: &[Step]) -> Bytes {
    match steps {
        [Step::Send(body)] => body.clone(),
        _ => {
            let mut body = Vec::new();
            for step in steps {
                match step {
                    Step::Send(piece) => body.extend_from_slice(piece),
                    Step::Wait(_) => {}
                    _ => panic!("{step:?} must come last"),
                }
            }
            body.into()
        }
    }
}
