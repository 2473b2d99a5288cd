//! HTTP/1.1, byte by byte.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::behaviour::{Act, After, Answer, Before, Behaviour, Framing, Step};
use super::connection::{About, Io};
use super::server::{Seen, Shared};

/// How long the reader has to see what came before a reset.
pub(super) const BEFORE_RESET: Duration = Duration::from_millis(5);

/// What becomes of the connection.
#[derive(PartialEq, Eq)]
enum Next {
    Keep,
    Close,
    Reset,
}

pub(super) async fn serve<T: Io>(io: T, about: About, shared: Arc<Shared>) -> io::Result<()> {
    let mut wire = Wire { io, buffer: BytesMut::new() };
    while let Some(request) = wire.read_request(&about, shared.answers_early).await? {
        let (behaviour, in_flight) = shared.admit(&request);
        let mut next = wire.act(&behaviour, &request).await?;
        drop(in_flight);
        if next == Next::Keep {
            next = wire.then(behaviour.after).await?;
        }
        match next {
            Next::Keep if !shared.answers_early => {}
            Next::Keep | Next::Close => return wire.close(shared.answers_early).await,
            Next::Reset => {
                about.reset.set();
                break;
            }
        }
    }
    Ok(())
}

struct Wire<T> {
    io: T,
    buffer: BytesMut,
}

// ## Reading

impl<T: Io> Wire<T> {
    async fn read_request(&mut self, about: &About, early: bool) -> io::Result<Option<Seen>> {
        if self.buffer.is_empty() && self.io.read_buf(&mut self.buffer).await? == 0 {
            return Ok(None);
        }
        let line = self.line().await?;
        let mut words = line.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(invalid(&line));
        };
        let mut request = Seen {
            method: method.parse().map_err(|_| invalid(method))?,
            uri: target.parse().map_err(|_| invalid(target))?,
            version: Version::HTTP_11,
            headers: self.fields().await?,
            body: Bytes::new(),
            trailers: None,
            connection: about.n,
            server_name: about.server_name.clone(),
        };
        if !early {
            (request.body, request.trailers) = self.body(&request.headers).await?;
        }
        Ok(Some(request))
    }

    async fn body(&mut self, headers: &HeaderMap) -> io::Result<(Bytes, Option<HeaderMap>)> {
        if headers.contains_key("transfer-encoding") {
            let mut body = BytesMut::new();
            loop {
                let line = self.line().await?;
                let size = usize::from_str_radix(&line, 16).map_err(|_| invalid(&line))?;
                if size == 0 {
                    let trailers = self.fields().await?;
                    return Ok((body.freeze(), Some(trailers).filter(|them| !them.is_empty())));
                }
                body.extend(self.exactly(size).await?);
                self.line().await?;
            }
        }
        let length = headers.get("content-length").and_then(|length| length.to_str().ok());
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        Ok((self.exactly(length).await?, None))
    }

    /// Header fields up to and with the empty line.
    async fn fields(&mut self) -> io::Result<HeaderMap> {
        let mut fields = HeaderMap::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            let name: HeaderName = name.parse().map_err(|_| invalid(name))?;
            fields.append(name, value.trim().parse().map_err(|_| invalid(value))?);
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer.split_to(end);
                self.buffer.advance(2);
                return String::from_utf8(line.to_vec()).map_err(io::Error::other);
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, bytes: usize) -> io::Result<Bytes> {
        while self.buffer.len() < bytes {
            self.more().await?;
        }
        Ok(self.buffer.split_to(bytes).freeze())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.io.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

// ## Answering

impl<T: Io> Wire<T> {
    async fn act(&mut self, behaviour: &Behaviour, request: &Seen) -> io::Result<Next> {
        match &behaviour.before {
            Before::Nothing => {}
            Before::Delay(delay) => self.watch(sleep(*delay)).await?,
            // A gate that is open for good has a closed semaphore.
            Before::Gate(gate) => {
                if let Ok(permit) = self.watch(gate.0.acquire()).await? {
                    permit.forget();
                }
            }
        }
        match &behaviour.act {
            Act::Answer(answer) => self.answer(answer, behaviour.after, request).await,
            Act::Echo => self.answer(&echo(request), behaviour.after, request).await,
            Act::Hang => self.watch(pending()).await,
            Act::Reset => Ok(Next::Reset),
            Act::Close => Ok(Next::Close),
            Act::Raw(bytes) => {
                self.write(bytes).await?;
                Ok(Next::Close)
            }
            Act::Tunnel(protocol) => self.tunnel(protocol.as_ref()).await,
            Act::ResetStream(_) | Act::GoAway(_) => panic!("{:?} needs HTTP/2", behaviour.act),
        }
    }

    async fn answer(&mut self, answer: &Answer, after: After, seen: &Seen) -> io::Result<Next> {
        let status = StatusCode::from_u16(answer.status).map_err(io::Error::other)?;
        let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
        put_fields(&mut head, &answer.headers);
        let bodiless = status.is_informational() || matches!(answer.status, 204 | 304);
        let framing = match answer.framing {
            _ if bodiless => String::new(),
            Framing::Length => format!("content-length: {}\r\n", answer.length()),
            Framing::Claim(length) => format!("content-length: {length}\r\n"),
            Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        };
        head.extend(framing.as_bytes());
        if after == After::Announce {
            head.extend(b"connection: close\r\n");
        }
        head.extend(b"\r\n");
        self.write(&head).await?;
        if bodiless || seen.method == Method::HEAD {
            return Ok(Next::Keep);
        }
        let next = self.send_body(answer).await?;
        let promised = matches!(answer.framing, Framing::Claim(length) if next == Next::Keep && length > answer.length());
        Ok(if promised { Next::Close } else { next })
    }

    async fn send_body(&mut self, answer: &Answer) -> io::Result<Next> {
        let chunked = answer.framing == Framing::Chunked;
        for step in &answer.body {
            match step {
                Step::Send(bytes) => self.piece(bytes, chunked).await?,
                Step::Wait(span) => self.watch(sleep(*span)).await?,
                Step::Repeat(bytes, every) => loop {
                    self.piece(bytes, chunked).await?;
                    self.watch(pause(*every)).await?;
                },
                Step::Hang => return self.watch(pending()).await,
                Step::Reset => {
                    self.watch(sleep(BEFORE_RESET)).await?;
                    return Ok(Next::Reset);
                }
                Step::Close => return Ok(Next::Close),
            }
        }
        if chunked {
            let mut end = b"0\r\n".to_vec();
            put_fields(&mut end, answer.trailers.as_ref().unwrap_or(&HeaderMap::new()));
            end.extend(b"\r\n");
            self.write(&end).await?;
        }
        Ok(Next::Keep)
    }

    async fn piece(&mut self, bytes: &Bytes, chunked: bool) -> io::Result<()> {
        if !chunked {
            return self.write(bytes).await;
        }
        if bytes.is_empty() {
            // A chunk of no bytes would be the end.
            return Ok(());
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend(bytes);
        chunk.extend(b"\r\n");
        self.write(&chunk).await
    }

    async fn tunnel(&mut self, protocol: Option<&HeaderValue>) -> io::Result<Next> {
        let head = match protocol {
            None => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
            Some(protocol) => format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {}\r\n\r\n",
                protocol.to_str().map_err(io::Error::other)?
            ),
        };
        self.write(head.as_bytes()).await?;
        loop {
            let bytes = self.buffer.split();
            self.write(&bytes).await?;
            if self.io.read_buf(&mut self.buffer).await? == 0 {
                return Ok(Next::Close);
            }
        }
    }

    async fn then(&mut self, after: After) -> io::Result<Next> {
        match after {
            After::Keep => Ok(Next::Keep),
            After::Announce => Ok(Next::Close),
            After::Close(idle) => {
                self.watch(sleep(idle)).await?;
                Ok(Next::Close)
            }
        }
    }

    /// Closes in order. A body that was not read would turn the FIN into an RST, so it is drained.
    async fn close(&mut self, drain: bool) -> io::Result<()> {
        self.io.shutdown().await?;
        if drain {
            let all = async { while self.more().await.is_ok() {} };
            let _ = timeout(Duration::from_millis(200), all).await;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Waits for `future`, unless the client goes away first.
    async fn watch<R>(&mut self, future: impl Future<Output = R>) -> io::Result<R> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                result = &mut future => return Ok(result),
                read = self.io.read_buf(&mut self.buffer) => {
                    if read? == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}

/// A sleep, but none at all for no time: a timer would take a millisecond.
pub(super) async fn pause(span: Duration) {
    if span.is_zero() { yield_now().await } else { sleep(span).await }
}

fn put_fields(head: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
}

/// The answer that says what the request was.
pub(super) fn echo(request: &Seen) -> Answer {
    let mut headers = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).expect("it came in a head");
    headers.append("echo-method", text(request.method.as_str()));
    headers.append("echo-target", text(&request.uri.to_string()));
    for (name, value) in &request.headers {
        let name = format!("echo-header-{name}").parse::<HeaderName>().expect("it came in a head");
        headers.append(name, value.clone());
    }
    let body = vec![Step::Send(request.body.clone())];
    Answer { status: 200, headers, framing: Framing::Length, body, trailers: None }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not HTTP/1: {what:?}"))
}
