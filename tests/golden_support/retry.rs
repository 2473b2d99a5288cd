//! The retry's handle, on a clock that moves only while somebody sleeps.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use seawall::telemetry::{Event, EventKind, RetryEvent};
use seawall::{Backoff, Cause, Error, Reason, Retry, RetryConfig, Verdict};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::clock::Clock;
use super::fields::{Fields, Seen, nanos};
use super::replay::{Next, Player};
use super::{labels, wait};

/// What the recorder calls the error of a call whose attempts are used up by results.
const EXHAUSTED: &str = "max_attempts_exceeded";

type Log = Arc<Mutex<Vec<Value>>>;

pub(crate) struct Calls {
    retry: Retry,
    clock: Clock,
    log: Log,
    retry_errors: Option<Vec<String>>,
    ignore_errors: Vec<String>,
    retry_results: Vec<String>,
}

/// How one attempt ends.
#[derive(Clone, Copy)]
enum Outcome {
    Ok(Cause),
    Err(Cause),
}

impl Outcome {
    fn read(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("ok", label)) => labels::cause(label).map(Self::Ok),
            Some(("err", label)) => labels::cause(label).map(Self::Err),
            _ => Err(format!("unknown outcome `{text}`")),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Ok(cause) => format!("ok:{}", labels::name(cause)),
            Self::Err(cause) => format!("err:{}", labels::name(cause)),
        }
    }
}

impl Calls {
    pub(crate) fn new(mut config: Fields) -> Result<Self, String> {
        let log = Log::default();
        let mut builder = RetryConfig::builder()
            .max_attempts(config.count("max_attempts")?)
            .backoff(interval(config.object("interval")?)?)
            .fail_after_max_attempts(config.flag("fail_after_max_attempts")?);
        if config.flag("observe_results")? {
            let log = log.clone();
            builder = builder.before_retry(move |context| {
                // The recorded callback is told of results only.
                if let (false, Some(cause)) = (context.is_error, cause(context.verdict)) {
                    let entry = json!(["before_retry", context.attempt, labels::name(cause)]);
                    push(&log, entry);
                }
            });
        }
        let retry_errors = config.texts_or_null("retry_errors")?;
        let ignore_errors = config.texts("ignore_errors")?;
        let retry_results = config.texts("retry_results")?;
        labels::check("retry_errors", retry_errors.as_deref().unwrap_or_default())?;
        labels::check("ignore_errors", &ignore_errors)?;
        labels::check("retry_results", &retry_results)?;
        config.finish()?;
        let retry = Retry::new("golden", builder.build().map_err(|error| error.to_string())?);
        let events = log.clone();
        retry.observe(move |event: &Event<'_>| {
            if let EventKind::Retry(event) = event.kind {
                push(&events, event_value(event));
            }
        });
        let clock = Clock::new();
        Ok(Self { retry, clock, log, retry_errors, ignore_errors, retry_results })
    }

    fn verdict(&self, outcome: Outcome) -> Verdict {
        let listed = |labels: &[String], cause| labels.contains(&labels::name(cause));
        match outcome {
            Outcome::Err(cause)
                if listed(&self.ignore_errors, cause)
                    || self.retry_errors.as_ref().is_some_and(|errors| !listed(errors, cause)) =>
            {
                Verdict::ignored(cause)
            }
            Outcome::Err(cause) => Verdict::failure(cause),
            Outcome::Ok(cause) if listed(&self.retry_results, cause) => Verdict::failure(cause),
            Outcome::Ok(_) => Verdict::success(),
        }
    }

    fn call(&self, script: &[Outcome]) -> Result<(usize, Result<Cause, Error<Cause>>), String> {
        let mut rest = script.iter();
        let ended = RefCell::new(None::<Instant>);
        let attempt = || {
            if let Some(ended) = ended.take() {
                push(&self.log, json!(["sleep", nanos(ended.elapsed())]));
            }
            let outcome = rest.next().copied();
            let entry = outcome.map_or("one too many".into(), Outcome::text);
            push(&self.log, json!(["attempt", entry]));
            ended.replace(Some(Instant::now()));
            async move {
                match outcome {
                    Some(Outcome::Ok(cause)) => Ok(cause),
                    Some(Outcome::Err(cause)) => Err(Error::Service(cause)),
                    None => Ok(Cause::Other),
                }
            }
        };
        let classify = |result: &Result<Cause, Error<Cause>>| match result {
            Ok(cause) => self.verdict(Outcome::Ok(*cause)),
            Err(Error::Service(cause)) => self.verdict(Outcome::Err(*cause)),
            Err(Error::Rejected(_)) => Verdict::ignored(Cause::Refused),
        };
        let result = self.clock.run(self.retry.call_with(classify, attempt));
        Ok((script.len() - rest.len(), result))
    }
}

impl Player for Calls {
    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        match step.text("op")?.as_str() {
            "call" => {}
            op => return Err(format!("unknown op `{op}`")),
        }
        let script = step.texts("script")?;
        let script =
            script.iter().map(|text| Outcome::read(text)).collect::<Result<Vec<_>, _>>()?;
        let (attempts, result) = self.call(&script)?;
        let r = match result {
            Ok(cause) => Outcome::Ok(cause).text(),
            Err(Error::Service(cause)) => Outcome::Err(cause).text(),
            Err(Error::Rejected(rejected)) => match rejected.reason() {
                Reason::AttemptsExhausted { attempts: told } if told as usize == attempts => {
                    format!("err:{EXHAUSTED}")
                }
                reason => format!("err:{reason:?}"),
            },
        };
        let m = self.retry.metrics();
        let m = json!([
            m.successful_without_retry,
            m.successful_with_retry,
            m.failed_without_retry,
            m.failed_with_retry,
        ]);
        let log = std::mem::take(&mut *self.log.lock().expect("nobody panics under it"));
        Ok(Next::Seen(Seen::from_iter([
            ("log".to_owned(), Value::from(log)),
            ("attempts".to_owned(), attempts.into()),
            ("r".to_owned(), r.into()),
            ("m".to_owned(), m),
        ])))
    }
}

fn interval(mut config: Fields) -> Result<Backoff, String> {
    if !config.has("by_label_ns") {
        return wait::backoff(config);
    }
    match config.text("kind")?.as_str() {
        "by_outcome" => {}
        kind => return Err(format!("unknown wait function `{kind}`")),
    }
    let otherwise = config.nanos("else_ns")?;
    let mut table = config.object("by_label_ns")?;
    config.finish()?;
    let mut by_label = HashMap::new();
    for label in table.keys() {
        by_label.insert(labels::cause(&label)?, table.nanos(&label)?);
    }
    Ok(Backoff::custom(move |context| {
        let wait = cause(context.verdict).and_then(|cause| by_label.get(&cause).copied());
        Some(wait.unwrap_or(otherwise))
    }))
}

fn cause(verdict: Option<Verdict>) -> Option<Cause> {
    verdict?.cause()
}

fn push(log: &Log, entry: Value) {
    log.lock().expect("nobody panics under it").push(entry);
}

fn event_value(event: RetryEvent) -> Value {
    let label = |cause: Option<Cause>| cause.map(labels::name);
    match event {
        RetryEvent::Retry { attempt, wait, cause, is_error } => {
            json!(["retry", attempt, nanos(wait), label(is_error.then_some(cause))])
        }
        RetryEvent::Success { attempts, last_error } => {
            json!(["success", attempts, label(last_error)])
        }
        RetryEvent::Error { attempts, last_error } => {
            json!(["error", attempts, label(last_error).unwrap_or(EXHAUSTED.into())])
        }
        RetryEvent::IgnoredError { cause } => json!(["ignored_error", labels::name(cause)]),
        other => json!(["unknown", format!("{other:?}")]),
    }
}
