//! What an outcome is: CB41 to CB48.
//!
//! Where Resilience4j has lists of exception classes, there is a classifier here: a closure.

use std::error::Error as StdError;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use seawall::patterns::circuit_breaker::{OpenFor, State};
use seawall::telemetry::CircuitBreakerEvent as Event;
use seawall::{
    Cause, CircuitBreaker, CircuitBreakerLayer, Error, ErrorLayer, Reason, Rejected, Verdict,
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

#[derive(Debug, PartialEq)]
enum Fault {
    NotFound,
    Refused,
    TimedOut { after: u32 },
    Wrapped(Box<Fault>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fault")
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Wrapped(cause) => Some(&**cause),
            _ => None,
        }
    }
}

type Outcome = Result<u32, Error<Fault>>;

fn fault(result: &Outcome) -> Option<&Fault> {
    result.as_ref().err().and_then(Error::service)
}

/// Calls, failed ones, ignored ones.
async fn judged(classifier: impl Fn(&Outcome) -> Verdict, result: Result<u32, Fault>) -> [u64; 3] {
    let (breaker, log) = breaker(|builder| builder);
    let wanted = format!("{result:?}");
    let given = breaker
        .call_with(classifier, async { result.map_err(Error::Service) })
        .await
        .map_err(|error| error.into_service().unwrap());
    assert_eq!(format!("{given:?}"), wanted, "the caller gets what the client said");
    let metrics = breaker.metrics();
    let counters = breaker.counters();
    assert_eq!(counters.failed, u64::from(metrics.failed_calls));
    let expected = match (metrics.buffered_calls, metrics.failed_calls) {
        (0, 0) => log.count(|event| matches!(event, Event::IgnoredError { .. })),
        (1, 0) => log.count(|event| matches!(event, Event::Success { .. })),
        (1, 1) => log.count(|event| matches!(event, Event::Error { .. })),
        odd => panic!("{odd:?}"),
    };
    assert_eq!((expected, log.all().len()), (1, 1));
    [metrics.buffered_calls.into(), metrics.failed_calls.into(), counters.ignored]
}

#[tokio::test(start_paused = true)]
async fn cb41_what_is_ignored_first_is_ignored() {
    // On both lists: whoever writes a classifier looks at what is to be ignored first.
    let ignored = |fault: &Fault| matches!(fault, Fault::NotFound);
    let recorded = |fault: &Fault| matches!(fault, Fault::NotFound | Fault::Refused);
    let classifier = |result: &Outcome| match fault(result) {
        Some(fault) if ignored(fault) => Verdict::ignored(Cause::Other),
        Some(fault) if recorded(fault) => Verdict::failure(Cause::Other),
        _ => Verdict::success(),
    };
    assert_eq!(judged(classifier, Err(Fault::NotFound)).await, [0, 0, 1]);
    assert_eq!(judged(classifier, Err(Fault::Refused)).await, [1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb42_what_is_not_listed_is_a_success_when_there_is_a_list() {
    let classifier = |result: &Outcome| match fault(result) {
        Some(Fault::TimedOut { .. }) => Verdict::failure(Cause::Timeout),
        _ => Verdict::success(),
    };
    assert_eq!(judged(classifier, Err(Fault::TimedOut { after: 1 })).await, [1, 1, 0]);
    assert_eq!(judged(classifier, Err(Fault::TimedOut { after: 2 })).await, [1, 1, 0]);
    assert_eq!(judged(classifier, Err(Fault::Refused)).await, [1, 0, 0]);
    assert_eq!(judged(classifier, Ok(1)).await, [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb43_with_only_something_ignored_every_other_error_counts() {
    let classifier = |result: &Outcome| match (result, fault(result)) {
        (Ok(_), _) => Verdict::success(),
        (_, Some(Fault::NotFound)) => Verdict::ignored(Cause::Other),
        _ => Verdict::failure(Cause::Other),
    };
    assert_eq!(judged(classifier, Err(Fault::NotFound)).await, [0, 0, 1]);
    assert_eq!(judged(classifier, Err(Fault::Refused)).await, [1, 1, 0]);
    assert_eq!(judged(classifier, Err(Fault::TimedOut { after: 1 })).await, [1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb44_an_ok_can_count_as_a_failure_and_the_caller_still_gets_it() {
    let classifier = |result: &Outcome| match result {
        Ok(503) => Verdict::failure(Cause::Status(503)),
        _ => Verdict::success(),
    };
    assert_eq!(judged(classifier, Ok(503)).await, [1, 1, 0]);
    assert_eq!(judged(classifier, Ok(200)).await, [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn cb45_a_wrapped_error_can_be_judged_by_its_cause() {
    let classifier = |result: &Outcome| {
        let Some(fault) = fault(result) else { return Verdict::success() };
        let cause = fault.source().and_then(|cause| cause.downcast_ref()).unwrap_or(fault);
        match cause {
            Fault::NotFound => Verdict::ignored(Cause::Other),
            _ => Verdict::failure(Cause::Other),
        }
    };
    let wrapped = |fault| Err(Fault::Wrapped(Box::new(fault)));
    assert_eq!(judged(classifier, wrapped(Fault::NotFound)).await, [0, 0, 1]);
    assert_eq!(judged(classifier, wrapped(Fault::Refused)).await, [1, 1, 0]);
    assert_eq!(judged(classifier, Err(Fault::Refused)).await, [1, 1, 0]);
}

/// A refusal of an inner layer stays one, however deep it is wrapped in a boxed error.
#[tokio::test(start_paused = true)]
async fn cb45_a_refusal_of_an_inner_breaker_is_found_below_other_errors() {
    #[derive(Debug)]
    struct Wrapper(Rejected);
    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapper")
        }
    }
    impl StdError for Wrapper {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }
    let (inner, _) = breaker(|builder| builder);
    inner.transition_to_forced_open();
    let (outer, _) = breaker(|builder| builder);
    let result = outer
        .call_with(seawall::ResultClassifier, async {
            let rejected = inner.try_acquire().unwrap_err();
            Err::<(), tower::BoxError>(Box::new(Wrapper(rejected)))
        })
        .await;
    assert!(result.unwrap_err().is::<Wrapper>());
    assert_eq!((outer.counters().ignored, outer.counters().failed), (1, 0));
}

fn deciding(decide: fn(&Verdict) -> Option<OpenFor>) -> (CircuitBreaker, Log) {
    breaker(|builder| {
        last(100)(builder)
            .wait_duration_in_open_state(s(60))
            .permitted_calls_in_half_open(2)
            .transition_on_result(decide)
    })
}

#[tokio::test(start_paused = true)]
async fn cb46_a_result_can_open_the_circuit_at_once() {
    let (breaker, log) = deciding(|verdict| verdict.is_failure().then_some(OpenFor::Usual));
    ok(&breaker);
    assert_eq!(log.transitions(), []);
    fail(&breaker);
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    assert!(log.failure_rates_exceeded().is_empty());
    assert_eq!(refusal(&breaker).retry_after(), Some(s(60) + Duration::from_nanos(1)));
    // The circuit has opened properly: it comes back by itself.
    pass(ms(60_001)).await;
    ok(&breaker);
    ok(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn cb46_a_result_can_open_the_circuit_for_a_span() {
    let (breaker, _) = deciding(|verdict| verdict.retry_after().map(OpenFor::Span));
    let verdict = Verdict::success().with_retry_after(Some(s(5)));
    breaker.try_acquire().unwrap().record(&verdict);
    pass(s(5)).await;
    assert_eq!(reason(&breaker), Reason::CircuitOpen);
    pass(ms(1)).await;
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn cb46_a_result_can_open_the_circuit_until_an_instant_even_one_long_gone() {
    let until = tokio::time::Instant::now();
    let (breaker, log) =
        breaker(|builder| builder.transition_on_result(move |_| Some(OpenFor::Until(until))));
    pass(s(10)).await;
    ok(&breaker);
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    assert_eq!(reason(&breaker), Reason::CircuitOpen);
    tokio::time::advance(Duration::from_nanos(1)).await;
    ok(&breaker);
}

#[tokio::test(start_paused = true)]
async fn cb46_ignored_results_are_not_looked_at() {
    let (breaker, _) = deciding(|_| panic!("looked at"));
    ignored(&breaker);
    assert_eq!(breaker.counters().ignored, 1);
}

#[tokio::test(start_paused = true)]
async fn cb46_in_half_open_a_result_opens_nothing_by_itself() {
    let (breaker, log) = deciding(|_| Some(OpenFor::Span(s(1))));
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    log.clear();
    ok(&breaker);
    assert_eq!(log.transitions(), []);
    // The trial that closes the circuit is looked at when it is closed already, as in Resilience4j.
    ok(&breaker);
    assert_eq!(log.transitions(), [(State::HalfOpen, State::Closed), (State::Closed, State::Open)]);
    assert_eq!(refusal(&breaker).retry_after(), Some(s(1) + Duration::from_nanos(1)));
    for state in [State::Disabled, State::MetricsOnly] {
        match state {
            State::Disabled => breaker.transition_to_disabled(),
            _ => breaker.transition_to_metrics_only(),
        }
        fail(&breaker);
        assert_eq!(breaker.state(), state);
    }
}

#[tokio::test(start_paused = true)]
async fn cb46_retry_after_opens_for_as_long_as_it_says_up_to_the_cap() {
    let (breaker, _) = breaker(|builder| builder.open_on_retry_after(s(30)));
    let record = |verdict: Verdict, wait| {
        breaker.try_acquire().unwrap().record(&verdict.with_retry_after(wait));
    };
    record(Verdict::failure(Cause::Overloaded), None);
    record(Verdict::success(), Some(s(5)));
    assert_eq!(breaker.state(), State::Closed);
    record(Verdict::failure(Cause::Overloaded), Some(s(5)));
    assert_eq!(refusal(&breaker).retry_after(), Some(s(5) + Duration::from_nanos(1)));
    breaker.reset();
    record(Verdict::failure(Cause::Overloaded), Some(Duration::MAX));
    assert_eq!(refusal(&breaker).retry_after(), Some(s(30) + Duration::from_nanos(1)));
}

#[tokio::test(start_paused = true)]
async fn cb47_an_observer_that_panics_harms_neither_call_nor_other_observers() {
    let config = seawall::CircuitBreakerConfig::builder();
    let breaker = CircuitBreaker::new("inventory", last(2)(config).build().unwrap());
    breaker.observe(|_: &seawall::telemetry::Event<'_>| panic!("an observer's panic"));
    let log = Log::of(&breaker);
    let result = breaker.call(async { Ok::<_, ()>(1) }).await;
    assert_eq!(result, Ok(1));
    fail(&breaker);
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    refusal(&breaker);
    assert_eq!(log.count(|event| matches!(event, Event::NotPermitted)), 1);
    assert_eq!(counts(&breaker.metrics()), [2, 1, 0, 0]);
}

fn one_trial() -> CircuitBreaker {
    let (breaker, _) = breaker(|builder| last(1)(builder).permitted_calls_in_half_open(1));
    breaker.transition_to_open().unwrap();
    breaker.transition_to_half_open().unwrap();
    breaker
}

#[tokio::test(start_paused = true)]
async fn cb48_a_panic_of_the_service_releases_the_permission() {
    let breaker = one_trial();
    let layer = || CircuitBreakerLayer::new(breaker.clone());

    // In `call` itself.
    let mut service = ServiceBuilder::new()
        .layer(layer())
        .layer(ErrorLayer)
        .service(service_fn(|()| -> std::future::Ready<Result<(), ()>> { panic!("in call") }));
    let ready = service.ready().await.unwrap();
    std::panic::catch_unwind(AssertUnwindSafe(|| drop(ready.call(())))).unwrap_err();
    assert_eq!(breaker.counters().cancelled, 1);

    // In its future.
    let mut service = ServiceBuilder::new()
        .layer(layer())
        .layer(ErrorLayer)
        .service(service_fn(async |()| -> Result<(), ()> { panic!("in the future") }));
    let future = service.ready().await.unwrap().call(());
    AssertUnwindSafe(future).catch_unwind().await.unwrap_err();
    assert_eq!(breaker.counters().cancelled, 2);

    // In a plain future, in a classifier, in the function that looks at results.
    let call = breaker.call(async { panic!("in a plain future") as Result<(), ()> });
    AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
    let classifier = |_: &Result<(), Error<()>>| -> Verdict { panic!("in the classifier") };
    let call = breaker.call_with(classifier, async { Ok(()) });
    AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
    assert_eq!(breaker.counters().cancelled, 4);

    assert_eq!(breaker.state(), State::HalfOpen);
    ok(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn cb48_a_panic_of_the_function_that_looks_at_results_releases_the_permission() {
    let (breaker, _) = breaker(|builder| {
        last(1)(builder)
            .permitted_calls_in_half_open(1)
            .transition_on_result(|_| panic!("in the function"))
    });
    let call = breaker.call(async { Ok::<(), ()>(()) });
    AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
    assert_eq!((breaker.counters().cancelled, breaker.counters().successful), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn cb48_a_panic_can_count_as_a_failure() {
    let (breaker, log) = breaker(|builder| last(1)(builder).panic_is_failure(true));
    let call = breaker.call(async { panic!("a panic that counts") as Result<(), ()> });
    AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
    assert_eq!(log.transitions(), [(State::Closed, State::Open)]);
    assert_eq!(breaker.counters().failed, 1);
}
