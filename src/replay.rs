//! How a request is sent a second time.

use crate::outcome::Verdict;
use crate::telemetry::{RequestInfo, TraceContext};

/// Makes the attempts of one call out of its request.
///
/// A retry asks for the [`first`](Replay::first) attempt, and after a failure for
/// [`again`](Replay::again). Requests need not be `Clone`, and the attempt may be of another type
/// than the request. Not being able to send a request again is no error: it is then sent once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send a request of type `{Req}` again",
    note = "`CloneRequest` needs `{Req}: Clone`; `HttpReplay` needs an `http::Request` whose body is `Clone`, `BufferedReplay` one of any body; for a `reqwest::Request` there is `seawall::reqwest::RequestReplay`",
    note = "`.replay(NoReplay)` fits every request and makes exactly one attempt"
)]
pub trait Replay<Req> {
    /// What the inner service is called with.
    type Attempt;
    /// What is kept to make further attempts from.
    type Kit;

    /// The only attempt, where there shall be no more. Default: the first one.
    fn once(&self, request: Req) -> Self::Attempt {
        self.first(request).0
    }

    /// The first attempt, and the means for more.
    fn first(&self, request: Req) -> (Self::Attempt, Self::Kit);

    /// One more attempt, unless this request must not (or cannot) be sent again after `verdict`.
    fn again(&self, kit: &mut Self::Kit, verdict: &Verdict) -> Option<Self::Attempt>;

    /// What a span tells of this attempt. Default: nothing.
    fn describe(&self, _attempt: &Self::Attempt) -> Option<RequestInfo> {
        None
    }

    /// Has this attempt say to which trace it belongs, and returns what it says now. Default: it says nothing.
    ///
    /// Asked for once for each attempt, and only where a [`TraceContext`] stands.
    fn inject(
        &self,
        _attempt: &mut Self::Attempt,
        _context: &TraceContext,
    ) -> Option<TraceContext> {
        None
    }
}

/// Sends a clone of the request each time.
///
/// The default of retries and pipelines. A request that is not `Clone` needs a replay of its own, or
/// [`NoReplay`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneRequest;

// So that the compiler names this trait, with its notes, and not the bound.
#[diagnostic::do_not_recommend]
impl<Req: Clone> Replay<Req> for CloneRequest {
    type Attempt = Req;
    type Kit = Req;

    fn once(&self, request: Req) -> Req {
        request
    }

    fn first(&self, request: Req) -> (Req, Req) {
        (request.clone(), request)
    }

    fn again(&self, kit: &mut Req, _: &Verdict) -> Option<Req> {
        Some(kit.clone())
    }
}

/// Sends every request exactly once. Fits every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoReplay;

impl<Req> Replay<Req> for NoReplay {
    type Attempt = Req;
    type Kit = ();

    fn first(&self, request: Req) -> (Req, ()) {
        (request, ())
    }

    fn again(&self, (): &mut (), _: &Verdict) -> Option<Req> {
        None
    }
}
