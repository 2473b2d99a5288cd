//! How an HTTP request is sent again.

use http::Request;

use super::{NoRetry, is_idempotent};
use crate::outcome::{Cause, Verdict};
use crate::replay::Replay;

/// Sends a request again if it may be sent twice, or if it certainly was not begun the first time.
///
/// See the table in the [module](super). A `http::Request` needs a body that is `Clone` (`Full`, `Empty`,
/// `Bytes`, `String`, …).
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

    #[cfg(feature = "reqwest")]
    pub(crate) const fn repeats_all_methods(self) -> bool {
        self.all_methods
    }

    pub(crate) fn may_repeat(idempotent: bool, verdict: &Verdict) -> bool {
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
pub struct HttpKit<B> {
    /// Nothing if the request is to be sent once.
    request: Option<Request<B>>,
    idempotent: bool,
}

impl<B: Clone> Replay<Request<B>> for HttpReplay {
    type Attempt = Request<B>;
    type Kit = HttpKit<B>;

    fn once(&self, request: Request<B>) -> Request<B> {
        request
    }

    fn first(&self, request: Request<B>) -> (Request<B>, HttpKit<B>) {
        let idempotent = self.all_methods
            || is_idempotent(request.method(), request.headers(), request.extensions());
        let copy = request.extensions().get::<NoRetry>().is_none().then(|| request.clone());
        (request, HttpKit { request: copy, idempotent })
    }

    fn again(&self, kit: &mut HttpKit<B>, verdict: &Verdict) -> Option<Request<B>> {
        let request = kit.request.as_ref()?;
        Self::may_repeat(kit.idempotent, verdict).then(|| request.clone())
    }
}
