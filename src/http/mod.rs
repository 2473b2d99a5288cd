//! What the patterns need to know of HTTP, and nothing that knows a pattern.
//!
//! - [`HttpClassifier`]: which responses and errors are failures, and of what kind.
//! - [`HttpReplay`]: which requests may be sent again, and how; [`BufferedReplay`] for bodies that are not `Clone`.
//! - [`AtBodyEnd`](crate::AtBodyEnd) over [`GuardedBody`]: a call that has a body is over when its body is.
//!
//! # What ends when
//!
//! A call is judged by the head of its response. A bad head (see [`HttpClassifier`]) is recorded at
//! once. A good one is recorded as a success when the body ends or is dropped, and as a failure if the
//! body breaks; so whoever reads only the status still records a success. A slow reader is no slow
//! call: the time counted ends with the head. Places in a bulkhead and the total deadline last until
//! the body's end; the limit of one attempt ends with the head unless told otherwise.
//!
//! # What is sent again
//!
//! | what went wrong | GET, HEAD, OPTIONS, TRACE, PUT, DELETE, or with `idempotency-key` | other methods |
//! |---|---|---|
//! | no connection | again | again |
//! | never begun: HTTP/2 `REFUSED_STREAM`, `GOAWAY` without error, a pooled connection that had closed | again | again |
//! | connection reset, message incomplete, timeout | again | no |
//! | status 429 or 5xx but 501 and 505 | again | no |
//! | TLS handshake refused, request malformed | no | no |
//!
//! A body that is `Clone` is sent again as it is. Any other is kept while it goes out ([`ReplayBody`]); one that is
//! larger than [`body_limit`](HttpReplay::body_limit) (64 KiB) goes out once, as does one that has broken. Not being able to send a
//! request again never fails it.
//!
//! What is left of a failed response's body is read to its end during the pause, if that takes no more than 64 KiB and
//! no longer than the pause, so that an HTTP/1 connection lives on ([`Drain`]). It holds no place in a bulkhead.
//!
//! # What one call says for itself
//!
//! | for this call alone | an `http::Request` | [`seawall::reqwest`](crate::reqwest)'s builder |
//! |---|---|---|
//! | may be sent twice, or may not | [`Idempotent`] among its extensions | `.idempotent(true)` |
//! | is sent exactly once | [`NoRetry`] among its extensions | `.no_retry()` |
//! | must be over by then | [`Deadline::scope`](crate::Deadline::scope) around the call | `.deadline(deadline)`, or `.timeout(span)` |
//! | which template its path follows, for spans | [`UrlTemplate`] among its extensions | `.url_template("/api/{id}")` |
//! | goes through another pipeline | the service behind that one | `.through(&pipeline)` |

mod body;
mod classify;
pub(crate) mod describe;
mod drain;
mod idempotency;
pub(crate) mod kind;
mod replay;
mod replay_body;
mod retry_after;
#[cfg(test)]
mod tests;

pub use body::{GuardedBody, JudgeEnd};
pub use classify::HttpClassifier;
pub use describe::UrlTemplate;
pub use drain::Drain;
pub use idempotency::{Idempotent, NoRetry, is_idempotent};
pub use replay::{BufferedKit, BufferedReplay, HttpReplay};
pub use replay_body::{BodyKit, ReplayBody};
pub use retry_after::retry_after;
