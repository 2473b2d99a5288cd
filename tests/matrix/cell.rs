//! One cell: a caller, a version, plain or TLS, a fault.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use seawall::{
    Backoff, Bulkhead, BulkheadConfig, CircuitBreaker, CircuitBreakerConfig, RateLimiter,
    RateLimiterConfig, Retry, RetryBudget, RetryConfig, State, TimeLimiterConfig,
};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::callers::{Caller, callers};
use crate::faults::{FAULTS, Fault, How, Limits, Want};
use crate::support::{Alpn, Behaviour, Builder, FaultServer, Identity, RefusedPort, Tls, sequence};

/// More than any cell makes attempts.
const TRIALS: u32 = 100;

#[derive(Clone, Copy)]
pub struct Cell {
    pub fault: &'static Fault,
    pub how: How,
    pub caller: &'static dyn Caller,
    pub http2: bool,
    pub tls: bool,
}

/// What came of a cell.
pub struct Outcome {
    pub got: String,
    pub attempts: u64,
    pub requests: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.got, self.attempts, self.requests)
    }
}

/// A cell and what came of it.
pub struct Played {
    pub cell: Cell,
    pub want: Want,
    /// What came out, or the reason why there is no such cell.
    pub got: Result<Outcome, &'static str>,
    /// What was kept that had to be given back, and what else is not as it should be.
    pub kept: Vec<String>,
}

impl Played {
    pub fn is_right(&self) -> bool {
        let as_wanted = match (&self.want, &self.got) {
            (&Want::Is { got, attempts, requests }, Ok(is)) => {
                (got, attempts, requests) == (&*is.got, is.attempts, is.requests)
            }
            (Want::Cannot(_), Err(_)) => true,
            _ => false,
        };
        as_wanted && self.kept.is_empty()
    }
}

/// The patterns around a call, each of which can be looked at.
pub struct Steps {
    pub limits: Limits,
    pub retry: Retry,
    pub budget: RetryBudget,
    pub breaker: CircuitBreaker,
    pub limiter: RateLimiter,
    pub time: TimeLimiterConfig,
    pub bulkhead: Bulkhead,
}

impl Cell {
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for fault in FAULTS {
            for how in fault.hows() {
                for caller in callers() {
                    for (http2, tls) in [(false, false), (false, true), (true, false), (true, true)]
                    {
                        cells.push(Self { fault, how, caller, http2, tls });
                    }
                }
            }
        }
        cells
    }

    /// About how long it takes.
    pub fn span(&self) -> Duration {
        self.fault.span(self.how)
    }

    fn want(&self) -> Want {
        match self.caller.cannot(self.http2) {
            Some(reason) => Want::Cannot(reason),
            None => self.fault.want(self.how, self.http2, self.caller.is_grpc()),
        }
    }

    pub fn play(self, servers: &Handle) -> Played {
        let want = self.want();
        if let Want::Cannot(reason) = want {
            return Played { cell: self, want, got: Err(reason), kept: Vec::new() };
        }
        let played = catch_unwind(AssertUnwindSafe(|| self.really_play(servers)));
        let (got, kept) = played.unwrap_or_else(|_| {
            (Outcome { got: "panicked".into(), attempts: 0, requests: 0 }, Vec::new())
        });
        Played { cell: self, want, got: Ok(got), kept }
    }

    fn really_play(self, servers: &Handle) -> (Outcome, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        static IDENTITY: LazyLock<Identity> = LazyLock::new(Identity::local);
        let identity = &*IDENTITY;
        let server = Arc::new(Server::start(self, servers, identity));
        let steps = Steps::new(self.fault.limits, self.how, server.clone());
        runtime.expect("a runtime for the client").block_on(async {
            let alpn = if self.http2 { Alpn::Http2 } else { Alpn::Http1 };
            let tls = self.tls.then(|| identity.client_config(alpn));
            let start = Instant::now();
            let got = self.caller.call(&steps, server.url.clone(), self.http2, tls).await;
            let took = start.elapsed();
            let attempts = steps.attempts();
            let mut kept = Vec::from_iter(steps.misjudged(&got));
            kept.extend(steps.kept(attempts));
            kept.extend(tasks().await);
            let pauses = self.fault.pause * u32::try_from(attempts.saturating_sub(1)).unwrap();
            if took < pauses {
                kept.push(format!("over after {took:?}, with pauses of {pauses:?}"));
            }
            let (requests, problems) = server.end().await;
            kept.extend(problems);
            (Outcome { got, attempts, requests }, kept)
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.http2 { "HTTP/2" } else { "HTTP/1.1" };
        let tls = if self.tls { "TLS" } else { "plain" };
        let Self { fault, how, caller, .. } = self;
        write!(f, "{} {how} {} {version} {tls}", fault.name, caller.name())
    }
}

impl Steps {
    /// Wide open: the faults are to pass them, and to leave nothing behind in them. The breaker is closed for
    /// what happens once, and half-open, with no verdict in sight, for what goes on.
    fn new(limits: Limits, how: How, server: Arc<Server>) -> Self {
        let budget = RetryBudget::new(1.0, 100).unwrap();
        let retry = RetryConfig::safe()
            .backoff(Backoff::fixed(Duration::from_millis(1)))
            .budget(budget.clone())
            .before_retry(move |_| server.come_up())
            .build();
        let state = if how == How::Once { State::Closed } else { State::HalfOpen };
        let breaker = CircuitBreakerConfig::builder()
            .minimum_number_of_calls(TRIALS)
            .permitted_calls_in_half_open(TRIALS)
            .initial_state(state)
            .build();
        let limiter = RateLimiterConfig::builder().limit_for_period(100).build();
        let bulkhead = BulkheadConfig::builder().max_concurrent_calls(1).build();
        Self {
            limits,
            retry: Retry::new("matrix", retry.unwrap()),
            budget,
            breaker: CircuitBreaker::new("matrix", breaker.unwrap()),
            limiter: RateLimiter::new("matrix", limiter.unwrap()),
            time: TimeLimiterConfig::builder().timeout(limits.attempt).build().unwrap(),
            bulkhead: Bulkhead::new("matrix", bulkhead.unwrap()),
        }
    }

    /// Attempts whose end the breaker has heard of.
    fn attempts(&self) -> u64 {
        let counters = self.breaker.counters();
        counters.successful + counters.failed + counters.ignored + counters.cancelled
    }

    /// What should be free and is not.
    fn kept(&self, attempts: u64) -> Vec<String> {
        let mut kept = Vec::new();
        let mut note = |what: &str, is: String, free: &str| {
            if is != free {
                kept.push(format!("{what}: {is}"));
            }
        };
        let bulkhead = self.bulkhead.metrics();
        note("bulkhead in flight", bulkhead.in_flight.to_string(), "0");
        note("bulkhead waiting", bulkhead.waiting.to_string(), "0");
        note("rate limiter waiting", self.limiter.metrics().waiting.to_string(), "0");
        note("retry budget in flight", format!("{:?}", self.budget.in_flight()), "(0, 0)");
        // Let in, and never heard of again.
        let begun = 1 + self.retry.metrics().retries;
        note("breaker pending", (begun - attempts).to_string(), "0");
        if self.breaker.state() == State::HalfOpen {
            let trials: Vec<_> = std::iter::from_fn(|| self.breaker.try_acquire().ok()).collect();
            let taken = u64::from(TRIALS) - trials.len() as u64;
            note("half-open trials under way", (taken - attempts).to_string(), "0");
        }
        kept
    }
}

impl Steps {
    /// Does the breaker say something else than the caller? A failure is also what breaks after its head.
    fn misjudged(&self, got: &str) -> Option<String> {
        let (successful, good) = (self.breaker.counters().successful, is_answer(got));
        (successful != u64::from(good)).then(|| format!("successes of the breaker: {successful}"))
    }
}

/// Did the caller get a good answer, as long as it was said to be?
fn is_answer(got: &str) -> bool {
    got == "whole" || got.starts_with('"')
}

/// Waits for the client's tasks to end, and tells of those that do not.
async fn tasks() -> Option<String> {
    let metrics = Handle::current().metrics();
    for _ in 0..400 {
        if metrics.num_alive_tasks() == 0 {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Some(format!("tasks alive: {}", metrics.num_alive_tasks()))
}

// ## The other side

type Script = Vec<Behaviour>;

/// The fault server, or the port where it is not yet.
struct Server {
    url: String,
    handle: Handle,
    side: Mutex<Side>,
}

enum Side {
    Up(FaultServer),
    /// A port on which connections are refused, and what comes up there if it does.
    Down(RefusedPort, Option<(Builder, Script)>),
    Gone,
}

impl Server {
    fn start(cell: Cell, handle: &Handle, identity: &Identity) -> Self {
        let _servers = handle.enter();
        let mut builder = FaultServer::builder();
        if cell.http2 {
            builder = builder.http2();
        }
        if cell.tls {
            builder = builder.tls(identity, if cell.http2 { Alpn::Http2 } else { Alpn::Http1 });
        }
        let (on_connect, script) = cell.fault.script(cell.how, cell.caller.is_grpc());
        let (url, side) = if cell.fault.is_refused {
            let port = RefusedPort::new();
            let url = port.url("/stock");
            let url = if cell.tls { url.replace("http:", "https:") } else { url };
            (url, Side::Down(port, (cell.how == How::Once).then_some((builder, script))))
        } else {
            let server = builder.on_connect(on_connect).start(sequence(script));
            (server.url("/stock"), Side::Up(server))
        };
        Self { url, handle: handle.clone(), side: Mutex::new(side) }
    }

    /// Before a retry: a server that was down for once comes up.
    fn come_up(&self) {
        let mut side = self.side.lock().unwrap();
        match std::mem::replace(&mut *side, Side::Gone) {
            Side::Down(port, Some((builder, script))) => {
                let _servers = self.handle.enter();
                *side = Side::Up(builder.at(port).start(sequence(script)));
            }
            other => *side = other,
        }
    }

    /// How many requests came, and what is wrong with it.
    async fn end(&self) -> (usize, Vec<String>) {
        let side = std::mem::replace(&mut *self.side.lock().unwrap(), Side::Gone);
        let Side::Up(server) = side else { return (0, Vec::new()) };
        let mut problems = server.mistakes();
        let closed = server.until(|counts| counts.open == 0 && counts.in_flight == 0);
        if tokio::time::timeout(Duration::from_secs(4), closed).await.is_err() {
            problems.push(format!("the server still has {:?}", server.counts()));
        }
        (server.counts().requests, problems)
    }
}
