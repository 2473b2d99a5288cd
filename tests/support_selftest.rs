//! The fault server does what its behaviours say: real clients on loopback see it.

mod support;

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{
    Alpn, Behaviour, FaultServer, Gate, Http2Code, Identity, OnConnect, RefusedPort, Tls,
    install_provider, sequence,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Plain = Client<HttpConnector, Full<Bytes>>;

fn client() -> Plain {
    Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http()
}

fn http2_client() -> Plain {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.retry_canceled_requests(false).http2_only(true).build_http()
}

async fn get(client: &Plain, server: &FaultServer) -> Result<Response<Incoming>, Error> {
    send(client, server, Method::GET, "").await
}

async fn send(
    client: &Plain,
    server: &FaultServer,
    method: Method,
    body: &'static str,
) -> Result<Response<Incoming>, Error> {
    let request = Request::builder().method(method).uri(server.url("/stock?of=tea"));
    client.request(request.header("tint", "green").body(Full::from(body)).unwrap()).await
}

async fn text(response: Response<Incoming>) -> Result<String, hyper::Error> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the body brings before it breaks, and how it breaks.
async fn broken(mut response: Response<Incoming>) -> (String, hyper::Error) {
    let mut got = Vec::new();
    loop {
        match response.frame().await.expect("a body that breaks") {
            Ok(frame) => got.extend(frame.into_data().expect("data")),
            Err(error) => return (String::from_utf8(got).unwrap(), error),
        }
    }
}

fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    // h2 does not name the I/O error as its source.
    let h2 = find::<h2::Error>(error).and_then(h2::Error::get_io);
    find::<std::io::Error>(error).or(h2).map(std::io::Error::kind)
}

fn is_incomplete(error: &(dyn StdError + 'static)) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_incomplete_message)
}

// ## Whole answers

#[tokio::test]
async fn answers_follow_the_script_over_one_connection() {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let server = FaultServer::sequence([
        Behaviour::unavailable(7).body("closed"),
        support::unavailable_until(now + Duration::from_secs(90), now),
        Behaviour::status(404).header("set-cookie", "a=1").header("set-cookie", "b=2"),
        Behaviour::no_content(),
        Behaviour::ok("tea"),
    ]);
    let client = client();

    let response = get(&client, &server).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    assert_eq!(text(response).await.unwrap(), "closed");

    let response = get(&client, &server).await.unwrap();
    assert_eq!(response.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    assert_eq!(response.headers()["retry-after"], "Tue, 14 Nov 2023 22:14:50 GMT");

    let response = get(&client, &server).await.unwrap();
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.headers()["content-length"], "0");

    let response = get(&client, &server).await.unwrap();
    assert_eq!((response.status().as_u16(), text(response).await.unwrap().as_str()), (204, ""));

    for _ in 0..2 {
        assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap(), "tea");
    }
    let counts = server.until(|counts| counts.in_flight == 0).await;
    assert_eq!((counts.requests, counts.connections, counts.open), (6, 1, 1));
}

#[tokio::test]
async fn the_script_sees_the_request_and_echo_gives_it_back() {
    let server = FaultServer::start(|request, n| match request.uri.path() {
        "/stock" => Behaviour::echo(),
        path => panic!("request {n} is for {path}"),
    });
    let response = send(&client(), &server, Method::PUT, "some leaves").await.unwrap();
    assert_eq!(response.headers()["echo-method"], "PUT");
    assert_eq!(response.headers()["echo-target"], "/stock?of=tea");
    assert_eq!(response.headers()["echo-header-tint"], "green");
    assert_eq!(text(response).await.unwrap(), "some leaves");
    let [seen] = server.seen().try_into().unwrap();
    assert_eq!((seen.method, seen.body, seen.connection), (Method::PUT, "some leaves".into(), 0));
}

#[tokio::test]
async fn a_chunked_request_is_read_with_its_trailers() {
    let server = FaultServer::always(Behaviour::echo());
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let request = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\ntea\r\nb\r\n and coffee\r\n0\r\nsum: 14\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\ntea and coffee"), "{answer}");
    assert_eq!(server.seen()[0].trailers.as_ref().unwrap()["sum"], "14");
}

/// What comes back for these bytes before the connection ends.
async fn answer_to(server: &FaultServer, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(ms(2_000), stream.read_to_end(&mut answer)).await.expect("an end").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn chunk_extensions_bare_line_feeds_and_empty_lines_are_read_over() {
    let server = FaultServer::always(Behaviour::echo());
    let request = "\r\nPOST / HTTP/1.1\nTransfer-Encoding: chunked\nConnection: keep-alive, Close\n\n\
                   3;sum=14\r\ntea\r\n0\r\n\r\n";
    let answer = answer_to(&server, request).await;
    assert!(answer.ends_with("\r\n\r\ntea"), "{answer}");
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_before_it_sends_the_body() {
    let server = FaultServer::always(Behaviour::echo());
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    timeout(ms(2_000), stream.read_exact(&mut interim)).await.expect("an answer").unwrap();
    assert_eq!(interim.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"tea").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\ntea"), "{answer}");
}

#[tokio::test]
async fn connections_end_when_the_client_wants_it() {
    let server = FaultServer::always(Behaviour::ok("tea"));
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n"] {
        assert!(answer_to(&server, request).await.ends_with("tea"));
    }
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await.unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
    }
    assert_eq!(server.seen()[0].version, Version::HTTP_10);
}

#[tokio::test]
async fn what_is_no_http_gets_a_400_and_does_not_reach_the_script() {
    let server = FaultServer::always(Behaviour::ok("tea"));
    for request in [
        "tea please\r\n\r\n",
        "GET / HTTP/3.7\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: -3\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nmuch\r\n",
        &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000)),
    ] {
        let answer = answer_to(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(server.until(|counts| counts.open == 0).await.requests, 0);
    assert_eq!(server.mistakes(), [""; 0]);
}

// ## Mistakes of the script

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<String>().unwrap()
}

#[tokio::test]
async fn a_script_that_panics_answers_500_and_fails_the_test() {
    for (http2, client) in [(false, client()), (true, http2_client())] {
        let builder = FaultServer::builder();
        let builder = if http2 { builder.http2() } else { builder };
        let server = builder.start(|_, n| match n {
            0 => panic!("no tea for {n}"),
            _ => Behaviour::ok("tea"),
        });
        let response = get(&client, &server).await.unwrap();
        assert_eq!(response.status(), 500);
        let told = "the script panicked at request 0: no tea for 0";
        assert_eq!(text(response).await.unwrap(), told);
        assert_eq!(server.mistakes(), [told]);
        // It goes on.
        sleep(ms(5)).await;
        while get(&client, &server).await.is_err() {}
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(server)));
        assert!(text_of(&*dropped.unwrap_err()).contains(told));
    }
}

#[tokio::test]
async fn what_the_protocol_does_not_have_is_told() {
    let http1 = [Behaviour::refuse_stream(), Behaviour::ok("tea").reset_stream_after(1, 2_u32)];
    for (behaviour, http2) in
        http1.map(|it| (it, false)).into_iter().chain([(Behaviour::half_head(), true)])
    {
        let builder = FaultServer::builder();
        let builder = if http2 { builder.http2() } else { builder };
        let server = builder.start(sequence([behaviour]));
        let client = if http2 { http2_client() } else { client() };
        let response = get(&client, &server).await.unwrap();
        assert_eq!(response.status(), 500);
        let told = text(response).await.unwrap();
        assert!(
            told.starts_with(if http2 { "HTTP/2 has no Raw" } else { "HTTP/1.1 has no " }),
            "{told}"
        );
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(server))).unwrap_err();
    }
}

#[tokio::test]
async fn a_connection_script_that_panics_closes_that_connection_and_no_other() {
    let server = FaultServer::builder()
        .on_connect(|n| if n == 0 { panic!("no tea") } else { OnConnect::Serve })
        .start(|_, _| Behaviour::ok("tea"));
    let client = client();
    get(&client, &server).await.unwrap_err();
    assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap(), "tea");
    assert_eq!(server.mistakes(), ["the script panicked at connection 0: no tea"]);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(server))).unwrap_err();
}

#[tokio::test]
#[should_panic = "a sequence of no behaviours"]
async fn a_sequence_of_nothing_is_refused_at_once() {
    let _ = FaultServer::sequence([]);
}

#[tokio::test]
#[should_panic = "99 is no status"]
async fn a_status_that_is_none_is_refused_at_once() {
    let _ = Behaviour::status(99);
}

#[tokio::test(start_paused = true)]
#[should_panic = "not reached"]
async fn waiting_for_what_does_not_come_ends_on_the_clock_on_the_wall() {
    let server = FaultServer::always(Behaviour::ok("tea"));
    server.until(|counts| counts.requests == 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_paused_clock_stands_still_while_a_request_is_waited_for() {
    let server = FaultServer::always(Behaviour::ok("tea").delayed(Duration::from_secs(3_600)));
    let start = Instant::now();
    let url = server.url("/");
    let call = tokio::spawn(async move { client().get(url.parse().unwrap()).await });
    server.until(|counts| counts.in_flight == 1).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    call.await.unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_secs(3_600));
}

#[tokio::test]
async fn accepted_connections_can_be_wrapped_and_refused() {
    let server = FaultServer::builder()
        .accept_with(|mut socket| async move {
            // A header of its own, before any HTTP.
            let mut first = [0];
            socket.read_exact(&mut first).await?;
            if first != *b"+" {
                return Err(ErrorKind::InvalidData.into());
            }
            Ok(seawall::testing::server::Accepted::new(socket).server_name(Some("plus")))
        })
        .start(|_, _| Behaviour::ok("tea"));
    let answer = answer_to(&server, "+GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("tea"), "{answer}");
    assert_eq!(server.seen()[0].server_name.as_deref(), Some("plus"));
    assert_eq!(answer_to(&server, "-").await, "");
    assert_eq!(server.until(|counts| counts.open == 0).await.requests, 1);
}

#[tokio::test]
async fn a_redirect_says_where_to() {
    let server = FaultServer::start(|request, _| match request.uri.path() {
        "/stock" => Behaviour::redirect(307, "/cellar"),
        _ => Behaviour::ok("tea"),
    });
    install_provider();
    let text = reqwest::get(server.url("/stock")).await.unwrap().text().await.unwrap();
    assert_eq!((text.as_str(), server.counts().requests), ("tea", 2));
}

#[tokio::test]
async fn a_head_request_gets_the_head_alone() {
    let server = FaultServer::always(Behaviour::ok("tea"));
    let client = client();
    for _ in 0..2 {
        let response = send(&client, &server, Method::HEAD, "").await.unwrap();
        assert_eq!(response.headers()["content-length"], "3");
        assert_eq!(text(response).await.unwrap(), "");
    }
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test]
async fn a_big_body_comes_whole() {
    let server = FaultServer::always(Behaviour::big(1_000_000).with_status(207));
    let response = get(&client(), &server).await.unwrap();
    assert_eq!(response.status(), 207);
    assert_eq!(response.headers()["content-length"], "1000000");
    assert_eq!(text(response).await.unwrap().len(), 1_000_000);
}

#[tokio::test]
async fn trailers_follow_the_body() {
    let server = FaultServer::always(Behaviour::ok("tea").trailer("sum", "3"));
    let response = get(&client(), &server).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["sum"], "3");
    assert_eq!(collected.to_bytes(), "tea");
}

// ## Slow answers

#[tokio::test]
async fn a_delay_comes_before_the_head() {
    let server = FaultServer::always(Behaviour::ok("tea").delayed(ms(40)));
    let start = Instant::now();
    get(&client(), &server).await.unwrap();
    assert!(start.elapsed() >= ms(40));
}

#[tokio::test]
async fn a_gate_holds_answers_until_it_lets_them_go() {
    let gate = Gate::shut();
    let server = FaultServer::always(Behaviour::ok("tea").held(&gate));
    let client = client();
    let mut first = Box::pin(get(&client, &server));
    let mut second = Box::pin(get(&client, &server));
    let both_in = server.until(|counts| counts.in_flight == 2);
    tokio::select! {
        _ = &mut first => panic!("the gate is shut"),
        _ = &mut second => panic!("the gate is shut"),
        _ = both_in => {}
    }
    gate.release(1);
    let other = tokio::select! { _ = &mut first => second, _ = &mut second => first };
    assert_eq!(server.until(|counts| counts.in_flight < 2).await.in_flight, 1);
    gate.open();
    other.await.unwrap();
    get(&client, &server).await.unwrap();
}

#[tokio::test]
async fn a_hanging_request_ends_with_its_client() {
    let server = FaultServer::always(Behaviour::hang());
    assert!(timeout(ms(40), get(&client(), &server)).await.is_err());
    server.until(|counts| counts.in_flight == 0 && counts.open == 0).await;
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn a_body_can_hang_after_some_bytes() {
    let server = FaultServer::always(Behaviour::ok("tea and coffee").hang_after(3));
    let mut response = get(&client(), &server).await.unwrap();
    assert_eq!(response.headers()["content-length"], "14");
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "tea");
    assert!(timeout(ms(40), response.frame()).await.is_err());
    drop(response);
    server.until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn a_gate_can_hold_the_rest_of_a_body() {
    for (http2, client) in [(false, client()), (true, http2_client())] {
        let gate = Gate::shut();
        let builder = FaultServer::builder();
        let builder = if http2 { builder.http2() } else { builder };
        let server =
            builder.start(sequence([Behaviour::ok("tea and coffee").held_after(3, &gate)]));
        let mut response = get(&client, &server).await.unwrap();
        assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "tea");
        assert!(timeout(ms(20), response.frame()).await.is_err());
        gate.open();
        assert_eq!(text(response).await.unwrap(), " and coffee");
    }
}

#[tokio::test]
async fn a_body_can_trickle() {
    let server = FaultServer::always(Behaviour::ok("abcdefgh").trickle(3, ms(20)));
    let start = Instant::now();
    let mut response = get(&client(), &server).await.unwrap();
    let mut pieces = Vec::new();
    while let Some(frame) = response.frame().await {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(pieces, ["abc", "def", "gh"]);
    assert!(start.elapsed() >= ms(40));
}

#[tokio::test]
async fn an_endless_body_goes_on_until_it_is_dropped() {
    let server = FaultServer::always(Behaviour::endless("tea".repeat(1000), Duration::ZERO));
    let mut response = get(&client(), &server).await.unwrap();
    let mut bytes = 0;
    while bytes < 300_000 {
        bytes += response.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    drop(response);
    server.until(|counts| counts.in_flight == 0 && counts.open == 0).await;
}

// ## Broken answers

#[tokio::test]
async fn the_connection_can_be_reset_before_the_head() {
    let server = FaultServer::always(Behaviour::reset());
    let error = get(&client(), &server).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    assert!(!error.is_connect());
    server.until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn the_connection_can_be_closed_before_and_inside_the_head() {
    let server = FaultServer::sequence([Behaviour::close(), Behaviour::half_head()]);
    let client = client();
    assert!(is_incomplete(&get(&client, &server).await.unwrap_err()));
    assert!(is_incomplete(&get(&client, &server).await.unwrap_err()));
    assert_eq!(server.counts().requests, 2);
}

#[tokio::test]
async fn an_answer_can_be_no_http_at_all() {
    let server = FaultServer::always(Behaviour::raw("tea? certainly!\r\n\r\n"));
    let error = get(&client(), &server).await.unwrap_err();
    assert!(find::<hyper::Error>(&error).unwrap().is_parse(), "{error:?}");
}

#[tokio::test]
async fn the_connection_can_be_reset_inside_the_body() {
    for body in [Behaviour::ok("tea and coffee"), Behaviour::ok("tea and coffee").chunked()] {
        let server = FaultServer::always(body.reset_after(3));
        let (got, error) = broken(get(&client(), &server).await.unwrap()).await;
        assert_eq!(got, "tea");
        assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn the_connection_can_be_closed_inside_the_body() {
    for body in [Behaviour::ok("tea and coffee"), Behaviour::ok("tea and coffee").chunked()] {
        let server = FaultServer::always(body.close_after(3));
        let (got, error) = broken(get(&client(), &server).await.unwrap()).await;
        assert_eq!(got, "tea");
        assert_ne!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn a_content_length_can_lie_both_ways() {
    let server = FaultServer::sequence([
        Behaviour::ok("tea").claims_length(9),
        Behaviour::ok("tea and coffee").claims_length(3),
    ]);
    let (got, error) = broken(get(&client(), &server).await.unwrap()).await;
    assert_eq!(got, "tea");
    assert_ne!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    let response = get(&client(), &server).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "tea");
}

// ## Connections

#[tokio::test]
async fn the_idle_connection_can_close_after_each_answer() {
    let server = FaultServer::always(Behaviour::ok("tea").then_close());
    let client = client();
    for n in 1..=3 {
        let response = get(&client, &server).await.unwrap();
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(text(response).await.unwrap(), "tea");
        assert_eq!(server.until(|counts| counts.open == 0).await.connections, n);
        // The client has to hear of it, or it would use the dead connection.
        sleep(ms(5)).await;
    }
}

#[tokio::test]
async fn the_idle_connection_can_close_later() {
    let server = FaultServer::always(Behaviour::ok("tea").then_close_after(ms(30)));
    let client = client();
    text(get(&client, &server).await.unwrap()).await.unwrap();
    let counts = server.until(|counts| counts.in_flight == 0).await;
    assert_eq!(counts.open, 1);
    server.until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn a_close_can_be_announced() {
    let server = FaultServer::always(Behaviour::ok("tea").announce_close());
    let response = get(&client(), &server).await.unwrap();
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(text(response).await.unwrap(), "tea");
    server.until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn a_connection_can_be_reset_closed_or_left_in_silence() {
    let script = |n| [OnConnect::Reset, OnConnect::Close, OnConnect::Silence, OnConnect::Serve][n];
    let server = FaultServer::builder().on_connect(script).start(|_, _| Behaviour::ok("tea"));
    let client = client();
    let error = get(&client, &server).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    assert!(get(&client, &server).await.is_err());
    assert!(timeout(ms(30), get(&client, &server)).await.is_err());
    assert_eq!(server.counts().requests, 0);
    assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap(), "tea");
    assert_eq!(server.counts().connections, 4);
}

#[tokio::test]
async fn a_refused_port_refuses() {
    let port = RefusedPort::new();
    let request = Request::get(port.url("/")).body(Full::default()).unwrap();
    let error = client().request(request).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn a_server_can_come_up_where_connections_were_refused() {
    let port = RefusedPort::new();
    let (url, client) = (port.url("/"), client());
    let request = || Request::get(&url).body(Full::default()).unwrap();
    assert!(client.request(request()).await.unwrap_err().is_connect());
    let server = FaultServer::builder().at(port).start(|_, _| Behaviour::ok("tea"));
    assert_eq!(server.url("/"), url);
    assert_eq!(text(client.request(request()).await.unwrap()).await.unwrap(), "tea");
}

#[tokio::test]
async fn a_dropped_server_takes_its_connections_along() {
    let server = FaultServer::always(Behaviour::hang());
    let client = client();
    let call = tokio::spawn({
        let request = Request::get(server.url("/")).body(Full::default()).unwrap();
        let client = client.clone();
        async move { client.request(request).await }
    });
    server.until(|counts| counts.in_flight == 1).await;
    let request = Request::get(server.url("/")).body(Full::default()).unwrap();
    drop(server);
    assert!(is_incomplete(&call.await.unwrap().unwrap_err()));
    assert_eq!(
        io_kind(&client.request(request).await.unwrap_err()),
        Some(ErrorKind::ConnectionRefused)
    );
}

#[tokio::test]
async fn an_answer_can_come_before_the_request_is_over() {
    let server = FaultServer::builder().answers_early().start(|request, _| {
        assert!(request.body.is_empty());
        Behaviour::status(413).announce_close()
    });
    let body = Full::from(vec![b'.'; 4_000_000]);
    let request = Request::post(server.url("/")).body(body).unwrap();
    assert_eq!(client().request(request).await.unwrap().status(), 413);
}

// ## Tunnels

#[tokio::test]
async fn a_connection_can_be_upgraded() {
    let server = FaultServer::always(Behaviour::upgrade("tea"));
    let request =
        Request::get(server.url("/")).header("connection", "upgrade").header("upgrade", "tea");
    let response = client().request(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["upgrade"], "tea");
    echoes(response).await;
    server.until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn a_tunnel_can_be_opened_in_both_versions() {
    for (http2, client) in [(false, client()), (true, http2_client())] {
        let builder = FaultServer::builder();
        let builder = if http2 { builder.http2() } else { builder };
        let server = builder.start(|_, _| Behaviour::tunnel());
        let request = Request::connect(server.url("")).body(Full::default()).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        echoes(response).await;
        server.until(|counts| counts.in_flight == 0).await;
    }
}

async fn echoes(response: Response<Incoming>) {
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for word in ["milk", "tart"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut back = [0; 4];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, word.as_bytes());
    }
}

// ## HTTP/2

fn http2_server(behaviours: impl Into<Vec<Behaviour>>) -> FaultServer {
    FaultServer::builder().http2().start(sequence(behaviours))
}

fn h2_error<'e>(error: &'e (dyn StdError + 'static)) -> &'e h2::Error {
    find(error).unwrap_or_else(|| panic!("not of h2: {error:?}"))
}

#[tokio::test]
async fn http2_brings_answers_trailers_and_slow_bodies() {
    let server = http2_server([
        Behaviour::echo(),
        Behaviour::unavailable(7),
        Behaviour::ok("tea").trailer("sum", "3"),
        Behaviour::ok("abcdefgh").trickle(3, ms(10)),
        Behaviour::big(300_000),
        Behaviour::no_content(),
    ]);
    let client = http2_client();
    let response = send(&client, &server, Method::POST, "some leaves").await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.headers()["echo-method"], "POST");
    assert_eq!(text(response).await.unwrap(), "some leaves");
    let response = get(&client, &server).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
    let collected = get(&client, &server).await.unwrap().into_body().collect().await.unwrap();
    let trailers: &HeaderMap = collected.trailers().unwrap();
    assert_eq!(trailers["sum"], "3");
    let start = Instant::now();
    assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap(), "abcdefgh");
    assert!(start.elapsed() >= ms(20));
    assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap().len(), 300_000);
    assert_eq!(get(&client, &server).await.unwrap().status(), 204);
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test]
async fn http2_streams_can_be_refused_and_reset_and_the_connection_lives() {
    let server = http2_server([
        Behaviour::refuse_stream(),
        Behaviour::reset_stream(h2::Reason::INTERNAL_ERROR),
        Behaviour::ok("tea"),
    ]);
    let client = http2_client();
    for reason in [h2::Reason::REFUSED_STREAM, h2::Reason::INTERNAL_ERROR] {
        let error = get(&client, &server).await.unwrap_err();
        let error = h2_error(&error);
        assert!(error.is_reset() && error.is_remote());
        assert_eq!(error.reason(), Some(reason));
    }
    get(&client, &server).await.unwrap();
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test]
async fn http2_streams_can_be_reset_inside_the_body_and_the_connection_lives() {
    let broken_off = Behaviour::ok("tea and coffee");
    let server = http2_server([
        broken_off.reset_stream_after(3, Http2Code::ENHANCE_YOUR_CALM),
        Behaviour::ok("tea"),
    ]);
    let client = http2_client();
    let (got, error) = broken(get(&client, &server).await.unwrap()).await;
    assert_eq!(got, "tea");
    assert_eq!(h2_error(&error).reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
    get(&client, &server).await.unwrap();
    assert_eq!(server.counts().connections, 1);
}

// A client learns of this GOAWAY that its request may have been worked on, and fails only when the
// connection ends.
#[tokio::test]
async fn http2_can_go_away_from_a_request_that_it_took_on() {
    for reason in [h2::Reason::NO_ERROR, h2::Reason::ENHANCE_YOUR_CALM] {
        let server = http2_server([Behaviour::go_away(reason), Behaviour::ok("tea")]);
        let client = http2_client();
        let error = get(&client, &server).await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::BrokenPipe), "{error:?}");
        server.until(|counts| counts.open == 0).await;
        get(&client, &server).await.unwrap();
        assert_eq!(server.counts().connections, 2);
    }
}

#[tokio::test]
async fn http2_can_go_away_from_a_request_that_it_did_not_take_on() {
    let away = |n| if n == 0 { OnConnect::GoAway(Http2Code::NO_ERROR) } else { OnConnect::Serve };
    let server = FaultServer::builder().http2().on_connect(away).start(|_, _| Behaviour::ok("tea"));
    let client = http2_client();
    let error = get(&client, &server).await.unwrap_err();
    let away = h2_error(&error);
    assert!(away.is_go_away() && away.is_remote(), "{away:?}");
    assert_eq!(away.reason(), Some(h2::Reason::NO_ERROR));
    assert_eq!(server.counts().requests, 0);
    get(&client, &server).await.unwrap();
}

#[tokio::test]
async fn http2_can_announce_its_close_and_lets_streams_finish() {
    let gate = Gate::shut();
    let server = http2_server([
        Behaviour::ok("slow").held(&gate),
        Behaviour::ok("tea").announce_close(),
        Behaviour::ok("more"),
    ]);
    let client = http2_client();
    let slow = tokio::spawn({
        let (client, url) = (client.clone(), server.url("/"));
        async move { client.get(url.parse().unwrap()).await }
    });
    server.until(|counts| counts.in_flight == 1).await;
    assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap(), "tea");
    // The client's pool still offers the connection that goes away; the request is not sent over it.
    sleep(ms(5)).await;
    assert!(find::<hyper::Error>(&get(&client, &server).await.unwrap_err()).unwrap().is_canceled());
    assert_eq!(text(get(&client, &server).await.unwrap()).await.unwrap(), "more");
    assert_eq!(server.counts().connections, 2);
    gate.open();
    assert_eq!(text(slow.await.unwrap().unwrap()).await.unwrap(), "slow");
    server.until(|counts| counts.open == 1).await;
}

#[tokio::test]
async fn http2_connections_can_be_reset_and_closed() {
    let server = http2_server([
        Behaviour::reset(),
        Behaviour::close(),
        Behaviour::ok("tea and coffee").reset_after(3),
        Behaviour::ok("tea and coffee").close_after(3),
    ]);
    let client = http2_client();
    let error = get(&client, &server).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
    assert!(get(&client, &server).await.is_err());
    let (got, error) = broken(get(&client, &server).await.unwrap()).await;
    assert_eq!((got.as_str(), io_kind(&error)), ("tea", Some(ErrorKind::ConnectionReset)));
    let (got, _) = broken(get(&client, &server).await.unwrap()).await;
    assert_eq!(got, "tea");
    assert_eq!(server.until(|counts| counts.open == 0).await.connections, 4);
}

#[tokio::test]
async fn an_http2_request_that_is_given_up_leaves_the_connection() {
    let server = http2_server([
        Behaviour::hang(),
        Behaviour::ok("tea and coffee").hang_after(3),
        Behaviour::endless("tea", ms(1)),
    ]);
    let client = http2_client();
    assert!(timeout(ms(40), get(&client, &server)).await.is_err());
    server.until(|counts| counts.in_flight == 0).await;
    for _ in 0..2 {
        let mut response = get(&client, &server).await.unwrap();
        assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "tea");
        drop(response);
        server.until(|counts| counts.in_flight == 0).await;
    }
    assert_eq!((server.counts().connections, server.counts().open), (1, 1));
}

// ## TLS

fn reqwest_over(identity: &Identity, alpn: Alpn) -> reqwest::Client {
    let config = identity.client_config(alpn);
    reqwest::Client::builder().tls_backend_preconfigured(config).build().unwrap()
}

#[tokio::test]
async fn tls_speaks_what_alpn_says_and_sees_the_server_name() {
    let identity = Identity::new(&["inventory.test"]);
    let versions = [
        (Alpn::Http1, Version::HTTP_11),
        (Alpn::Silent, Version::HTTP_11),
        (Alpn::Http2, Version::HTTP_2),
        (Alpn::Both, Version::HTTP_2),
    ];
    for (alpn, version) in versions {
        let server = FaultServer::builder().tls(&identity, alpn).start(|_, _| Behaviour::echo());
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(identity.client_config(Alpn::Both))
            .resolve("inventory.test", server.address())
            .build()
            .unwrap();
        let url = format!("https://inventory.test:{}/", server.address().port());
        let response = client.post(url).body("some leaves").send().await.unwrap();
        assert_eq!(response.version(), version, "{alpn:?}");
        assert_eq!(response.text().await.unwrap(), "some leaves");
        assert_eq!(server.seen()[0].server_name.as_deref(), Some("inventory.test"));
    }
}

#[tokio::test]
async fn tls_behaves_as_badly_as_clear_text() {
    let identity = Identity::local();
    for alpn in [Alpn::Http1, Alpn::Http2] {
        let behaviours = [
            Behaviour::reset(),
            Behaviour::ok("tea and coffee").reset_after(3),
            Behaviour::ok("tea and coffee").close_after(3),
            Behaviour::ok("tea"),
        ];
        let server = FaultServer::builder().tls(&identity, alpn).start(sequence(behaviours));
        let client = reqwest_over(&identity, alpn);
        let error = client.get(server.url("/")).send().await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{alpn:?}: {error:?}");
        let error = client.get(server.url("/")).send().await.unwrap().bytes().await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{alpn:?}: {error:?}");
        let error = client.get(server.url("/")).send().await.unwrap().bytes().await.unwrap_err();
        assert_ne!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{alpn:?}: {error:?}");
        assert_eq!(client.get(server.url("/")).send().await.unwrap().text().await.unwrap(), "tea");
    }
}

#[tokio::test]
async fn tls_is_believed_by_nobody_else() {
    let identity = Identity::local();
    let server = FaultServer::builder().tls(&identity, Alpn::Both).start(|_, _| Behaviour::ok(""));
    let stranger = reqwest_over(&Identity::local(), Alpn::Both);
    let error = stranger.get(server.url("/")).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(server.counts().requests, 0);
}

#[tokio::test]
async fn a_tls_handshake_can_hang() {
    let identity = Identity::local();
    let builder = FaultServer::builder().tls(&identity, Alpn::Both);
    let server = builder.on_connect(|_| OnConnect::Silence).start(|_, _| Behaviour::ok(""));
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(identity.client_config(Alpn::Both))
        .connect_timeout(ms(30))
        .build()
        .unwrap();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(error.is_connect() && error.is_timeout(), "{error:?}");
    assert_eq!(server.counts().connections, 1);
}
