//! Work and users' functions that panic.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use seawall::{Cause, Error, Timer, TimerLayer, Verdict};
use tokio::time::advance;
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::*;

type Nothing = Result<(), Error<Infallible>>;

async fn panics() -> Nothing {
    tokio::time::sleep(ms(5)).await;
    quiet_panic()
}

/// The timer goes on after that.
async fn still_works(timer: &Timer) {
    let before = successes(timer).0;
    timer.call(async { Ok::<_, Infallible>(()) }).await.unwrap();
    assert_eq!(successes(timer).0, before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_work_is_a_failure_by_other() {
    let timer = timer();
    let heard = listen(&timer);
    let call = tokio::spawn(timer.call_flat(panics()));
    assert!(call.await.unwrap_err().is_panic(), "the panic goes on");
    assert_eq!(failures(&timer), [("other", 1, ms(5))]);

    let layer = TimerLayer::new(timer.clone());
    let call = tokio::spawn(layer.layer(service_fn(|()| panics())).oneshot(()));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!(failures(&timer), [("other", 2, ms(10))]);

    // In the service's `call` itself.
    let mut service =
        layer.layer(service_fn(|()| -> std::future::Ready<Nothing> { quiet_panic() }));
    assert!(catch_unwind(AssertUnwindSafe(|| service.call(()))).is_err());
    assert_eq!(failures(&timer), [("other", 3, ms(10))]);
    assert_eq!(heard().len(), 6, "each begins and ends");
    still_works(&timer).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_classifier_is_a_failure_by_other() {
    let timer = timer();
    let judge = |_: &Nothing| -> Verdict { quiet_panic() };
    let call = tokio::spawn(timer.call_with(judge, after(ms(7), Ok(()))));
    assert!(call.await.unwrap_err().is_panic());
    let layer = TimerLayer::new(timer.clone()).classifier(judge);
    let service = layer.layer(service_fn(|()| after(ms(7), Nothing::Ok(()))));
    assert!(tokio::spawn(service.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!(failures(&timer), [("other", 2, ms(14))]);
    still_works(&timer).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_tag_function_is_caught_and_its_failure_is_other() {
    let timer = tagging(|cause| if cause == Cause::Reset { "fine" } else { quiet_panic() });
    let heard = listen(&timer);
    // Neither the call that fails nor the one that is dropped hears of it.
    let error = timer.call(after(ms(3), Err::<(), _>("no"))).await.unwrap_err();
    assert_eq!(error, Error::Service("no"));
    drop(timer.start());
    timer.start().failure(Cause::Reset);
    assert_eq!(failures(&timer), [("other", 2, ms(3)), ("fine", 1, Duration::ZERO)]);
    assert_eq!(heard().len(), 6);
    still_works(&timer).await;
}

/// A panic that came out of a drop during another panic would end the whole program.
#[tokio::test(start_paused = true)]
async fn a_tag_function_that_panics_while_a_panic_unwinds_ends_no_program() {
    let timer = tagging(|_| quiet_panic());
    let call = tokio::spawn(timer.call_flat(panics()));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!(failures(&timer), [("other", 1, ms(5))]);

    // So with an observer that panics, and with a call that is dropped beside the one that panics.
    timer.observe(|_: &seawall::telemetry::Event<'_>| quiet_panic());
    let mut beside = task::spawn(timer.call_flat(std::future::pending::<Nothing>()));
    assert_pending!(beside.poll());
    advance(ms(1)).await;
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _beside = beside;
        quiet_panic()
    }));
    assert!(unwound.is_err());
    assert_eq!(failures(&timer), [("other", 2, ms(6))]);
    still_works(&timer).await;
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_harms_no_call() {
    let timer = timer();
    timer.observe(|_: &seawall::telemetry::Event<'_>| quiet_panic());
    let heard = listen(&timer);
    timer.call(after(ms(2), Ok::<_, Infallible>(()))).await.unwrap();
    timer.start().failure(Cause::Timeout);
    assert_eq!((successes(&timer), heard().len()), ((1, ms(2)), 4));
}
