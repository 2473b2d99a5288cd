//! Four HTTP servers on loopback, each bad in its own way, and what they saw.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use seawall::Random;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::scenario::{Kind, Scenario};

/// What "healthy" grants in [`QUOTA_WINDOW`]; beyond that it answers 429.
const QUOTA: usize = 60;
const QUOTA_WINDOW: Duration = Duration::from_millis(500);

/// What "slow" can work on at once; beyond that all get slower.
pub(crate) const CAPACITY: usize = 15;

pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) seen: Seen,
    scenario: Scenario,
    random: Random,
    granted: Mutex<VecDeque<Instant>>,
}

/// What a server can tell afterwards.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: AtomicUsize,
    /// Answers 429.
    pub(crate) too_many: AtomicUsize,
    /// Requests being worked on, now and at most.
    busy: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    /// Requests that came while it was dead.
    pub(crate) while_dead: AtomicUsize,
}

/// The server drops the connection instead of answering.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection reset on purpose")
    }
}

impl std::error::Error for Reset {}

impl Server {
    pub(crate) async fn start(kind: Kind, scenario: Scenario, seed: u64) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Arc::new(Self {
            kind,
            url: format!("http://{}/", listener.local_addr()?),
            seen: Seen::default(),
            scenario,
            random: Random::seeded(seed),
            granted: Mutex::default(),
        });
        tokio::spawn(server.clone().accept(listener));
        Ok(server)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            // Whatever ends a connection early shall reset it.
            let _ = stream.set_zero_linger();
            let server = self.clone();
            let service = service_fn(move |_| {
                let server = server.clone();
                async move {
                    let mut response = Response::new(Full::new(Bytes::from_static(b"stock: 42")));
                    *response.status_mut() = server.answer().await?;
                    Ok::<_, Reset>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn answer(&self) -> Result<StatusCode, Reset> {
        self.seen.requests.fetch_add(1, Relaxed);
        match self.kind {
            Kind::Healthy => {
                if !self.within_quota() {
                    self.seen.too_many.fetch_add(1, Relaxed);
                    return Ok(StatusCode::TOO_MANY_REQUESTS);
                }
                sleep(self.between(1, 3)).await;
            }
            Kind::Flaky => {
                sleep(self.between(2, 6)).await;
                let dice = self.random.fraction();
                if dice < 0.2 {
                    return Ok(StatusCode::SERVICE_UNAVAILABLE);
                } else if dice < 0.3 {
                    return Err(Reset);
                }
            }
            Kind::Slow => {
                if within(self.scenario.now(), self.scenario.hang()) {
                    return std::future::pending().await;
                }
                let busy = Busy::enter(&self.seen);
                let crowd = busy.others as f64 / CAPACITY as f64;
                sleep(self.between(40, 60).mul_f64(crowd.max(1.0))).await;
            }
            Kind::Dying => {
                if within(self.scenario.now(), self.scenario.death()) {
                    self.seen.while_dead.fetch_add(1, Relaxed);
                    let reset = self.random.fraction() < 0.5;
                    return if reset { Err(Reset) } else { Ok(StatusCode::INTERNAL_SERVER_ERROR) };
                }
                sleep(self.between(2, 6)).await;
            }
        }
        Ok(StatusCode::OK)
    }

    /// At most [`QUOTA`] requests in any [`QUOTA_WINDOW`].
    fn within_quota(&self) -> bool {
        let now = Instant::now();
        let mut granted = self.granted.lock().unwrap();
        granted.retain(|at| now.saturating_duration_since(*at) < QUOTA_WINDOW);
        let room = granted.len() < QUOTA;
        if room {
            granted.push_back(now);
        }
        room
    }

    fn between(&self, least: u32, most: u32) -> Duration {
        let spread = f64::from(most - least) * self.random.fraction();
        Duration::from_secs_f64((f64::from(least) + spread) / 1000.0)
    }
}

fn within(now: Duration, (from, until): (Duration, Duration)) -> bool {
    from <= now && now < until
}

/// One request being worked on.
struct Busy<'a> {
    seen: &'a Seen,
    others: usize,
}

impl<'a> Busy<'a> {
    fn enter(seen: &'a Seen) -> Self {
        let others = seen.busy.fetch_add(1, Relaxed);
        seen.peak.fetch_max(others + 1, Relaxed);
        Self { seen, others }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.seen.busy.fetch_sub(1, Relaxed);
    }
}
