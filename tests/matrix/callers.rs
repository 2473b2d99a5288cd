//! The clients, each built as a user would build it.

mod hyper;
mod reqwest;
mod tonic;

use std::pin::Pin;

use rustls::ClientConfig;

use crate::cell::Steps;

/// The body of a whole answer over plain HTTP.
pub const WHOLE: &str = "leaves";

/// A client that makes one call.
pub trait Caller: Sync {
    fn name(&self) -> &'static str;

    /// Does it speak gRPC?
    fn is_grpc(&self) -> bool {
        false
    }

    /// Why it does not speak this version of HTTP.
    fn cannot(&self, _http2: bool) -> Option<&'static str> {
        None
    }

    /// Builds a client with these steps, calls, reads the answer to its end, and lets go of everything. Tells what it
    /// got: `whole`, the status, or the kind of error.
    fn call<'s>(
        &self,
        steps: &'s Steps,
        url: String,
        http2: bool,
        tls: Option<ClientConfig>,
    ) -> Pin<Box<dyn Future<Output = String> + 's>>;
}

pub fn callers() -> impl Iterator<Item = &'static dyn Caller> {
    let callers: [&dyn Caller; 3] = [&reqwest::Reqwest, &hyper::Hyper, &tonic::Tonic];
    callers.into_iter()
}

/// What is said of an answer that came whole.
fn answered(status: u16, body: &[u8]) -> String {
    match (status, body) {
        (200, body) if body == WHOLE.as_bytes() => "whole".into(),
        (200, body) => format!("{:?}", String::from_utf8_lossy(body)),
        (status, _) => status.to_string(),
    }
}

/// All steps around HTTP.
fn pipeline(steps: &Steps) -> seawall::pipeline::HttpPipeline {
    let builder = seawall::Pipeline::http("matrix").deadline(steps.limits.call);
    let builder = builder.retry(steps.retry.clone()).circuit_breaker(steps.breaker.clone());
    let builder = builder.rate_limiter(steps.limiter.clone()).time_limiter(steps.time);
    builder.bulkhead(steps.bulkhead.clone()).build().unwrap()
}
