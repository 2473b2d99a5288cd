//! Users' own functions that panic: the call may fail, nothing else may happen.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall::testing::contract::{Contract, Fault};
use seawall::*;

use super::support::*;

/// Unwinds without the panic hook's report, which would be one of thousands.
fn quiet_panic() {
    std::panic::resume_unwind(Box::new("a callback was told to panic"));
}

/// Panics at every second call.
fn now_and_then() -> impl Fn() + Clone + Send + Sync + 'static {
    let calls = std::sync::Arc::new(AtomicU32::new(0));
    move || {
        if calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            quiet_panic();
        }
    }
}

fn classifier<T, E: FromRejected>() -> impl Fn(&Result<T, E>) -> Verdict + Clone {
    let trouble = now_and_then();
    move |result| {
        trouble();
        ResultClassifier.classify(result)
    }
}

#[tokio::test(start_paused = true)]
async fn classifier_of_a_circuit_breaker() {
    Contract::new(|| {
        let layer = CircuitBreakerLayer::new(half_open_breaker());
        (layer.classifier(classifier::<u32, Fault>()), || true)
    })
    .may_panic()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn classifier_of_a_retry() {
    Contract::new(|| {
        let (retry, budget) = retry(3, ms(10));
        let layer = RetryLayer::new(retry).classifier(classifier::<u32, Fault>());
        (layer, move || budget.in_flight() == (0, 0))
    })
    .may_panic()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn classifier_of_a_rate_limiter() {
    Contract::new(|| {
        let limiter = rate_limiter(1, ms(1_000));
        let layer = RateLimiterLayer::new(limiter.clone()).classifier(classifier::<u32, Fault>());
        (layer, move || is_idle(&limiter))
    })
    .may_panic()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn classifier_of_a_timer() {
    Contract::new(|| {
        let (timer, is_balanced) = timer();
        (TimerLayer::new(timer).classifier(classifier::<u32, Fault>()), is_balanced)
    })
    .may_panic()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn classifier_of_a_pipeline() {
    Contract::new(|| {
        let (retry, budget) = retry(3, ms(10));
        let bulkhead = bulkhead(1, ms(100));
        let (timer, is_balanced) = timer();
        let pipeline = Pipeline::builder("all")
            .retry(retry)
            .circuit_breaker(half_open_breaker())
            .time_limiter(time_limiter(ms(1_000)))
            .bulkhead(bulkhead.clone())
            .timer(timer)
            .classifier(classifier::<u32, Error<Fault>>())
            .build();
        let is_free = move || is_empty(&bulkhead) && budget.in_flight() == (0, 0) && is_balanced();
        (pipeline.unwrap(), is_free)
    })
    .may_panic()
    .limits_time()
    .check()
    .await;
}

fn hooked(hook: impl Fn(RetryConfigBuilder) -> RetryConfigBuilder) -> (Retry, RetryBudget) {
    let budget = RetryBudget::new(1.0, 100).unwrap();
    let config = RetryConfig::builder().max_attempts(4).backoff(Backoff::fixed(Duration::ZERO));
    let config = hook(config.budget(budget.clone()));
    (Retry::new("retry", config.build().unwrap()), budget)
}

type Hook = fn(RetryConfigBuilder) -> RetryConfigBuilder;

#[tokio::test(start_paused = true)]
async fn hooks_of_a_retry() {
    let hooks: [Hook; 3] = [
        |config| {
            let trouble = now_and_then();
            config.before_retry(move |_| trouble())
        },
        |config| {
            let trouble = now_and_then();
            config.retry_when(move |_| {
                trouble();
                true
            })
        },
        |config| {
            let trouble = now_and_then();
            config.backoff(Backoff::custom(move |_| {
                trouble();
                Some(ms(5))
            }))
        },
    ];
    for hook in hooks {
        Contract::new(|| {
            let (retry, budget) = hooked(hook);
            (RetryLayer::new(retry), move || budget.in_flight() == (0, 0))
        })
        .may_panic()
        .check()
        .await;
        Contract::new(|| {
            let (retry, budget) = hooked(hook);
            let bulkhead = bulkhead(1, Duration::MAX);
            let pipeline = Pipeline::builder("hooked").retry(retry).bulkhead(bulkhead.clone());
            let is_free = move || is_empty(&bulkhead) && budget.in_flight() == (0, 0);
            (pipeline.build().unwrap(), is_free)
        })
        .may_panic()
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn transition_on_result_of_a_circuit_breaker() {
    let breaker = || {
        let trouble = now_and_then();
        let config = CircuitBreakerConfig::builder().transition_on_result(move |_| {
            trouble();
            None
        });
        CircuitBreaker::new("breaker", config.build().unwrap())
    };
    Contract::new(|| (CircuitBreakerLayer::new(breaker()), || true)).may_panic().check().await;
    Contract::new(|| {
        let bulkhead = bulkhead(1, ms(100));
        let pipeline =
            Pipeline::builder("all").circuit_breaker(breaker()).bulkhead(bulkhead.clone());
        (pipeline.build().unwrap(), move || is_empty(&bulkhead))
    })
    .may_panic()
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn drain_on_of_a_rate_limiter() {
    let limiter = || {
        let trouble = now_and_then();
        let config =
            RateLimiterConfig::builder().limit_refresh_period(ms(100)).drain_on(move |_| {
                trouble();
                false
            });
        RateLimiter::new("limiter", config.build().unwrap())
    };
    Contract::new(|| {
        let limiter = limiter();
        (RateLimiterLayer::new(limiter.clone()), move || is_idle(&limiter))
    })
    .may_panic()
    .check()
    .await;
    Contract::new(|| {
        let bulkhead = bulkhead(1, ms(100));
        let pipeline = Pipeline::builder("all").rate_limiter(limiter()).bulkhead(bulkhead.clone());
        (pipeline.build().unwrap(), move || is_empty(&bulkhead))
    })
    .may_panic()
    .check()
    .await;
}

/// Its panics are caught: not even the call that failed hears of them.
#[tokio::test(start_paused = true)]
async fn failure_tag_of_a_timer() {
    let timer = || {
        let (timer, is_balanced) = timer();
        let trouble = now_and_then();
        let config = TimerConfig::builder().failure_tag(move |_| {
            trouble();
            "told"
        });
        timer.update(config.build().unwrap());
        (timer, is_balanced)
    };
    Contract::new(|| {
        let (timer, is_balanced) = timer();
        (TimerLayer::new(timer), is_balanced)
    })
    .check()
    .await;
    Contract::new(|| {
        let ((timer, is_balanced), bulkhead) = (timer(), bulkhead(1, ms(100)));
        let pipeline = Pipeline::builder("all").bulkhead(bulkhead.clone()).timer(timer);
        (pipeline.build().unwrap(), move || is_empty(&bulkhead) && is_balanced())
    })
    .check()
    .await;
}

/// How a call ends is the user's code too.
#[derive(Clone)]
struct Ending<F>(F);

impl<F: Fn(), R, G> Ends<R, G> for Ending<F> {
    type Out = R;

    fn attach(&self, response: R, _: Option<G>) -> R {
        (self.0)();
        response
    }
}

impl<F: Fn(), R> Discard<R> for Ending<F> {
    type Rest = std::future::Ready<()>;

    fn discard(&self, _: R) -> Option<Self::Rest> {
        (self.0)();
        Some(std::future::ready(()))
    }
}

#[tokio::test(start_paused = true)]
async fn ends() {
    Contract::new(|| {
        let layer = CircuitBreakerLayer::new(half_open_breaker());
        (layer.ends(Ending(now_and_then())), || true)
    })
    .may_panic()
    .check()
    .await;
    Contract::new(|| {
        let (timer, is_balanced) = timer();
        (TimerLayer::new(timer).ends(Ending(now_and_then())), is_balanced)
    })
    .may_panic()
    .check()
    .await;
    Contract::new(|| {
        let bulkhead = bulkhead(1, Duration::MAX);
        let layer = BulkheadLayer::new(bulkhead.clone()).ends(Ending(now_and_then()));
        (layer, move || is_empty(&bulkhead))
    })
    .may_panic()
    .check()
    .await;
    Contract::new(|| {
        let bulkhead = bulkhead(1, Duration::MAX);
        let pipeline = Pipeline::builder("all").bulkhead(bulkhead.clone());
        let pipeline = pipeline.ends(Ending(now_and_then())).build().unwrap();
        (pipeline, move || is_empty(&bulkhead))
    })
    .may_panic()
    .check()
    .await;
}

/// An observer's panic is caught: not even its call fails.
#[tokio::test(start_paused = true)]
async fn observers() {
    Contract::new(|| {
        let (retry, budget) = retry(3, ms(10));
        let (breaker, limiter) = (breaker(), time_limiter(ms(60_000)));
        let bulkhead = bulkhead(1, ms(100));
        let (timer, is_balanced) = timer();
        let trouble = quiet_panic;
        retry.observe(move |_: &telemetry::Event<'_>| trouble());
        breaker.observe(move |_: &telemetry::Event<'_>| trouble());
        limiter.observe(move |_: &telemetry::Event<'_>| trouble());
        bulkhead.observe(move |_: &telemetry::Event<'_>| trouble());
        timer.observe(move |_: &telemetry::Event<'_>| trouble());
        let pipeline = Pipeline::builder("all")
            .retry(retry)
            .circuit_breaker(breaker)
            .time_limiter(limiter)
            .bulkhead(bulkhead.clone())
            .timer(timer)
            .build();
        let is_free = move || is_empty(&bulkhead) && budget.in_flight() == (0, 0) && is_balanced();
        (pipeline.unwrap(), is_free)
    })
    .limits_time()
    .check()
    .await;
}
