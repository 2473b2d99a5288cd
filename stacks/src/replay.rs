//! Sends again what has a body that can be copied, but not by `Clone`.

use http::Request;
use seawall::http::HttpReplay;
use seawall::{Replay, Verdict};

/// [`HttpReplay`] for bodies with a `try_clone` of their own, `F`.
///
/// kube's body is not `Clone`. octocrab's is, but its clones share what is sent: the second attempt of a
/// `PUT` would go out empty. Both have a `try_clone`.
#[derive(Clone, Copy, Debug)]
pub struct TryClone<F> {
    head: HttpReplay,
    body: F,
}

impl<F> TryClone<F> {
    /// Copies bodies by `body`. A request whose body it cannot copy is sent once.
    pub fn new(body: F) -> Self {
        Self { head: HttpReplay::default(), body }
    }
}

/// What is kept of a request to send it again.
#[derive(Debug)]
pub struct Kit<B> {
    head: <HttpReplay as Replay<Request<()>>>::Kit,
    body: Option<B>,
}

impl<B, F: Fn(&B) -> Option<B>> Replay<Request<B>> for TryClone<F> {
    type Attempt = Request<B>;
    type Kit = Kit<B>;

    fn once(&self, request: Request<B>) -> Request<B> {
        request
    }

    fn first(&self, request: Request<B>) -> (Request<B>, Kit<B>) {
        let (parts, body) = request.into_parts();
        let copy = (self.body)(&body);
        let (head, kit) = self.head.first(Request::from_parts(parts, ()));
        (head.map(|()| body), Kit { head: kit, body: copy })
    }

    fn again(&self, kit: &mut Kit<B>, verdict: &Verdict) -> Option<Request<B>> {
        let body = (self.body)(kit.body.as_ref()?)?;
        Some(self.head.again(&mut kit.head, verdict)?.map(|()| body))
    }
}
