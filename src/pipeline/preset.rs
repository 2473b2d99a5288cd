//! Safe settings for common cases.

use std::sync::Arc;
use std::time::Duration;

use super::{Pipeline, PipelineBuilder, PipelineService};
use crate::ends::AtBodyEnd;
use crate::error::ErrorService;
use crate::http::{HttpClassifier, HttpReplay};
use crate::patterns::bulkhead::BulkheadConfig;
use crate::patterns::circuit_breaker::CircuitBreakerConfig;
#[cfg(feature = "tonic")]
use crate::patterns::rate_limiter::OnePermission;
use crate::patterns::retry::{RetryConfig, RetryConfigBuilder};
use crate::patterns::time_limiter::TimeLimiterConfig;
#[cfg(feature = "tonic")]
use crate::tonic::{AtTrailers, ChannelLayer, ChannelService, GrpcClassifier, GrpcReplay};

/// A pipeline for HTTP requests.
pub type HttpPipeline = Pipeline<HttpClassifier, AtBodyEnd, HttpReplay>;

/// An HTTP client behind an [`HttpPipeline`].
pub type HttpPipelineService<S> =
    PipelineService<ErrorService<S>, HttpClassifier, AtBodyEnd, HttpReplay>;

/// A pipeline for gRPC calls over a tonic channel.
#[cfg(feature = "tonic")]
pub type GrpcPipeline =
    Pipeline<GrpcClassifier, AtTrailers, GrpcReplay, OnePermission, ChannelLayer>;

/// A tonic channel behind a [`GrpcPipeline`], for a generated client.
#[cfg(feature = "tonic")]
pub type GrpcPipelineService<S> =
    PipelineService<ChannelService<S>, GrpcClassifier, AtTrailers, GrpcReplay>;

impl Pipeline {
    /// Starts with safe steps for calls over HTTP to one service, each of which may be replaced or
    /// [left out](PipelineBuilder::without).
    ///
    /// | step | setting |
    /// |---|---|
    /// | deadline | 30 s for the whole call, body included |
    /// | retry | [`RetryConfig::safe`]: 3 attempts, full jitter 100 ms to 5 s, a budget, `Retry-After` up to 30 s; only what may be sent twice |
    /// | circuit breaker | [`CircuitBreakerConfig::safe`]: opens at 50 % failures of the last 100 calls, from 20 calls on; waits 5 s, twice as long each time up to 60 s, ± 20 %; 5 trials, which must decide within 30 s |
    /// | time limiter | 10 s to the head of one attempt's response, or a third of a shorter deadline that you give |
    /// | bulkhead | 256 attempts at once, no waiting |
    ///
    /// A step that you give replaces the preset's whole step: start from [`RetryConfig::safe`] and
    /// [`CircuitBreakerConfig::safe`] to change one setting. There is no rate limiter: what rate is right only you can know.
    pub fn http(
        name: impl Into<Arc<str>>,
    ) -> PipelineBuilder<HttpClassifier, AtBodyEnd, HttpReplay> {
        Self::builder(name).http().safe(RetryConfig::safe())
    }

    /// Starts with safe steps for gRPC calls over a tonic channel to one service: the steps of
    /// [`http`](Self::http), judged and repeated as gRPC has it; see [`tonic`](crate::tonic). What a
    /// server asks for by `grpc-retry-pushback-ms` is waited for exactly.
    ///
    /// The deadline holds to the end of a stream, and the time limiter's 10 s to the head of its response, which
    /// some servers send only with the first message. For streams that live long leave both
    /// [out](PipelineBuilder::without).
    ///
    /// ```
    /// use seawall::Pipeline;
    /// use tonic::transport::Endpoint;
    /// use tonic_health::pb::health_client::HealthClient;
    /// use tower::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pipeline = Pipeline::grpc("greeter").build()?;
    /// let channel = Endpoint::from_static("http://127.0.0.1:50051").connect_lazy();
    /// let client = HealthClient::new(pipeline.layer(channel));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tonic")]
    pub fn grpc(
        name: impl Into<Arc<str>>,
    ) -> PipelineBuilder<GrpcClassifier, AtTrailers, GrpcReplay, OnePermission, ChannelLayer> {
        // A pushback is each client's own, and exact.
        Self::builder(name).grpc().safe(RetryConfig::safe().retry_after_spread(0.0))
    }
}

impl<C, N, R, K, L> PipelineBuilder<C, N, R, K, L> {
    fn safe(self, retry: RetryConfigBuilder) -> Self {
        self.deadline(Duration::from_secs(30))
            .retry(retry)
            .circuit_breaker(CircuitBreakerConfig::safe())
            .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_secs(10)))
            .bulkhead(BulkheadConfig::builder().max_concurrent_calls(256))
            .into_preset()
    }
}
