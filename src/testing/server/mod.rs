//! A server on loopback that misbehaves on request, for tests of your own clients.
//!
//! A script says for each request how it is answered: `|request, n| Behaviour`, where `n` counts the
//! server's requests from 0. The same behaviours are spoken over HTTP/1.1 (bytes written by hand, so
//! that every lie is possible) and over HTTP/2.
//!
//! ```
//! use std::time::Duration;
//! use seawall::testing::server::{Behaviour, FaultServer};
//!
//! # /*
//! #[tokio::test]
//! # */
//! async fn a_flaky_server_is_asked_again() {
//!     let server = FaultServer::start(|request, n| match n {
//!         0 => Behaviour::status(503),
//!         1 => Behaviour::reset(), // an RST instead of an answer
//!         _ if request.uri.path() == "/stock" => Behaviour::ok("42").delayed(Duration::from_millis(5)),
//!         _ => Behaviour::status(404),
//!     });
//!
//!     let client = seawall::reqwest::Client::new(); // or whatever is yours
//!     let response = client.get(server.url("/stock")).send().await.unwrap();
//!     assert_eq!(response.text().await.unwrap(), "42");
//!
//!     assert_eq!(server.counts().requests, 3);
//!     assert_eq!(server.seen()[2].method, http::Method::GET);
//!     server.until(|counts| counts.in_flight == 0).await;
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! #     rustls::crypto::ring::default_provider().install_default().unwrap();
//! #     a_flaky_server_is_asked_again().await;
//! # }
//! ```
//!
//! Where the order is all that matters, [`FaultServer::sequence`] takes a list; [`RefusedPort`] is a server that is not
//! there. [`FaultServer::builder`] is for HTTP/2, for TLS and for faults of whole connections:
//!
//! ```
//! use seawall::testing::server::{Behaviour, FaultServer, Http2Code, OnConnect, sequence};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let server = FaultServer::builder()
//!     .http2()
//!     .on_connect(|n| if n == 0 { OnConnect::GoAway(Http2Code::NO_ERROR) } else { OnConnect::Serve })
//!     .start(sequence([Behaviour::refuse_stream(), Behaviour::ok("taken on")]));
//! # }
//! ```
//!
//! # What it can do
//!
//! | fault | how |
//! |---|---|
//! | refused, reset, closed, silent connections | [`RefusedPort`], [`OnConnect`] |
//! | any status, headers, redirects, trailers | [`Behaviour::status`], [`header`](Behaviour::header), [`trailer`](Behaviour::trailer) |
//! | `Retry-After` | [`Behaviour::unavailable`] |
//! | late heads, heads held until the test says so | [`delayed`](Behaviour::delayed), [`held`](Behaviour::held) |
//! | no head | [`hang`](Behaviour::hang), [`reset`](Behaviour::reset), [`close`](Behaviour::close), [`half_head`](Behaviour::half_head) |
//! | half a body | [`hang_after`](Behaviour::hang_after), [`reset_after`](Behaviour::reset_after), [`close_after`](Behaviour::close_after), [`reset_stream_after`](Behaviour::reset_stream_after) |
//! | slow and endless bodies | [`trickle`](Behaviour::trickle), [`endless`](Behaviour::endless) |
//! | a length that is too long or too short | [`claims_length`](Behaviour::claims_length) |
//! | no HTTP at all | [`raw`](Behaviour::raw) |
//! | HTTP/2: `RST_STREAM`, GOAWAY | [`refuse_stream`](Behaviour::refuse_stream), [`reset_stream`](Behaviour::reset_stream), [`go_away`](Behaviour::go_away), [`OnConnect::GoAway`] |
//! | idle connections that end, announced or not | [`then_close_after`](Behaviour::then_close_after), [`announce_close`](Behaviour::announce_close) |
//! | tunnels and upgrades | [`tunnel`](Behaviour::tunnel), [`upgrade`](Behaviour::upgrade) |
//! | answers before the request has come | [`Builder::answers_early`] |
//!
//! # Time
//!
//! Delays are on tokio's clock, in the runtime that the server was started in. The sockets are real: if the
//! clock is paused, hold it still while bytes are under way (see [`clock::freeze`](super::clock::freeze)), or
//! tokio takes the wait for them for idleness and jumps to the next timer.
//! [`until`](FaultServer::until) holds the clock by itself.
//!
//! # Mistakes
//!
//! A script that panics, or a behaviour that the protocol does not have (a GOAWAY over HTTP/1.1), is answered
//! with a 500 that says so, and dropping the server panics with the same words. So a script may hold assertions.
//!
//! # TLS
//!
//! The server brings none. [`Builder::accept_with`] wraps each connection in yours:
//!
//! ```
//! use seawall::testing::server::{Accepted, Behaviour, FaultServer};
//!
//! # async fn start(acceptor: tokio_rustls::TlsAcceptor) {
//! let server = FaultServer::builder()
//!     .scheme("https")
//!     .accept_with(move |socket| {
//!         let handshake = acceptor.accept(socket); // of tokio-rustls
//!         async move {
//!             let stream = handshake.await?;
//!             let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
//!             Ok(Accepted::new(stream).http2(http2))
//!         }
//!     })
//!     .start(|_, _| Behaviour::ok("42"));
//! # }
//! ```

mod accept;
mod answer;
mod behaviour;
mod code;
mod connection;
mod gate;
mod handle;
mod http1;
mod http2;
mod refused;
mod shared;

pub use accept::{Accepted, OnConnect};
pub use behaviour::Behaviour;
pub use code::Http2Code;
pub use connection::Socket;
pub use gate::Gate;
pub use handle::{Builder, FaultServer, sequence};
pub use refused::RefusedPort;
pub use shared::{Counts, Seen};
