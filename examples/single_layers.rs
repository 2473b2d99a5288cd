//! Layers put together by hand, in an order of one's own, with one bulkhead for two services.
//!
//! ```text
//! cargo run --example single_layers
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seawall::{
    Backoff, Bulkhead, BulkheadConfig, BulkheadLayer, ErrorLayer, Retry, RetryConfig, RetryLayer,
    TimeLimiter, TimeLimiterConfig, TimeLimiterLayer,
};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower::{ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = start().await?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();

    // ## The order is yours
    //
    // Outside the retry, a time limiter holds for all attempts together; inside, as in a pipeline,
    // for each. `ErrorLayer` at the bottom gives the client an error type that can hold what seawall says.
    let retry =
        RetryConfig::builder().backoff(Backoff::fixed(Duration::from_millis(10))).build()?;
    let limit = TimeLimiterConfig::builder().timeout(Duration::from_millis(150)).build()?;

    let limiter = TimeLimiter::new("all attempts", limit);
    let search = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter.clone()).http())
        .layer(RetryLayer::new(Retry::new("search", retry.clone())).http())
        .layer(ErrorLayer)
        .service(client.clone());
    let error = search.oneshot(get(&url, "/hang")?).await.expect_err("there is no answer");
    println!("limit outside the retry: {error:#}, {} time", limiter.metrics().timeout);

    let limiter = TimeLimiter::new("each attempt", limit);
    let search = ServiceBuilder::new()
        .layer(RetryLayer::new(Retry::new("search", retry)).http())
        .layer(TimeLimiterLayer::new(limiter.clone()).http())
        .layer(ErrorLayer)
        .service(client.clone());
    let error = search.oneshot(get(&url, "/hang")?).await.expect_err("there is no answer");
    println!("limit inside the retry:  {error:#}, {} times", limiter.metrics().timeout);

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

/// Takes 50 ms for each answer, and for ever where it hangs.
async fn start() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(async |request: Request<_>| {
                let hangs = request.uri().path() == "/hang";
                sleep(if hangs { Duration::MAX } else { Duration::from_millis(50) }).await;
                Ok::<_, Infallible>(Response::new("42 in stock".to_string()))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(url)
}
