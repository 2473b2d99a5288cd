//! A generated client over tonic's channel under a pipeline.

use std::pin::Pin;

use rustls::ClientConfig;
use seawall::Pipeline;
use seawall::http::Idempotent;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;

use super::Caller;
use super::hyper::connector;
use crate::cell::Steps;
use crate::kinds::known;

pub struct Tonic;

impl Caller for Tonic {
    fn name(&self) -> &'static str {
        "tonic"
    }

    fn is_grpc(&self) -> bool {
        true
    }

    fn cannot(&self, http2: bool) -> Option<&'static str> {
        (!http2).then_some("gRPC is HTTP/2")
    }

    fn call<'s>(
        &self,
        steps: &'s Steps,
        url: String,
        http2: bool,
        tls: Option<ClientConfig>,
    ) -> Pin<Box<dyn Future<Output = String> + 's>> {
        Box::pin(async move {
            let builder = Pipeline::grpc("matrix").deadline(steps.limits.call);
            let builder = builder.retry(steps.retry.clone()).circuit_breaker(steps.breaker.clone());
            let builder = builder.rate_limiter(steps.limiter.clone()).time_limiter(steps.time);
            let pipeline = builder.bulkhead(steps.bulkhead.clone()).build().unwrap();
            let endpoint = Endpoint::from_shared(url.replace("/stock", "")).unwrap();
            let channel = endpoint.connect_with_connector_lazy(connector(http2, tls));
            let mut client = HealthClient::new(pipeline.layer(channel));
            let mut request = tonic::Request::new(HealthCheckRequest { service: "stock".into() });
            request.extensions_mut().insert(Idempotent(true));
            match client.check(request).await {
                Ok(answer) if answer.get_ref().status == 1 => "whole".into(),
                Ok(answer) => format!("{:?}", answer.get_ref()),
                Err(status) => match known(&status, http2) {
                    Some(kind) => format!("{:?}: {kind}", status.code()),
                    None => format!("{:?}", status.code()),
                },
            }
        })
    }
}
