//! When a call is over: with its response, or with the end of the response's body.

use tokio::time::Instant;

use crate::error::Rejected;
use crate::outcome::Cause;

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

    /// Ties `guard` to `response`. With none, because the call is over, only turns the type.
    fn attach(&self, response: R, guard: Option<G>) -> Self::Out;

    /// Ties `guard` to `response`, or drops it if the call is over already.
    #[inline]
    fn hand_over(&self, response: R, guard: Option<G>) -> Self::Out {
        let guard = guard.filter(|_| !self.is_over(&response));
        self.attach(response, guard)
    }
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

/// A call is over when the body of its HTTP response has ended or was dropped.
///
/// A body that is empty from the start ends with the head, and so does a switch of protocols (101).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtBodyEnd;
