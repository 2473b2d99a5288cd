//! What goes right above a channel.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use pin_project_lite::pin_project;
use tonic::Status;
use tower_layer::Layer;
use tower_service::Service;

use super::{status, timeout};

/// Goes right above a channel: makes a [`Status`] of its error, and tells the server the time that is left.
///
/// A [`Pipeline::grpc`](crate::Pipeline::grpc) has it by itself; a hand-made stack has it in the place of an
/// [`ErrorLayer`](crate::ErrorLayer). The time is known if [`GrpcReplay`](super::GrpcReplay) makes the attempts.
///
/// ```
/// use seawall::tonic::{AtTrailers, ChannelLayer, GrpcClassifier};
/// use seawall::{CircuitBreaker, CircuitBreakerLayer};
/// use tonic::transport::Endpoint;
/// use tonic_health::pb::health_client::HealthClient;
/// use tower::ServiceBuilder;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let breaker = CircuitBreakerLayer::new(CircuitBreaker::with_defaults("greeter"))
///     .classifier(GrpcClassifier::default())
///     .ends(AtTrailers::default());
/// let channel = ServiceBuilder::new()
///     .layer(breaker)
///     .layer(ChannelLayer)
///     .service(Endpoint::from_static("http://127.0.0.1:50051").connect_lazy());
/// let client = HealthClient::new(channel);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelLayer;

impl<S> Layer<S> for ChannelLayer {
    type Service = ChannelService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ChannelService { inner }
    }
}

/// The service of [`ChannelLayer`].
#[derive(Clone, Copy, Debug)]
pub struct ChannelService<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for ChannelService<S>
where
    S: Service<Request<B>>,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = S::Response;
    type Error = Status;
    type Future = ChannelFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx).map_err(status::of_channel)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        timeout::announce(&mut request);
        ChannelFuture { inner: self.inner.call(request), late: None }
    }
}

pin_project! {
    /// The response future of [`ChannelService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ChannelFuture<F> {
        #[pin]
        inner: F,
        late: Option<Status>,
    }
}

impl<F, T, E> Future for ChannelFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(late) = this.late.take() {
            return Poll::Ready(Err(late));
        }
        let result = ready!(this.inner.poll(cx)).map_err(status::of_channel);
        if let Some(late) = result.as_ref().err().filter(|error| status::has_timed_out(error)) {
            // The channel's timer was set by what was left until the deadline. Whoever holds the call to that
            // knows it by name and has the first word; it is asked for when there is nothing yet. If there is
            // nobody, this is polled once more.
            *this.late = Some(late.clone());
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(result)
    }
}
