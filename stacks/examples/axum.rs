//! A shop whose handlers call an inventory that fails, and what the shop's own callers see.
//!
//! ```text
//! cargo run -p seawall-stacks --example axum
//! ```

use std::error::Error;
use std::time::Duration;

use seawall::reqwest::Client;
use seawall::{CircuitBreakerConfig, Pipeline, SlidingWindow};
use seawall_stacks::axum::{Shop, shop};
use seawall_stacks::fake::{Answer, Fake};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // One request in three fails, then all of them do.
    let inventory = Fake::start(|_, n| match n {
        0..9 if n % 3 > 0 => Answer::json("42"),
        _ => Answer::status(503),
    })
    .await;
    let pipeline = Pipeline::http("inventory")
        .deadline(Duration::from_secs(2))
        .circuit_breaker(
            CircuitBreakerConfig::builder()
                .sliding_window(SlidingWindow::Count(6))
                .minimum_number_of_calls(6),
        )
        .build()?;
    let client = Client::builder().pipeline(pipeline).build()?;
    let router = shop(Shop { inventory: client, url: inventory.url() });

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/items/7", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, router).await });

    let caller = reqwest::Client::new();
    for _ in 0..10 {
        let before = inventory.requests();
        let response = caller.get(&url).send().await?;
        let (status, wait) = (response.status(), response.headers().get("retry-after").cloned());
        let (body, asked) = (response.text().await?, inventory.requests() - before);
        println!("{status}  {body:12}  requests to the inventory: {asked}  retry-after: {wait:?}");
    }
    Ok(())
}
