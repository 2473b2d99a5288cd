//! By the handle.

use std::convert::Infallible;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use seawall::{
    Bulkhead, BulkheadConfig, Cause, Error, Reason, ResultClassifier, TimeLimiter,
    TimeLimiterConfig, Timer, TimerConfig, Verdict,
};
use tokio::time::advance;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_by_how_it_ended_with_the_time_it_took() {
    let timer = timer();
    assert_eq!(timer.call(after(ms(30), Ok::<_, &str>(1))).await, Ok(1));
    assert_eq!(timer.call(after(ms(50), Ok::<_, &str>(2))).await, Ok(2));
    assert_eq!(timer.call(after(ms(70), Err::<(), _>("no"))).await, Err(Error::Service("no")));
    assert_eq!(successes(&timer), (2, ms(80)));
    assert_eq!(failures(&timer), [("other", 1, ms(70))]);
    let all = timer.metrics();
    assert_eq!((all.successful.max(), all.failed.max()), (ms(50), ms(70)));
    let within = |end| all.successful.cumulative().find(|(is, _)| *is == Some(end)).unwrap().1;
    assert_eq!((within(ms(25)), within(ms(50))), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn durations_are_exact_to_the_nanosecond() {
    let timer = timer();
    for took in [Duration::from_nanos(1), Duration::new(1, 234_567_891), Duration::ZERO] {
        let measurement = timer.start();
        advance(took).await;
        measurement.success();
    }
    assert_eq!(successes(&timer), (3, Duration::new(1, 234_567_892)));
    // As fine as a maximum is told.
    assert_eq!(timer.metrics().successful.max(), Duration::from_micros(1_234_567));
}

#[tokio::test(start_paused = true)]
async fn the_time_runs_from_the_first_poll() {
    let timer = timer();
    let call = timer.call(after(ms(20), Ok::<_, Infallible>(())));
    advance(ms(500)).await;
    call.await.unwrap();
    assert_eq!(successes(&timer), (1, ms(20)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_refused_and_an_error_passes_as_it_is() {
    let timer = timer();
    let broken = || io::Error::new(io::ErrorKind::ConnectionReset, "with its own text");
    let error = timer.call(async { Err::<(), _>(broken()) }).await.unwrap_err();
    let inside = error.into_service().unwrap();
    assert_eq!((inside.kind(), inside.to_string()), (broken().kind(), broken().to_string()));

    // Errors stay flat, however many handles there are around.
    let (full, outer) = (bulkhead(0), Timer::with_defaults("outer"));
    let result =
        outer.call_flat(timer.call_flat(full.call(after(ms(1), Err::<(), _>("no"))))).await;
    let Err(Error::Rejected(rejected)) = result else { panic!("{result:?}") };
    assert_eq!((rejected.name(), rejected.reason()), ("full", Reason::BulkheadFull));
}

fn bulkhead(places: u32) -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(places).build().unwrap();
    Bulkhead::new("full", config)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_inside_is_refused_and_a_timeout_inside_a_timeout() {
    let timer = timer();
    let full = bulkhead(0);
    timer.call_flat(full.call(after(ms(1), Ok::<_, &str>(())))).await.unwrap_err();
    let limit = TimeLimiterConfig::builder().timeout(ms(40)).build().unwrap();
    let limiter = TimeLimiter::new("inner", limit);
    timer.call_flat(limiter.call(after(ms(90), Ok::<_, &str>(())))).await.unwrap_err();
    assert_eq!(failures(&timer), [("refused", 1, Duration::ZERO), ("timeout", 1, ms(40))]);
    assert_eq!(successes(&timer).0, 0);
}

#[tokio::test(start_paused = true)]
async fn the_classifier_says_what_a_success_is_and_why_not() {
    let timer = timer();
    let judge = |result: &Result<u16, Error<&str>>| match result {
        Ok(200) => Verdict::success(),
        Ok(404) => Verdict::ignored(Cause::Status(404)),
        Ok(status) => Verdict::failure(Cause::Status(*status)),
        Err(_) => Verdict::success(),
    };
    for (took, result) in [(1, Ok(200)), (2, Ok(503)), (4, Ok(404)), (8, Err("as expected"))] {
        let result = result.map_err(Error::Service);
        let ended = timer.call_with(judge, after(ms(took), result.clone())).await;
        assert_eq!(ended, result);
    }
    assert_eq!(successes(&timer), (2, ms(1 + 8)));
    // What is ignored elsewhere is no success, and a timer knows but two ends.
    assert_eq!(failures(&timer), [("503", 1, ms(2)), ("404", 1, ms(4))]);

    // What seawall itself says is not the classifier's to judge.
    let full = bulkhead(0);
    let lenient = |_: &Result<(), Error<&str>>| Verdict::success();
    timer.call_with(lenient, full.call(async { Ok(()) })).await.unwrap_err();
    assert_eq!(failures(&timer).last(), Some(&("refused", 1, Duration::ZERO)));
    timer.call_with(ResultClassifier, async { Ok::<_, Error<&str>>(()) }).await.unwrap();
    assert_eq!(successes(&timer).0, 3);
}

#[tokio::test(start_paused = true)]
async fn by_hand() {
    let timer = timer();
    let begin = async |millis| {
        let measurement = timer.start();
        advance(ms(millis)).await;
        measurement
    };
    begin(1).await.success();
    begin(2).await.failure(Cause::Reset);
    begin(4).await.record(&Verdict::success());
    begin(8).await.record(&Verdict::failure(Cause::Grpc(14)));
    begin(16).await.record(&Verdict::ignored(Cause::Connect));
    drop(begin(32).await);
    assert_eq!(successes(&timer), (2, ms(1 + 4)));
    let expected = [("reset", 2), ("grpc:unavailable", 8), ("connect", 16), ("cancelled", 32)];
    assert_eq!(failures(&timer), expected.map(|(tag, millis)| (tag, 1, ms(millis))));
}

#[tokio::test(start_paused = true)]
async fn clones_share_one_state_and_a_call_keeps_it() {
    let timer = timer();
    let call = timer.clone().call(after(ms(10), Ok::<_, Infallible>(())));
    call.await.unwrap();
    timer.call(after(ms(20), Ok::<_, Infallible>(()))).await.unwrap();
    let clone = timer.clone();
    assert_eq!(successes(&clone), (2, ms(30)));
    clone.update(TimerConfig::builder().metric_names("timer.tests.clones").build().unwrap());
    assert_eq!(timer.config().metric_names(), "timer.tests.clones");
    assert_eq!((timer.name(), clone.name()), ("shop", "shop"));

    let measurement = clone.start();
    let heard = listen(&timer);
    drop((clone, timer));
    measurement.success();
    assert_eq!(heard().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_longest_call_is_that_of_the_last_minutes() {
    let timer = timer();
    timer.call(after(ms(900), Ok::<_, Infallible>(()))).await.unwrap();
    advance(Duration::from_secs(100)).await;
    timer.call(after(ms(50), Ok::<_, Infallible>(()))).await.unwrap();
    assert_eq!(timer.metrics().successful.max(), ms(900));
    advance(Duration::from_secs(100)).await;
    assert_eq!(timer.metrics().successful.max(), ms(50));
    advance(Duration::from_secs(300)).await;
    assert_eq!(timer.metrics().successful.max(), Duration::ZERO);
    assert_eq!(successes(&timer), (2, ms(950)), "the rest is for good");
}

/// Nobody waits for so long; a sum that began anew would tell of calls that took less than nothing.
#[tokio::test(start_paused = true)]
async fn huge_durations_neither_overflow_nor_wrap() {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let timer = timer();
    let mut expected = Duration::ZERO;
    for centuries in [1, 3, 5, 7] {
        let measurement = timer.start();
        advance(CENTURY * centuries).await;
        measurement.success();
        expected += CENTURY * centuries;
        let timing = timer.metrics().successful;
        assert_eq!(timing.sum(), expected);
        assert!(timing.max() > Duration::from_secs(100 * 24 * 3600), "{:?}", timing.max());
        assert_eq!(timing.cumulative().last(), Some((None, timing.count())));
    }
    assert_eq!(timer.metrics().successful.cumulative().nth(14).unwrap().1, 0);
}

static TIMER: LazyLock<Timer> = LazyLock::new(|| Timer::with_defaults("static"));

#[test]
fn it_may_live_in_a_static_before_any_runtime() {
    TIMER.start().success();
    drop(TIMER.start());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(TIMER.call(async { Ok::<_, Infallible>(()) })).unwrap();
    assert_eq!((successes(&TIMER).0, failures(&TIMER)[0].0), (2, "cancelled"));
}

#[test]
fn the_defaults_are_resilience4js_and_what_is_out_of_range_is_named() {
    let config = TimerConfig::default();
    assert_eq!(config.metric_names(), "resilience4j.timer.calls");
    assert_eq!(config.failure_tag(Cause::Status(503)), "503");
    assert_eq!(TimerConfig::builder().build().unwrap().metric_names(), config.metric_names());
    let error = TimerConfig::builder().metric_names("7 days").build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`metric_names` is `7 days`, but must be 1 to 200 letters, digits, dots, underscores and dashes, a letter first"
    );
    let tagged = TimerConfig::builder().failure_tag(|_| "mine").build().unwrap();
    let renamed = tagged.to_builder().metric_names("timer.tests.to-builder").build().unwrap();
    assert_eq!(renamed.failure_tag(Cause::Timeout), "mine");
    assert_eq!(renamed.to_builder().build().unwrap().metric_names(), "timer.tests.to-builder");
    assert_eq!(
        format!("{renamed:?}"),
        r#"TimerConfig { metric_names: "timer.tests.to-builder", has_failure_tag: true }"#
    );
}

#[tokio::test(start_paused = true)]
async fn the_futures_are_send_where_the_work_is() {
    fn is_send<F: Future + Send + 'static>(_: &F) {}
    let timer = timer();
    let call = timer.call(after(ms(1), Ok::<_, Infallible>(())));
    is_send(&call);
    let shared = std::rc::Rc::new(3);
    let local = timer.call(async { Ok::<_, Infallible>(*shared) });
    assert_eq!(local.await.unwrap(), 3);
}
