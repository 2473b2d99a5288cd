//! All patterns around one call, in the order that is sound.
//!
//! # The order
//!
//! Outermost first, whatever order the builder is told them in:
//!
//! | step | what it bounds | why it stands there |
//! |---|---|---|
//! | deadline | the whole call | nothing inside may outlast it |
//! | retry | the attempts | each attempt passes everything below |
//! | circuit breaker | attempts to a backend that fails | sees each attempt, and the timeouts of the time limiter |
//! | rate limiter | attempts started | its wait does not count as an attempt's time |
//! | time limiter | one attempt | frees the place of a call that hangs |
//! | bulkhead | attempts running | nothing waits below it |
//! | timer | nothing: it measures | sees what is really called, and for how long |
//!
//! From the retry inwards this is Resilience4j's default order. Any step may be left out. For another
//! order put single layers together; they behave the same, for the pipeline is the same state machines in one
//! future, with one body wrapped at most once. It differs from its steps as layers in this:
//!
//! - It ends with the [`Deadline`](crate::Deadline) that it is called under, and begins nothing after it. A single layer
//!   only heeds a deadline when it would have to wait.
//! - A further attempt passes the gates first and waits for the service to be ready after that, within
//!   the attempt's limit. A refusal does not wait for the service.
//! - An attempt's place in the bulkhead is free once every step has judged the attempt; of the events of
//!   one moment, those of the bulkhead come last.
//!
//! # Wrong compositions
//!
//! Do not compile: a retry over a request that cannot be made twice ([`Replay`](crate::Replay)), a judge that cannot
//! judge the response ([`Classify`]). Are refused by [`build`](PipelineBuilder::build): a step given twice, an attempt
//! that may last longer than the whole call, a wait for a place whose limit is longer than the attempt's, a time limiter
//! that must not cancel its calls (that asks for a [detached layer](crate::TimeLimiterLayer::detach)).
//!
//! ```
//! use std::time::Duration;
//! use seawall::{Pipeline, RetryConfig, CircuitBreakerConfig, TimeLimiterConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pipeline = Pipeline::builder("inventory")
//!     .deadline(Duration::from_secs(5))
//!     .retry(RetryConfig::safe())
//!     .circuit_breaker(CircuitBreakerConfig::builder().minimum_number_of_calls(20))
//!     .time_limiter(TimeLimiterConfig::builder().timeout(Duration::from_secs(1)))
//!     .build()?;
//!
//! // As a tower layer …
//! # let client = tower::service_fn(async |request: u32| Ok::<u32, std::io::Error>(request));
//! let service = tower::ServiceBuilder::new().layer(pipeline.clone()).service(client);
//! # let _ = tower::ServiceExt::oneshot(service, 1).await?;
//! // … or around a plain future.
//! let stock = pipeline.call(|| async { Ok::<u32, std::io::Error>(42) }).await?;
//! # assert_eq!(stock, 42);
//! # Ok(()) }
//! ```

mod attempt;
mod builder;
mod flat;
pub mod future;
mod held;
mod live;
#[cfg(feature = "http")]
mod preset;
mod service;
mod steps;

use std::future::Future;
use std::sync::Arc;

use tower_layer::Layer;
use tower_service::Service;

pub use builder::PipelineBuilder;
pub use flat::FlatLayer;
pub use held::Held;
#[cfg(feature = "tonic")]
pub use preset::{GrpcPipeline, GrpcPipelineService};
#[cfg(feature = "http")]
pub use preset::{HttpPipeline, HttpPipelineService};
pub use service::PipelineService;
pub use steps::{IntoStep, Step};

use crate::ends::AtResponse;
use crate::error::{Error, ErrorLayer, FromRejected};
use crate::outcome::{Classify, ResultClassifier};
use crate::patterns::bulkhead::Bulkhead;
use crate::patterns::circuit_breaker::CircuitBreaker;
use crate::patterns::rate_limiter::{Cost, OnePermission, RateLimiter};
use crate::patterns::retry::Retry;
use crate::patterns::time_limiter::TimeLimiter;
use crate::patterns::timer::Timer;
use crate::replay::CloneRequest;
use crate::telemetry::meters::Out;
use crate::telemetry::{Events, Observer, ObserverId};
use live::Current;
pub(crate) use live::LiveSteps;
pub(crate) use steps::Steps;
#[allow(unused_imports)]
pub(crate) use steps::Terms;

/// Several patterns around one call, in the order that is sound.
///
/// A [`Layer`] for any tower service, and a handle around plain futures. Clones share the state of every
/// pattern. `C` judges what an attempt ends with, `N` says when a call has ended, `R` makes the attempts out
/// of the request, `K` says what an attempt costs at the rate limiter, and `L` goes right above the client, whose error
/// it gives a place for a rejection. See the [module](self).
#[derive(Clone, Debug)]
pub struct Pipeline<
    C = ResultClassifier,
    N = AtResponse,
    R = CloneRequest,
    K = OnePermission,
    L = ErrorLayer,
> {
    steps: Current,
    classifier: C,
    ends: N,
    replay: R,
    cost: K,
    bottom: L,
}

impl Pipeline {
    /// Starts with no step at all.
    pub fn builder(name: impl Into<Arc<str>>) -> PipelineBuilder {
        PipelineBuilder::new(name.into())
    }
}

impl<C, N, R, K, L> Pipeline<C, N, R, K, L> {
    /// The name, which is also the name of every step that was not given one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.steps.name()
    }

    /// The retry, if there is one.
    #[must_use]
    pub fn retry(&self) -> Option<Retry> {
        self.steps.get().retry.clone()
    }

    /// The circuit breaker, if there is one.
    #[must_use]
    pub fn circuit_breaker(&self) -> Option<CircuitBreaker> {
        self.steps.get().circuit_breaker.clone()
    }

    /// The rate limiter, if there is one.
    #[must_use]
    pub fn rate_limiter(&self) -> Option<RateLimiter> {
        self.steps.get().rate_limiter.clone()
    }

    /// The time limiter, if there is one.
    #[must_use]
    pub fn time_limiter(&self) -> Option<TimeLimiter> {
        self.steps.get().time_limiter.clone()
    }

    /// The bulkhead, if there is one.
    #[must_use]
    pub fn bulkhead(&self) -> Option<Bulkhead> {
        self.steps.get().bulkhead.clone()
    }

    /// The timer, if there is one.
    #[must_use]
    pub fn timer(&self) -> Option<Timer> {
        self.steps.get().timer.clone()
    }

    /// Does anyone else hold it: a clone, or a call whose body has not ended yet? Or a step, unless it was shared when the pipeline
    /// was made?
    pub(crate) fn is_shared(&self) -> bool {
        self.steps.is_shared() || self.steps.get().is_held()
    }

    /// Is there no state that would be lost with it: no circuit breaker that keeps calls off, or tries them?
    pub(crate) fn is_at_rest(&self) -> bool {
        self.steps.get().is_at_rest()
    }

    /// Attaches an observer, under this id, to the steps that are the pipeline's own.
    pub(crate) fn attach(&self, id: ObserverId, observer: &Arc<dyn Observer>) {
        self.steps.get().attach(id, observer);
    }

    /// Takes it off again.
    pub(crate) fn detach(&self, id: ObserverId) {
        self.steps.get().detach(id);
    }

    /// What the meters of the steps say that are the pipeline's own.
    pub(crate) fn read(&self, out: &mut Out<'_>) {
        self.steps.get().read(out);
    }

    /// Puts this pipeline in the place of the one that `service` was made by.
    #[inline]
    pub(crate) fn refit<S>(&self, service: &mut PipelineService<S, C, N, R, K>)
    where
        C: Clone,
        N: Clone,
        R: Clone,
        K: Clone,
    {
        let Self { steps, classifier, ends, replay, cost, .. } = self;
        let (steps, classifier, ends) = (steps.clone(), classifier.clone(), ends.clone());
        let (replay, cost, bottom) = (replay.clone(), cost.clone(), ErrorLayer);
        service.refit(Pipeline { steps, classifier, ends, replay, cost, bottom });
    }

    /// The same steps with other ends and another replay.
    #[cfg(feature = "reqwest")]
    pub(crate) fn fitted<N2, R2>(
        &self,
        ends: N2,
        replay: impl FnOnce(R) -> R2,
    ) -> Pipeline<C, N2, R2, K, L>
    where
        C: Clone,
        R: Clone,
        K: Clone,
        L: Clone,
    {
        Pipeline {
            steps: self.steps.clone(),
            classifier: self.classifier.clone(),
            ends,
            replay: replay(self.replay.clone()),
            cost: self.cost.clone(),
            bottom: self.bottom.clone(),
        }
    }

    /// Tells `observer` whatever any step does from now on. A step that another pipeline shares tells
    /// it that one's calls too. Where a [registry](crate::Registry::pipeline) exchanges the steps, it hears of the new ones, and no
    /// more of the old, until the registry and the last pipeline of the name are gone.
    ///
    /// ```
    /// use seawall::telemetry::Event;
    ///
    /// # fn main() -> Result<(), seawall::ConfigError> {
    /// let pipeline = seawall::Pipeline::builder("inventory").retry(seawall::RetryConfig::safe()).build()?;
    /// pipeline.observe(|event: &Event<'_>| println!("{}: {:?}", event.name, event.kind));
    /// # Ok(()) }
    /// ```
    pub fn observe(&self, observer: impl Observer) {
        let observer: Arc<dyn Observer> = Arc::new(observer);
        drop(self.steps.listen(&observer));
    }

    /// What any step does from now on, as a stream; see [`observe`](Self::observe) and
    /// [`CircuitBreaker::events`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pipeline = seawall::Pipeline::builder("inventory").retry(seawall::RetryConfig::safe()).build()?;
    /// let mut events = pipeline.events(100);
    /// tokio::spawn(async move {
    ///     while let Some(event) = events.recv().await {
    ///         println!("{:?} {}: {:?}, {} lost before", event.time, event.name, event.kind, event.missed);
    ///     }
    /// });
    /// # Ok(()) }
    /// ```
    pub fn events(&self, capacity: usize) -> Events {
        Events::new(capacity, |observer| self.steps.listen(observer))
    }

    /// The same pipeline as a layer over a service whose error can hold a rejection already (another
    /// layer of seawall, or a boxed error): it keeps that error type.
    #[must_use]
    pub fn flat(self) -> FlatLayer<C, N, R, K> {
        FlatLayer::new(self.above())
    }

    /// All but what goes to the bottom.
    fn above(self) -> Pipeline<C, N, R, K> {
        let Self { steps, classifier, ends, replay, cost, .. } = self;
        Pipeline { steps, classifier, ends, replay, cost, bottom: ErrorLayer }
    }
}

impl<C, R, K> Pipeline<C, AtResponse, R, K> {
    /// Runs the futures that `make` makes through all steps.
    ///
    /// Attempts may be made by clones of `make`; to count them, look at a shared counter, or at an
    /// [`observer`](crate::telemetry::Observer).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pipeline = seawall::Pipeline::builder("inventory").retry(seawall::RetryConfig::safe()).build()?;
    /// let stock = pipeline.call(|| async { Ok::<u32, std::io::Error>(42) }).await?;
    /// # assert_eq!(stock, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if a step refuses the call or its time is over, [`Error::Service`] with the last
    /// future's own error.
    pub fn call<F, Fut, T, E>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<T, Error<E>>> + use<C, R, K, F, Fut, T, E>
    where
        C: Classify<Result<T, Error<E>>> + Clone,
        K: Cost<()> + Clone,
        F: Fn() -> Fut + Clone,
        Fut: Future<Output = Result<T, E>>,
    {
        self.call_flat(move || {
            let attempt = make();
            async { attempt.await.map_err(Error::Service) }
        })
    }

    /// As [`call`](Self::call), for futures whose error can hold a rejection already: a handle's, or a
    /// boxed error. So they nest, and the error stays flat.
    ///
    /// # Errors
    ///
    /// The last future's error, or one holding a [`Rejected`](crate::Rejected) if a step refuses the call or its time
    /// is over.
    pub fn call_flat<F, Fut, T, E>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<T, E>> + use<C, R, K, F, Fut, T, E>
    where
        C: Classify<Result<T, E>> + Clone,
        K: Cost<()> + Clone,
        F: Fn() -> Fut + Clone,
        Fut: Future<Output = Result<T, E>>,
        E: FromRejected,
    {
        let pipeline = Pipeline {
            steps: self.steps.clone(),
            classifier: self.classifier.clone(),
            ends: AtResponse,
            replay: CloneRequest,
            cost: self.cost.clone(),
            bottom: ErrorLayer,
        };
        let mut service = pipeline.flat().layer(flat::MakeService(make));
        async move { service.call(()).await }
    }
}

impl<S, C, N, R, K, L> Layer<S> for Pipeline<C, N, R, K, L>
where
    C: Clone,
    N: Clone,
    R: Clone,
    K: Clone,
    L: Layer<S> + Clone,
{
    type Service = PipelineService<L::Service, C, N, R, K>;

    fn layer(&self, inner: S) -> Self::Service {
        PipelineService::new(self.bottom.layer(inner), self.clone().above())
    }
}
