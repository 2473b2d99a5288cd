//! Layers put together by hand, in an order of one's own, with one bulkhead for two services.
//!
//! ```text
//! cargo run --example single_layers
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seawall::{
    Backoff, Bulkhead, BulkheadConfig, BulkheadLayer, ErrorLayer, Retry, RetryConfig, RetryLayer,
    TimeLimiter, TimeLimiterConfig, TimeLimiterLayer,
};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tower::{ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let requests = Arc::new(AtomicUsize::new(0));
    let url = start(requests.clone()).await?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();

    // ## An order of one's own
    //
    // In a pipeline the time limiter holds for one attempt. Outside the retry it holds for all of
    // them together. `ErrorLayer` at the bottom gives the client an error type for what seawall says.
    let limit = TimeLimiterConfig::builder().timeout(Duration::from_millis(350)).build()?;
    let again = RetryConfig::builder().max_attempts(100).backoff(Backoff::fixed(Duration::ZERO));
    let search = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(TimeLimiter::new("search", limit)).http())
        .layer(RetryLayer::new(Retry::new("search", again.build()?)).http())
        .layer(ErrorLayer)
        .service(client.clone());

    let start = Instant::now();
    let error = search.oneshot(get(&url, "/broken")?).await.expect_err("it is never answered well");
    let requests = requests.load(Ordering::Relaxed);
    println!("search:  {error:#}: {requests} attempts, {:.1?} in all", start.elapsed());

    // ## One bulkhead for two services
    //
    // Handles are cheap to clone, and clones share one state.
    let bulkhead =
        Bulkhead::new("warehouse", BulkheadConfig::builder().max_concurrent_calls(3).build()?);
    let stock = ServiceBuilder::new()
        .layer(BulkheadLayer::new(bulkhead.clone()).http())
        .layer(ErrorLayer)
        .service(client.clone());
    let orders = ServiceBuilder::new()
        .layer(BulkheadLayer::new(bulkhead.clone()).http())
        .layer(ErrorLayer)
        .service(client);

    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(stock.clone().oneshot(get(&url, "/stock")?));
        calls.push(orders.clone().oneshot(get(&url, "/orders")?));
    }
    let calls = join_all(calls).await;
    let refused =
        calls.iter().filter_map(|call| call.as_ref().err()).filter(|error| error.is_refusal());
    let refused = refused.count();
    println!(
        "3 calls to stock and 3 to orders at once: {} made, {refused} refused",
        calls.len() - refused
    );

    // A call is over when its body is, so the places are taken as long as the responses are kept.
    println!("in flight while the responses are kept:   {}", bulkhead.metrics().in_flight);
    drop(calls);
    println!("in flight when they are gone:             {}", bulkhead.metrics().in_flight);
    Ok(())
}

fn get(url: &str, path: &str) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    Request::get(format!("{url}{path}")).body(Empty::new())
}

/// Takes 100 ms for each answer, and answers 503 where it is broken.
async fn start(requests: Arc<AtomicUsize>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let requests = requests.clone();
            let service = service_fn(move |request: Request<_>| {
                requests.fetch_add(1, Ordering::Relaxed);
                answer(request.uri().path() == "/broken")
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(url)
}

async fn answer(broken: bool) -> Result<Response<String>, Infallible> {
    sleep(Duration::from_millis(100)).await;
    let mut response = Response::new("42 in stock".to_string());
    if broken {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}
