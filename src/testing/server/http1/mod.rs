//! HTTP/1.1, byte by byte.

mod read;

use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::accept::Io;
use super::answer::{Answer, Framing, Step};
use super::behaviour::{Act, After, Before, Behaviour};
use super::connection::About;
use super::shared::{Seen, Shared};
use crate::testing::either::{Either, either};

/// How long a client may go on sending what nobody reads.
pub(super) const DRAIN: Duration = Duration::from_millis(200);

/// What becomes of the connection.
#[derive(PartialEq, Eq)]
enum Next {
    Keep,
    Close,
    Reset,
}

pub(super) async fn serve<T: Io>(io: T, about: About, shared: Arc<Shared>) -> io::Result<()> {
    let mut wire = Wire { io, buffer: BytesMut::new() };
    loop {
        let request = match wire.read_request(&about, shared.answers_early).await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                let text = error.to_string();
                let (head, length) = ("HTTP/1.1 400 Bad Request\r\nconnection: close", text.len());
                wire.write(format!("{head}\r\ncontent-length: {length}\r\n\r\n{text}").as_bytes())
                    .await?;
                return wire.close(true).await;
            }
            Err(error) => return Err(error),
        };
        let (behaviour, in_flight) = shared.admit(&request, false);
        let mut next = wire.act(&behaviour, &request).await?;
        drop(in_flight);
        if next == Next::Keep {
            next = wire.then(behaviour.after).await?;
        }
        match next {
            Next::Keep if !shared.answers_early && read::stays(&request) => {}
            Next::Keep | Next::Close => return wire.close(shared.answers_early).await,
            Next::Reset => {
                about.reset.set();
                return Ok(());
            }
        }
    }
}

struct Wire<T> {
    io: T,
    buffer: BytesMut,
}

impl<T: Io> Wire<T> {
    async fn act(&mut self, behaviour: &Behaviour, request: &Seen) -> io::Result<Next> {
        match &behaviour.before {
            Before::Nothing => {}
            Before::Delay(delay) => self.watch(sleep(*delay)).await?,
            Before::Gate(gate) => self.watch(gate.pass()).await?,
        }
        match &behaviour.act {
            Act::Answer(answer) => self.answer(answer, behaviour.after, request).await,
            Act::Echo => self.answer(&Answer::echo(request), behaviour.after, request).await,
            Act::Hang => self.watch(pending()).await,
            Act::Reset => Ok(Next::Reset),
            Act::Close => Ok(Next::Close),
            Act::Raw(bytes) => {
                self.write(bytes).await?;
                Ok(Next::Close)
            }
            Act::Tunnel(protocol) => self.tunnel(protocol.as_ref()).await,
            Act::ResetStream(_) | Act::GoAway(_) => unreachable!("refused when it was asked for"),
        }
    }

    async fn answer(&mut self, answer: &Answer, after: After, seen: &Seen) -> io::Result<Next> {
        let status = answer.status();
        let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
        put_fields(&mut head, &answer.headers);
        if let Some(length) = answer.content_length() {
            head.extend(format!("content-length: {length}\r\n").as_bytes());
        } else if !answer.is_bodiless() {
            head.extend(b"transfer-encoding: chunked\r\n");
        }
        if after == After::Announce {
            head.extend(b"connection: close\r\n");
        }
        head.extend(b"\r\n");
        self.write(&head).await?;
        if answer.is_bodiless() || seen.method == Method::HEAD {
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
                Step::Gate(gate) => self.watch(gate.pass()).await?,
                Step::Repeat(bytes, every) => loop {
                    self.piece(bytes, chunked).await?;
                    self.watch(pause(*every)).await?;
                },
                Step::Hang => return self.watch(pending()).await,
                Step::Reset => return Ok(Next::Reset),
                Step::Close => return Ok(Next::Close),
                Step::ResetStream(_) => unreachable!("refused when it was asked for"),
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
        let mut head = match protocol {
            None => b"HTTP/1.1 200 OK\r\n".to_vec(),
            Some(_) => b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n".to_vec(),
        };
        if let Some(protocol) = protocol {
            head.extend([b"upgrade: ", protocol.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        self.write(&head).await?;
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

    /// Closes in order. What nobody has read would turn the FIN into an RST, so it is drained.
    async fn close(&mut self, drain: bool) -> io::Result<()> {
        self.io.shutdown().await?;
        if drain {
            let all = async {
                while self.more().await.is_ok() {
                    self.buffer.clear();
                }
            };
            let _ = timeout(DRAIN, all).await;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Waits for `future`, unless the client goes away first.
    async fn watch<R>(&mut self, future: impl Future<Output = R>) -> io::Result<R> {
        let gone = async {
            loop {
                if let Err(error) = self.more().await {
                    return error;
                }
            }
        };
        match either(future, gone).await {
            Either::First(result) => Ok(result),
            Either::Second(error) => Err(error),
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
