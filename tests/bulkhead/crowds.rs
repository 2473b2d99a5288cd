//! Many at once.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall::{Bulkhead, BulkheadConfig};
use tokio_test::{assert_ready, task};

use crate::support::*;

async fn hammer(fair: bool) {
    // Far longer than the test takes: a lost wake-up shows as a refusal.
    let config = BulkheadConfig::builder().max_concurrent_calls(3).max_wait(ms(30_000)).fair(fair);
    let bulkhead = Bulkhead::new("shop", config.build().unwrap());
    let inside = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1000_u32)
        .map(|number| {
            let (bulkhead, inside) = (bulkhead.clone(), inside.clone());
            tokio::spawn(async move {
                match number % 10 {
                    0 => bulkhead.change_max_concurrent_calls(1 + number / 10 % 5).unwrap(),
                    1 | 2 => {
                        // Gives up at once, or after having been seen in the queue.
                        let mut waiter = pin!(bulkhead.acquire());
                        let _ = futures_util::poll!(waiter.as_mut());
                        tokio::task::yield_now().await;
                    }
                    3 => drop(bulkhead.try_acquire()),
                    _ => {
                        for _ in 0..5 {
                            let permit = bulkhead.acquire().await.expect("a wake-up was lost");
                            assert!(inside.fetch_add(1, Ordering::Relaxed) < 5);
                            tokio::task::yield_now().await;
                            inside.fetch_sub(1, Ordering::Relaxed);
                            if number % 2 == 0 { permit.release() } else { drop(permit) }
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(load(&bulkhead), (0, 0));
    assert!(bulkhead.try_acquire().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_leaves_nothing_behind() {
    hammer(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_that_pushes_leaves_nothing_behind() {
    hammer(false).await;
}

#[tokio::test(start_paused = true)]
async fn the_future_can_be_named() {
    fn named(bulkhead: &Bulkhead) -> seawall::patterns::bulkhead::Acquire {
        bulkhead.acquire()
    }
    fn is_send(_: &(impl Future + Send + 'static)) {}

    let acquire = named(&bulkhead(1, ms(1)));
    is_send(&acquire);
    let mut acquire = task::spawn(acquire);
    assert!(assert_ready!(acquire.poll()).is_ok());
}
