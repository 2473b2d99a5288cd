//! hyper's client behind a pipeline: a server dies, is left alone, and is found again.
//!
//! ```text
//! cargo run --example hyper_client
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seawall::pipeline::Step;
use seawall::telemetry::{CircuitBreakerEvent, Event, EventKind};
use seawall::{CircuitBreakerConfig, Pipeline, SlidingWindow};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower::{Layer, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Arc::new(Server::default());
    let url = server.clone().start().await?;

    // Safe settings for HTTP, but for the breaker, and no retry, so that every failure shows.
    let pipeline = Pipeline::http("inventory")
        .without(Step::Retry)
        .circuit_breaker(
            CircuitBreakerConfig::builder()
                .sliding_window(SlidingWindow::Count(10))
                .minimum_number_of_calls(5)
                .permitted_calls_in_half_open(2)
                .wait_duration_in_open_state(Duration::from_millis(250)),
        )
        .build()?;
    if let Some(breaker) = pipeline.circuit_breaker() {
        breaker.observe(|event: &Event<'_>| {
            if let EventKind::CircuitBreaker(CircuitBreakerEvent::StateTransition { from, to }) =
                event.kind
            {
                println!("  circuit breaker `{}`: {from} → {to}", event.name);
            }
        });
    }

    // The pipeline is a tower layer, and so is a client behind it a tower service.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = pipeline.layer(client);

    for (dead, what) in [(false, "well"), (true, "dead"), (false, "well again")] {
        server.dead.store(dead, Ordering::Relaxed);
        println!("the server is {what}");
        let (mut answered, mut failed, mut refused) = (0, 0, 0);
        for _ in 0..40 {
            let request = Request::get(&url).body(Empty::<Bytes>::new())?;
            match client.clone().oneshot(request).await {
                Ok(response) if response.status().is_success() => {
                    response.into_body().collect().await?;
                    answered += 1;
                }
                Ok(_) => failed += 1,
                Err(error) if error.is_refusal() => {
                    if refused == 0 {
                        println!("  {error:#}");
                    }
                    refused += 1;
                }
                Err(_) => failed += 1,
            }
            sleep(Duration::from_millis(10)).await;
        }
        let seen = server.requests.swap(0, Ordering::Relaxed);
        println!(
            "  40 calls: {answered} answered, {failed} failed, {refused} refused; requests sent: {seen}"
        );
    }
    Ok(())
}

/// Answers, or answers 500 while it is dead.
#[derive(Default)]
struct Server {
    dead: AtomicBool,
    requests: AtomicUsize,
}

impl Server {
    async fn start(self: Arc<Self>) -> std::io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = self.clone();
                let service = service_fn(move |_| {
                    let answer = server.answer();
                    async { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(url)
    }

    fn answer(&self) -> Response<String> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new("42 in stock".into());
        if self.dead.load(Ordering::Relaxed) {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        response
    }
}
