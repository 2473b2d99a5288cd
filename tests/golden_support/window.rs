//! Sliding windows alone.

use std::time::Duration;

use seawall::testing::cores::circuit_breaker::{
    CountWindow, Measurement, Slices, TimeWindow, Totals,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fields::{Fields, Seen, float, nanos};
use super::replay::{Next, Player};

enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

pub(crate) struct Alone {
    window: Window,
    start: Instant,
    now: Duration,
}

impl Alone {
    pub(crate) fn new(mut config: Fields, phase: Option<Duration>) -> Result<Self, String> {
        let start = Instant::now();
        // Says only whether the trace's durations are whole milliseconds.
        config.flag("sub_ms")?;
        let mut shape = config.object("window")?;
        config.finish()?;
        let window = match (shape.text("kind")?.as_str(), phase) {
            ("count", None) => Window::Count(CountWindow::new(shape.count("size")?, true)),
            ("time", Some(phase)) => {
                Window::Time(TimeWindow::new(shape.count("seconds")?, Slices::Grid(phase), start))
            }
            ("time_from_start", None) => {
                Window::Time(TimeWindow::new(shape.count("seconds")?, Slices::FromStart, start))
            }
            (kind, phase) => {
                return Err(format!("no window `{kind}` with a clock phase of {phase:?}"));
            }
        };
        shape.finish()?;
        Ok(Self { window, start, now: Duration::ZERO })
    }

    fn now(&self) -> Instant {
        self.start + self.now
    }

    fn reading(&mut self) -> Value {
        let now = self.now();
        let totals = match &mut self.window {
            Window::Count(window) => window.totals(),
            Window::Time(window) => window.totals(now),
        };
        let Totals { calls, failed, slow, slow_failed, millis } = totals;
        let average = millis.checked_div(calls.into()).unwrap_or(0);
        json!([
            calls,
            failed,
            slow,
            slow_failed,
            nanos(Duration::from_millis(millis)),
            nanos(Duration::from_millis(average)),
            float(totals.failure_rate()),
            float(totals.slow_call_rate()),
        ])
    }

    fn seen(&mut self, read: bool) -> Seen {
        let mut seen = Seen::new();
        if matches!(self.window, Window::Time(_)) {
            seen.insert("t".into(), nanos(self.now));
        }
        if read {
            seen.insert("m".into(), self.reading());
        }
        seen
    }
}

impl Player for Alone {
    fn initial(&mut self) -> Seen {
        Seen::from_iter([("m".to_owned(), self.reading())])
    }

    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        let op = step.text("op")?;
        let read = match (op.as_str(), &mut self.window) {
            ("record", window) => {
                let elapsed = step.nanos("dur")?;
                let (failed, slow) = match step.text("outcome")?.as_str() {
                    "success" => (false, false),
                    "error" => (true, false),
                    "slow_success" => (false, true),
                    "slow_error" => (true, true),
                    outcome => return Err(format!("unknown outcome `{outcome}`")),
                };
                let call = Measurement { failed, slow, elapsed };
                match window {
                    Window::Count(window) => window.record(call),
                    Window::Time(window) => window.record(self.start + self.now, call),
                };
                true
            }
            ("advance", Window::Time(_)) => {
                self.now += step.nanos("by")?;
                // To look is to use the window, so it is looked at only where the recorder did.
                step.has("m")
            }
            _ => return Err(format!("unknown op `{op}`")),
        };
        Ok(Next::Seen(self.seen(read)))
    }
}
