//! How a `reqwest::Request` is sent again.

use http::Extensions;
use reqwest::Request;

use crate::http::{HttpReplay, is_idempotent};
use crate::outcome::Verdict;
use crate::replay::Replay;

/// [`HttpReplay`] for `reqwest::Request`s; one whose body is a stream is sent once.
///
/// [`Client`](super::Client) uses it by itself. It is a type of its own so that over hyper there is only one
/// type of request that a pipeline can mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestReplay(pub HttpReplay);

/// What is kept of a request to send it again.
#[derive(Debug)]
pub struct RequestKit {
    /// Nothing if the request cannot be copied.
    request: Option<Request>,
    pub(super) idempotent: bool,
}

impl Replay<Request> for RequestReplay {
    type Attempt = Request;
    type Kit = RequestKit;

    fn once(&self, request: Request) -> Request {
        request
    }

    fn first(&self, request: Request) -> (Request, RequestKit) {
        let idempotent = self.0.repeats_all_methods()
            || is_idempotent(request.method(), request.headers(), &Extensions::new());
        let copy = request.try_clone();
        (request, RequestKit { request: copy, idempotent })
    }

    fn again(&self, kit: &mut RequestKit, verdict: &Verdict) -> Option<Request> {
        let request = kit.request.as_ref()?;
        if HttpReplay::may_repeat(kit.idempotent, verdict) { request.try_clone() } else { None }
    }
}
