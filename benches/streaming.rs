//! 1 GiB down and 1 GiB up through five steps, against the client without them.
//!
//! `cargo bench --bench streaming [-- --check]`. The three of a row (bare, through seawall, bare again) take turns slice
//! by slice, so that a drift of the machine hits all alike; a ratio is the median over the slices of the
//! throughput ratio within one turn. Memory is the most that the client's thread held at once above what it
//! held before the slice; the server runs on a thread of its own and is not counted. With `--check` the run
//! fails if a ratio is below 0.95 in each of three tries, or if seawall holds 4 MiB more than the bare client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seawall::http::{BufferedReplay, HttpClassifier, HttpReplay, ReplayBody};
use seawall::{
    AtBodyEnd, BulkheadConfig, CircuitBreakerConfig, Pipeline, RateLimiterConfig, RetryConfig,
    TimeLimiterConfig,
};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};
use tower::{Layer, ServiceExt};

const MIB: usize = 1024 * 1024;
const SLICE: usize = 8 * MIB;
const SLICES: usize = 1024 * MIB / SLICE;
const PIECE: usize = 64 * 1024;

const TRIES: usize = 3;
const LEAST_RATIO: f64 = 0.95;
const MOST_MEMORY: u64 = 4 * MIB as u64;

type Boxed = BoxBody<Bytes, Infallible>;
type Transfer = Box<dyn Fn() -> Pin<Box<dyn Future<Output = usize>>>>;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    // Under `cargo test --benches` each row is only shown to run.
    let slices = if has("--bench") { SLICES } else { 2 };

    rustls::crypto::ring::default_provider().install_default().expect("it is the first one");
    let server = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{:<16}{:>12}{:>12}{:>9}{:>9}{:>14}{:>14}",
        "1 GiB", "bare MiB/s", "MiB/s", "ratio", "control", "bare KiB held", "KiB held"
    );
    let mut is_fine = true;
    for (name, make) in rows(server) {
        // On a busy machine a row may take more than one try.
        is_fine &= (0..TRIES).any(|_| report(name, &measured(&runtime, make.as_ref(), slices)));
    }
    if has("--check") && !is_fine {
        eprintln!("a ratio is below {LEAST_RATIO}, or more than {MOST_MEMORY} B are held");
        std::process::exit(1);
    }
}

fn measured(
    runtime: &tokio::runtime::Runtime,
    make: &dyn Fn() -> [Transfer; 3],
    slices: usize,
) -> [Lane; 3] {
    let _entered = runtime.enter();
    let mut row = make().map(Lane::new);
    // The first slice opens the connection, and is forgotten.
    row.iter_mut().for_each(|lane| lane.run(runtime));
    row = row.map(|lane| Lane::new(lane.transfer));
    for turn in 0..slices {
        // The order changes, so that none always comes after the same one.
        (0..3).for_each(|at| row[(turn + at) % 3].run(runtime));
    }
    row
}

/// One of the three that take turns.
struct Lane {
    transfer: Transfer,
    seconds: Vec<f64>,
    held: u64,
    left: i64,
}

impl Lane {
    const fn new(transfer: Transfer) -> Self {
        Self { transfer, seconds: Vec::new(), held: 0, left: 0 }
    }

    fn run(&mut self, runtime: &tokio::runtime::Runtime) {
        let mut taken = Duration::ZERO;
        let info = measure(|| {
            let began = Instant::now();
            assert_eq!(runtime.block_on((self.transfer)()), SLICE);
            taken = began.elapsed();
        });
        self.seconds.push(taken.as_secs_f64());
        self.held = self.held.max(info.bytes_max);
        self.left += info.bytes_current;
    }

    fn throughput(&self) -> f64 {
        SLICE as f64 / MIB as f64 / median(self.seconds.clone())
    }

    /// Times its own throughput is of the other's.
    fn ratio(&self, other: &Self) -> f64 {
        median(self.seconds.iter().zip(&other.seconds).map(|(own, other)| other / own).collect())
    }
}

fn report(name: &str, [bare, through, control]: &[Lane; 3]) -> bool {
    let (ratio, noise) = (through.ratio(bare), control.ratio(bare));
    println!(
        "{name:<16}{:>12.0}{:>12.0}{ratio:>9.3}{noise:>9.3}{:>14}{:>14}",
        bare.throughput(),
        through.throughput(),
        bare.held / 1024,
        through.held / 1024
    );
    // What is left after each of the slices adds up.
    let kept = u64::try_from(through.left - bare.left).unwrap_or(0);
    ratio >= LEAST_RATIO && through.held.saturating_sub(bare.held) + kept < MOST_MEMORY
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

// ## The clients

type Row = (&'static str, Box<dyn Fn() -> [Transfer; 3]>);

fn rows(server: SocketAddr) -> [Row; 4] {
    let url = format!("http://{server}/");
    let three = |make: fn(String, usize) -> Transfer| {
        let url = url.clone();
        Box::new(move || [0, 1, 2].map(|lane| make(url.clone(), lane))) as Box<_>
    };
    [
        ("reqwest, down", three(|url, lane| over_reqwest(url, lane == 1, Method::GET))),
        ("reqwest, up", three(|url, lane| over_reqwest(url, lane == 1, Method::PUT))),
        ("hyper, down", three(|url, lane| over_hyper(url, lane == 1, Method::GET))),
        ("hyper, up", three(|url, lane| over_hyper(url, lane == 1, Method::PUT))),
    ]
}

/// Five steps, and a deadline that holds into the body.
fn pipeline() -> Pipeline<HttpClassifier, AtBodyEnd, HttpReplay> {
    Pipeline::builder("streaming")
        .http()
        .deadline(Duration::from_secs(600))
        .retry(RetryConfig::safe())
        .circuit_breaker(CircuitBreakerConfig::safe())
        .rate_limiter(RateLimiterConfig::builder().limit_for_period(1_000_000))
        .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_secs(60)))
        .bulkhead(BulkheadConfig::builder())
        .build()
        .unwrap()
}

/// A body that nobody can clone, and that is larger than what is kept. Each piece has memory of its own.
fn pieces() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + Sync {
    stream::iter((0..SLICE / PIECE).map(|_| Ok(Bytes::from(vec![b'.'; PIECE]))))
}

fn streamed() -> Boxed {
    use futures_util::TryStreamExt;
    BodyExt::boxed(StreamBody::new(pieces().map_ok(Frame::data)))
}

fn over_reqwest(url: String, protected: bool, method: Method) -> Transfer {
    let plain = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never());
    let plain = plain.build().unwrap();
    let wrapped = seawall::reqwest::Client::wrap(plain.clone(), &pipeline());
    Box::new(move || {
        let mut request = plain.request(method.clone(), &url);
        if method == Method::PUT {
            request = request.body(reqwest::Body::wrap_stream(pieces()));
        }
        let (request, plain, wrapped) = (request.build().unwrap(), plain.clone(), wrapped.clone());
        let sends = method == Method::PUT;
        Box::pin(async move {
            let response = if protected {
                wrapped.execute(request).await.unwrap()
            } else {
                plain.execute(request).await.unwrap()
            };
            if sends {
                return response.text().await.unwrap().parse().unwrap();
            }
            read(reqwest::Body::from(response)).await
        })
    })
}

fn over_hyper(url: String, protected: bool, method: Method) -> Transfer {
    let builder = || Client::builder(TokioExecutor::new());
    let plain = builder().build_http::<Boxed>();
    let replay = BufferedReplay::default();
    let wrapped = with_replay(&replay).layer(builder().build_http::<ReplayBody<Boxed>>());
    Box::new(move || {
        let sends = method == Method::PUT;
        let body = if sends { streamed() } else { BoxBody::default() };
        let request = Request::builder().method(method.clone()).uri(&url).body(body).unwrap();
        let (plain, wrapped) = (plain.clone(), wrapped.clone());
        Box::pin(async move {
            if protected {
                finish(wrapped.oneshot(request).await.unwrap(), sends).await
            } else {
                finish(plain.request(request).await.unwrap(), sends).await
            }
        })
    })
}

fn with_replay(replay: &BufferedReplay) -> Pipeline<HttpClassifier, AtBodyEnd, BufferedReplay> {
    let five = pipeline();
    Pipeline::builder("streaming")
        .http()
        .replay(*replay)
        .deadline(Duration::from_secs(600))
        .retry(five.retry().unwrap().clone())
        .circuit_breaker(five.circuit_breaker().unwrap().clone())
        .rate_limiter(five.rate_limiter().unwrap().clone())
        .time_limiter(five.time_limiter().unwrap().clone())
        .bulkhead(five.bulkhead().unwrap().clone())
        .build()
        .unwrap()
}

async fn finish<B>(response: Response<B>, sends: bool) -> usize
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Debug,
{
    if !sends {
        return read(response.into_body()).await;
    }
    let said = response.into_body().collect().await.unwrap().to_bytes();
    std::str::from_utf8(&said).unwrap().parse().unwrap()
}

async fn read<B>(mut body: B) -> usize
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Debug,
{
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    length
}

// ## The server

/// On a thread and a runtime of its own: sends a slice to a GET, and counts what a PUT brings.
fn serve() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let http = Arc::new(hyper::server::conn::http1::Builder::new());
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        });
    });
    told.recv().unwrap()
}

async fn answer(request: Request<Incoming>) -> Result<Response<Boxed>, Infallible> {
    let body = if request.method() == Method::PUT {
        let length = read(request.into_body()).await;
        BodyExt::boxed(Full::from(length.to_string()))
    } else {
        streamed()
    };
    Ok(Response::new(body))
}
