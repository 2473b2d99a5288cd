//! What calls can be sent through, and the door for builders that are reqwest's own.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Request, Response};

use super::{Client, Error, RequestBuilder};
use crate::keyed::{Key, Keyed, KeyedLayer};
use crate::pipeline::HttpPipeline;

/// What a call can be sent through: a pipeline, one of many by the request's host or another
/// [key](crate::keyed), or a [`Client`], which stands for its pipeline and its timeout.
pub trait Through: private::Sealed {}

mod private {
    pub trait Sealed {
        fn protection(&self) -> super::Protection;
    }
}

/// What stands around the calls of a client.
#[derive(Clone, Debug)]
pub struct Protection {
    pub(super) route: Route,
    /// The deadline of a whole call that sets none itself.
    pub(super) timeout: Option<Duration>,
}

/// Which pipeline a request goes through.
#[derive(Clone)]
pub(super) enum Route {
    One(HttpPipeline),
    ByKey(Keyed<HttpPipeline>, Arc<dyn Key<Request> + Send + Sync>),
}

impl Route {
    pub(super) fn by_key(
        layer: KeyedLayer<HttpPipeline, impl Key<Request> + Send + Sync + 'static>,
    ) -> Self {
        let (keyed, key) = layer.into_parts();
        Self::ByKey(keyed, Arc::new(key))
    }

    /// The pipeline that stands for all.
    pub(super) fn common(&self) -> &HttpPipeline {
        match self {
            Self::One(pipeline) => pipeline,
            Self::ByKey(keyed, _) => keyed.overflow(),
        }
    }

    /// Does `work` with the pipeline of this request.
    pub(super) fn with<T>(&self, request: &Request, work: impl FnOnce(&HttpPipeline) -> T) -> T {
        match self {
            Self::One(pipeline) => work(pipeline),
            Self::ByKey(keyed, key) => work(&keyed.get_or_shared(key.key(request).as_deref())),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(pipeline) => pipeline.fmt(f),
            Self::ByKey(keyed, _) => keyed.fmt(f),
        }
    }
}

/// By host.
impl Through for Keyed<HttpPipeline> {}

impl private::Sealed for Keyed<HttpPipeline> {
    fn protection(&self) -> Protection {
        let route = Route::by_key(KeyedLayer::per_host(self.clone()));
        Protection { route, timeout: None }
    }
}

impl<K: Key<Request> + Clone + Send + Sync + 'static> Through for KeyedLayer<HttpPipeline, K> {}

impl<K: Key<Request> + Clone + Send + Sync + 'static> private::Sealed
    for KeyedLayer<HttpPipeline, K>
{
    fn protection(&self) -> Protection {
        Protection { route: Route::by_key(self.clone()), timeout: None }
    }
}

impl Through for HttpPipeline {}

impl private::Sealed for HttpPipeline {
    fn protection(&self) -> Protection {
        Protection { route: Route::One(self.clone()), timeout: None }
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
