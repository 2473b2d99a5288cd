//! What reqwest does for its users goes on working behind a pipeline: cookies, redirects, decompression, bodies,
//! and all that a response tells.

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::StatusCode;
use seawall::pipeline::HttpPipeline;
use seawall::reqwest::{Body, Client, ClientBuilder, Response, multipart};
use seawall::{Backoff, Pipeline, RetryConfig};
use support::{Behaviour, FaultServer};

const MS: Duration = Duration::from_millis(1);

fn pipeline() -> HttpPipeline {
    let retry = RetryConfig::safe().backoff(Backoff::fixed(MS));
    Pipeline::http("inventory").retry(retry).build().unwrap()
}

fn builder(pipeline: &HttpPipeline) -> ClientBuilder {
    support::install_provider();
    Client::builder().pipeline(pipeline.clone()).no_proxy()
}

fn client(pipeline: &HttpPipeline) -> Client {
    builder(pipeline).build().unwrap()
}

/// Successes, failures, and calls whose response is not over yet.
fn counted(pipeline: &HttpPipeline) -> (u64, u64, u32) {
    let counters = pipeline.circuit_breaker().unwrap().counters();
    (counters.successful, counters.failed, pipeline.bulkhead().unwrap().metrics().in_flight)
}

// ## Cookies

#[tokio::test]
async fn a_cookie_of_a_failed_attempt_is_sent_with_the_next() {
    let server = FaultServer::sequence([
        Behaviour::status(503).header("set-cookie", "session=7; Path=/"),
        Behaviour::ok("42"),
    ]);
    let client = builder(&pipeline()).cookie_store(true).build().unwrap();
    for _ in 0..2 {
        client.get(server.url("/")).send().await.unwrap();
    }
    let cookies: Vec<_> =
        server.seen().iter().map(|seen| seen.headers.get("cookie").cloned()).collect();
    assert_eq!(cookies[0], None);
    assert_eq!(cookies[1].as_ref().unwrap(), "session=7", "in the attempt that follows");
    assert_eq!(cookies[2].as_ref().unwrap(), "session=7", "and in the next call");
}

#[tokio::test]
async fn a_response_tells_its_cookies() {
    let server = FaultServer::always(Behaviour::ok("42").header("set-cookie", "session=7"));
    let jar = std::sync::Arc::new(reqwest::cookie::Jar::default());
    let client = builder(&pipeline()).cookie_provider(jar.clone()).build().unwrap();
    let response = client.get(server.url("/")).send().await.unwrap();
    let told: Vec<_> = response.cookies().map(|it| it.value().to_owned()).collect();
    assert_eq!(told, ["7"]);
    let url = server.url("/").parse().unwrap();
    let kept = reqwest::cookie::CookieStore::cookies(&*jar, &url);
    assert_eq!(kept.unwrap(), "session=7");
}

// ## Redirects

#[tokio::test]
async fn a_307_sends_the_body_on_to_another_host() {
    let target = FaultServer::sequence([Behaviour::status(503), Behaviour::echo()]);
    let location = target.url("/new");
    let server =
        FaultServer::start(move |_, _| Behaviour::status(307).header("location", &location));
    let pipeline = pipeline();
    let request = client(&pipeline).put(server.url("/old")).body("all of it").bearer_auth("secret");
    let response = request.send().await.unwrap();
    assert_eq!(response.url().as_str(), target.url("/new"));
    assert_eq!(response.text().await.unwrap(), "all of it");
    // The retry begins where the call began.
    assert_eq!((server.counts().requests, target.counts().requests), (2, 2));
    assert!(target.seen().iter().all(|seen| seen.body == "all of it" && seen.method == "PUT"));
    // reqwest takes secrets away from strangers.
    assert!(server.seen().iter().all(|seen| seen.headers.contains_key("authorization")));
    assert!(target.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
    assert_eq!(counted(&pipeline), (1, 1, 0));
}

#[tokio::test]
async fn too_many_redirects_are_not_tried_again() {
    let server = FaultServer::always(Behaviour::status(302).header("location", "/again"));
    let policy = seawall::reqwest::redirect::Policy::limited(3);
    let client = builder(&pipeline()).redirect(policy).build().unwrap();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(error.service().unwrap().is_redirect(), "{error:#}");
    assert_eq!(server.counts().requests, 4);
}

#[tokio::test]
async fn a_client_that_follows_no_redirect_gets_it() {
    let server = FaultServer::always(Behaviour::status(302).header("location", "/new"));
    let policy = seawall::reqwest::redirect::Policy::none();
    let client = builder(&pipeline()).redirect(policy).build().unwrap();
    let response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!(
        (response.status(), response.headers()["location"].to_str().unwrap()),
        (StatusCode::FOUND, "/new")
    );
}

// ## Decompression

const PLAIN: &str = "seawall seawall seawall seawall seawall seawall seawall seawall ";

const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\x4e\x4d\x2c\x4f\xcc\xc9\x51\x28\x26\x93\x06\x00\x7e\x02\xd2\x4e\x40\x00\x00\x00";
const ZLIB: &[u8] = b"\x78\x9c\x2b\x4e\x4d\x2c\x4f\xcc\xc9\x51\x28\x26\x93\x06\x00\x1d\xed\x18\x49";

/// A stored metablock, as the format allows.
fn brotli() -> Vec<u8> {
    let header = (u32::try_from(PLAIN.len()).unwrap() - 1) << 4 | 1 << 20;
    [&header.to_le_bytes()[..3], PLAIN.as_bytes(), &[3]].concat()
}

/// A stored block in a frame of one segment, as the format allows.
fn zstd() -> Vec<u8> {
    let length = u8::try_from(PLAIN.len()).unwrap();
    let block = (u32::from(length) << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, length], &block[..3], PLAIN.as_bytes()].concat()
}

#[tokio::test]
async fn bodies_are_decompressed_and_keep_their_call_alive_to_their_end() {
    let coded =
        [("gzip", GZIP.to_vec()), ("deflate", ZLIB.to_vec()), ("br", brotli()), ("zstd", zstd())];
    for (coding, body) in coded {
        let server = FaultServer::always(Behaviour::ok(body).header("content-encoding", coding));
        let pipeline = pipeline();
        let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
        let asked = server.seen()[0].headers["accept-encoding"].to_str().unwrap().to_owned();
        assert!(asked.contains(coding), "{asked}");
        // reqwest takes away what no longer holds.
        assert_eq!(response.content_length(), None, "{coding}");
        assert!(!response.headers().contains_key("content-encoding"), "{coding}");
        assert_eq!(counted(&pipeline), (0, 0, 1), "{coding}");
        assert_eq!(response.text().await.unwrap(), PLAIN, "{coding}");
        assert_eq!(counted(&pipeline), (1, 0, 0), "{coding}");
    }
}

#[tokio::test]
async fn a_compressed_body_that_breaks_is_a_failure() {
    for behaviour in [
        Behaviour::ok(GZIP).close_after(20),
        // Whole on the wire, and yet rubbish.
        Behaviour::ok(&b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xff\xff\xff\xff"[..]),
    ] {
        let server = FaultServer::always(behaviour.header("content-encoding", "gzip"));
        let pipeline = pipeline();
        let response = client(&pipeline).get(server.url("/")).send().await.unwrap();
        assert!(response.bytes().await.unwrap_err().is_decode());
        assert_eq!(counted(&pipeline), (0, 1, 0));
    }
}

#[tokio::test]
async fn a_client_that_wants_no_compression_asks_for_none() {
    let server = FaultServer::always(Behaviour::ok(GZIP).header("content-encoding", "gzip"));
    let client = builder(&pipeline()).no_gzip().no_brotli().no_zstd().no_deflate().build().unwrap();
    let response = client.get(server.url("/")).send().await.unwrap();
    assert!(!server.seen()[0].headers.contains_key("accept-encoding"));
    assert_eq!(response.content_length(), Some(GZIP.len() as u64));
    assert_eq!(response.bytes().await.unwrap(), GZIP);
}

#[tokio::test]
async fn a_charset_is_decoded() {
    let body = Behaviour::ok(&b"caf\xe9"[..]).header("content-type", "text/plain; charset=latin1");
    let server = FaultServer::always(body);
    let response = client(&pipeline()).get(server.url("/")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "café");
}

// ## What a response tells

#[tokio::test]
async fn a_response_is_reqwests_own_in_all_that_it_tells() {
    let server = FaultServer::always(Behaviour::ok("42").header("x-kept", "yes"));
    let plain = {
        support::install_provider();
        reqwest::Client::builder().no_proxy().build().unwrap()
    };
    let url = server.url("/stock?id=1#part");
    let bare = plain.get(&url).send().await.unwrap();
    let pipeline = pipeline();
    let guarded = Client::wrap(plain, &pipeline).get(&url).send().await.unwrap();
    // It is the guarded one, and not one that was over from the start.
    assert_eq!(counted(&pipeline).2, 1);
    let told = |response: &Response| {
        (
            response.status(),
            response.version(),
            response.url().clone(),
            response.remote_addr(),
            response.content_length(),
            response.headers().clone(),
            response.extensions().get::<hyper_util::client::legacy::connect::HttpInfo>().is_some(),
        )
    };
    assert_eq!(told(&guarded), told(&bare));
    assert!(told(&guarded).6, "hyper's extension is there");
}

#[tokio::test]
async fn a_status_made_an_error_tells_its_url_and_ends_the_call() {
    let server = FaultServer::always(Behaviour::status(404).body("no such stock"));
    let pipeline = pipeline();
    let response = client(&pipeline).get(server.url("/stock")).send().await.unwrap();
    assert!(response.error_for_status_ref().is_err());
    let error = response.error_for_status().unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(error.url().unwrap().as_str(), server.url("/stock"));
    assert_eq!(counted(&pipeline), (1, 0, 0));
}

#[tokio::test]
async fn json_comes_back() {
    let server = FaultServer::always(Behaviour::echo());
    let request = client(&pipeline()).post(server.url("/")).json(&[1, 2]);
    assert_eq!(request.send().await.unwrap().json::<Vec<u32>>().await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_body_is_read_as_a_stream_and_in_chunks() {
    let server = FaultServer::always(Behaviour::ok("four").trickle(1, MS));
    let pipeline = pipeline();
    let client = client(&pipeline);
    let mut stream = client.get(server.url("/")).send().await.unwrap().bytes_stream();
    let mut read = Vec::new();
    while let Some(piece) = stream.next().await {
        read.extend(piece.unwrap());
    }
    assert_eq!(read, b"four");
    assert_eq!(counted(&pipeline), (1, 0, 0), "over before the stream is dropped");
    drop(stream);

    let mut response = client.get(server.url("/")).send().await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        read.extend(piece);
    }
    assert_eq!(read, b"four");
    assert_eq!(counted(&pipeline), (2, 0, 0));
}

#[tokio::test]
async fn an_upgraded_connection_speaks_and_holds_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = FaultServer::always(Behaviour::upgrade("parrot"));
    let pipeline = pipeline();
    let request = client(&pipeline).get(server.url("/"));
    let request = request.header("connection", "upgrade").header("upgrade", "parrot");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(counted(&pipeline), (1, 0, 0));
    let mut connection: seawall::reqwest::Upgraded = response.upgrade().await.unwrap();
    connection.write_all(b"hello").await.unwrap();
    let mut echo = [0; 5];
    connection.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"hello");
}

// ## Bodies that are sent

fn stream(pieces: [&'static str; 2]) -> Body {
    Body::wrap_stream(futures_util::stream::iter(pieces.map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn streams_files_and_forms_are_sent_whole() {
    let server = FaultServer::always(Behaviour::echo());
    let client = client(&pipeline());

    let streamed = client.post(server.url("/")).body(stream(["one ", "two"]));
    assert_eq!(streamed.send().await.unwrap().text().await.unwrap(), "one two");

    let frames =
        ["one ", "two"].map(|piece| Ok::<_, std::io::Error>(Frame::data(Bytes::from(piece))));
    let wrapped = Body::wrap(StreamBody::new(futures_util::stream::iter(frames)));
    let wrapped = client.post(server.url("/")).body(wrapped);
    assert_eq!(wrapped.send().await.unwrap().text().await.unwrap(), "one two");

    let file = tokio::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT")).await;
    let file = client.post(server.url("/")).body(file.unwrap());
    let licence = include_str!("../LICENSE-MIT");
    assert_eq!(file.send().await.unwrap().text().await.unwrap(), licence);

    let form = client.post(server.url("/")).form(&[("a", "1 2"), ("b", "ü")]);
    assert_eq!(form.send().await.unwrap().text().await.unwrap(), "a=1+2&b=%C3%BC");

    let query = client.get(server.url("/")).query(&[("a", "1 2")]);
    assert_eq!(query.send().await.unwrap().headers()["echo-target"], "/?a=1+2");
}

#[tokio::test]
async fn a_multipart_form_is_sent_whole() {
    let server = FaultServer::always(Behaviour::echo());
    let form = || {
        let part = multipart::Part::stream(stream(["one ", "two"])).file_name("both.txt");
        multipart::Form::new().text("name", "value").part("file", part)
    };
    let request = client(&pipeline()).post(server.url("/")).multipart(form());
    let response = request.send().await.unwrap();
    let kind = response.headers()["echo-header-content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
    let text = response.text().await.unwrap();
    assert!(text.contains("name=\"name\"\r\n\r\nvalue\r\n"), "{text}");
    assert!(
        text.contains("filename=\"both.txt\"") && text.contains("\r\n\r\none two\r\n"),
        "{text}"
    );
    assert!(text.ends_with(&format!("--{boundary}--\r\n")), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_dialled() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let path = std::env::temp_dir().join(format!("seawall-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let read = connection.read(&mut [0; 1024]).await.unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42").await.unwrap();
        read
    });
    let client = builder(&pipeline()).unix_socket(&path).build().unwrap();
    let response = client.get("http://inventory/stock").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "42");
    assert!(served.await.unwrap() > 0);
    std::fs::remove_file(&path).unwrap();
}
