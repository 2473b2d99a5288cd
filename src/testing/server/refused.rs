//! A server that is not there.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// A port on which every connection is refused for as long as this lives.
///
/// A server can [come up](super::Builder::at) there later.
#[derive(Debug)]
pub struct RefusedPort {
    // Bound and never listening: nobody else can get the port.
    socket: TcpSocket,
    address: SocketAddr,
}

impl RefusedPort {
    /// A free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If the system has none.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes a port from the system")]
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = socket.local_addr().expect("bound");
        Self { socket, address }
    }

    pub(super) fn listen(self) -> TcpListener {
        self.socket.listen(1024).expect("a bound port")
    }

    /// Where nobody listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port` and this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
