//! One connection: how it begins, and how it ends.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::accept::{Accepted, OnConnect};
use super::shared::Shared;
use super::{http1, http2};

/// What a protocol needs to know of its connection.
#[derive(Clone)]
pub(super) struct About {
    pub(super) n: usize,
    pub(super) server_name: Option<String>,
    pub(super) reset: ResetAtEnd,
}

/// Makes the socket end with an RST, however deep it is buried.
#[derive(Clone, Debug, Default)]
pub(super) struct ResetAtEnd(Arc<AtomicBool>);

impl ResetAtEnd {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) async fn run(socket: Socket, n: usize, shared: Arc<Shared>) {
    let reset = socket.reset.clone();
    let decided = shared.connected(n);
    let away = match decided {
        OnConnect::Serve => None,
        OnConnect::GoAway(code) => Some(code),
        OnConnect::Reset => return reset.set(),
        OnConnect::Close => return,
        OnConnect::Silence => return pending().await,
    };
    let accepted = match &shared.acceptor {
        None => Accepted::new(socket),
        Some(acceptor) => {
            // The client's end of a handshake that fails is the client's to tell.
            let Ok(accepted) = acceptor(socket).await else { return };
            accepted
        }
    };
    let Accepted { io, http2, server_name } = accepted;
    let http2 = http2.unwrap_or(shared.http2);
    let about = About { n, server_name, reset };
    // An error here is the client's going away, which the counters show.
    let _ = match (http2, away) {
        (true, Some(code)) => http2::away::send(io, code).await,
        (true, None) => http2::serve(io, about, shared).await.map_err(io::Error::other),
        (false, None) => http1::serve(io, about, shared).await,
        (false, Some(_)) => {
            shared.note(format!("HTTP/1.1 has no {decided:?}"));
            Ok(())
        }
    };
}

/// A TCP connection of a server, which counts it and can end it with a reset.
///
/// What [`Builder::accept_with`](super::Builder::accept_with) wraps. Dropping it ends the connection.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    reset: ResetAtEnd,
    open: Open,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        shared.count(|counts| {
            counts.connections += 1;
            counts.open += 1;
        });
        Self { stream, reset: ResetAtEnd::default(), open: Open(shared) }
    }

    /// The connection itself, for its addresses.
    #[must_use]
    pub const fn get_ref(&self) -> &TcpStream {
        &self.stream
    }
}

/// Counts a connection as open.
struct Open(Arc<Shared>);

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.counts.borrow().fmt(f)
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
        self.open.0.count(|counts| counts.open -= 1);
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
