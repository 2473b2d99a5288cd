//! stub
#![allow(missing_docs, clippy::all, dead_code)]
use crate::{ConfigError, Deadline, Rejected, Verdict};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Instant;
#[derive(Clone, Debug)]
pub struct RateLimiter;
#[derive(Clone, Debug)]
pub struct RateLimiterConfig;
#[derive(Clone, Debug)]
pub struct RateLimiterConfigBuilder;
impl RateLimiterConfigBuilder {
    pub fn build(self) -> Result<RateLimiterConfig, ConfigError> {
        Ok(RateLimiterConfig)
    }
}
#[derive(Debug)]
pub struct Acquire;
impl std::future::Future for Acquire {
    type Output = Result<(), Rejected>;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}
impl RateLimiter {
    pub fn new(_: Arc<str>, _: RateLimiterConfig) -> Self {
        Self
    }
    pub(crate) fn begin(
        &self,
        _: u32,
        _: Instant,
        _: Option<Deadline>,
    ) -> Result<Option<Acquire>, Rejected> {
        Ok(None)
    }
    pub fn on_verdict(&self, _: &Verdict) {}
}
