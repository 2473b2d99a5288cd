//! No HTTP and no tower: patterns around plain futures, here a line protocol over TCP.
//!
//! ```text
//! cargo run --example plain_futures
//! ```

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use seawall::{
    Backoff, Bulkhead, BulkheadConfig, Cause, CircuitBreaker, CircuitBreakerConfig, Pipeline,
    RetryConfig, SlidingWindow, TimeLimiterConfig,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = start().await?;

    // ## Several patterns at once
    //
    // A pipeline takes a function that makes the future, since a retry needs another one.
    let pipeline = Pipeline::builder("inventory")
        .deadline(Duration::from_secs(2))
        .retry(
            RetryConfig::safe().max_attempts(4).backoff(Backoff::fixed(Duration::from_millis(10))),
        )
        .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_millis(250)))
        .build()?;
    let stock = pipeline.call(|| ask(server, "stock")).await?;
    println!("stock: {stock}");
    if let (Some(retry), Some(limiter)) = (pipeline.retry(), pipeline.time_limiter()) {
        let (retry, limiter) = (retry.metrics(), limiter.metrics());
        println!(
            "  succeeded after a retry: {}, attempts that timed out: {}",
            retry.successful_with_retry, limiter.timeout
        );
    }

    // ## One pattern by its handle
    let breaker = CircuitBreaker::new(
        "inventory",
        CircuitBreakerConfig::builder().sliding_window(SlidingWindow::Consecutive(3)).build()?,
    );
    for _ in 0..4 {
        match breaker.call(ask(server, "broken")).await {
            Ok(answer) => println!("broken: {answer}"),
            Err(error) => println!("broken: {error:#}"),
        }
    }

    // ## By hand, where no future stands for the call
    breaker.reset();
    let bulkhead =
        Bulkhead::new("inventory", BulkheadConfig::builder().max_concurrent_calls(1).build()?);
    let place = bulkhead.try_acquire()?;
    let permit = breaker.try_acquire()?;
    match ask(server, "price").await {
        Ok(price) => {
            permit.success();
            println!("price: {price}");
        }
        Err(error) => {
            permit.failure(Cause::Other);
            println!("price: {error}");
        }
    }
    println!(
        "a second call meanwhile: {}",
        bulkhead.try_acquire().expect_err("the place is taken")
    );
    drop(place);
    println!(
        "and afterwards: {}",
        if bulkhead.try_acquire().is_ok() { "let in" } else { "refused" }
    );
    Ok(())
}

/// Sends a line and reads one.
async fn ask(server: SocketAddr, question: &'static str) -> io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(server).await?);
    stream.write_all(format!("{question}\n").as_bytes()).await?;
    let mut answer = String::new();
    match stream.read_line(&mut answer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim().into()),
    }
}

/// Hangs up on the first connection, never answers the second, and hangs up whenever it is asked for what is broken.
async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut silent = None;
        for turn in 0.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            match turn {
                0 => drop(stream),
                1 => silent = Some(stream),
                _ => drop(tokio::spawn(answer(stream))),
            }
        }
        drop(silent);
    });
    Ok(address)
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    stream.read_line(&mut question).await?;
    if question.trim() != "broken" {
        stream.write_all(b"42\n").await?;
    }
    Ok(())
}
