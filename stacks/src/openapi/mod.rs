//! A client that progenitor has generated: under it by its hook, and over it without one.

// What progenitor 0.15 makes of `api/inventory.json` with `inner_type = seawall::reqwest::Client, hooks = Expected`.
// In your own crate its macro or build script makes it anew; here it would be most of the time to compile.
#[allow(missing_docs, unreachable_pub)]
mod generated;

use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use seawall::{Cause, Pipeline, Verdict};

pub use generated::{Client, Error, ResponseValue, types};

/// Under it: each request that an operation makes goes through the pipeline.
///
/// The hook has to fail with a `reqwest::Error`. What seawall has to say becomes one, with the rejection as its
/// source.
impl ClientHooks<seawall::reqwest::Client> for Client {
    async fn exec(
        &self,
        request: reqwest::Request,
        _: &OperationInfo,
    ) -> reqwest::Result<reqwest::Response> {
        Ok(self.inner().execute(request).await?)
    }
}

/// A generated client over a protected one.
#[must_use]
pub fn client(url: &str, plain: reqwest::Client, protected: seawall::reqwest::Client) -> Client {
    // The plain one only puts requests together.
    Client::new_with_client(url, plain, protected)
}

/// Over it: for clients that insist on a plain `reqwest::Client` and have no hook. An attempt is the whole operation.
///
/// # Errors
///
/// What the operation fails with, or what seawall has to say.
pub async fn item<C>(
    pipeline: &Pipeline<C>,
    client: &Client,
    id: &str,
) -> Result<types::Item, seawall::Error<Error>>
where
    C: seawall::Classify<Result<ResponseValue<types::Item>, seawall::Error<Error>>> + Clone,
{
    pipeline.call(|| client.item(id)).await.map(ResponseValue::into_inner)
}

/// Judges operations. Without it a 404 would be a failure, for it is an `Err` to the generated client.
pub fn judge<T>(result: &Result<T, seawall::Error<Error>>) -> Verdict {
    let Err(seawall::Error::Service(error)) = result else { return Verdict::success() };
    match error.status() {
        Some(status) if status.is_server_error() || status.as_u16() == 429 => {
            Verdict::failure(Cause::Status(status.as_u16()))
        }
        Some(_) => Verdict::success(),
        None => match error {
            Error::InvalidRequest(_) => Verdict::ignored(Cause::Other),
            _ => Verdict::failure(Cause::Other),
        },
    }
}
