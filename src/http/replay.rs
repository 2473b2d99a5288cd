//! How an HTTP request is sent again.

use http::Request;

use super::is_idempotent;
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;

/// Sends a request again if it may be sent twice, or if it certainly was not begun the first time.
///
/// See the table in the [module](super). A `http::Request` needs a body that is `Clone` (`Full`, `Empty`,
/// `Bytes`, `String`, …); a `reqwest::Request` whose body is a stream is sent once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpReplay {
    all_methods: bool,
}

impl HttpReplay {
    /// Takes every request for one that may be sent twice, POST and PATCH included.
    ///
    /// Only right where the server recognises a repetition.
    #[must_use]
    pub const fn all_methods() -> Self {
        Self { all_methods: true }
    }

    fn may_repeat(idempotent: bool, verdict: &Verdict) -> bool {
        match verdict.cause() {
            // What the server cannot do it cannot do the second time either.
            Some(Cause::Permanent | Cause::Status(501 | 505)) => false,
            Some(cause) if cause.is_unsent() => true,
            _ => idempotent,
        }
    }
}

/// What is kept of a request to send it again.
#[derive(Clone, Debug)]
pub struct HttpKit<R> {
    /// Nothing if the request cannot be copied.
    request: Option<R>,
    idempotent: bool,
}

impl<B: Clone> Replay<Request<B>> for HttpReplay {
    type Attempt = Request<B>;
    type Kit = HttpKit<Request<B>>;

    fn first(&self, request: Request<B>) -> (Request<B>, Self::Kit) {
        let idempotent = self.all_methods
            || is_idempotent(request.method(), request.headers(), request.extensions());
        (request.clone(), HttpKit { request: Some(request), idempotent })
    }

    fn again(&self, kit: &mut Self::Kit, verdict: &Verdict) -> Option<Request<B>> {
        kit.request.as_ref().filter(|_| Self::may_repeat(kit.idempotent, verdict)).cloned()
    }
}

#[cfg(feature = "reqwest")]
impl Replay<reqwest::Request> for HttpReplay {
    type Attempt = reqwest::Request;
    type Kit = HttpKit<reqwest::Request>;

    fn first(&self, request: reqwest::Request) -> (reqwest::Request, Self::Kit) {
        let none = http::Extensions::new();
        let idempotent =
            self.all_methods || is_idempotent(request.method(), request.headers(), &none);
        let copy = request.try_clone();
        (request, HttpKit { request: copy, idempotent })
    }

    fn again(&self, kit: &mut Self::Kit, verdict: &Verdict) -> Option<reqwest::Request> {
        let request = kit.request.as_ref()?;
        if Self::may_repeat(kit.idempotent, verdict) { request.try_clone() } else { None }
    }
}
