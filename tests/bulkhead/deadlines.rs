//! How long a call waits.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::FutureExt;
use seawall::{BulkheadLayer, Deadline, ErrorLayer};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service, ServiceBuilder, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_shortens_the_wait() {
    let bulkhead = bulkhead(1, ms(100));
    let _permit = bulkhead.try_acquire().unwrap();
    let started = Instant::now();
    let deadline = Deadline::after(ms(30));
    assert!(is_full(&deadline.scope(bulkhead.acquire()).await.unwrap_err()));
    assert_eq!(started.elapsed(), ms(30));

    let result = deadline.scope(bulkhead.acquire()).now_or_never();
    assert!(is_full(&result.unwrap().unwrap_err()), "there is no time to wait");

    let mut service = ServiceBuilder::new()
        .layer(BulkheadLayer::new(bulkhead))
        .layer(ErrorLayer)
        .service(service_fn(async |()| Ok::<_, Infallible>(())));
    let started = Instant::now();
    let result = Deadline::after(ms(30)).scope(async { service.call(()).await }).await;
    assert!(result.unwrap_err().is_refusal());
    assert_eq!(started.elapsed(), ms(30));
}

#[tokio::test(start_paused = true)]
async fn endless_waits_are_possible() {
    let bulkhead = bulkhead(1, Duration::MAX);
    assert_eq!(
        bulkhead.config(),
        bulkhead.config().to_builder().max_wait(Duration::MAX).build().unwrap()
    );
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = task::spawn(bulkhead.acquire());
    assert_pending!(waiter.poll());
    advance(Duration::from_secs(365 * 24 * 60 * 60)).await;
    assert_pending!(waiter.poll());
    drop(permit);
    assert_ready_ok!(waiter.poll()).release();
}
