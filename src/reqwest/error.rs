//! Between reqwest's error and ours.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use reqwest::Body;

use super::Error;
use crate::error::Rejected;

/// For `?` in functions that return [`Error`]: bodies and `error_for_status` fail with reqwest's own.
impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::Service(error)
    }
}

/// For code that must fail with a `reqwest::Error`, such as the hooks of a generated client.
///
/// What seawall has to say is its source, where [`Rejected::find`] finds it; `is_timeout()` is true
/// for a timeout. reqwest gives it the kind of an error of a body, as it does to a limit that strikes there.
impl From<Error> for reqwest::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Service(error) => error,
            Error::Rejected(rejected) => wrap(rejected),
        }
    }
}

/// reqwest makes no errors for others. But whatever a body fails with it wraps in its own.
fn wrap(rejected: Rejected) -> reqwest::Error {
    let mut body = Body::wrap(Failing(Some(rejected)));
    match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Err(error))) => error,
        _ => unreachable!("the body fails at once"),
    }
}

/// A body that fails with this.
struct Failing(Option<Rejected>);

impl http_body::Body for Failing {
    type Data = Bytes;
    type Error = Rejected;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Rejected>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    fn told(reason: Reason) -> reqwest::Error {
        Error::from(Rejected::new("inventory".into(), reason)).into()
    }

    #[test]
    fn a_refusal_is_found_in_reqwests_error() {
        let error = told(Reason::CircuitOpen);
        let rejected = Rejected::find(&error).expect("a rejection");
        assert_eq!(rejected.reason(), Reason::CircuitOpen);
        assert_eq!(rejected.name(), "inventory");
        assert!(rejected.is_refusal());
        assert!(!error.is_timeout() && !error.is_connect() && error.status().is_none());
    }

    #[test]
    fn a_timeout_is_one_to_reqwest_too() {
        assert!(told(Reason::AttemptTimedOut).is_timeout());
        assert!(told(Reason::DeadlineExceeded).is_timeout());
    }

    #[test]
    fn reqwests_own_error_comes_back_whole() {
        let response = http::Response::builder().status(404).body("").expect("a response");
        let error = reqwest::Response::from(response).error_for_status().unwrap_err();
        let error: reqwest::Error = Error::from(error).into();
        assert_eq!(error.status(), Some(reqwest::StatusCode::NOT_FOUND));
    }
}
