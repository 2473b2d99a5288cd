//! Plays a script, and writes down all there is to see.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use seawall::*;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tower::{Service, ServiceBuilder, ServiceExt, util::BoxCloneService};

use super::script::{
    Answer, BreakerSettings, BulkheadSettings, Caller, End, RateSettings, RetrySettings, Script,
    Settings, time_limiter,
};

/// Nobody waits longer.
const END: Duration = Duration::from_secs(10);

pub type Failure = Error<Broken>;
pub type Judge = fn(&Result<u32, Failure>) -> Verdict;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What happened; times in microseconds from the beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// By caller: when, and what.
    pub ends: Vec<(u128, String)>,
    /// By caller: when its attempts began, and when and how they ended.
    pub attempts: Vec<Vec<(u128, &'static str)>>,
    /// By instance: when, and what.
    pub events: Vec<(&'static str, Vec<(u128, String)>)>,
    /// What the instances say in the end.
    pub state: String,
}

/// One instance of each step that there shall be.
#[derive(Clone)]
pub struct Steps {
    pub retry: Option<Retry>,
    pub breaker: Option<CircuitBreaker>,
    pub rate: Option<RateLimiter>,
    pub time: Option<TimeLimiter>,
    pub bulkhead: Option<Bulkhead>,
    pub timer: Option<Timer>,
}

impl Steps {
    pub fn new(settings: &Settings) -> Self {
        Self {
            retry: settings.retry.as_ref().map(RetrySettings::build),
            breaker: settings.breaker.as_ref().map(BreakerSettings::build),
            rate: settings.rate.as_ref().map(RateSettings::build),
            time: settings.timeout.map(time_limiter),
            bulkhead: settings.bulkhead.as_ref().map(BulkheadSettings::build),
            timer: settings.has_timer.then(|| Timer::with_defaults("timer")),
        }
    }

    pub fn pipeline(&self) -> Pipeline<Judge> {
        let mut builder = Pipeline::builder("pipeline");
        if let Some(retry) = &self.retry {
            builder = builder.retry(retry.clone());
        }
        if let Some(breaker) = &self.breaker {
            builder = builder.circuit_breaker(breaker.clone());
        }
        if let Some(rate) = &self.rate {
            builder = builder.rate_limiter(rate.clone());
        }
        if let Some(time) = &self.time {
            builder = builder.time_limiter(time.clone());
        }
        if let Some(bulkhead) = &self.bulkhead {
            builder = builder.bulkhead(bulkhead.clone());
        }
        if let Some(timer) = &self.timer {
            builder = builder.timer(timer.clone());
        }
        builder.classifier(judge as Judge).build().unwrap()
    }

    pub fn as_pipeline(&self, backend: Backend) -> Client {
        let service = ServiceBuilder::new().layer(self.pipeline().flat()).service(backend);
        BoxCloneService::new(service)
    }

    /// The same by hand, from the innermost out.
    pub fn as_stack(&self, backend: Backend) -> Client {
        let judge = judge as Judge;
        let mut stack: Client = BoxCloneService::new(backend);
        if let Some(timer) = &self.timer {
            let layer = TimerLayer::new(timer.clone()).classifier(judge);
            stack = BoxCloneService::new(ServiceBuilder::new().layer(layer).service(stack));
        }
        if let Some(bulkhead) = &self.bulkhead {
            let layer = BulkheadLayer::new(bulkhead.clone());
            stack = BoxCloneService::new(ServiceBuilder::new().layer(layer).service(stack));
        }
        if let Some(time) = &self.time {
            let layer = TimeLimiterLayer::new(time.clone());
            stack = BoxCloneService::new(ServiceBuilder::new().layer(layer).service(stack));
        }
        if let Some(rate) = &self.rate {
            let layer = RateLimiterLayer::new(rate.clone()).classifier(judge);
            stack = BoxCloneService::new(ServiceBuilder::new().layer(layer).service(stack));
        }
        if let Some(breaker) = &self.breaker {
            let layer = CircuitBreakerLayer::new(breaker.clone()).classifier(judge);
            stack = BoxCloneService::new(ServiceBuilder::new().layer(layer).service(stack));
        }
        if let Some(retry) = &self.retry {
            let layer = RetryLayer::new(retry.clone()).classifier(judge);
            stack = BoxCloneService::new(ServiceBuilder::new().layer(layer).service(stack));
        }
        stack
    }

    fn state(&self) -> String {
        let retry = self.retry.as_ref().map(Retry::metrics);
        let breaker = self.breaker.as_ref().map(|it| (it.state(), it.metrics(), it.counters()));
        let rate = self.rate.as_ref().map(RateLimiter::metrics);
        let time = self.time.as_ref().map(TimeLimiter::metrics);
        let bulkhead = self.bulkhead.as_ref().map(Bulkhead::metrics);
        let timer = self.timer.as_ref().map(|it| (it.metrics(), it.failures()));
        format!("{retry:#?} {breaker:#?} {rate:#?} {time:#?} {bulkhead:#?} {timer:#?}")
    }
}

/// A response of 100 or more is bad, and 200 means that the backend has too much to do.
fn judge(result: &Result<u32, Failure>) -> Verdict {
    match result {
        Ok(200) => Verdict::failure(Cause::Overloaded),
        Ok(100..) => Verdict::failure(Cause::Other),
        result => ResultClassifier.classify(result),
    }
}

pub type Client = BoxCloneService<usize, u32, Failure>;

/// Answers each caller's attempts as the script says.
#[derive(Clone)]
pub struct Backend {
    shared: Arc<Shared>,
    start: Instant,
}

struct Shared {
    answers: Vec<Vec<Answer>>,
    log: Mutex<Vec<Vec<(u128, &'static str)>>>,
}

impl Backend {
    pub fn new(answers: &[Vec<Answer>]) -> Self {
        let log = Mutex::new(vec![Vec::new(); answers.len()]);
        let shared = Arc::new(Shared { answers: answers.to_vec(), log });
        Self { shared, start: Instant::now() }
    }

    fn note(&self, caller: usize, what: &'static str) {
        let at = micros(self.start, Instant::now());
        self.shared.log.lock().unwrap()[caller].push((at, what));
    }

    pub fn attempts(&self) -> Vec<Vec<(u128, &'static str)>> {
        self.shared.log.lock().unwrap().clone()
    }
}

impl Service<usize> for Backend {
    type Response = u32;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<u32, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, caller: usize) -> Self::Future {
        let answers = &self.shared.answers[caller];
        let log = self.shared.log.lock().unwrap();
        let begun = log[caller].iter().filter(|(_, what)| *what == "begins").count();
        drop(log);
        let answer = answers[begun.min(answers.len() - 1)];
        self.note(caller, "begins");
        let under_way = UnderWay { backend: self.clone(), caller, end: "is dropped" };
        Box::pin(async move {
            let mut under_way = under_way;
            if !answer.after.is_zero() {
                sleep(answer.after).await;
            }
            let result = answer.end.result().await;
            under_way.end = "ends";
            result
        })
    }
}

struct UnderWay {
    backend: Backend,
    caller: usize,
    end: &'static str,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.backend.note(self.caller, self.end);
    }
}

impl End {
    async fn result(self) -> Result<u32, Failure> {
        let below = "below";
        match self {
            Self::Good => Ok(1),
            Self::Bad => Ok(100),
            Self::Overload => Ok(200),
            Self::Error => Err(Error::Service(Broken)),
            Self::Refusal => {
                let full = BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap();
                let refused = Bulkhead::new(below, full).try_acquire();
                Err(refused.unwrap_err().into())
            }
            Self::RateLimited => {
                let config = RateLimiterConfig::builder()
                    .limit_for_period(1)
                    .limit_refresh_period(Duration::from_millis(7))
                    .timeout(Duration::ZERO);
                let refused = RateLimiter::new(below, config.build().unwrap());
                refused.try_acquire(1).unwrap();
                Err(refused.try_acquire(1).unwrap_err().into())
            }
            Self::Timeout => {
                let limiter = TimeLimiterConfig::builder().timeout(Duration::ZERO).build().unwrap();
                TimeLimiter::new(below, limiter).call(std::future::pending()).await
            }
            Self::Hang => std::future::pending().await,
        }
    }
}

fn micros(start: Instant, now: Instant) -> u128 {
    now.saturating_duration_since(start).as_micros()
}

type Book = Arc<Mutex<Vec<(u128, String)>>>;

fn observer(start: Instant, book: Book) -> impl telemetry::Observer {
    move |event: &telemetry::Event<'_>| {
        let line = (micros(start, event.at), format!("{:?}", event.kind));
        book.lock().unwrap().push(line);
    }
}

/// Plays it to the end.
pub fn play(script: &Script, client: impl FnOnce(&Steps, Backend) -> Client) -> Record {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let steps = Steps::new(&script.steps);
        let books = [(); 6].map(|()| Book::default());
        let names = ["retry", "breaker", "rate", "time", "bulkhead", "timer"];
        if let Some(it) = &steps.retry {
            it.observe(observer(start, books[0].clone()));
        }
        if let Some(it) = &steps.breaker {
            it.observe(observer(start, books[1].clone()));
        }
        if let Some(it) = &steps.rate {
            it.observe(observer(start, books[2].clone()));
        }
        if let Some(it) = &steps.time {
            it.observe(observer(start, books[3].clone()));
        }
        if let Some(it) = &steps.bulkhead {
            it.observe(observer(start, books[4].clone()));
        }
        if let Some(it) = &steps.timer {
            it.observe(observer(start, books[5].clone()));
        }
        let backend = Backend::new(&script.attempts);
        let client = client(&steps, backend.clone());
        let callers = script
            .callers
            .iter()
            .enumerate()
            .map(|(index, caller)| tokio::spawn(call(client.clone(), index, *caller, start)));
        let callers: Vec<_> = callers.collect();
        let mut ends = Vec::new();
        for caller in callers {
            ends.push(caller.await.unwrap());
        }
        let state = steps.state();
        let events = names.into_iter().zip(books);
        let events = events.map(|(name, book)| (name, book.lock().unwrap().clone())).collect();
        Record { ends, attempts: backend.attempts(), events, state }
    })
}

async fn call(client: Client, index: usize, caller: Caller, start: Instant) -> (u128, String) {
    sleep_until(start + caller.start).await;
    let leaves = start + caller.start + caller.leaves_after.unwrap_or(END);
    let result = timeout_at(leaves, client.oneshot(index)).await;
    let said = match result {
        Ok(result) => format!("{result:?}"),
        Err(_) => "left".to_owned(),
    };
    (micros(start, Instant::now()), said)
}
