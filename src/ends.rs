//! When a call is over: with its response, or with the end of the response's body.

use std::future::{Future, Ready};

use tokio::time::Instant;

use crate::error::Rejected;
use crate::outcome::Cause;
use crate::telemetry::ResponseInfo;

/// What a pattern holds on to until a call is over.
///
/// Dropping it says that the call is over and that nothing else went wrong.
pub trait Guard {
    /// The call broke after its response had come.
    fn fail(self, cause: Cause);

    /// The moment at which the call is to be given up, if there is one.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has passed: ends the call and says so.
    fn expire(self) -> Option<Rejected>
    where
        Self: Sized,
    {
        None
    }
}

/// Decides when a call with the response `R` is over, and keeps the guard until then.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell when a call with the response `{R}` is over",
    note = "`AtResponse` fits every response; `AtBodyEnd` fits `http::Response<B>` and `reqwest::Response`"
)]
pub trait Ends<R, G> {
    /// The response that carries the guard.
    type Out;

    /// Is the call over already, with this head? Default: no.
    fn is_over(&self, _response: &R) -> bool {
        false
    }

    /// What a span tells of this response. Default: nothing.
    fn describe(&self, _response: &R) -> ResponseInfo {
        ResponseInfo::default()
    }

    /// Ties `guard` to `response`. With none, because the call is over, only turns the type.
    fn attach(&self, response: R, guard: Option<G>) -> Self::Out;

    /// Ties `guard` to `response`, or drops it if the call is over already.
    #[inline]
    fn hand_over(&self, response: R, guard: Option<G>) -> Self::Out {
        let guard = guard.filter(|_| !self.is_over(&response));
        self.attach(response, guard)
    }
}

/// What becomes of a response that nobody will get, because the attempt is made again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell what becomes of an unwanted response `{R}`",
    note = "`AtResponse` drops every response; `AtBodyEnd` drains an `http::Response<B>` and a `reqwest::Response`",
    note = "for a response without a body, `.ends(AtResponse)` fits"
)]
pub trait Discard<R> {
    /// Gets rid of what is left of the response, for instance by reading it to its end, so that its
    /// connection can be used again.
    ///
    /// It runs beside the pause before the next attempt, and is dropped when that is over.
    type Rest: Future<Output = ()>;

    /// Takes the response. With nothing left to do it is dropped at once.
    fn discard(&self, response: R) -> Option<Self::Rest>;
}

/// A call is over as soon as its response is there. Fits every response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtResponse;

impl<R, G> Ends<R, G> for AtResponse {
    type Out = R;

    #[inline]
    fn is_over(&self, _: &R) -> bool {
        true
    }

    #[inline]
    fn attach(&self, response: R, _: Option<G>) -> R {
        response
    }
}

impl<R> Discard<R> for AtResponse {
    type Rest = Ready<()>;

    fn discard(&self, _: R) -> Option<Ready<()>> {
        None
    }
}

/// A call is over when the body of its HTTP response has ended or was dropped.
///
/// A body that is empty from the start ends with the head, and so does a switch of protocols (101). The body of
/// a response that is not wanted is read to its end if that is near; see [`Drain`](crate::http::Drain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtBodyEnd;
