//! A server on loopback that answers by a script, for the tests and examples.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// What the server does with one request.
#[derive(Debug)]
pub enum Answer {
    /// Answers.
    Respond(Response<Body>),
    /// Closes the connection without a word.
    HangUp,
    /// Never answers.
    Hang,
}

impl Answer {
    /// This status, with no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::with_body(status, Body::empty())
    }

    /// 200 and this body, as JSON.
    #[must_use]
    pub fn json(body: impl Into<Body>) -> Self {
        Self::with_body(200, body.into()).header("content-type", "application/json")
    }

    /// 200, these lines, and nothing more for ever.
    #[must_use]
    pub fn endless(lines: Vec<String>) -> Self {
        let lines = lines.into_iter().map(|line| Ok::<_, Infallible>(line + "\n"));
        Self::with_body(200, Body::from_stream(stream::iter(lines).chain(stream::pending())))
    }

    /// 200, these lines, and then the connection breaks.
    #[must_use]
    pub fn cut(lines: Vec<String>) -> Self {
        let lines = stream::iter(lines.into_iter().map(|line| Ok(line + "\n")));
        // The pause lets the lines out first.
        let end = stream::once(async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            Err(io::Error::other("cut"))
        });
        Self::with_body(200, Body::from_stream(lines.chain(end)))
    }

    /// With this header too.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Self::Respond(response) = &mut self {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        self
    }

    fn with_body(status: u16, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status.try_into().expect("a status");
        Self::Respond(response)
    }
}

/// A request as it reached the server.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The whole body.
    pub body: Bytes,
}

type Script = Box<dyn Fn(&Seen, usize) -> Answer + Send + Sync>;

struct Shared {
    script: Script,
    seen: Mutex<Vec<Seen>>,
}

/// A running server. Dropping it ends it and its connections.
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Fake {
    /// Starts one whose script is told the request and how many came before it.
    ///
    /// # Panics
    ///
    /// If there is no port to be had on loopback.
    pub async fn start(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared { script: Box::new(script), seen: Mutex::default() });
        let task = tokio::spawn(serve(listener, shared.clone())).abort_handle();
        Self { address, shared, task }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it is.
    ///
    /// # Panics
    ///
    /// Never: an address is an authority.
    #[must_use]
    pub fn uri(&self) -> Uri {
        self.url().parse().expect("a URL")
    }

    /// The requests that have come.
    ///
    /// # Panics
    ///
    /// If the script has panicked.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("the script has not panicked").clone()
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen().len()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        let service = service_fn(move |request| answer(shared.clone(), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// hyper closes the connection of whoever fails.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let request = Seen { method: parts.method, uri: parts.uri, body };
    let answer = {
        let mut seen = shared.seen.lock().expect("the script has not panicked");
        seen.push(request.clone());
        (shared.script)(&request, seen.len() - 1)
    };
    match answer {
        Answer::Respond(response) => Ok(response),
        Answer::HangUp => Err(io::Error::other("hung up")),
        Answer::Hang => std::future::pending().await,
    }
}
