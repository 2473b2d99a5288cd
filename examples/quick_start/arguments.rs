//! The command line.

use seawall::pipeline::Step;

use crate::protection::Protection;

pub(crate) const HELP: &str = "\
Sends real requests to four servers that misbehave, and judges whether seawall protects the callers
and the servers. Exit code: 0 if all are protected, 1 if not, 2 if it could not run.

  --without STEP   leave out one step of the pipelines, and see what it was good for:
                   retry, circuit-breaker, bulkhead, rate-limiter or time-limiter
  --bare           leave out seawall
  --seconds N      how long the traffic lasts: 15 unless told, at least 3
  --plain          lines instead of the live view, which only a terminal gets anyway
  --seed N         other dice for the servers and the traffic: 1 unless told
  --help           this text
";

const STEPS: [(&str, Step); 5] = [
    ("retry", Step::Retry),
    ("circuit-breaker", Step::CircuitBreaker),
    ("bulkhead", Step::Bulkhead),
    ("rate-limiter", Step::RateLimiter),
    ("time-limiter", Step::TimeLimiter),
];

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) protection: Protection,
    pub(crate) plain: bool,
}

impl Arguments {
    /// Nothing if help was asked for.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments =
            Self { seconds: 15, seed: 1, protection: Protection::Full, plain: false };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--bare" => arguments.protection = Protection::Bare,
                "--plain" => arguments.plain = true,
                "--without" => arguments.protection = Protection::Without(step(words.next())?),
                "--seconds" => arguments.seconds = number(&word, words.next(), 3)?,
                "--seed" => arguments.seed = number(&word, words.next(), 0)?,
                _ => return Err(format!("unknown argument `{word}`")),
            }
        }
        Ok(Some(arguments))
    }
}

fn step(word: Option<String>) -> Result<Step, String> {
    let word = word.ok_or("`--without` needs a step")?;
    let found = STEPS.iter().find(|(name, _)| *name == word);
    found.map(|(_, step)| *step).ok_or_else(|| format!("unknown step `{word}`"))
}

fn number(option: &str, word: Option<String>, least: u64) -> Result<u64, String> {
    word.and_then(|word| word.parse().ok())
        .filter(|number| *number >= least)
        .ok_or_else(|| format!("`{option}` needs a whole number, at least {least}"))
}
