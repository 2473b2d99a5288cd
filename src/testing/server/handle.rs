//! The server and its builder.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::accept::{Accepted, Acceptor, OnConnect};
use super::behaviour::Behaviour;
use super::connection::{self, Socket};
use super::refused::RefusedPort;
use super::shared::{Counts, Seen, Shared};
use crate::sync::Lock;
use crate::testing::clock;
use crate::testing::either::{Either, either};

/// How long [`FaultServer::until`] waits, on the clock on the wall.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running server. Dropping it ends it and all of its connections.
///
/// # Panics
///
/// When it is dropped, if the script has panicked or answered what the protocol does not have.
pub struct FaultServer {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl FaultServer {
    /// HTTP/1.1 in clear text, on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time, or if there is no free port.
    pub fn start(script: impl Fn(&Seen, usize) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::builder().start(script)
    }

    /// The same answer to every request. Panics as [`start`](Self::start).
    #[must_use]
    pub fn always(behaviour: Behaviour) -> Self {
        Self::start(move |_, _| behaviour.clone())
    }

    /// One after the other; the last one again and again. Panics as [`start`](Self::start) and [`sequence`].
    #[must_use]
    pub fn sequence(behaviours: impl Into<Vec<Behaviour>>) -> Self {
        Self::start(sequence(behaviours))
    }

    /// For a server that speaks something else than HTTP/1.1 in clear text.
    pub fn builder() -> Builder {
        Builder {
            http2: false,
            scheme: "http",
            acceptor: None,
            port: None,
            answers_early: false,
            on_connect: Box::new(|_| OnConnect::Serve),
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port` and this path, or with the [builder's](Builder::scheme) scheme.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What has been counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// All requests so far, in the order in which the script was asked.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }

    /// What was wrong with the script so far: its panics, and answers that the protocol does not have.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        self.shared.mistakes.lock().clone()
    }

    /// Waits for the counters to be so. Tokio's clock, if it is paused, stands still meanwhile.
    ///
    /// # Panics
    ///
    /// After five seconds on the clock on the wall.
    pub async fn until(&self, mut reached: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        let reached = counts.wait_for(|counts| reached(counts));
        match either(reached, clock::wall_timer(PATIENCE)).await {
            Either::First(counts) => *counts.expect("the server holds the sender"),
            Either::Second(()) => {
                panic!("not reached: {:?}; mistakes: {:?}", self.counts(), self.mistakes())
            }
        }
    }
}

impl fmt::Debug for FaultServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultServer")
            .field("url", &self.url(""))
            .field("counts", &self.counts())
            .field("mistakes", &self.mistakes())
            .finish_non_exhaustive()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            let mistakes = self.mistakes();
            assert!(mistakes.is_empty(), "the fault server was told nonsense: {mistakes:#?}");
        }
    }
}

/// The script that goes through these; the last one comes again and again.
///
/// # Panics
///
/// If there are none.
pub fn sequence(
    behaviours: impl Into<Vec<Behaviour>>,
) -> impl Fn(&Seen, usize) -> Behaviour + Send + Sync + 'static {
    let behaviours = behaviours.into();
    assert!(!behaviours.is_empty(), "a sequence of no behaviours");
    move |_, n| behaviours[n.min(behaviours.len() - 1)].clone()
}

/// Builds a [`FaultServer`] that speaks something else than HTTP/1.1 in clear text.
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    http2: bool,
    scheme: &'static str,
    acceptor: Option<Acceptor>,
    port: Option<RefusedPort>,
    answers_early: bool,
    on_connect: Box<dyn Fn(usize) -> OnConnect + Send + Sync>,
}

impl Builder {
    /// HTTP/2 by prior knowledge. Default: HTTP/1.1.
    pub const fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// The scheme of [`FaultServer::url`]. Default: `http`.
    pub const fn scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
        self
    }

    /// Comes up where connections were refused so far. Default: on a free port.
    pub fn at(mut self, port: RefusedPort) -> Self {
        self.port = Some(port);
        self
    }

    /// Wraps each connection before anything is read from it: in TLS, in something that counts bytes,
    /// or that reads a header of its own. A connection for which this fails is closed.
    ///
    /// Default: nothing is wrapped.
    pub fn accept_with<F>(mut self, accept: impl Fn(Socket) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Accepted>> + Send + 'static,
    {
        self.acceptor = Some(Box::new(move |socket| Box::pin(accept(socket))));
        self
    }

    /// Answers when the head is there, and never reads the request's body. HTTP/1.1 closes after the
    /// answer. Default: reads the whole request first.
    pub const fn answers_early(mut self) -> Self {
        self.answers_early = true;
        self
    }

    /// Decides on each connection, counted from 0. Default: [`OnConnect::Serve`].
    pub fn on_connect(
        mut self,
        script: impl Fn(usize) -> OnConnect + Send + Sync + 'static,
    ) -> Self {
        self.on_connect = Box::new(script);
        self
    }

    /// Starts it. Panics as [`FaultServer::start`].
    pub fn start(
        self,
        script: impl Fn(&Seen, usize) -> Behaviour + Send + Sync + 'static,
    ) -> FaultServer {
        let listener = self.port.unwrap_or_else(RefusedPort::new).listen();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            on_connect: self.on_connect,
            acceptor: self.acceptor,
            counts: watch::Sender::default(),
            seen: Lock::new(Vec::new()),
            mistakes: Lock::new(Vec::new()),
            answers_early: self.answers_early,
            http2: self.http2,
        });
        FaultServer {
            address: listener.local_addr().expect("bound"),
            scheme: self.scheme,
            task: tokio::spawn(accept(listener, shared.clone())).abort_handle(),
            shared,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("http2", &self.http2)
            .field("scheme", &self.scheme)
            .field("answers_early", &self.answers_early)
            .finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut n = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // A client that was gone at once, or no file descriptors: those come back.
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        // A socket that is gone already has no options.
        let _ = stream.set_nodelay(true);
        let socket = Socket::new(stream, shared.clone());
        connections.spawn(connection::run(socket, n, shared.clone()));
        n += 1;
        while connections.try_join_next().is_some() {}
    }
}
