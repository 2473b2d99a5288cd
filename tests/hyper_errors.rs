//! What hyper's errors are taken for: every way in which a connection fails, over HTTP/1.1 and HTTP/2, in clear
//! text and behind TLS.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use seawall::pipeline::HttpPipeline;
use seawall::telemetry::{CircuitBreakerEvent, Event, EventKind};
use seawall::{Cause, Pipeline, Step, TimeLimiterConfig};
use support::{Alpn, Behaviour, FaultServer, Identity, OnConnect, RefusedPort, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

use Cause::{Connect, Overloaded, Permanent, Reset, Timeout, Unprocessed};

const MS: Duration = Duration::from_millis(1);

type Causes = Arc<Mutex<Vec<Cause>>>;

/// One attempt, and why it failed.
fn pipeline() -> (HttpPipeline, Causes) {
    let pipeline = Pipeline::http("inventory")
        .without(Step::Retry)
        .time_limiter(TimeLimiterConfig::builder().timeout(MS * 1000))
        .build()
        .unwrap();
    let causes = Causes::default();
    let log = causes.clone();
    pipeline.observe(move |event: &Event<'_>| {
        if let EventKind::CircuitBreaker(CircuitBreakerEvent::Error { cause, .. }) = event.kind {
            log.lock().unwrap().push(cause);
        }
    });
    (pipeline, causes)
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// Sends one request and reads the answer to its end, which it must not come to.
async fn fails(url: &str, http2: bool) -> Cause {
    let (pipeline, causes) = pipeline();
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
    if let Ok(response) = pipeline.layer(client).oneshot(get(url)).await {
        response.into_body().collect().await.unwrap_err();
    }
    assert_eq!(pipeline.bulkhead().unwrap().metrics().in_flight, 0);
    let causes = causes.lock().unwrap();
    assert_eq!(causes.len(), 1, "{causes:?}");
    causes[0]
}

// ## In clear text

#[tokio::test]
async fn a_port_where_nobody_listens() {
    for http2 in [false, true] {
        assert_eq!(fails(&RefusedPort::new().url("/"), http2).await, Connect);
    }
}

#[tokio::test]
async fn before_the_head_over_http1() {
    for (behaviour, cause) in [
        (Behaviour::reset(), Reset),
        (Behaviour::close(), Reset),
        (Behaviour::half_head(), Reset),
        (Behaviour::raw("SSH-2.0-OpenSSH_9.6\r\n"), Reset),
        (Behaviour::hang(), Timeout),
    ] {
        let server = FaultServer::always(behaviour.clone());
        assert_eq!(fails(&server.url("/"), false).await, cause, "{behaviour:?}");
        server.until(|counts| counts.open == 0).await;
    }
}

#[tokio::test]
async fn before_the_head_over_http2() {
    for (behaviour, cause) in [
        (Behaviour::reset(), Reset),
        (Behaviour::close(), Reset),
        (Behaviour::hang(), Timeout),
        (Behaviour::refuse_stream(), Unprocessed),
        (Behaviour::reset_stream(h2::Reason::INTERNAL_ERROR), Reset),
        (Behaviour::reset_stream(h2::Reason::CANCEL), Reset),
        (Behaviour::reset_stream(h2::Reason::NO_ERROR), Reset),
        (Behaviour::reset_stream(h2::Reason::ENHANCE_YOUR_CALM), Overloaded),
        // One that has taken the request on.
        (Behaviour::go_away(h2::Reason::NO_ERROR), Reset),
        (Behaviour::go_away(h2::Reason::ENHANCE_YOUR_CALM), Reset),
        (Behaviour::go_away(h2::Reason::PROTOCOL_ERROR), Reset),
    ] {
        let script = behaviour.clone();
        let server = FaultServer::builder().http2().start(move |_, _| script.clone());
        assert_eq!(fails(&server.url("/"), true).await, cause, "{behaviour:?}");
    }
}

#[tokio::test]
async fn in_the_body() {
    let answer = || Behaviour::ok("half of it");
    for http2 in [false, true] {
        for (behaviour, cause) in [
            (answer().reset_after(4), Reset),
            (answer().close_after(4), Reset),
            (answer().chunked().reset_after(4), Reset),
            (answer().chunked().close_after(4), Reset),
            (answer().reset_after(0), Reset),
        ] {
            let script = behaviour.clone();
            let builder = FaultServer::builder();
            let builder = if http2 { builder.http2() } else { builder };
            let server = builder.start(move |_, _| script.clone());
            assert_eq!(fails(&server.url("/"), http2).await, cause, "{http2} {behaviour:?}");
        }
    }
}

#[tokio::test]
async fn on_a_connection_that_never_speaks() {
    for (decided, http2, cause) in [
        (OnConnect::Silence, false, Timeout),
        (OnConnect::Silence, true, Timeout),
        (OnConnect::GoAway(support::Http2Code::NO_ERROR), true, Unprocessed),
        (OnConnect::GoAway(support::Http2Code::ENHANCE_YOUR_CALM), true, Overloaded),
    ] {
        let builder = FaultServer::builder().on_connect(move |_| decided);
        let builder = if http2 { builder.http2() } else { builder };
        let server = builder.start(|_, _| Behaviour::echo());
        assert_eq!(fails(&server.url("/"), http2).await, cause, "{decided:?} {http2}");
    }
}

/// Whether the request has left by then is a matter of luck; an error of the backend it always is.
#[tokio::test]
async fn on_a_connection_that_ends_at_once() {
    for decided in [OnConnect::Reset, OnConnect::Close] {
        for http2 in [false, true] {
            let builder = FaultServer::builder().on_connect(move |_| decided);
            let builder = if http2 { builder.http2() } else { builder };
            let server = builder.start(|_, _| Behaviour::echo());
            let cause = fails(&server.url("/"), http2).await;
            assert!(
                matches!(cause, Reset | Unprocessed | Connect),
                "{decided:?} {http2} {cause:?}"
            );
        }
    }
}

/// HTTP/2 spoken to a server that does not speak it, and the other way round: such a server speaks first, which hyper may
/// see before the request has left.
#[tokio::test]
async fn where_the_wrong_version_is_spoken() {
    let old = FaultServer::always(Behaviour::echo());
    assert_eq!(fails(&old.url("/"), true).await, Reset);
    let new = FaultServer::builder().http2().start(|_, _| Behaviour::echo());
    let cause = fails(&new.url("/"), false).await;
    assert!(matches!(cause, Reset | Unprocessed), "{cause:?}");
}

// ## Behind TLS

async fn fails_behind_tls(url: &str, tls: rustls::ClientConfig, http2: bool) -> Cause {
    let (pipeline, causes) = pipeline();
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
    let connector =
        if http2 { connector.enable_http2().build() } else { connector.enable_http1().build() };
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build(connector);
    pipeline.layer(client).oneshot(get(url)).await.unwrap_err();
    let causes = causes.lock().unwrap();
    assert_eq!(causes.len(), 1, "{causes:?}");
    causes[0]
}

/// It takes the handshake for nonsense and says so.
async fn a_server_without_tls() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    address
}

#[tokio::test]
async fn handshakes_that_fail() {
    let identity = Identity::local();
    let trusting = || identity.client_config(Alpn::Silent);
    for http2 in [false, true] {
        let alpn = if http2 { Alpn::Http2 } else { Alpn::Http1 };
        let start = |identity: &Identity, decided| {
            FaultServer::builder()
                .tls(identity, alpn)
                .on_connect(move |_| decided)
                .start(|_, _| Behaviour::echo())
        };
        let fails = async |server: &FaultServer| {
            fails_behind_tls(&server.url("/"), trusting(), http2).await
        };
        // Nothing that another try would change.
        assert_eq!(fails(&start(&Identity::local(), OnConnect::Serve)).await, Permanent);
        let elsewhere = Identity::new(&["example.org"]);
        let tls = elsewhere.client_config(Alpn::Silent);
        let url = start(&elsewhere, OnConnect::Serve);
        assert_eq!(fails_behind_tls(&url.url("/"), tls, http2).await, Permanent);
        let url = format!("https://{}/", a_server_without_tls().await);
        assert_eq!(fails_behind_tls(&url, trusting(), http2).await, Permanent);
        // A server that is starting, or too busy.
        assert_eq!(fails(&start(&identity, OnConnect::Reset)).await, Connect);
        assert_eq!(fails(&start(&identity, OnConnect::Close)).await, Connect);
        assert_eq!(fails(&start(&identity, OnConnect::Silence)).await, Timeout);
        let refused = RefusedPort::new().url("/").replace("http:", "https:");
        assert_eq!(fails_behind_tls(&refused, trusting(), http2).await, Connect);
    }
}

#[tokio::test]
async fn behind_tls_a_connection_that_stands_breaks_as_any_other() {
    let identity = Identity::local();
    for (alpn, http2) in [(Alpn::Http1, false), (Alpn::Http2, true)] {
        for (behaviour, cause) in
            [(Behaviour::reset(), Reset), (Behaviour::close(), Reset), (Behaviour::hang(), Timeout)]
        {
            let script = behaviour.clone();
            let server =
                FaultServer::builder().tls(&identity, alpn).start(move |_, _| script.clone());
            let tls = identity.client_config(Alpn::Silent);
            let found = fails_behind_tls(&server.url("/"), tls, http2).await;
            assert_eq!(found, cause, "{http2} {behaviour:?}");
        }
    }
}
