//! The server: its handle, its script, its counters.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::behaviour::Behaviour;
use super::connection;
use super::tls::{Alpn, Identity};

/// A request as it reached the server.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    /// Empty if the server answers early.
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
    /// Which of the server's connections it came over, from 0.
    pub connection: usize,
    /// The name that the client asked for in the TLS handshake.
    pub server_name: Option<String>,
}

/// What the server has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests whose head (and body, unless the server answers early) has come.
    pub requests: usize,
    /// Requests that are being answered: hanging, waiting, sending.
    pub in_flight: usize,
    /// Connections ever accepted.
    pub connections: usize,
    /// Connections open now.
    pub open: usize,
}

/// What becomes of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConnect {
    Serve,
    /// TCP reset at once.
    Reset,
    /// Closed in order at once.
    Close,
    /// Held open; nothing is read, nothing written, no TLS handshake.
    Silence,
    /// HTTP/2: the first request is answered by a GOAWAY that says that no request was taken on,
    /// and the connection ends in order. The script and the counter of requests do not see it.
    GoAway(h2::Reason),
}

type Script = Box<dyn Fn(&Seen, usize) -> Behaviour + Send + Sync>;

pub(super) struct Shared {
    script: Script,
    on_connect: Box<dyn Fn(usize) -> OnConnect + Send + Sync>,
    counts: watch::Sender<Counts>,
    seen: Mutex<Vec<Seen>>,
    pub(super) answers_early: bool,
    pub(super) http2: bool,
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Shared {
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    /// Counts the request and asks the script.
    pub(super) fn admit(self: &Arc<Self>, request: &Seen) -> (Behaviour, InFlight) {
        let mut seen = self.seen.lock().unwrap();
        let n = seen.len();
        seen.push(request.clone());
        self.count(|counts| {
            counts.requests += 1;
            counts.in_flight += 1;
        });
        drop(seen);
        let in_flight = InFlight(self.clone());
        ((self.script)(request, n), in_flight)
    }
}

/// A request being answered.
pub(super) struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.count(|counts| counts.in_flight -= 1);
    }
}

/// A running server. Dropping it ends it and all of its connections.
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl FaultServer {
    /// HTTP/1.1 in clear text. Needs a runtime.
    pub fn start(script: impl Fn(&Seen, usize) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::builder().start(script)
    }

    /// The same answer to every request.
    pub fn always(behaviour: Behaviour) -> Self {
        Self::start(move |_, _| behaviour.clone())
    }

    /// One after the other; the last one again and again.
    pub fn sequence(behaviours: impl Into<Vec<Behaviour>>) -> Self {
        Self::start(sequence(behaviours))
    }

    pub fn builder() -> Builder {
        Builder {
            http2: false,
            tls: None,
            answers_early: false,
            on_connect: Box::new(|_| OnConnect::Serve),
        }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port` and this path; `https` with TLS.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits for the counters to be so; panics after five seconds.
    pub async fn until(&self, mut reached: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        let reached = counts.wait_for(|counts| reached(counts));
        match tokio::time::timeout(Duration::from_secs(5), reached).await {
            Ok(counts) => *counts.expect("the server holds the sender"),
            Err(_) => panic!("not reached: {:?}", self.counts()),
        }
    }
}

/// The script that goes through these; the last one comes again and again.
pub fn sequence(
    behaviours: impl Into<Vec<Behaviour>>,
) -> impl Fn(&Seen, usize) -> Behaviour + Send + Sync + 'static {
    let behaviours = behaviours.into();
    move |_, n| behaviours[n.min(behaviours.len() - 1)].clone()
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Builds a [`FaultServer`] that speaks something else than HTTP/1.1 in clear text.
pub struct Builder {
    http2: bool,
    tls: Option<(Identity, Alpn)>,
    answers_early: bool,
    on_connect: Box<dyn Fn(usize) -> OnConnect + Send + Sync>,
}

impl Builder {
    /// HTTP/2 in clear text, by prior knowledge. Behind TLS, ALPN decides instead.
    pub const fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    pub fn tls(mut self, identity: &Identity, alpn: Alpn) -> Self {
        self.tls = Some((identity.clone(), alpn));
        self
    }

    /// Answers when the head is there, and never reads the request's body. HTTP/1 closes after the
    /// answer.
    pub const fn answers_early(mut self) -> Self {
        self.answers_early = true;
        self
    }

    /// Decides on each connection, counted from 0.
    pub fn on_connect(
        mut self,
        script: impl Fn(usize) -> OnConnect + Send + Sync + 'static,
    ) -> Self {
        self.on_connect = Box::new(script);
        self
    }

    pub fn start(
        self,
        script: impl Fn(&Seen, usize) -> Behaviour + Send + Sync + 'static,
    ) -> FaultServer {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            on_connect: self.on_connect,
            counts: watch::Sender::default(),
            seen: Mutex::default(),
            answers_early: self.answers_early,
            http2: self.http2,
            tls: self.tls.map(|(identity, alpn)| identity.acceptor(alpn)),
        });
        FaultServer {
            address: listener.local_addr().expect("bound"),
            task: tokio::spawn(accept(listener, shared.clone())).abort_handle(),
            shared,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    for n in 0.. {
        let (stream, _) = listener.accept().await.expect("a listener that lives");
        stream.set_nodelay(true).expect("a TCP socket");
        shared.count(|counts| {
            counts.connections += 1;
            counts.open += 1;
        });
        let socket = connection::Socket::new(stream, shared.clone());
        connections.spawn(connection::run(socket, n, (shared.on_connect)(n), shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// A port on which every connection is refused for as long as this lives.
pub struct RefusedPort {
    // Bound and never listening: nobody else can get the port.
    _socket: TcpSocket,
    address: SocketAddr,
}

impl RefusedPort {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = socket.local_addr().expect("bound");
        Self { _socket: socket, address }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
