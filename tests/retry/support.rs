//! A retry with a log of its events, and a backend that answers by script.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::patterns::retry::RetryMetrics;
use seawall::telemetry::{EventKind, RetryEvent};
use seawall::{
    Classify, Error, ErrorLayer, ResultClassifier, Retry, RetryConfig, RetryConfigBuilder,
    RetryLayer,
};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An error that knows which call it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong(pub(crate) u32);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} went wrong", self.0)
    }
}

impl std::error::Error for Wrong {}

pub(crate) type Outcome = Result<u32, Error<Wrong>>;

/// The ways to a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Layer,
    Handle,
}

pub(crate) const WAYS: [Way; 2] = [Way::Layer, Way::Handle];

#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) retry: Retry,
    way: Way,
    events: Arc<Mutex<Vec<RetryEvent>>>,
    starts: Arc<Mutex<Vec<Instant>>>,
    began: Instant,
}

impl Bench {
    pub(crate) fn new(
        way: Way,
        settings: impl FnOnce(RetryConfigBuilder) -> RetryConfigBuilder,
    ) -> Self {
        let retry =
            Retry::new("inventory", settings(RetryConfig::builder()).build().expect("in range"));
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        retry.observe(move |event: &seawall::telemetry::Event<'_>| {
            assert_eq!(event.name, "inventory");
            let EventKind::Retry(kind) = event.kind else { panic!("a foreign event") };
            log.lock().unwrap().push(kind);
        });
        Self { retry, way, events, starts: Arc::default(), began: Instant::now() }
    }

    /// One call; `answer` is asked with the number of the attempt, from 1.
    pub(crate) async fn call(&self, answer: impl Fn(u32) -> Result<u32, Wrong> + Clone) -> Outcome {
        self.judged(ResultClassifier, answer).await
    }

    pub(crate) async fn judged(
        &self,
        classifier: impl Classify<Outcome> + Clone,
        answer: impl Fn(u32) -> Result<u32, Wrong> + Clone,
    ) -> Outcome {
        let answer = |n| {
            let answer = answer.clone();
            async move { answer(n) }
        };
        self.run(classifier, answer).await
    }

    /// As `judged`, with attempts that take their time.
    pub(crate) async fn run<F: Future<Output = Result<u32, Wrong>>>(
        &self,
        classifier: impl Classify<Outcome> + Clone,
        answer: impl Fn(u32) -> F,
    ) -> Outcome {
        let attempts = AtomicU32::new(0);
        let attempt = || {
            self.starts.lock().unwrap().push(Instant::now());
            answer(attempts.fetch_add(1, Ordering::Relaxed) + 1)
        };
        match self.way {
            Way::Handle => {
                let flat = || {
                    let attempt = attempt();
                    async { attempt.await.map_err(Error::Service) }
                };
                self.retry.call_with(classifier, flat).await
            }
            Way::Layer => {
                ServiceBuilder::new()
                    .layer(RetryLayer::new(self.retry.clone()).classifier(classifier))
                    .layer(ErrorLayer)
                    .service(service_fn(|()| attempt()))
                    .oneshot(())
                    .await
            }
        }
    }

    /// Attempts made, by all calls.
    pub(crate) fn made(&self) -> usize {
        self.starts.lock().unwrap().len()
    }

    /// When the attempts began, in milliseconds.
    pub(crate) fn starts(&self) -> Vec<u128> {
        let starts = self.starts.lock().unwrap();
        starts.iter().map(|at| (*at - self.began).as_millis()).collect()
    }

    pub(crate) fn events(&self) -> Vec<RetryEvent> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    /// Successes without and with a retry, failures without and with one.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let RetryMetrics {
            successful_without_retry,
            successful_with_retry,
            failed_without_retry,
            failed_with_retry,
            ..
        } = self.retry.metrics();
        [successful_without_retry, successful_with_retry, failed_without_retry, failed_with_retry]
    }
}

pub(crate) fn fail(n: u32) -> Result<u32, Wrong> {
    Err(Wrong(n))
}
