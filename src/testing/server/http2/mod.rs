//! HTTP/2: one task a stream, and orders from the streams to their connection.

pub(super) mod away;

use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Http2Code;
use super::accept::Io;
use super::answer::{Answer, Step};
use super::behaviour::{Act, After, Before, Behaviour};
use super::connection::About;
use super::http1::pause;
use super::shared::{Seen, Shared};
use crate::testing::either::{Either, either};

/// How long the connection has to send what its streams have given it, before it closes.
const FLUSH: Duration = Duration::from_millis(5);

/// What a stream wants done to the whole connection.
enum Order {
    Reset,
    Close,
    /// GOAWAY with this code, and the end.
    GoAway(Http2Code),
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
        // The streams' frames go out before an order is carried out.
        match either(connection.accept(), ordered.recv()).await {
            Either::First(None) => return Ok(()),
            Either::First(Some(accepted)) => {
                let (request, respond) = accepted?;
                let stream = Stream { respond, orders: orders.clone() };
                streams.spawn(stream.run(request, about.clone(), shared.clone()));
                while streams.try_join_next().is_some() {}
            }
            Either::Second(order) => match order.expect("one sender is here") {
                Order::Reset => {
                    about.reset.set();
                    return Ok(());
                }
                Order::Close => return Ok(()),
                Order::GoAway(code) => connection.abrupt_shutdown(reason(code)),
                Order::Drain => connection.graceful_shutdown(),
            },
        }
    }
}

fn reason(code: Http2Code) -> Reason {
    u32::from(code).into()
}

struct Stream {
    respond: SendResponse<Bytes>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Stream {
    async fn run(mut self, request: Request<RecvStream>, about: About, shared: Arc<Shared>) {
        // An error here is the client's giving up, which the counters show.
        let Ok((request, body)) = read(request, about, shared.answers_early).await else { return };
        let (behaviour, in_flight) = shared.admit(&request, true);
        let answered = self.act(&behaviour, &request, body).await;
        drop(in_flight);
        if answered.is_ok() {
            match behaviour.after {
                After::Keep => {}
                After::Announce => self.order(Order::Drain),
                After::Close(idle) => {
                    sleep(idle.max(FLUSH)).await;
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
            Before::Gate(gate) => self.watch(gate.pass()).await?,
        }
        match &behaviour.act {
            Act::Answer(answer) => self.answer(answer, request).await?,
            Act::Echo => self.answer(&Answer::echo(request), request).await?,
            Act::Hang => self.watch(pending()).await?,
            Act::Reset => self.end(Order::Reset).await,
            Act::Close => self.end(Order::Close).await,
            Act::GoAway(code) => self.end(Order::GoAway(*code)).await,
            Act::ResetStream(code) => self.respond.send_reset(reason(*code)),
            Act::Tunnel(None) if request.method == Method::CONNECT => self.tunnel(body).await?,
            Act::Tunnel(_) => self.respond.send_reset(Reason::HTTP_1_1_REQUIRED),
            Act::Raw(_) => unreachable!("refused when it was asked for"),
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
        *head.status_mut() = answer.status();
        *head.headers_mut() = answer.headers.clone();
        if let Some(length) = answer.content_length() {
            head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let bodiless = answer.body.is_empty() && answer.trailers.is_none();
        let head_only = bodiless || answer.is_bodiless() || request.method == Method::HEAD;
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
                Step::Gate(gate) => watch(&mut stream, gate.pass()).await?,
                Step::Hang => return watch(&mut stream, pending()).await,
                Step::ResetStream(code) => {
                    stream.send_reset(reason(*code));
                    return Ok(());
                }
                Step::Reset => return self.end(Order::Reset).await,
                Step::Close => {
                    watch(&mut stream, sleep(FLUSH)).await?;
                    return self.end(Order::Close).await;
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
        match either(future, poll_fn(|cx| self.respond.poll_reset(cx))).await {
            Either::First(result) => Ok(result),
            Either::Second(reason) => Err(reason?.into()),
        }
    }
}

/// As [`Stream::watch`], once the head is out.
async fn watch<R>(
    stream: &mut SendStream<Bytes>,
    future: impl Future<Output = R>,
) -> Result<R, h2::Error> {
    match either(future, poll_fn(|cx| stream.poll_reset(cx))).await {
        Either::First(result) => Ok(result),
        Either::Second(reason) => Err(reason?.into()),
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
