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
//! # What is said of one call alone
//!
//! | | with [`RequestBuilder`] | default |
//! |---|---|---|
//! | may it be sent twice? | [`idempotent`](RequestBuilder::idempotent) | by method and `idempotency-key` |
//! | exactly one attempt | [`no_retry`](RequestBuilder::no_retry) | as the pipeline's retry says |
//! | a span for the whole call | [`timeout`](RequestBuilder::timeout) | the client's, and the pipeline's deadline |
//! | a moment by which it must be over | [`deadline`](RequestBuilder::deadline) | the one that the caller stands under |
//! | through another pipeline | [`through`](RequestBuilder::through) | the client's |
//!
//! A request that is finished already goes into a builder by [`RequestBuilder::from_parts`]. Code that is handed a
//! `reqwest::Client` and cannot have another sends single requests through a pipeline by [`SendThrough`].
//!
//! # Settings and features
//!
//! [`Client`], [`ClientBuilder`] and [`RequestBuilder`] have the methods of reqwest's, under the same names; those that need a
//! feature of reqwest's come with our feature of that name. What is not there:
//!
//! | | why | instead |
//! |---|---|---|
//! | `ClientBuilder::retry` | two levels of retries multiply | the pipeline's retry |
//! | `connector_layer` | its bounds name types that reqwest keeps to itself | [`ClientBuilder::with`] |
//! | `native-tls*`, `rustls`, `http3` and their methods | need more than a C compiler, or choose a crypto provider | the feature in a reqwest dependency of your own, and [`ClientBuilder::with`] |
//! | `blocking` | seawall is asynchronous: every wait is a timer of tokio's | a current-thread runtime with `block_on` |
//! | `reqwest::get` | a client of its own for each call has a breaker that learns nothing | a [`Client`] that is kept |
//! | WebAssembly | there reqwest is the browser's `fetch` | [`Pipeline::call`](crate::Pipeline::call) |
//!
//! `dns_resolver` takes an `Arc`, since reqwest's own bound cannot be named. A client decompresses as soon as one of
//! `gzip`, `brotli`, `zstd`, `deflate` is on anywhere in the program; that is reqwest's way, and the `no_` methods undo it.
//!
//! # Redirects and cookies
//!
//! reqwest follows redirects within one attempt: the pipeline sees where they end, and a retry begins again at the first
//! URL. Cookies of a failed attempt are sent with the next. A redirect to another host is judged as an answer of this upstream.
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

mod builder;
mod client;
mod ends;
mod error;
mod overrides;
mod replay;
mod request;
mod settings;
mod through;

#[cfg(feature = "cookies")]
pub use ::reqwest::cookie;
#[cfg(feature = "multipart")]
pub use ::reqwest::multipart;
pub use ::reqwest::{
    Body, IntoUrl, Method, NoProxy, Proxy, Request, Response, ResponseBuilderExt, StatusCode,
    Upgraded, Url, Version, dns, header, redirect,
};
#[cfg(feature = "rustls-no-provider")]
pub use ::reqwest::{Certificate, Identity, tls};
pub use builder::ClientBuilder;
pub use client::{Client, ResponseFuture};
pub use replay::{RequestKit, RequestReplay};
pub use request::RequestBuilder;
pub use through::{SendThrough, Through};

/// What a call fails with: what seawall has to say, or reqwest's own error.
pub type Error = crate::Error<::reqwest::Error>;

/// What a call ends with.
pub type Result<T, E = Error> = std::result::Result<T, E>;
