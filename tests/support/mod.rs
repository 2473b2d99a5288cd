//! A server on loopback that misbehaves on request.
//!
//! A script says for each request how it is answered: `|request, n| Behaviour`, where `n` counts the
//! server's requests from 0. The same behaviours are spoken over HTTP/1.1 (bytes written by hand, so
//! that every lie is possible), over HTTP/2 in clear text, and over both behind TLS.
//!
//! ```ignore
//! mod support;
//! use support::{Behaviour, FaultServer};
//!
//! let server = FaultServer::start(|_, n| match n {
//!     0 => Behaviour::status(503).header("retry-after", "1"),
//!     1 => Behaviour::ok("half of it").close_after(4),
//!     _ => Behaviour::ok("all of it"),
//! });
//! let url = server.url("/stock");
//! // ... call it ...
//! assert_eq!(server.counts().requests, 3);
//! server.until(|counts| counts.open == 0).await;
//! ```
//!
//! `FaultServer::builder()` is for all else: HTTP/2, TLS, and a script for connections. Time is tokio's, in the
//! runtime that the server was started in. Dropping the server ends all of its tasks and connections.

// Each test binary uses a part of this.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, missing_debug_implementations)]

mod behaviour;
mod connection;
mod http1;
mod http2;
mod server;
mod tls;

pub use behaviour::{Behaviour, Gate};
pub use server::{Builder, Counts, FaultServer, OnConnect, RefusedPort, Seen, sequence};
pub use tls::{Alpn, Identity};
