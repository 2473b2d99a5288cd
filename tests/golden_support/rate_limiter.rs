//! The rate limiter's handle, in both its forms.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use seawall::patterns::rate_limiter::Reservation;
use seawall::telemetry::{Event, EventKind, RateLimiterEvent};
use seawall::{RateLimiter, RateLimiterAlgorithm, RateLimiterConfig, Verdict};
use serde_json::{Value, json};

use super::clock::{Clock, poll};
use super::fields::{Fields, Seen, nanos};
use super::labels;
use super::replay::{Next, Player};

const TICK: Duration = Duration::from_nanos(1);

pub(crate) struct Limiter {
    limiter: RateLimiter,
    form: Form,
    clock: Clock,
    /// The timeout in force.
    timeout: Duration,
    /// Reservations are never given back in the traces.
    reserved: Vec<Reservation>,
    events: Arc<Mutex<Vec<Value>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Permissions of later cycles are given out ahead of time.
    Cycles,
    /// Nobody waits.
    FixedRefill,
}

impl Limiter {
    pub(crate) fn new(mut config: Fields, form: Form) -> Result<Self, String> {
        let clock = Clock::new();
        let timeout = config.nanos("timeout_ns")?;
        let mut builder = RateLimiterConfig::builder()
            .limit_for_period(config.count("limit")?)
            .limit_refresh_period(config.nanos("period_ns")?)
            .timeout(timeout)
            .algorithm(match form {
                Form::Cycles => RateLimiterAlgorithm::Cycles,
                Form::FixedRefill => RateLimiterAlgorithm::Semaphore,
            });
        if form == Form::Cycles {
            let drain_on = config.texts("drain_on")?;
            labels::check("drain_on", &drain_on)?;
            builder = builder.drain_on(move |verdict| {
                verdict.cause().is_some_and(|cause| drain_on.contains(&labels::name(cause)))
            });
        }
        config.finish()?;
        let built = builder.build().map_err(|error| error.to_string())?;
        let limiter = clock.run(async { RateLimiter::new("golden", built) });
        let events = Arc::<Mutex<Vec<_>>>::default();
        let told = events.clone();
        limiter.observe(move |event: &Event<'_>| {
            if let EventKind::RateLimiter(event) = event.kind {
                told.lock().expect("nobody panics under it").push(event_value(event));
            }
        });
        Ok(Self { limiter, form, clock, timeout, reserved: Vec::new(), events })
    }

    /// Was it granted, and after how long? The recorded answer says when to look.
    fn acquire(&self, permits: u32, waited: Duration) -> Result<(bool, Duration), String> {
        let mut acquire = pin!(self.limiter.acquire(permits));
        let mut look = || match self.clock.run(async { poll(acquire.as_mut()) }) {
            Poll::Ready(result) => Some(result.is_ok()),
            Poll::Pending => None,
        };
        let Some(granted) = look() else {
            let early = waited.checked_sub(TICK).ok_or("the caller has to wait")?;
            self.clock.advance(early);
            if look().is_some() {
                return Err(format!("the wait is shorter than {waited:?}"));
            }
            self.clock.advance(TICK);
            let granted = look().ok_or_else(|| format!("the wait is longer than {waited:?}"))?;
            return Ok((granted, waited));
        };
        if !granted {
            // Whoever refuses at once leaves the caller the time that Resilience4j sleeps away.
            self.clock.advance(self.timeout);
        }
        Ok((granted, Duration::ZERO))
    }

    fn reserve(&mut self, permits: u32) -> Value {
        match self.clock.run(async { self.limiter.reserve(permits) }) {
            Ok(reservation) => {
                let wait = self.clock.run(async { reservation.wait() });
                self.reserved.push(reservation);
                nanos(wait)
            }
            Err(_) => (-1).into(),
        }
    }

    fn play_op(&mut self, op: &str, step: &mut Fields, seen: &mut Seen) -> Result<(), String> {
        let cycles = self.form == Form::Cycles;
        match op {
            "acquire" if !cycles => {
                let permits = step.count("n")?;
                let granted = self.clock.run(async { self.limiter.try_acquire(permits).is_ok() });
                seen.insert("r".into(), granted.into());
            }
            "acquire" | "call" if cycles => {
                let permits = step.count("n")?;
                let waited = step.rest().get("waited").and_then(Value::as_u64);
                let waited = waited.map(Duration::from_nanos).unwrap_or_default();
                let (granted, waited) = self.acquire(permits, waited)?;
                seen.insert("r".into(), granted.into());
                seen.insert("waited".into(), nanos(waited));
                if op == "call" {
                    let outcome = step.text("outcome")?;
                    let cause = labels::cause(&step.text("label")?)?;
                    let verdict = match outcome.as_str() {
                        "ok" | "error" => Verdict::failure(cause),
                        _ => return Err(format!("unknown outcome `{outcome}`")),
                    };
                    if granted {
                        self.clock.run(async { self.limiter.on_verdict(&verdict) });
                    }
                }
            }
            "reserve" if cycles => {
                let wait = self.reserve(step.count("n")?);
                seen.insert("r".into(), wait);
            }
            "drain" => {
                self.clock.run(async { self.limiter.drain() });
            }
            "set_limit" => {
                let limit = step.count("limit")?;
                let changed = self.clock.run(async { self.limiter.change_limit_for_period(limit) });
                changed.map_err(|error| error.to_string())?;
            }
            "set_timeout" if cycles => {
                self.timeout = step.nanos("timeout")?;
                self.limiter.change_timeout(self.timeout);
            }
            "advance" => self.clock.advance(step.nanos("by")?),
            _ => return Err(format!("unknown op `{op}`")),
        }
        Ok(())
    }

    fn reading(&self) -> Value {
        let m = self.clock.run(async { self.limiter.metrics() });
        match self.form {
            Form::Cycles => json!([m.available_permissions, nanos(m.wait_for_one), m.cycle]),
            Form::FixedRefill => json!([m.available_permissions]),
        }
    }
}

impl Player for Limiter {
    fn initial(&mut self) -> Seen {
        Seen::from_iter([("m".to_owned(), self.reading())])
    }

    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        let op = step.text("op")?;
        let mut seen = Seen::new();
        self.play_op(&op, step, &mut seen)?;
        seen.insert("t".into(), nanos(self.clock.time()));
        seen.insert("m".into(), self.reading());
        let events = std::mem::take(&mut *self.events.lock().expect("nobody panics under it"));
        if !events.is_empty() {
            seen.insert("ev".into(), events.into());
        }
        Ok(Next::Seen(seen))
    }
}

fn event_value(event: RateLimiterEvent) -> Value {
    match event {
        RateLimiterEvent::SuccessfulAcquire { permits } => json!(["success", permits]),
        RateLimiterEvent::FailedAcquire { permits } => json!(["failure", permits]),
        RateLimiterEvent::Drained { .. } => json!(["drained"]),
        other => json!(["unknown", format!("{other:?}")]),
    }
}
