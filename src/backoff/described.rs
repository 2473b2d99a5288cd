//! A formula as settings, for people and programs to look at.

use super::Backoff;
use super::formula::Formula;
use super::jitter::Jitter;
use crate::telemetry::snapshot::Settings;

impl Backoff {
    /// Adds its parts, each under `key` and its own name.
    pub(crate) fn described(&self, key: &str, settings: Settings) -> Settings {
        let part = |name: &str| format!("{key}_{name}");
        let two = |settings: Settings, formula: &str, span, other: &str, value: f64| {
            settings.with(key, formula).with_span(&part("initial"), span).with(&part(other), value)
        };
        let based = |settings: Settings, formula: &str, base| {
            settings.with(key, formula).with_span(&part("base"), base)
        };
        let settings = match &self.formula {
            Formula::Fixed(wait) => settings.with(key, "fixed").with_span(&part("wait"), *wait),
            Formula::Linear { initial, step } => settings
                .with(key, "linear")
                .with_span(&part("initial"), *initial)
                .with_span(&part("step"), *step),
            Formula::Exponential { initial, multiplier } => {
                two(settings, "exponential", *initial, "multiplier", *multiplier)
            }
            Formula::Geometric { initial, factor } => {
                two(settings, "geometric", *initial, "factor", *factor)
            }
            Formula::FullJitter { base } => based(settings, "full_jitter", *base),
            Formula::EqualJitter { base } => based(settings, "equal_jitter", *base),
            Formula::Decorrelated { base } => based(settings, "decorrelated", *base),
            Formula::Smooth { base } => based(settings, "smooth", *base),
            Formula::Uniform { least, most } => settings
                .with(key, "uniform")
                .with_span(&part("least"), *least)
                .with_span(&part("most"), *most),
            Formula::Iterate { initial, .. } => {
                settings.with(key, "iterate").with_span(&part("initial"), *initial)
            }
            Formula::Sequence(_) => settings.with(key, "sequence"),
            Formula::Custom(_) => settings.with(key, "custom"),
        };
        let settings = match self.jitter {
            Jitter::None => settings,
            Jitter::Randomized(factor) => settings.with(&part("randomized"), factor),
            Jitter::Factor(factor) => settings.with(&part("jitter_factor"), factor),
            Jitter::Span(span) => settings.with_span(&part("jitter"), span),
            Jitter::Longer(factor) => settings.with(&part("lengthened"), factor),
        };
        match self.cap {
            Some(cap) => settings.with_span(&part("cap"), cap),
            None => settings,
        }
    }
}
