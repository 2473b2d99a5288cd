//! What the patterns need to know of gRPC, for a tonic channel and the generated clients over it.
//!
//! [`Pipeline::grpc`](crate::Pipeline::grpc) is a layer for any `tower::Service<http::Request<tonic::body::Body>>`:
//! tonic's own `Channel`, hyper-util's client over HTTP/2, another layer. What comes out is a channel again, whose
//! error is [`tonic::Status`], so that a generated client takes it:
//!
//! ```
//! use seawall::{FromRejected, Pipeline};
//! use tonic::transport::Endpoint;
//! use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
//! use tower::Layer;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pipeline = Pipeline::grpc("greeter").build()?;
//! let channel = Endpoint::from_static("http://127.0.0.1:50051").connect_lazy();
//! let mut client = HealthClient::new(pipeline.layer(channel));
//! # pipeline.circuit_breaker().unwrap().transition_to_forced_open();
//!
//! let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
//! assert_eq!(status.code(), tonic::Code::Unavailable);
//! assert_eq!(status.message(), "circuit breaker `greeter` is forced open");
//! assert!(status.as_rejected().unwrap().is_refusal());
//! # Ok(()) }
//! ```
//!
//! - [`GrpcClassifier`]: which statuses and errors are failures.
//! - [`AtTrailers`]: a call is over with its trailers, which can still make a failure of it.
//! - [`GrpcReplay`]: which requests may be sent again, and with which headers.
//! - [`ChannelLayer`]: goes right above the channel. A pipeline has it by itself; in a hand-made stack it takes the place of
//!   [`ErrorLayer`](crate::ErrorLayer).
//!
//! # What seawall itself says
//!
//! | what happened | code |
//! |---|---|
//! | circuit open, attempts used up | `UNAVAILABLE` |
//! | bulkhead full, rate limited | `RESOURCE_EXHAUSTED` |
//! | attempt timed out, deadline passed | `DEADLINE_EXCEEDED` |
//!
//! The message names the instance, the [`Rejected`](crate::Rejected) is the status' source, and where it is known how long to
//! wait, that is `grpc-retry-pushback-ms` among the metadata: a server that passes the status on tells its own
//! clients. What the channel fails with is what tonic makes of it, but that a timeout of the channel's own is
//! `DEADLINE_EXCEEDED`, as gRPC has it, and not tonic's `CANCELLED`.
//!
//! # What is judged when
//!
//! The head decides if it can: an HTTP status other than 200, or a `grpc-status` in a response without a body
//! ("trailers only"). Otherwise the head is good and the call pending. It becomes a failure if the trailers bring a
//! failing `grpc-status` or none, or if the body breaks; whoever drops a stream half-way records a success.
//!
//! | code | counts as |
//! |---|---|
//! | `UNKNOWN`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS` | failure |
//! | all others, `CANCELLED`, `UNIMPLEMENTED` and `UNAUTHENTICATED` among them | success: the backend has answered |
//!
//! A response without `grpc-status` has the code that gRPC gives to its HTTP status: 400 `INTERNAL`, 401
//! `UNAUTHENTICATED`, 403 `PERMISSION_DENIED`, 404 `UNIMPLEMENTED`, 429, 502, 503 and 504 `UNAVAILABLE`, others `UNKNOWN`.
//!
//! A stream that never ends holds no half-open trial, which is settled by the head; it does hold its place in a
//! bulkhead until it ends, and it is cut at the deadline. For such streams make a pipeline of their own, which can share
//! the breaker:
//!
//! ```
//! use seawall::{Pipeline, Step};
//!
//! # fn main() -> Result<(), seawall::ConfigError> {
//! let calls = Pipeline::grpc("greeter").build()?;
//! let streams = Pipeline::grpc("greeter")
//!     .circuit_breaker(calls.circuit_breaker().unwrap().clone())
//!     .without(Step::Deadline)
//!     .without(Step::TimeLimiter)
//!     .without(Step::Bulkhead)
//!     .build()?;
//! # let _ = streams;
//! # Ok(()) }
//! ```
//!
//! # What is sent again
//!
//! gRPC has no methods to tell by what may be done twice, so it goes by the status code, and the owner of a service
//! decides which codes mean that. Once the head of a good response is there the call is committed: what the
//! trailers bring is not retried.
//!
//! | what went wrong | sent again |
//! |---|---|
//! | never sent or never begun (no connection, `REFUSED_STREAM`, `GOAWAY` without error) | yes |
//! | `UNAVAILABLE` in the head; more codes by [`GrpcReplay::repeat_when`] | yes, unless the request says [`Idempotent(false)`](crate::http::Idempotent) |
//! | `RESOURCE_EXHAUSTED` in the head | if the server said when to come back |
//! | connection reset, timeout | if the request says [`Idempotent(true)`](crate::http::Idempotent) |
//! | other codes, TLS handshake refused | no |
//!
//! A request with a [`NoRetry`](crate::http::NoRetry) among its extensions is sent exactly once.
//!
//! A server's `grpc-retry-pushback-ms` is obeyed as `Retry-After` is: up to `max_retry_after` of the retry, and by the
//! preset without any spread. A negative one, or one that is no number, forbids the retry. A later attempt says in
//! `grpc-previous-rpc-attempts` how many came before it. Each attempt says in `grpc-timeout` what is left until the
//! deadline of the whole call, unless the request has set a shorter one; that one, too, is for all attempts
//! together.

mod channel;
mod classify;
mod code;
mod ends;
mod pushback;
mod replay;
mod status;
#[cfg(test)]
mod tests;
mod timeout;

pub use channel::{ChannelFuture, ChannelLayer, ChannelService};
pub use classify::GrpcClassifier;
pub use ends::{AtTrailers, Trailers};
pub use replay::{GrpcKit, GrpcReplay};
