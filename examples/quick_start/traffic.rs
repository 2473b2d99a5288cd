//! The calls: due at fixed times, half of them by reqwest and half by hyper, with or without seawall.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::{Client as HyperClient, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use seawall::pipeline::{HttpPipeline, HttpPipelineService};
use seawall::telemetry::{EventKind, RetryEvent};
use seawall::{Random, Reason, Rejected};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::protection::{PATIENCE, Protection, pipeline};
use crate::scenario::{Kind, Scenario};
use crate::servers::Server;

/// All calls to one server, and what became of them.
pub(crate) struct Lane {
    pub(crate) server: Arc<Server>,
    pub(crate) pipeline: Option<HttpPipeline>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) retries: Arc<AtomicUsize>,
    clients: Clients,
}

/// One call, as its caller saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) due: Duration,
    /// How much too late it began, if the machine was busy.
    pub(crate) late: Duration,
    /// From when it was due until its body was read, or until it failed.
    pub(crate) wait: Duration,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Failed,
    TimedOut,
    /// The circuit was open.
    Open,
    /// The bulkhead was full.
    Full,
    /// The rate limiter had no permission in time.
    Limited,
}

impl Outcome {
    fn of(result: &Result<StatusCode, BoxError>) -> Self {
        let error = match result {
            Ok(status) if status.is_success() => return Self::Ok,
            Ok(_) => return Self::Failed,
            Err(error) => error,
        };
        match Rejected::find(&**error).map(Rejected::reason) {
            Some(Reason::CircuitOpen | Reason::CircuitHalfOpen) => Self::Open,
            Some(Reason::BulkheadFull) => Self::Full,
            Some(Reason::RateLimited) => Self::Limited,
            Some(Reason::AttemptTimedOut | Reason::DeadlineExceeded) => Self::TimedOut,
            _ => Self::Failed,
        }
    }
}

impl Lane {
    /// Starts a server of its own for this lane.
    pub(crate) async fn open(
        kind: Kind,
        scenario: Scenario,
        protection: Protection,
        seed: u64,
        reqwest: &reqwest::Client,
    ) -> Result<Arc<Self>, BoxError> {
        let pipeline = match protection {
            Protection::Full => Some(pipeline(kind, scenario, None)?),
            Protection::Without(step) => Some(pipeline(kind, scenario, Some(step))?),
            Protection::Bare => None,
        };
        let retries = Arc::new(AtomicUsize::new(0));
        if let Some(retry) = pipeline.as_ref().and_then(seawall::Pipeline::retry) {
            let retries = retries.clone();
            retry.observe(move |event: &seawall::telemetry::Event<'_>| {
                if let EventKind::Retry(RetryEvent::Retry { .. }) = event.kind {
                    retries.fetch_add(1, Relaxed);
                }
            });
        }
        Ok(Arc::new(Self {
            server: Server::start(kind, scenario, seed).await?,
            clients: Clients::new(reqwest.clone(), pipeline.as_ref()),
            pipeline,
            calls: Mutex::default(),
            retries,
        }))
    }

    /// Makes every call when it is due, and waits until all are over.
    pub(crate) async fn drive(self: Arc<Self>, scenario: Scenario, random: Random) {
        let mut running = JoinSet::new();
        for (turn, due) in scenario.arrivals(self.server.kind, &random).into_iter().enumerate() {
            sleep_until(scenario.start + due).await;
            let lane = self.clone();
            running.spawn(async move {
                let late = scenario.now().saturating_sub(due);
                let result = lane.clients.get(turn, &lane.server.url).await;
                let wait = scenario.now().saturating_sub(due);
                let call = Call { due, late, wait, outcome: Outcome::of(&result) };
                lane.calls.lock().unwrap().push(call);
            });
        }
        running.join_all().await;
    }
}

type Hyper = HyperClient<HttpConnector, Empty<Bytes>>;

/// reqwest and hyper, with or without seawall around them. Both share one pipeline, and so one breaker.
enum Clients {
    Protected { reqwest: seawall::reqwest::Client, hyper: HttpPipelineService<Hyper> },
    Bare { reqwest: reqwest::Client, hyper: Hyper },
}

impl Clients {
    fn new(reqwest: reqwest::Client, pipeline: Option<&HttpPipeline>) -> Self {
        let hyper = HyperClient::builder(TokioExecutor::new()).build_http();
        match pipeline {
            Some(pipeline) => Self::Protected {
                reqwest: seawall::reqwest::Client::wrap(reqwest, pipeline),
                hyper: pipeline.layer(hyper),
            },
            None => Self::Bare { reqwest, hyper },
        }
    }

    async fn get(&self, turn: usize, url: &str) -> Result<StatusCode, BoxError> {
        match (self, turn % 2) {
            (Self::Protected { reqwest, .. }, 0) => read(reqwest.get(url).send().await?).await,
            (Self::Protected { hyper, .. }, _) => by_hyper(hyper.clone(), url).await,
            (Self::Bare { reqwest, .. }, 0) => {
                read(reqwest.get(url).timeout(PATIENCE).send().await?).await
            }
            (Self::Bare { hyper, .. }, _) => {
                timeout(PATIENCE, by_hyper(hyper.clone(), url)).await?
            }
        }
    }
}

async fn read(response: reqwest::Response) -> Result<StatusCode, BoxError> {
    let status = response.status();
    response.bytes().await?;
    Ok(status)
}

async fn by_hyper<S, B>(client: S, url: &str) -> Result<StatusCode, BoxError>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let request = Request::get(url).body(Empty::new())?;
    let response = client.oneshot(request).await.map_err(Into::into)?;
    let status = response.status();
    response.into_body().collect().await.map_err(Into::into)?;
    Ok(status)
}
