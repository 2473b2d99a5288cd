//! hyper-util's client under a pipeline.

use std::pin::Pin;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tower::{Layer, ServiceExt};

use super::{Caller, answered, pipeline};
use crate::cell::Steps;
use crate::kinds::kind;

pub struct Hyper;

/// hyper-rustls' connector, which announces the protocols itself.
pub(super) fn connector(
    http2: bool,
    tls: Option<ClientConfig>,
) -> hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector> {
    let mut tls = tls.unwrap_or_else(|| {
        // Of no use to plain connections.
        crate::support::Identity::local().client_config(crate::support::Alpn::Silent)
    });
    tls.alpn_protocols.clear();
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if http2 { connector.enable_http2().build() } else { connector.enable_http1().build() }
}

impl Caller for Hyper {
    fn name(&self) -> &'static str {
        "hyper"
    }

    fn call<'s>(
        &self,
        steps: &'s Steps,
        url: String,
        http2: bool,
        tls: Option<ClientConfig>,
    ) -> Pin<Box<dyn Future<Output = String> + 's>> {
        Box::pin(async move {
            let mut client = Client::builder(TokioExecutor::new());
            let client = client.http2_only(http2).build(connector(http2, tls));
            let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
            let response = match pipeline(steps).layer(client).oneshot(request).await {
                Ok(response) => response,
                Err(error) => return kind(&error, http2),
            };
            let status = response.status().as_u16();
            match response.into_body().collect().await {
                Ok(body) => answered(status, &body.to_bytes()),
                Err(error) => format!("body: {}", kind(&error, http2)),
            }
        })
    }
}
