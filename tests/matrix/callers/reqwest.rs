//! `seawall::reqwest::Client`.

use std::pin::Pin;

use rustls::ClientConfig;
use seawall::reqwest::Client;

use super::{Caller, answered, pipeline};
use crate::cell::Steps;
use crate::kinds::kind;

pub struct Reqwest;

impl Caller for Reqwest {
    fn name(&self) -> &'static str {
        "reqwest"
    }

    fn call<'s>(
        &self,
        steps: &'s Steps,
        url: String,
        http2: bool,
        tls: Option<ClientConfig>,
    ) -> Pin<Box<dyn Future<Output = String> + 's>> {
        Box::pin(async move {
            let client = Client::builder().no_proxy().pipeline(pipeline(steps));
            let client = client.with(|client| match tls {
                Some(tls) => client.tls_backend_preconfigured(tls),
                None if http2 => client.http2_prior_knowledge(),
                None => client,
            });
            let response = match client.build().unwrap().get(url).send().await {
                Ok(response) => response,
                Err(error) => return kind(&error, http2),
            };
            let status = response.status().as_u16();
            match response.bytes().await {
                Ok(body) => answered(status, &body),
                Err(error) => format!("body: {}", kind(&error, http2)),
            }
        })
    }
}
