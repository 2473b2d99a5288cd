//! Puts a pipeline together and refuses what cannot work.

use std::sync::Arc;
use std::time::Duration;

use super::Pipeline;
use super::live::{Current, LiveSteps};
use super::steps::{IntoStep, Step, Steps};
use crate::ends::AtResponse;
use crate::error::ErrorLayer;
use crate::outcome::ResultClassifier;
use crate::patterns::bulkhead::Bulkhead;
use crate::patterns::circuit_breaker::CircuitBreaker;
use crate::patterns::rate_limiter::{OnePermission, RateLimiter};
use crate::patterns::retry::Retry;
use crate::patterns::time_limiter::TimeLimiter;
use crate::patterns::timer::Timer;
use crate::replay::CloneRequest;
use crate::settings::{self, ConfigError};

/// Builds a [`Pipeline`]. The order in which steps are given does not matter.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct PipelineBuilder<
    C = ResultClassifier,
    N = AtResponse,
    R = CloneRequest,
    K = OnePermission,
    L = ErrorLayer,
> {
    pub(super) steps: Steps,
    /// Steps that were given by the user. A preset's may be replaced, and are fitted to these.
    given: Vec<Step>,
    error: Option<ConfigError>,
    classifier: C,
    ends: N,
    replay: R,
    cost: K,
    bottom: L,
}

impl PipelineBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            steps: Steps::new(name),
            given: Vec::new(),
            error: None,
            classifier: ResultClassifier,
            ends: AtResponse,
            replay: CloneRequest,
            cost: OnePermission,
            bottom: ErrorLayer,
        }
    }
}

impl<C, N, R, K, L> PipelineBuilder<C, N, R, K, L> {
    /// The whole call, retries, pauses and body included, must be over after this.
    ///
    /// Range: from 1 ms. If the call stands under an earlier [`Deadline`](crate::Deadline) already, that one counts.
    pub fn deadline(mut self, span: Duration) -> Self {
        self.give(Step::Deadline);
        let checked = settings::at_least("deadline", span, Duration::from_millis(1));
        self.steps.deadline = self.take(Step::Deadline, checked.map(|()| span));
        self
    }

    /// Makes failed attempts again.
    pub fn retry(mut self, step: impl IntoStep<Retry>) -> Self {
        self.give(Step::Retry);
        let step = step.into_step(&self.steps.name);
        self.steps.retry = self.take(Step::Retry, step);
        self
    }

    /// Stops calling a backend that fails.
    pub fn circuit_breaker(mut self, step: impl IntoStep<CircuitBreaker>) -> Self {
        self.give(Step::CircuitBreaker);
        let step = step.into_step(&self.steps.name);
        self.steps.circuit_breaker = self.take(Step::CircuitBreaker, step);
        self
    }

    /// Bounds how many attempts begin in a span of time.
    pub fn rate_limiter(mut self, step: impl IntoStep<RateLimiter>) -> Self {
        self.give(Step::RateLimiter);
        let step = step.into_step(&self.steps.name);
        self.steps.rate_limiter = self.take(Step::RateLimiter, step);
        self
    }

    /// Bounds how long one attempt takes.
    pub fn time_limiter(mut self, step: impl IntoStep<TimeLimiter>) -> Self {
        self.give(Step::TimeLimiter);
        let step = step.into_step(&self.steps.name);
        self.steps.time_limiter = self.take(Step::TimeLimiter, step);
        self
    }

    /// Bounds how many attempts run at once.
    pub fn bulkhead(mut self, step: impl IntoStep<Bulkhead>) -> Self {
        self.give(Step::Bulkhead);
        let step = step.into_step(&self.steps.name);
        self.steps.bulkhead = self.take(Step::Bulkhead, step);
        self
    }

    /// Measures how long each attempt takes that is made.
    pub fn timer(mut self, step: impl IntoStep<Timer>) -> Self {
        self.give(Step::Timer);
        let step = step.into_step(&self.steps.name);
        self.steps.timer = self.take(Step::Timer, step);
        self
    }

    /// Leaves out a step of a preset.
    pub fn without(mut self, step: Step) -> Self {
        let steps = &mut self.steps;
        match step {
            Step::Deadline => steps.deadline = None,
            Step::Retry => steps.retry = None,
            Step::CircuitBreaker => steps.circuit_breaker = None,
            Step::RateLimiter => steps.rate_limiter = None,
            Step::TimeLimiter => steps.time_limiter = None,
            Step::Bulkhead => steps.bulkhead = None,
            Step::Timer => steps.timer = None,
        }
        self
    }

    /// Judges attempts by `classifier`. Default: [`ResultClassifier`], any `Err` is a failure.
    pub fn classifier<C2>(self, classifier: C2) -> PipelineBuilder<C2, N, R, K, L> {
        let Self { steps, given, error, ends, replay, cost, bottom, .. } = self;
        PipelineBuilder { steps, given, error, classifier, ends, replay, cost, bottom }
    }

    /// Says when a call has ended. Default: [`AtResponse`].
    pub fn ends<N2>(self, ends: N2) -> PipelineBuilder<C, N2, R, K, L> {
        let Self { steps, given, error, classifier, replay, cost, bottom, .. } = self;
        PipelineBuilder { steps, given, error, classifier, ends, replay, cost, bottom }
    }

    /// Makes the attempts out of the request. Default: [`CloneRequest`].
    pub fn replay<R2>(self, replay: R2) -> PipelineBuilder<C, N, R2, K, L> {
        let Self { steps, given, error, classifier, ends, cost, bottom, .. } = self;
        PipelineBuilder { steps, given, error, classifier, ends, replay, cost, bottom }
    }

    /// Says how many permissions of the rate limiter a request takes; each of its attempts takes as
    /// many. See [`Cost`](crate::Cost). Default: one. The request of [`Pipeline::call`] is `()`.
    pub fn cost<K2>(self, cost: K2) -> PipelineBuilder<C, N, R, K2, L> {
        let Self { steps, given, error, classifier, ends, replay, bottom, .. } = self;
        PipelineBuilder { steps, given, error, classifier, ends, replay, cost, bottom }
    }

    /// For HTTP: judges by status and kind of error, lets calls last until the body's end, sends again
    /// only what may be sent twice.
    #[cfg(feature = "http")]
    pub fn http(
        self,
    ) -> PipelineBuilder<
        crate::http::HttpClassifier,
        crate::ends::AtBodyEnd,
        crate::http::HttpReplay,
        K,
        L,
    > {
        self.classifier(crate::http::HttpClassifier::default())
            .ends(crate::ends::AtBodyEnd)
            .replay(crate::http::HttpReplay::default())
    }

    /// For gRPC over a tonic channel: judges by status code, in the head or the trailers, sends again what
    /// gRPC lets a client send again, and fails with a `tonic::Status`.
    #[cfg(feature = "tonic")]
    pub fn grpc(
        self,
    ) -> PipelineBuilder<
        crate::tonic::GrpcClassifier,
        crate::tonic::AtTrailers,
        crate::tonic::GrpcReplay,
        K,
        crate::tonic::ChannelLayer,
    > {
        let Self { steps, given, error, cost, .. } = self;
        PipelineBuilder {
            steps,
            given,
            error,
            classifier: crate::tonic::GrpcClassifier::default(),
            ends: crate::tonic::AtTrailers::default(),
            replay: crate::tonic::GrpcReplay::default(),
            cost,
            bottom: crate::tonic::ChannelLayer,
        }
    }

    /// Checks the composition.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: the first setting out of range, a step given twice, or two steps whose times
    /// contradict each other.
    pub fn build(mut self) -> Result<Pipeline<C, N, R, K, L>, ConfigError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.fit_preset();
        self.steps.terms().check()?;
        let bare = Steps::new(self.steps.name.clone());
        let mut steps = std::mem::replace(&mut self.steps, bare);
        steps.note_common();
        Ok(self.finish(Current::fixed(Arc::new(steps))))
    }

    /// A pipeline with the steps of this source, whichever they are when a call is made, instead of the builder's own.
    pub(crate) fn build_live(self, source: LiveSteps) -> Pipeline<C, N, R, K, L> {
        self.finish(Current::live(source))
    }

    fn finish(self, steps: Current) -> Pipeline<C, N, R, K, L> {
        let Self { classifier, ends, replay, cost, bottom, .. } = self;
        Pipeline { steps, classifier, ends, replay, cost, bottom }
    }

    /// A preset's attempt leaves room for two more within the whole call of a user.
    fn fit_preset(&mut self) {
        let Steps { name, deadline: Some(deadline), time_limiter: Some(limiter), .. } = &self.steps
        else {
            return;
        };
        let (config, third) = (limiter.config(), *deadline / 3);
        if config.timeout() > third && !self.given.contains(&Step::TimeLimiter) {
            self.steps.time_limiter = config.to_builder().timeout(third).into_step(name).ok();
        }
    }

    /// Notes that the user gave this step, which can be done once.
    fn give(&mut self, step: Step) {
        if self.given.contains(&step) && self.error.is_none() {
            self.error = Some(ConfigError::new(step.key(), "given twice", "given once"));
        }
        self.given.push(step);
    }

    fn take<H>(&mut self, step: Step, made: Result<H, ConfigError>) -> Option<H> {
        match made {
            Ok(made) => Some(made),
            Err(error) => {
                self.error.get_or_insert(error.within(step.key()));
                None
            }
        }
    }

    /// Makes what stands a preset, which the user may replace step by step.
    #[cfg(feature = "http")]
    pub(super) fn into_preset(mut self) -> Self {
        self.given.clear();
        self
    }
}
