//! One client for many hosts: one of them fails, and only its circuit breaker opens.
//!
//! ```text
//! cargo run --example per_host
//! ```
//!
//! Begin with `protect`: that is what you would write. The rest is the stage.

#[path = "quick_start/ink.rs"]
#[allow(dead_code)]
mod ink;

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use ink::Ink;
use seawall::keyed::{Keyed, KeyedStats};
use seawall::patterns::circuit_breaker::State;
use seawall::pipeline::{HttpPipeline, Step};
use seawall::reqwest::Client;
use seawall::{CircuitBreakerConfig, Pipeline, Registry};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// Each host gets a pipeline of its own when it is first called, and loses it when nobody calls it any more.
fn protect(registry: &Registry) -> Result<Keyed<HttpPipeline>, Box<dyn Error>> {
    let hosts = Keyed::<HttpPipeline>::builder("hosts").max_entries(1_000).build(|host| {
        let breaker = CircuitBreakerConfig::safe()
            .minimum_number_of_calls(10)
            .wait_duration_in_open_state(Duration::from_millis(800));
        Pipeline::http(host).circuit_breaker(breaker).without(Step::Retry).build()
    })?;
    // So that whoever looks at the registry sees the group, as one and not host by host.
    registry.add_keyed(&hosts);
    Ok(hosts)
}

const HOSTS: [&str; 4] = ["inventory", "orders", "search", "users"];

/// A row every so often, with so many calls to each host.
const ROW: Duration = Duration::from_millis(250);
const CALLS: usize = 6;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // reqwest comes without a TLS provider here, and wants one even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ink = Ink::new();
    let registry = Registry::new();
    let hosts = protect(&registry)?;

    let servers = join_all(HOSTS.map(|_| Server::start())).await;
    let servers = servers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut builder = Client::builder().per_host(hosts.clone()).no_proxy();
    for (host, server) in HOSTS.iter().zip(&servers) {
        builder = builder.resolve(&format!("{host}.test"), server.address);
    }
    let client = builder.build()?;
    let urls: Vec<_> = HOSTS
        .iter()
        .zip(&servers)
        .map(|(host, server)| format!("http://{host}.test:{}/", server.address.port()))
        .collect();

    println!(
        "{}",
        ink.bold(&format!("{:>7}  {}", "", HOSTS.map(|host| format!("{host:<20}")).concat()))
    );
    let mut opened = [false; HOSTS.len()];
    for row in 0..18_u32 {
        // The second fails for a while.
        servers[1].fails.store((3..9).contains(&row), Ordering::Relaxed);
        let calls = urls.iter().map(|url| join_all((0..CALLS).map(|_| call(&client, url))));
        let ends = join_all(calls).await;
        let cells = ends.iter().zip(&urls).zip(&mut opened).map(|((ends, url), opened)| {
            let marks: String = ends.iter().map(|end| end.mark(ink)).collect();
            let state = state(&hosts, url);
            *opened |= state != State::Closed;
            format!("{marks} {}", ink.state(state, &format!("{:<13}", state.to_string())))
        });
        println!(
            "{:>6}  {}",
            format!("{:.2} s", (ROW * row).as_secs_f64()),
            cells.collect::<String>()
        );
        sleep(ROW).await;
    }
    println!(
        "{}",
        ink.dim("         ● answered   × failed at the host   · refused here, at once\n")
    );

    for (((host, server), url), opened) in HOSTS.iter().zip(&servers).zip(&urls).zip(opened) {
        let breaker = match (opened, state(&hosts, url)) {
            (false, _) => "never opened",
            (true, State::Closed) => "opened, and closed again",
            (true, _) => "opened",
        };
        let requests = server.requests.load(Ordering::Relaxed);
        println!("{host:<10} breaker {breaker}; {requests} requests reached the host");
    }

    // ## And if somebody makes up hosts?
    let began = Instant::now();
    for n in 0..100_000 {
        drop(hosts.get(&format!("host-{n}.test")));
    }
    let each = began.elapsed() / 100_000;
    println!("\n100000 hosts that nobody has heard of, {each:?} each:");
    for group in registry.keyed() {
        let KeyedStats { entries, evicted_for_room, overflowed, .. } = group.stats();
        let states = group.states();
        let states = states.iter().filter(|(_, count)| *count > 0);
        let states: Vec<_> = states.map(|(state, count)| format!("{count} {state}")).collect();
        println!(
            "group `{}`: {entries} pipelines ({}), {evicted_for_room} given up to make room, {overflowed} calls shared one",
            group.name(),
            states.join(", "),
        );
    }
    let only_one = opened == [false, true, false, false] && hosts.stats().entries == 1_000;
    println!(
        "{} only the breaker of the host that failed opened, and the map stayed small",
        ink.mark(only_one)
    );
    if only_one { Ok(()) } else { Err("not as it should be".into()) }
}

/// The state of a host's breaker.
fn state(hosts: &Keyed<HttpPipeline>, url: &str) -> State {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let breaker = hosts.find(host).and_then(|pipeline| pipeline.circuit_breaker());
    breaker.map_or(State::Closed, |breaker| breaker.state())
}

/// How a call ended.
enum End {
    Answered,
    Failed,
    Refused,
}

async fn call(client: &Client, url: &str) -> End {
    match client.get(url).send().await {
        Err(error) if error.is_refusal() => End::Refused,
        Ok(response) if response.status().is_success() => {
            let _ = response.bytes().await;
            End::Answered
        }
        Ok(_) | Err(_) => End::Failed,
    }
}

impl End {
    fn mark(&self, ink: Ink) -> String {
        match self {
            Self::Answered => ink.state(State::Closed, "●"),
            Self::Failed => ink.state(State::Open, "×"),
            Self::Refused => ink.dim("·"),
        }
    }
}

/// A host on loopback.
struct Server {
    address: SocketAddr,
    fails: &'static AtomicBool,
    requests: &'static AtomicUsize,
}

impl Server {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // It runs to the end of the program.
        let fails: &AtomicBool = Box::leak(Box::default());
        let requests: &AtomicUsize = Box::leak(Box::default());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(move |_| async move {
                    requests.fetch_add(1, Ordering::Relaxed);
                    let mut response = Response::new("42 in stock".to_string());
                    if fails.load(Ordering::Relaxed) {
                        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    }
                    Ok::<_, Infallible>(response)
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, fails, requests })
    }
}
