//! The bulkhead's handle. Those who wait are futures polled by hand, in the order of their coming.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use seawall::patterns::bulkhead::{Acquire, BulkheadPermit};
use seawall::telemetry::{BulkheadEvent, Event, EventKind};
use seawall::{Bulkhead, BulkheadConfig, Error};
use serde_json::{Value, json};

use super::clock::{Clock, poll};
use super::fields::{Fields, Seen, nanos};
use super::replay::{Next, Player};

pub(crate) struct Places {
    bulkhead: Bulkhead,
    clock: Clock,
    /// Do callers wait? Then the steps tell of the clock and the queue.
    waiting: bool,
    permits: VecDeque<BulkheadPermit>,
    waiters: Vec<(String, Pin<Box<Acquire>>)>,
    events: Arc<Mutex<Vec<&'static str>>>,
}

impl Places {
    pub(crate) fn new(mut config: Fields, features: &[String]) -> Result<Self, String> {
        let clock = Clock::new();
        let built = BulkheadConfig::builder()
            .max_concurrent_calls(config.count("max_concurrent")?)
            .max_wait(config.nanos("max_wait_ns")?)
            .build()
            .map_err(|error| error.to_string())?;
        config.finish()?;
        let bulkhead = Bulkhead::new("golden", built);
        let events = Arc::<Mutex<Vec<_>>>::default();
        let told = events.clone();
        bulkhead.observe(move |event: &Event<'_>| {
            if let EventKind::Bulkhead(event) = event.kind {
                told.lock().expect("nobody panics under it").push(event_name(event));
            }
        });
        let waiting = features.iter().any(|feature| feature == "waiting");
        let (permits, waiters) = (VecDeque::new(), Vec::new());
        Ok(Self { bulkhead, clock, waiting, permits, waiters, events })
    }

    fn enter(&mut self, id: String) -> Value {
        let mut acquire = Box::pin(self.bulkhead.acquire());
        match self.clock.run(async { poll(acquire.as_mut()) }) {
            Poll::Ready(Ok(permit)) => {
                self.permits.push_back(permit);
                "granted".into()
            }
            Poll::Ready(Err(_)) => "rejected".into(),
            Poll::Pending => {
                self.waiters.push((id, acquire));
                "queued".into()
            }
        }
    }

    fn acquire(&mut self) -> bool {
        let permit = self.bulkhead.try_acquire();
        let granted = permit.is_ok();
        self.permits.extend(permit);
        granted
    }

    fn oldest(&mut self) -> Result<BulkheadPermit, String> {
        self.permits
            .pop_front()
            .ok_or_else(|| "no admitted call is under way that could end".into())
    }

    /// Lets those who wait look. Who got in, and whose time is over?
    fn look(&mut self) -> (Vec<Value>, Vec<Value>) {
        let (mut granted, mut expired) = (Vec::new(), Vec::new());
        for (id, mut acquire) in std::mem::take(&mut self.waiters) {
            match self.clock.run(async { poll(acquire.as_mut()) }) {
                Poll::Ready(Ok(permit)) => {
                    self.permits.push_back(permit);
                    granted.push(id.into());
                }
                Poll::Ready(Err(_)) => expired.push(id.into()),
                Poll::Pending => self.waiters.push((id, acquire)),
            }
        }
        (granted, expired)
    }

    fn reading(&self) -> Value {
        let m = self.bulkhead.metrics();
        json!([m.available, m.max_concurrent_calls])
    }

    /// Does the op; what it answers, if it does.
    fn play_op(&mut self, op: &str, step: &mut Fields) -> Result<Option<Value>, String> {
        match (op, self.waiting) {
            ("enter", true) => return Ok(Some(self.enter(step.text("id")?))),
            ("acquire", false) => return Ok(Some(self.acquire().into())),
            ("call", false) => {
                let ends = match step.text("outcome")?.as_str() {
                    "ok" => Ok(()),
                    "error" => Err(()),
                    outcome => return Err(format!("unknown outcome `{outcome}`")),
                };
                let result = self.clock.run(self.bulkhead.call(async move { ends }));
                return Ok(Some((!matches!(result, Err(Error::Rejected(_)))).into()));
            }
            ("complete", _) => drop(self.oldest()?),
            ("release", _) => self.oldest()?.release(),
            ("configure", _) => {
                let limit = step.count("max_concurrent")?;
                self.bulkhead.change_max_wait(step.nanos("max_wait")?);
                self.bulkhead
                    .change_max_concurrent_calls(limit)
                    .map_err(|error| error.to_string())?;
            }
            ("advance", true) => self.clock.advance(step.nanos("by")?),
            _ => return Err(format!("unknown op `{op}`")),
        }
        Ok(None)
    }
}

impl Player for Places {
    fn initial(&mut self) -> Seen {
        Seen::from_iter([("m".to_owned(), self.reading())])
    }

    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        let op = step.text("op")?;
        let r = self.play_op(&op, step)?;
        let (granted, expired) = self.look();
        let mut seen = Seen::from_iter([("m".to_owned(), self.reading())]);
        let mut events = std::mem::take(&mut *self.events.lock().expect("nobody panics under it"));
        if self.waiting {
            // The recorder cannot tell in which order different callers were told.
            events.sort_unstable();
            seen.insert("t".into(), nanos(self.clock.time()));
            seen.insert("waiting".into(), self.bulkhead.metrics().waiting.into());
        }
        let lists = [("granted", granted), ("expired", expired)];
        let events = events.iter().map(|name| json!([name])).collect();
        for (key, list) in lists.into_iter().chain([("ev", events)]) {
            if !list.is_empty() {
                seen.insert(key.into(), list.into());
            }
        }
        seen.extend(r.map(|r| ("r".to_owned(), r)));
        Ok(Next::Seen(seen))
    }
}

fn event_name(event: BulkheadEvent) -> &'static str {
    match event {
        BulkheadEvent::CallPermitted => "permitted",
        BulkheadEvent::CallRejected => "rejected",
        BulkheadEvent::CallFinished => "finished",
        _ => "unknown",
    }
}
