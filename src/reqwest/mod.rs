//! A client with reqwest's own verbs, whose calls go through a [`Pipeline`](crate::Pipeline).
//!
//! Moving over is one line, and the error type where errors are not boxed:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use seawall::reqwest::Client; // was: use reqwest::Client;
//!
//! let client = Client::new();
//! let stock = client.get("http://inventory/api/42").send().await?.error_for_status()?.text().await?;
//! # Ok(()) }
//! ```
//!
//! Responses are reqwest's. The error is [`Error`], which holds reqwest's own error or what seawall has to
//! say; a limit that strikes inside a body comes as a `reqwest::Error` whose `is_timeout()` is true.
//!
//! # What your error code becomes
//!
//! | with reqwest | with seawall |
//! |---|---|
//! | `fn f() -> Result<T, reqwest::Error>` | `fn f() -> Result<T, seawall::reqwest::Error>`; `?` takes both. Where the signature is not yours leave it: `?` turns the one into the other, and [`Rejected::find`](crate::Rejected::find) finds what seawall said |
//! | `e.is_timeout()` | `e.is_timeout()` for the deadline and the attempt's limit; `e.service().is_some_and(\|e\| e.is_timeout())` for reqwest's own (`read_timeout`) |
//! | `e.is_connect()`, `e.status()`, … | the same on `e.service()` |
//! | `"{e}"` | `"{e:#}"`: the plain form only says what kind of error it is |
//! | an enum of yours with `#[from] reqwest::Error` | one more variant with `#[from] seawall::reqwest::Error`: `send` fails with that, bodies with the other |
//!
//! # Timeouts
//!
//! [`RequestBuilder::timeout`] and [`ClientBuilder::timeout`] are the deadline of the whole call: all
//! attempts, the pauses between them, and the body. Each attempt gets what is left. The pipeline's own deadline
//! holds too; the earlier one counts. A timeout that you set on a `reqwest::ClientBuilder` yourself is reqwest's
//! business and starts anew with each attempt. An attempt that hangs can only be made again within a timeout that is well
//! above the pipeline's time limiter (10 s in the default pipeline).
//!
//! # reqwest's own retries
//!
//! reqwest repeats a request by itself when the server has certainly not begun on it. Where seawall builds
//! the client it switches that off, since two levels of retries multiply. Give a client that you built yourself
//! `.retry(reqwest::retry::never())`.
//!
//! # One upstream, one client
//!
//! A client has one pipeline and so one circuit breaker: make one for each service that you call. What it
//! costs is a few kilobytes; the connection pool can be shared by [`Client::wrap`]ping clones of one
//! `reqwest::Client`.

mod client;
mod ends;
mod error;
mod replay;
mod request;

pub use ::reqwest::{Body, Method, Request, Response, StatusCode, Url, Version, header};
pub use client::{Client, ClientBuilder};
pub use replay::{RequestKit, RequestReplay};
pub use request::RequestBuilder;

/// What a call fails with: what seawall has to say, or reqwest's own error.
pub type Error = crate::Error<::reqwest::Error>;
