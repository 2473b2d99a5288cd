//! One connection: how it begins, and how it ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::server::{OnConnect, Shared};
use super::{http1, http2};

/// Whatever a protocol is spoken over.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What a protocol needs to know of its connection.
#[derive(Clone)]
pub(super) struct About {
    pub n: usize,
    pub server_name: Option<String>,
    pub reset: ResetAtEnd,
}

/// Makes the socket end with an RST, however deep it is buried.
#[derive(Clone, Default)]
pub(super) struct ResetAtEnd(Arc<AtomicBool>);

impl ResetAtEnd {
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) async fn run(socket: Socket, n: usize, decided: OnConnect, shared: Arc<Shared>) {
    let reset = socket.reset.clone();
    match decided {
        OnConnect::Serve | OnConnect::GoAway(_) => {}
        OnConnect::Reset => return reset.set(),
        OnConnect::Close => return,
        OnConnect::Silence => return std::future::pending().await,
    }
    let about = About { n, server_name: None, reset };
    match shared.tls.clone() {
        None => speak(socket, shared.http2, decided, about, shared).await,
        Some(tls) => {
            let Ok(stream) = tls.accept(socket).await else { return };
            let session = stream.get_ref().1;
            let http2 = session.alpn_protocol() == Some(b"h2");
            let server_name = session.server_name().map(str::to_owned);
            speak(stream, http2, decided, About { server_name, ..about }, shared).await;
        }
    }
}

async fn speak<T: Io>(io: T, http2: bool, decided: OnConnect, about: About, shared: Arc<Shared>) {
    // An error here is the client's going away, which the counters show.
    let _ = match (http2, decided) {
        (true, OnConnect::GoAway(reason)) => http2::send_away(io, reason).await,
        (false, OnConnect::GoAway(_)) => panic!("GOAWAY needs HTTP/2"),
        (true, _) => http2::serve(io, about, shared).await.map_err(io::Error::other),
        (false, _) => http1::serve(io, about, shared).await,
    };
}

/// A TCP stream that is counted, and that ends as it was told to.
pub(super) struct Socket {
    stream: TcpStream,
    reset: ResetAtEnd,
    shared: Arc<Shared>,
}

impl Socket {
    pub fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        Self { stream, reset: ResetAtEnd::default(), shared }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger();
        } else {
            // Bytes that nobody has read make the kernel send an RST: the FIN has to go before it.
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut self.stream).poll_shutdown(&mut cx);
        }
        self.shared.count(|counts| counts.open -= 1);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
