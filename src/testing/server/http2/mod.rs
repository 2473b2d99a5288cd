//! HTTP/2: one task a stream, and orders from the streams to their connection.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::behaviour::{Act, After, Answer, Before, Behaviour, Framing, Step};
use super::connection::{About, Io};
use super::http1::{BEFORE_RESET, echo, pause};
use super::server::{Seen, Shared};

/// What a stream wants done to the whole connection.
enum Order {
    Reset,
    Close,
    /// GOAWAY with this reason, and the end.
    GoAway(Reason),
    /// `GOAWAY(NO_ERROR)`, and the end when all streams are done.
    Drain,
}

pub(super) async fn serve<T: Io>(
    io: T,
    about: About,
    shared: Arc<Shared>,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(io).await?;
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            // The streams' frames go out before an order is carried out.
            biased;
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted?;
                let stream = Stream { respond, orders: orders.clone() };
                streams.spawn(stream.run(request, about.clone(), shared.clone()));
                while streams.try_join_next().is_some() {}
            }
            Some(order) = ordered.recv() => match order {
                Order::Reset => {
                    about.reset.set();
                    return Ok(());
                }
                Order::Close => return Ok(()),
                Order::GoAway(reason) => connection.abrupt_shutdown(reason),
                Order::Drain => connection.graceful_shutdown(),
            },
        }
    }
}

struct Stream {
    respond: SendResponse<Bytes>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Stream {
    async fn run(mut self, request: Request<RecvStream>, about: About, shared: Arc<Shared>) {
        // An error here is the client's giving up, which the counters show.
        let Ok((request, body)) = read(request, about, shared.answers_early).await else { return };
        let (behaviour, in_flight) = shared.admit(&request);
        let answered = self.act(&behaviour, &request, body).await;
        drop(in_flight);
        if answered.is_ok() {
            match behaviour.after {
                After::Keep => {}
                After::Announce => self.order(Order::Drain),
                After::Close(idle) => {
                    sleep(idle.max(BEFORE_RESET)).await;
                    self.order(Order::Close);
                }
            }
        }
    }

    fn order(&self, order: Order) {
        // A connection that is gone takes no orders and needs none.
        let _ = self.orders.send(order);
    }

    /// Orders the end of the connection, and stays until then: a stream that is let go of says so.
    async fn end<R>(&self, order: Order) -> R {
        self.order(order);
        pending().await
    }

    async fn act(
        &mut self,
        behaviour: &Behaviour,
        request: &Seen,
        body: RecvStream,
    ) -> Result<(), h2::Error> {
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
            Act::Answer(answer) => self.answer(answer, request).await?,
            Act::Echo => self.answer(&echo(request), request).await?,
            Act::Hang => self.watch(pending()).await?,
            Act::Reset => self.end(Order::Reset).await,
            Act::Close => self.end(Order::Close).await,
            Act::GoAway(reason) => self.end(Order::GoAway(*reason)).await,
            Act::ResetStream(reason) => self.respond.send_reset(*reason),
            Act::Tunnel(None) if request.method == Method::CONNECT => self.tunnel(body).await?,
            Act::Tunnel(_) => self.respond.send_reset(Reason::HTTP_1_1_REQUIRED),
            Act::Raw(_) => panic!("{:?} needs HTTP/1", behaviour.act),
        }
        Ok(())
    }

    async fn tunnel(&mut self, mut body: RecvStream) -> Result<(), h2::Error> {
        let mut stream = self.respond.send_response(Response::new(()), false)?;
        while let Some(bytes) = body.data().await {
            let bytes = bytes?;
            body.flow_control().release_capacity(bytes.len())?;
            send(&mut stream, bytes).await?;
        }
        stream.send_data(Bytes::new(), true)
    }

    async fn answer(&mut self, answer: &Answer, request: &Seen) -> Result<(), h2::Error> {
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
        *head.headers_mut() = answer.headers.clone();
        let length = match answer.framing {
            _ if answer.status == 204 || answer.status == 304 => None,
            Framing::Length => Some(answer.length()),
            Framing::Claim(length) => Some(length),
            Framing::Chunked => None,
        };
        if let Some(length) = length {
            head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let bodiless = answer.body.is_empty() && answer.trailers.is_none();
        let head_only = bodiless || request.method == Method::HEAD;
        let mut stream = self.respond.send_response(head, head_only)?;
        if head_only {
            return Ok(());
        }
        for step in &answer.body {
            match step {
                Step::Send(bytes) => send(&mut stream, bytes.clone()).await?,
                Step::Wait(span) => watch(&mut stream, sleep(*span)).await?,
                Step::Repeat(bytes, every) => loop {
                    send(&mut stream, bytes.clone()).await?;
                    watch(&mut stream, pause(*every)).await?;
                },
                Step::Hang => return watch(&mut stream, pending()).await,
                Step::Reset | Step::Close => {
                    watch(&mut stream, sleep(BEFORE_RESET)).await?;
                    let resets = matches!(step, Step::Reset);
                    return self.end(if resets { Order::Reset } else { Order::Close }).await;
                }
            }
        }
        match &answer.trailers {
            Some(trailers) => stream.send_trailers(trailers.clone()),
            None => stream.send_data(Bytes::new(), true),
        }
    }
}

impl Stream {
    /// Waits for `future`, unless the client gives the stream up first.
    async fn watch<R>(&mut self, future: impl Future<Output = R>) -> Result<R, h2::Error> {
        tokio::select! {
            biased;
            result = future => Ok(result),
            reason = poll_fn(|cx| self.respond.poll_reset(cx)) => Err(reason?.into()),
        }
    }
}

/// As [`Stream::watch`], once the head is out.
async fn watch<R>(
    stream: &mut SendStream<Bytes>,
    future: impl Future<Output = R>,
) -> Result<R, h2::Error> {
    tokio::select! {
        biased;
        result = future => Ok(result),
        reason = poll_fn(|cx| stream.poll_reset(cx)) => Err(reason?.into()),
    }
}

async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let capacity = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let capacity = capacity.unwrap_or_else(|| Err(Reason::CANCEL.into()))?;
        stream.send_data(bytes.split_to(capacity.min(bytes.len())), false)?;
    }
    Ok(())
}

async fn read(
    request: Request<RecvStream>,
    about: About,
    early: bool,
) -> Result<(Seen, RecvStream), h2::Error> {
    let (head, mut stream) = request.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = None;
    // What follows a CONNECT is the tunnel.
    if !early && head.method != Method::CONNECT {
        while let Some(bytes) = stream.data().await {
            let bytes = bytes?;
            stream.flow_control().release_capacity(bytes.len())?;
            body.extend(bytes);
        }
        trailers = stream.trailers().await?;
    }
    let request = Seen {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        body: body.freeze(),
        trailers,
        connection: about.n,
        server_name: about.server_name,
    };
    Ok((request, stream))
}

/// Plays a server that takes on no request: answers the first one's HEADERS by a GOAWAY whose last
/// stream is 0.
pub(super) async fn send_away<T: Io>(mut io: T, reason: Reason) -> io::Result<()> {
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const SETTINGS_ACK: &[u8] = &[0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];

    let mut preface = [0; 24];
    io.read_exact(&mut preface).await?;
    io.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await?;
    io.flush().await?;
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        io.read_exact(&mut payload).await?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => io.write_all(SETTINGS_ACK).await?,
            (HEADERS, _) => break,
            _ => {}
        }
    }
    let mut away = vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    away.extend(u32::from(reason).to_be_bytes());
    io.write_all(&away).await?;
    io.shutdown().await?;
    let drain = async { while matches!(io.read(&mut [0; 1024]).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(Duration::from_millis(200), drain).await;
    Ok(())
}
