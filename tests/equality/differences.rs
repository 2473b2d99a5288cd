//! Where a pipeline differs from its layers, and on purpose.

use std::time::Duration;

use seawall::testing::contract::{Act, Backend, End, Probe};
use seawall::*;
use tokio::time::{Instant, sleep, timeout};
use tower::{Service, ServiceBuilder, ServiceExt};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn retry() -> Retry {
    let config = RetryConfig::builder().max_attempts(2).backoff(Backoff::fixed(Duration::ZERO));
    Retry::new("retry", config.build().unwrap())
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::with_defaults("breaker")
}

fn limiter(limit: Duration) -> TimeLimiter {
    let config = TimeLimiterConfig::builder().timeout(limit).build().unwrap();
    TimeLimiter::new("time", config)
}

/// Fails once; to be ready for the second attempt takes a release.
fn late() -> (Backend<u32>, Probe<u32>) {
    let backend = Backend::new(|| 1);
    backend.script(&[Act { pendings: 1, end: End::Fail }], Act { pendings: 0, end: End::Answer });
    (backend.clone(), backend.probe())
}

/// Calls, and once the first attempt has failed, leaves the second one waiting for a ready service.
async fn call_unready<S: Service<u32>>(backend: &Backend<u32>, service: S) -> Option<bool> {
    let call = async {
        let mut service = service;
        let ready = service.ready().await.is_ok();
        assert!(ready);
        service.call(1).await.is_ok()
    };
    let release = async {
        sleep(ms(1)).await;
        backend.late_readiness(1);
        backend.release();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        result = timeout(ms(500), call) => result.ok(),
        () = release => None,
    }
}

/// A pipeline's further attempts pass its gates first, and only then wait for the service to be ready:
/// that wait has a limit then, and holds the places of the attempt. Layers wait before all gates.
#[tokio::test(start_paused = true)]
async fn differs_in_the_readiness_of_further_attempts() {
    let (backend, probe) = late();
    let time = limiter(ms(50));
    let pipeline =
        Pipeline::builder("p").retry(retry()).time_limiter(time.clone()).build().unwrap();
    let result = call_unready(&backend, ServiceBuilder::new().layer(pipeline).service(probe)).await;
    assert_eq!(result, Some(false));
    assert_eq!((time.metrics().error, time.metrics().timeout), (1, 1));

    let (backend, probe) = late();
    let time = limiter(ms(50));
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry()))
        .layer(TimeLimiterLayer::new(time.clone()))
        .service(probe);
    assert_eq!(call_unready(&backend, stack).await, None);
    assert_eq!((time.metrics().error, time.metrics().timeout), (1, 0));
}

/// So a pipeline's timer measures that wait too, and a timer alone begins when its service is called.
#[tokio::test(start_paused = true)]
async fn differs_in_what_the_timer_of_a_further_attempt_measures() {
    let (backend, probe) = late();
    let timer = Timer::with_defaults("timer");
    let pipeline = Pipeline::builder("p").retry(retry()).timer(timer.clone()).build().unwrap();
    assert_eq!(
        call_unready(&backend, ServiceBuilder::new().layer(pipeline).service(probe)).await,
        None
    );
    let tags: Vec<_> = timer.failures().into_iter().map(|(tag, of)| (tag, of.sum())).collect();
    assert_eq!(tags, [("other", ms(1)), ("cancelled", ms(499))]);

    let (backend, probe) = late();
    let timer = Timer::with_defaults("timer");
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry()))
        .layer(TimerLayer::new(timer.clone()))
        .service(probe);
    assert_eq!(call_unready(&backend, stack).await, None);
    assert_eq!(timer.failures().len(), 1, "the second was never called");
}

/// A refusal need not wait until the service is ready, either.
#[tokio::test(start_paused = true)]
async fn differs_in_that_a_further_attempt_is_refused_without_readiness() {
    let open = |breaker: &CircuitBreaker| {
        let breaker = breaker.clone();
        let config = RetryConfig::builder()
            .max_attempts(2)
            .backoff(Backoff::fixed(Duration::ZERO))
            .before_retry(move |_| breaker.transition_to_forced_open());
        Retry::new("retry", config.build().unwrap())
    };
    let (backend, probe) = late();
    let circuit = breaker();
    let pipeline = Pipeline::builder("p").retry(open(&circuit)).circuit_breaker(circuit).build();
    let service = ServiceBuilder::new().layer(pipeline.unwrap()).service(probe);
    assert_eq!(call_unready(&backend, service).await, Some(false));

    let (backend, probe) = late();
    let circuit = breaker();
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(open(&circuit)))
        .layer(CircuitBreakerLayer::new(circuit))
        .service(probe);
    assert_eq!(call_unready(&backend, stack).await, None);
}

async fn hang(_: u32) -> Result<u32, Error<&'static str>> {
    std::future::pending().await
}

/// A pipeline ends with the deadline that it finds; layers only heed it when they would wait.
#[tokio::test(start_paused = true)]
async fn differs_in_that_a_pipeline_ends_with_the_deadline_outside() {
    let (start, circuit) = (Instant::now(), breaker());
    let pipeline = Pipeline::builder("p").circuit_breaker(circuit.clone()).build().unwrap();
    let service = ServiceBuilder::new().layer(pipeline.flat()).service_fn(hang);
    let error = Deadline::after(ms(20)).scope(service.oneshot(1)).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::DeadlineExceeded);
    assert_eq!(start.elapsed(), ms(20));
    assert_eq!(circuit.metrics().failed_calls, 1);

    let circuit = breaker();
    let stack =
        ServiceBuilder::new().layer(CircuitBreakerLayer::new(circuit.clone())).service_fn(hang);
    let call = Deadline::after(ms(20)).scope(stack.oneshot(1));
    assert!(timeout(ms(10_000), call).await.is_err());
    // Given up after its deadline, it counts as failed all the same.
    assert_eq!(circuit.metrics().failed_calls, 1);
}

/// After its deadline a pipeline begins nothing.
#[tokio::test(start_paused = true)]
async fn differs_in_that_a_pipeline_refuses_after_the_deadline() {
    let (backend, past) = (Backend::new(|| 1), Deadline::at(Instant::now()));
    let pipeline = Pipeline::builder("p").build().unwrap().flat();
    let service = ServiceBuilder::new().layer(pipeline).service(backend.probe());
    let refused = past.scope(async { service.oneshot(1).await }).await.unwrap_err();
    assert_eq!(refused.as_rejected().unwrap().reason(), Reason::DeadlinePassed);
    assert_eq!(backend.calls(), 0);

    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry()))
        .layer(CircuitBreakerLayer::new(breaker()))
        .service(backend.probe());
    assert!(past.scope(async { stack.oneshot(1).await }).await.is_ok());
    assert_eq!(backend.calls(), 1);
}

/// A pipeline keeps an attempt's place until all have judged it; a bulkhead alone stands below the others
/// and lets go first. Nobody waits on the way, so only the order of the events tells.
#[tokio::test(start_paused = true)]
async fn differs_in_the_order_of_events() {
    async fn order(layered: bool) -> Vec<&'static str> {
        let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (circuit, bulkhead) = (breaker(), Bulkhead::with_defaults("bulkhead"));
        let book = heard.clone();
        circuit.observe(move |_: &telemetry::Event<'_>| book.lock().unwrap().push("breaker"));
        let book = heard.clone();
        bulkhead.observe(move |_: &telemetry::Event<'_>| book.lock().unwrap().push("bulkhead"));
        let backend = Backend::new(|| 1);
        let ended = if layered {
            let layers = ServiceBuilder::new()
                .layer(CircuitBreakerLayer::new(circuit))
                .layer(BulkheadLayer::new(bulkhead));
            layers.service(backend.probe()).oneshot(1).await.is_ok()
        } else {
            let builder = Pipeline::builder("p").circuit_breaker(circuit).bulkhead(bulkhead);
            let layers = ServiceBuilder::new().layer(builder.build().unwrap().flat());
            layers.service(backend.probe()).oneshot(1).await.is_ok()
        };
        assert!(ended);
        let heard = heard.lock().unwrap();
        heard.clone()
    }
    assert_eq!(order(true).await, ["bulkhead", "bulkhead", "breaker"]);
    assert_eq!(order(false).await, ["bulkhead", "breaker", "bulkhead"]);
}
