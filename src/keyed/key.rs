//! What a request's key is.

use std::borrow::Cow;
use std::fmt;

/// Draws the key out of a request, borrowed from it where it can be.
///
/// A closure is one by way of [`key_fn`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot draw a key from a request of type `{Req}`",
    note = "a closure is put into `seawall::keyed::key_fn`; `Host`, `Header` and `PathTemplates` fit `http::Request` and `reqwest::Request`"
)]
pub trait Key<Req> {
    /// The key; nothing if the request has none, and shares an instance with all others that have none.
    fn key<'a>(&'a self, request: &'a Req) -> Option<Cow<'a, str>>;
}

/// A function that draws the key.
///
/// ```
/// use std::borrow::Cow;
/// use seawall::keyed::{Key, key_fn};
///
/// struct Query { tenant: String }
/// let key = key_fn(|query: &Query| Some(Cow::Borrowed(&*query.tenant)));
/// assert_eq!(key.key(&Query { tenant: "acme".into() }).as_deref(), Some("acme"));
/// ```
pub const fn key_fn<Req, F>(function: F) -> KeyFn<F>
where
    F: for<'a> Fn(&'a Req) -> Option<Cow<'a, str>>,
{
    KeyFn(function)
}

/// A [`Key`] made by [`key_fn`].
#[derive(Clone, Copy)]
pub struct KeyFn<F>(F);

impl<Req, F> Key<Req> for KeyFn<F>
where
    F: for<'a> Fn(&'a Req) -> Option<Cow<'a, str>>,
{
    fn key<'a>(&'a self, request: &'a Req) -> Option<Cow<'a, str>> {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for KeyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFn").finish_non_exhaustive()
    }
}
