//! What one sees of calls: meters as Prometheus text, everything as JSON, and a trace.
//!
//! ```text
//! cargo run --example observe
//! cargo run --example observe -- --stay    # goes on, and serves /seawall until it is stopped
//! ```

mod backend;

use std::error::Error;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use seawall::registry::Tags;
use seawall::reqwest::Client;
use seawall::telemetry::Meters;
use seawall::telemetry::serve::Serve;
use seawall::{
    Backoff, BulkheadConfig, CircuitBreakerConfig, RateLimiterConfig, Registry, RetryConfig,
    TimeLimiterConfig,
};
use tokio::net::TcpListener;

use backend::Backend;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let stays = std::env::args().any(|argument| argument == "--stay");
    // reqwest comes without a TLS provider here, and wants one even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let backend = Backend::start().await?;

    // Whatever is in the registry is watched from here on, and whatever will be.
    let registry = registry()?;
    let meters = Meters::of(&registry);
    let page = serve(Serve::new(&meters).at("/seawall")).await?;

    let client = Client::builder().pipeline(registry.http_pipeline("inventory")?).build()?;
    for path in ["/ok", "/ok", "/flaky", "/slow", "/ok", "/hang"] {
        let answer = client.get(backend.url(path)).send().await;
        let answer = answer.map_or_else(|error| format!("{error:#}"), |it| it.status().to_string());
        println!("GET {path:<7} {answer}");
    }
    // It fails long enough for the circuit to open: the calls after that are not made.
    let mut refused = 0;
    for _ in 0..10 {
        let answer = client.get(backend.url("/down")).send().await;
        refused += u32::from(answer.is_err_and(|error| error.is_refusal()));
    }
    println!("GET /down   {refused} of 10 were never sent\n");

    // What a Prometheus server would scrape. The text is long; these are a few of its lines.
    let scraper = reqwest::Client::builder().no_proxy().build()?;
    let scrape = scraper.get(format!("{page}?format=prometheus")).send().await?.text().await?;
    println!("{page}?format=prometheus, {} lines, among them", scrape.lines().count());
    for line in scrape.lines().filter(|line| is_telling(line)) {
        println!("  {line}");
    }

    let snapshot: serde_json::Value = scraper.get(&page).send().await?.json().await?;
    println!("\n{page}, of which the circuit breaker:");
    let mut breaker = snapshot["circuit_breakers"][0].clone();
    // A long list.
    breaker.as_object_mut().map(|breaker| breaker.remove("settings"));
    println!("{}", serde_json::to_string_pretty(&breaker)?);

    if stays {
        println!("\nserving {page} until this is stopped");
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// One instance of each pattern, called `inventory`, which together are the pipeline of that name.
fn registry() -> Result<Registry, Box<dyn Error>> {
    let registry = Registry::new();
    registry.set_tags(Tags::from([("team", "shop")]));
    let backoff = Backoff::full_jitter(Duration::from_millis(10), Duration::from_millis(50));
    registry.retries().get_with("inventory", RetryConfig::safe().backoff(backoff))?;
    let breaker = CircuitBreakerConfig::safe().minimum_number_of_calls(20);
    registry.circuit_breakers().get_with("inventory", breaker)?;
    registry.bulkheads().get_with("inventory", BulkheadConfig::builder())?;
    let timeout = TimeLimiterConfig::builder().timeout(Duration::from_millis(200));
    registry.time_limiters().get_with("inventory", timeout)?;
    let limiter = RateLimiterConfig::builder().limit_refresh_period(Duration::from_secs(1));
    registry.rate_limiters().get_with("inventory", limiter.limit_for_period(1000))?;
    Ok(registry)
}

/// Serves the page on a port of its own. In axum it would be `.route_service("/seawall", Serve::new(&meters))`.
async fn serve(page: Serve) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/seawall", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(page.clone());
            tokio::spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(url)
}

fn is_telling(line: &str) -> bool {
    const TELLING: [&str; 9] = [
        "circuitbreaker_calls_seconds_count",
        "circuitbreaker_calls_seconds_max",
        "circuitbreaker_calls_seconds_bucket{name=\"inventory\",kind=\"successful\",team=\"shop\",le=\"0.1\"}",
        "circuitbreaker_not_permitted",
        "circuitbreaker_failure_rate",
        "circuitbreaker_state",
        "retry_calls",
        "timelimiter_calls",
        "bulkhead_available",
    ];
    let says =
        |words| line.strip_prefix("resilience4j_").is_some_and(|line| line.starts_with(words));
    TELLING.into_iter().any(says) && !line.ends_with(" 0")
}
