//! reqwest's own verbs, protected: what changes when you change the `use` line.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use seawall::reqwest::Client; // was: use reqwest::Client;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // reqwest comes without a TLS provider here, and wants one even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start().await?;

    // Safe defaults; for your own there is `Client::builder().pipeline(..)`.
    let client = Client::new();

    // The server fails two times out of three. A GET may be sent again, so its caller sees no failure.
    let stock = client.get(server.url("/stock")).send().await?.error_for_status()?.text().await?;
    println!("GET:      {stock} after {} requests", server.requests());

    // A POST is sent once: the server may have taken the order before it failed.
    let response = client.post(server.url("/orders")).body("1 x 42").send().await?;
    println!("POST:     {} after {} request", response.status(), server.requests());
    server.ready();

    // With this header the server can tell a repetition, so it may be sent again.
    let request = client.post(server.url("/orders")).header("idempotency-key", "order-7");
    let response = request.body("1 x 42").send().await?;
    println!("with key: {} after {} requests", response.status(), server.requests());

    // The timeout is that of the whole call: all attempts, the pauses between them, and the body.
    let request = client.get(server.url("/hang")).timeout(Duration::from_millis(300));
    match request.send().await {
        Err(error) if error.is_timeout() => println!("GET:      {error:#}"),
        other => println!("GET:      unexpected: {other:?}"),
    }
    Ok(())
}

/// Answers 503 to two requests out of three, and to `/hang` never.
struct Server {
    address: std::net::SocketAddr,
    turn: AtomicUsize,
    told: AtomicUsize,
}

impl Server {
    async fn start() -> Result<Arc<Self>, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server =
            Arc::new(Self { address, turn: AtomicUsize::new(0), told: AtomicUsize::new(0) });
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(server)
    }

    async fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
    ) -> Result<Response<String>, Infallible> {
        if request.uri().path() == "/hang" {
            std::future::pending::<()>().await;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new("42 in stock".to_string());
        if turn % 3 < 2 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        Ok(response)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests since this was asked last.
    fn requests(&self) -> usize {
        let turn = self.turn.load(Ordering::Relaxed);
        turn - self.told.swap(turn, Ordering::Relaxed)
    }

    /// Begins a new round of two failures and a success.
    fn ready(&self) {
        self.turn.store(0, Ordering::Relaxed);
        self.told.store(0, Ordering::Relaxed);
    }
}
