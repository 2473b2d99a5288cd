//! Which requests may be sent twice.

use http::{Extensions, HeaderMap, Method};

/// Says of one request whether it may be sent twice, whatever its method: put it into the request's
/// extensions.
///
/// ```
/// use seawall::http::Idempotent;
///
/// let request = http::Request::post("http://inventory/reserve").extension(Idempotent(true)).body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotent(pub bool);

/// Says of one request that it is to be sent exactly once, whatever goes wrong: put it into the request's
/// extensions.
///
/// ```
/// use seawall::http::NoRetry;
///
/// let request = http::Request::get("http://inventory/api/42").extension(NoRetry).body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoRetry;

/// May a request be sent twice without doing its work twice?
///
/// Yes for GET, HEAD, OPTIONS, TRACE, PUT and DELETE, and for any method with an `idempotency-key`
/// header. An [`Idempotent`] among the extensions has the last word.
#[must_use]
pub fn is_idempotent(method: &Method, headers: &HeaderMap, extensions: &Extensions) -> bool {
    match extensions.get() {
        Some(&Idempotent(said)) => said,
        None => method.is_idempotent() || headers.contains_key("idempotency-key"),
    }
}
