//! Ten thousand calls in flight, a thousand updates of every setting: no permit is lost, nobody is stuck, and the totals add up.

mod settings;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall::patterns::Instance;
use seawall::telemetry::{Event, EventKind, RateLimiterEvent};
use seawall::{
    Bulkhead, CircuitBreaker, Error, Pipeline, RateLimiter, Retry, RetryBudget, TimeLimiter, Timer,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use settings::Dice;

const CALLS: u64 = 10_000;
const UPDATES: u64 = 1_000;
/// So many calls begin between two updates.
const NEW: u64 = 10;

/// The six instances, and what they were told to have done.
struct World {
    retry: Retry,
    breaker: CircuitBreaker,
    limiter: RateLimiter,
    time_limiter: TimeLimiter,
    bulkhead: Bulkhead,
    timer: Timer,
    budgets: [RetryBudget; 3],
    pipeline: Pipeline,
    /// The calls' own work ends when there is a permit here.
    work: Semaphore,
    granted: Arc<AtomicU64>,
    /// Attempts that came to the work, and those of them that it answered well.
    made: AtomicU64,
    done: AtomicU64,
    begun: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    given_up: AtomicU64,
}

impl World {
    fn new() -> Self {
        let retry = Retry::new("load", settings::generous_retry());
        let breaker = CircuitBreaker::new("load", settings::generous_breaker());
        let limiter = RateLimiter::new("load", settings::generous_limiter());
        let time_limiter = TimeLimiter::new("load", settings::generous_time_limiter());
        let bulkhead = Bulkhead::new("load", settings::generous_bulkhead());
        let timer = Timer::with_defaults("load");
        let granted = Arc::new(AtomicU64::new(0));
        let count = granted.clone();
        limiter.observe(move |event: &Event<'_>| {
            if let EventKind::RateLimiter(RateLimiterEvent::SuccessfulAcquire { permits }) =
                event.kind
            {
                count.fetch_add(permits.into(), Ordering::Relaxed);
            }
        });
        let pipeline = Pipeline::builder("load")
            .retry(retry.clone())
            .circuit_breaker(breaker.clone())
            .rate_limiter(limiter.clone())
            .time_limiter(time_limiter.clone())
            .bulkhead(bulkhead.clone())
            .timer(timer.clone());
        Self {
            pipeline: pipeline.build().unwrap(),
            retry,
            breaker,
            limiter,
            time_limiter,
            bulkhead,
            timer,
            budgets: settings::budgets(),
            work: Semaphore::new(0),
            granted,
            made: AtomicU64::new(0),
            done: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// One call, and what became of it. Some are given up half-way, by number.
    async fn call(self: Arc<Self>, number: u64) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let world = self.clone();
        let call = self.pipeline.call(move || {
            let world = world.clone();
            world.made.fetch_add(1, Ordering::Relaxed);
            async move {
                world.work.acquire().await.unwrap().forget();
                if Dice::of(number).one_in(5) {
                    return Err("down");
                }
                world.done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        });
        let patience = if number % 10 == 7 { number % 300 } else { u64::MAX };
        let result = if patience == u64::MAX {
            Ok(call.await)
        } else {
            timeout(Duration::from_millis(patience), call).await
        };
        let counter = match result {
            Ok(Ok(())) => &self.succeeded,
            Ok(Err(Error::Service(_))) => &self.failed,
            Ok(Err(_)) => &self.rejected,
            Err(_) => &self.given_up,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Every setting of all six, by the dice.
    fn update(&self, dice: &mut Dice) {
        self.retry.update(dice.retry(&self.budgets));
        self.breaker.update(dice.breaker());
        self.limiter.update(dice.limiter());
        self.time_limiter.update(dice.time_limiter());
        self.bulkhead.update(dice.bulkhead());
        self.timer.update(dice.timer());
    }

    fn check_totals(&self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [begun, succeeded, failed, rejected, given_up, granted] = [
            &self.begun,
            &self.succeeded,
            &self.failed,
            &self.rejected,
            &self.given_up,
            &*self.granted,
        ]
        .map(read);
        println!(
            "{begun} calls: {succeeded} succeeded, {failed} failed, {rejected} rejected, {given_up} given up"
        );
        assert_eq!(begun, succeeded + failed + rejected + given_up);
        let retry = self.retry.metrics();
        println!("{retry:?}\n{:?}\n{:?}", self.breaker.counters(), self.time_limiter.metrics());
        let ended = retry.successful_without_retry
            + retry.successful_with_retry
            + retry.failed_without_retry
            + retry.failed_with_retry;
        assert_eq!(ended, begun - given_up, "each call ends once");
        // Every attempt has asked the circuit breaker, and told it how it ended.
        let breaker = self.breaker.counters();
        let let_in = breaker.successful + breaker.failed + breaker.ignored + breaker.cancelled;
        assert_eq!(begun + retry.retries, let_in + breaker.not_permitted);
        // Those that the rate limiter let pass were timed, unless their callers gave them up.
        let timed = self.time_limiter.metrics();
        let timed = timed.success + timed.error + timed.timeout;
        assert!((timed..=timed + given_up).contains(&granted), "{timed} timed, {granted} granted");
        // Each attempt that was made is measured once, and by every tag together.
        let (measured, made, done) = (self.timer.metrics(), read(&self.made), read(&self.done));
        assert_eq!((measured.successful.count(), measured.failed.count()), (done, made - done));
        let by_tag = self.timer.failures();
        println!("{made} attempts measured, {} tags of failures", by_tag.len());
        assert!(by_tag.len() > 2, "the tags have changed: {by_tag:?}");
        let places = self.bulkhead.metrics();
        assert_eq!((places.in_flight, places.waiting), (0, 0));
        assert_eq!(places.available, places.max_concurrent_calls);
        assert_eq!(self.limiter.metrics().waiting, 0);
        for budget in &self.budgets {
            assert_eq!(budget.in_flight(), (0, 0));
        }
    }

    /// After all that, each of the six still does what its last settings say.
    async fn check_works(&self) {
        self.breaker.reset();
        for _ in 0..10 {
            self.pipeline.call(|| async { Ok::<_, &str>(()) }).await.unwrap();
        }
        let measured = self.timer.metrics().successful.count();
        assert_eq!(measured, 10 + self.done.load(Ordering::Relaxed));
        let full = self.bulkhead.metrics().max_concurrent_calls;
        let places: Vec<_> = (0..full).map(|_| self.bulkhead.try_acquire().unwrap()).collect();
        assert!(self.bulkhead.try_acquire().is_err());
        drop(places);
    }
}

/// `pace` lets the calls get on between two updates. Says how many waited for the limiter and for the bulkhead.
async fn reload_under_load<F: Future<Output = ()>>(
    seed: u64,
    pace: impl Fn() -> F,
) -> (usize, usize) {
    let world = Arc::new(World::new());
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        calls.spawn(world.clone().call(number));
    }
    let in_flight = || u64::from(world.bulkhead.metrics().in_flight);
    let given_up = || world.given_up.load(Ordering::Relaxed);
    // On other threads a call that has begun needs a moment to get where it waits.
    while world.begun.load(Ordering::Relaxed) < CALLS || in_flight() + given_up() < CALLS {
        tokio::task::yield_now().await;
    }

    let mut dice = Dice::of(seed);
    let mut listening = None;
    let (mut most_in_line, mut most_in_queue) = (0, 0);
    for update in 0..UPDATES {
        world.update(&mut dice);
        // Somebody listens now and then, which changes how the circuit breaker counts.
        match listening.take() {
            Some(id) => world.breaker.detach(id),
            None if dice.one_in(3) => {
                listening = Some(world.breaker.attach(Arc::new(|_: &Event<'_>| {})));
            }
            None => {}
        }
        most_in_line = most_in_line.max(world.limiter.metrics().waiting);
        most_in_queue = most_in_queue.max(world.bulkhead.metrics().waiting);
        world.work.add_permits((CALLS / UPDATES + NEW) as usize);
        // New calls come while the old ones go.
        for n in 0..NEW {
            calls.spawn(world.clone().call(CALLS + update * NEW + n));
        }
        pace().await;
    }
    println!(
        "at most {most_in_line} in the limiter's line, {most_in_queue} in the bulkhead's queue"
    );
    // The end: everybody may go, under settings that let them.
    world.retry.update(settings::generous_retry());
    world.breaker.update(settings::generous_breaker());
    world.limiter.update(settings::generous_limiter());
    world.time_limiter.update(settings::generous_time_limiter());
    world.bulkhead.update(settings::generous_bulkhead());
    world.work.add_permits(Semaphore::MAX_PERMITS / 2);
    let all = async { while calls.join_next().await.is_some_and(|call| call.is_ok()) {} };
    timeout(Duration::from_secs(120), all).await.expect("nobody is stuck");
    assert!(calls.is_empty(), "nobody panicked");
    assert_eq!(world.begun.load(Ordering::Relaxed), CALLS + UPDATES * NEW);
    world.check_totals();
    world.check_works().await;
    (most_in_line, most_in_queue)
}

#[tokio::test(start_paused = true)]
async fn reload_under_load_on_a_clock_of_its_own() {
    let pace = || tokio::time::sleep(Duration::from_millis(1));
    let (most_in_line, most_in_queue) = reload_under_load(1, pace).await;
    assert!(most_in_line > 100 && most_in_queue > 100, "there was something to move");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reload_under_load_on_many_threads() {
    reload_under_load(2, tokio::task::yield_now).await;
}
