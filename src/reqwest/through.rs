//! What calls can be sent through, and the door for builders that are reqwest's own.

use std::future::Future;
use std::time::Duration;

use reqwest::Response;

use super::{Client, Error, RequestBuilder};
use crate::pipeline::HttpPipeline;

/// What a call can be sent through: a pipeline, or a [`Client`], which stands for its pipeline and its timeout.
pub trait Through: private::Sealed {}

mod private {
    pub trait Sealed {
        fn protection(&self) -> super::Protection;
    }
}

/// What stands around the calls of a client.
#[derive(Clone, Debug)]
pub struct Protection {
    pub(super) pipeline: HttpPipeline,
    /// The deadline of a whole call that sets none itself.
    pub(super) timeout: Option<Duration>,
}

impl Through for HttpPipeline {}

impl private::Sealed for HttpPipeline {
    fn protection(&self) -> Protection {
        Protection { pipeline: self.clone(), timeout: None }
    }
}

impl Through for Client {}

impl private::Sealed for Client {
    fn protection(&self) -> Protection {
        self.protection.clone()
    }
}

/// Sends what reqwest's own builder has put together through a pipeline: for code that is handed a
/// `reqwest::Client` and cannot have another.
///
/// The call is made by the builder's own client, with its connections, cookies and redirects. Build that client
/// with `.retry(reqwest::retry::never())`, as the [module](super) says.
///
/// ```no_run
/// use seawall::Pipeline;
/// use seawall::reqwest::SendThrough;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = reqwest::Client::builder().retry(reqwest::retry::never()).build()?;
/// let inventory = Pipeline::http("inventory").build()?;
///
/// let stock = client.get("http://inventory/api/42").send_through(&inventory).await?.text().await?;
/// // With something to say for this call alone:
/// client.post("http://inventory/api").through(&inventory).idempotent(true).send().await?;
/// # Ok(()) }
/// ```
pub trait SendThrough: Sized {
    /// The same request in a builder of seawall's, which takes more settings.
    fn through(self, through: &impl Through) -> RequestBuilder;

    /// Makes the call.
    ///
    /// # Errors
    ///
    /// See [`Client::execute`].
    fn send_through(
        self,
        through: &impl Through,
    ) -> impl Future<Output = Result<Response, Error>> + Send + 'static {
        self.through(through).send()
    }
}

impl SendThrough for reqwest::RequestBuilder {
    fn through(self, through: &impl Through) -> RequestBuilder {
        RequestBuilder::new(self, through.protection())
    }
}
