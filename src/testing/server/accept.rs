//! What becomes of a new connection.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Http2Code, Socket};

/// What becomes of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConnect {
    /// Its requests are answered.
    Serve,
    /// TCP reset at once.
    Reset,
    /// Closed in order at once.
    Close,
    /// Held open; nothing is read, nothing written, no TLS handshake.
    Silence,
    /// HTTP/2: the first request is answered by a GOAWAY that says that no request was taken on,
    /// and the connection ends in order. The script and the counter of requests do not see it.
    GoAway(Http2Code),
}

/// Whatever a protocol is spoken over.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection as [`Builder::accept_with`](super::Builder::accept_with) has accepted it.
pub struct Accepted {
    pub(super) io: Box<dyn Io>,
    pub(super) http2: Option<bool>,
    pub(super) server_name: Option<String>,
}

impl Accepted {
    /// Requests are read from this stream, and answers written to it.
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), http2: None, server_name: None }
    }

    /// Was HTTP/2 agreed on, or HTTP/1.1? Default: what the server's builder says.
    #[must_use]
    pub const fn http2(mut self, http2: bool) -> Self {
        self.http2 = Some(http2);
        self
    }

    /// The name that the client asked for, which goes into [`Seen::server_name`](super::Seen::server_name). Default: none.
    #[must_use]
    pub fn server_name(mut self, name: Option<&str>) -> Self {
        self.server_name = name.map(str::to_owned);
        self
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("http2", &self.http2)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

type Accepting = Pin<Box<dyn Future<Output = io::Result<Accepted>> + Send>>;

/// The user's hook, or none.
pub(super) type Acceptor = Box<dyn Fn(Socket) -> Accepting + Send + Sync>;
