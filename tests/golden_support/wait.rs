//! Wait functions: exact ones step by step, random ones by the law that they follow.

use std::num::NonZeroU32;
use std::time::Duration;

use seawall::{Backoff, BackoffContext, Random};

use super::fields::{Fields, Seen, nanos};
use super::replay::{Next, Player};

/// Reads a wait function of the kinds that draw no dice.
pub(crate) fn backoff(mut config: Fields) -> Result<Backoff, String> {
    let backoff = match config.text("kind")?.as_str() {
        "fixed" => Backoff::fixed(config.nanos("wait_ns")?),
        "linear" => Backoff::linear(config.nanos("initial_ns")?, config.nanos("step_ns")?),
        "exponential" => exponential(&mut config)?,
        "exponential_capped" => exponential(&mut config)?.capped(config.nanos("max_ns")?),
        kind => return Err(format!("unknown wait function `{kind}`")),
    };
    config.finish()?;
    Ok(backoff)
}

fn exponential(config: &mut Fields) -> Result<Backoff, String> {
    Ok(Backoff::exponential(config.nanos("initial_ns")?, config.float("multiplier")?))
}

/// The wait of try number `attempt`, from 1.
pub(crate) fn wait(
    backoff: &Backoff,
    attempt: NonZeroU32,
    random: &Random,
) -> Result<Duration, String> {
    backoff.wait(&BackoffContext::new(attempt), random).ok_or_else(|| "no wait at all".into())
}

fn attempt(step: &mut Fields) -> Result<NonZeroU32, String> {
    NonZeroU32::new(step.count("attempt")?).ok_or_else(|| "`attempt` counts from 1".into())
}

/// `wait_function`: every wait is known exactly.
pub(crate) struct Exact {
    backoff: Backoff,
    random: Random,
}

impl Exact {
    pub(crate) fn new(config: Fields) -> Result<Self, String> {
        Ok(Self { backoff: backoff(config)?, random: Random::seeded(0) })
    }
}

impl Player for Exact {
    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        let wait = wait(&self.backoff, attempt(step)?, &self.random)?;
        Ok(Next::Seen(Seen::from_iter([("wait".to_owned(), nanos(wait))])))
    }
}

/// `wait_function_random`: what many draws showed must follow the law, here and in the recording.
pub(crate) struct Dice {
    backoff: Backoff,
    random: Random,
    /// The same formula without dice and cap, for the middle of the law.
    middle: Backoff,
    randomization: f64,
    cap: Option<Duration>,
}

impl Dice {
    pub(crate) fn new(mut config: Fields) -> Result<Self, String> {
        let kind = config.text("kind")?;
        let middle = match kind.as_str() {
            "randomized" => Backoff::fixed(config.nanos("wait_ns")?),
            "exponential_randomized" | "exponential_randomized_capped" => exponential(&mut config)?,
            _ => return Err(format!("unknown random wait function `{kind}`")),
        };
        let randomization = config.float("randomization")?;
        let cap = match kind.ends_with("_capped") {
            true => Some(config.nanos("max_ns")?),
            false => None,
        };
        config.finish()?;
        let spread = middle.clone().randomized(randomization);
        let backoff = match cap {
            Some(cap) => spread.capped(cap),
            None => spread,
        };
        Ok(Self { backoff, random: Random::seeded(0), middle, randomization, cap })
    }

    fn draw(&self, attempt: NonZeroU32, draws: u32) -> Result<Sample, String> {
        let (mut min, mut max, mut sum) = (u64::MAX, 0, 0);
        for _ in 0..draws {
            let wait = millis(wait(&self.backoff, attempt, &self.random)?)?;
            (min, max, sum) = (min.min(wait), max.max(wait), sum + wait);
        }
        Ok(Sample { min, max, sum, draws })
    }
}

impl Player for Dice {
    fn play(&mut self, step: &mut Fields) -> Result<Next, String> {
        let attempt = attempt(step)?;
        let recorded = Sample::read(step)?;
        let middle = millis(wait(&self.middle, attempt, &self.random)?)?;
        let law = Law::new(middle, self.randomization, self.cap.map(millis).transpose()?);
        law.check(&recorded).map_err(|what| format!("in the trace, {what}"))?;
        let here = self.draw(attempt, recorded.draws.min(MOST_DRAWS))?;
        law.check(&here).map_err(|what| format!("here, {what}"))?;
        law.check_both(&recorded, &here)?;
        Ok(Next::Seen(Seen::new()))
    }
}

/// As many as the recorder took; a trace that names more shall not keep the test busy for hours.
const MOST_DRAWS: u32 = 20_000;

/// What a number of draws showed, in milliseconds.
struct Sample {
    min: u64,
    max: u64,
    sum: u64,
    draws: u32,
}

impl Sample {
    fn read(step: &mut Fields) -> Result<Self, String> {
        let draws = step.count("draws")?;
        let (min, max) = (millis(step.nanos("min")?)?, millis(step.nanos("max")?)?);
        let mean = step.number("mean")?;
        // Whole milliseconds have a whole sum; it follows from the mean and must lead back to it.
        let sum = (u128::from(mean) * u128::from(draws) + 500_000) / 1_000_000;
        let exact = sum as f64 * 1e6 / f64::from(draws);
        if draws == 0 || (exact - mean as f64).abs() >= 1.0 {
            return Err(format!("`mean` is {mean}: not that of {draws} whole milliseconds"));
        }
        Ok(Self { min, max, sum: sum as u64, draws })
    }

    fn mean(&self) -> f64 {
        self.sum as f64 / f64::from(self.draws)
    }
}

/// Even over `width` from `low`, cut to whole milliseconds, at least one, and capped.
struct Law {
    min: u64,
    max: u64,
    /// From `min` to where the even spread ends.
    reach: f64,
    width: f64,
    mean: f64,
    variance: f64,
}

/// A sound sample fails a check once in a thousand million.
const DOUBT: f64 = 1e-9;
/// The same for a mean, in standard deviations: it is all but normally distributed.
const DEVIATIONS: f64 = 6.0;
/// Rounding in 64-bit floats may put the ends of the law beside a whole number.
const GRAIN: f64 = 1e-6;

impl Law {
    fn new(middle: u64, randomization: f64, cap: Option<u64>) -> Self {
        let low = middle as f64 * (1.0 - randomization);
        let width = middle as f64 * randomization * 2.0 + 1.0;
        let cap = cap.unwrap_or(u64::MAX);
        let min = ((low + GRAIN) as u64).max(1).min(cap);
        let max = ((low + width - GRAIN).ceil() as u64 - 1).max(1).min(cap);
        // With `v` a wait less `min`, P(v >= u) = (reach - u) / width for every whole u from 1 to
        // max - min; the sums of these, and of (2u - 1) times these, are the first two moments.
        let (reach, n) = (low + width - min as f64, (max - min) as f64);
        let first = (n * reach - n * (n + 1.0) / 2.0) / width;
        let squares = n * (n + 1.0) * (2.0 * n + 1.0) / 6.0;
        let second =
            ((2.0 * reach + 1.0) * n * (n + 1.0) / 2.0 - 2.0 * squares - reach * n) / width;
        let variance = (second - first * first).max(0.0);
        Self { min, max, reach, width, mean: min as f64 + first, variance }
    }

    /// How likely a wait is to be `wait` or longer.
    fn reaches(&self, wait: u64) -> f64 {
        match wait {
            _ if wait <= self.min => 1.0,
            _ if wait > self.max => 0.0,
            _ => ((self.reach - (wait - self.min) as f64) / self.width).clamp(0.0, 1.0),
        }
    }

    fn check(&self, sample: &Sample) -> Result<(), String> {
        let Sample { min, max, draws, .. } = *sample;
        let none = |share: f64| (1.0 - share).powf(draws.into());
        if min < self.min || none(1.0 - self.reaches(min)) < DOUBT {
            return Err(format!(
                "`min` of {draws} draws is {min} ms, which should be {}",
                self.min
            ));
        }
        if max > self.max || none(self.reaches(max + 1)) < DOUBT {
            return Err(format!(
                "`max` of {draws} draws is {max} ms, which should be {}",
                self.max
            ));
        }
        let off = (sample.mean() - self.mean).abs();
        if off > DEVIATIONS * (self.variance / f64::from(draws)).sqrt() + GRAIN {
            let mean = sample.mean();
            return Err(format!(
                "`mean` of {draws} draws is {mean} ms, which should be {}",
                self.mean
            ));
        }
        Ok(())
    }

    fn check_both(&self, recorded: &Sample, here: &Sample) -> Result<(), String> {
        let off = (recorded.mean() - here.mean()).abs();
        let share = 1.0 / f64::from(recorded.draws) + 1.0 / f64::from(here.draws);
        if off > DEVIATIONS * (self.variance * share).sqrt() + GRAIN {
            return Err(format!("the means are {off} ms apart"));
        }
        Ok(())
    }
}

fn millis(span: Duration) -> Result<u64, String> {
    let whole = span.as_millis() as u64;
    if Duration::from_millis(whole) != span {
        return Err(format!("{span:?} is not in whole milliseconds"));
    }
    Ok(whole)
}
