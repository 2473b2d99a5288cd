//! What a setting may be: reading, ranges, and how both are told.

use std::time::Duration;

use super::duration::{self, Wrong};
use crate::config::tree::path::fold;
use crate::telemetry::meters::check_timer;

/// The type and the range of a setting.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) enum Kind {
    Bool,
    Int {
        least: i64,
        most: i64,
    },
    Float {
        least: f64,
        most: f64,
        bounds: Bounds,
    },
    Span {
        least: Duration,
        most: Duration,
    },
    /// One of these names, each with its other names.
    Choice(&'static [(&'static str, &'static [&'static str])]),
    Text,
    /// The name of a timer's meter.
    Meter,
    /// The name of a Java class, and a list of them.
    Class,
    Classes,
    /// A list of statuses and kinds of error.
    Matchers,
    /// A list of spans of time.
    Spans,
}

/// Which ends of a range belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Bounds {
    Both,
    /// The lower one only.
    Least,
    /// Above the lower one; there is no upper one.
    Above,
    /// From the lower one on; there is no upper one.
    From,
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) enum Setting {
    Bool(bool),
    Int(i64),
    Float(f64),
    Span(Duration),
    Choice(&'static str),
    Text(String),
    List(Vec<String>),
}

pub(super) const fn int(least: i64, most: u32) -> Kind {
    Kind::Int { least, most: most as i64 }
}

pub(super) const fn float(least: f64, most: f64) -> Kind {
    Kind::Float { least, most, bounds: Bounds::Both }
}

pub(super) const fn span(least: Duration) -> Kind {
    Kind::Span { least, most: Duration::MAX }
}

pub(super) const NS: Duration = Duration::from_nanos(1);
pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const JAVA_INT: u32 = i32::MAX as u32;

const SPAN: &str = "a duration like 500ms, 5s or PT5S";

impl Kind {
    pub(in crate::config) const fn is_list(self) -> bool {
        matches!(self, Self::Classes | Self::Matchers | Self::Spans)
    }

    /// Reads a scalar; of a list one item.
    ///
    /// # Errors
    ///
    /// What would be allowed, in words.
    pub(in crate::config) fn read(self, text: &str) -> Result<Setting, String> {
        let text = text.trim();
        match self {
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Setting::Bool(true)),
                "false" => Ok(Setting::Bool(false)),
                _ => Err(self.expected()),
            },
            Self::Int { least, most } => match integer(text) {
                Some(number) if i128::from(least) <= number && number <= i128::from(most) => {
                    Ok(Setting::Int(i64::try_from(number).unwrap_or(most)))
                }
                Some(_) => Err(self.range()),
                None => Err(self.expected()),
            },
            Self::Float { least, most, bounds } => {
                let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite())
                else {
                    return Err(self.expected());
                };
                let fits = match bounds {
                    Bounds::Both => (least..=most).contains(&number),
                    Bounds::Least => (least..most).contains(&number),
                    Bounds::Above => number > least,
                    Bounds::From => number >= least,
                };
                if fits { Ok(Setting::Float(number)) } else { Err(self.range()) }
            }
            Self::Span { least, most } => match duration::read(text) {
                Ok(span) if least <= span && span <= most => Ok(Setting::Span(span)),
                Ok(_) | Err(Wrong::Negative) => Err(self.range()),
                Err(Wrong::TooLong) => {
                    let most = most.min(Duration::from_secs(u64::MAX));
                    Err(format!("at most {most:?}, or `forever`"))
                }
                Err(Wrong::Text) => Err(self.expected()),
            },
            Self::Choice(choices) => {
                let folded = fold(text);
                let known = choices.iter().find(|(name, others)| {
                    fold(name) == folded || others.iter().any(|other| fold(other) == folded)
                });
                known.map(|(name, _)| Setting::Choice(name)).ok_or_else(|| self.expected())
            }
            Self::Text if text.is_empty() => Err(self.expected()),
            Self::Text => Ok(Setting::Text(text.to_owned())),
            Self::Meter => match check_timer(text) {
                Ok(()) => Ok(Setting::Text(text.to_owned())),
                Err(error) => Err(error.expected().to_owned()),
            },
            Self::Class | Self::Classes => {
                let is_name = !text.is_empty()
                    && text.len() <= 500
                    && text.chars().all(|c| c.is_alphanumeric() || "._$".contains(c));
                if is_name { Ok(Setting::Text(text.to_owned())) } else { Err(self.item()) }
            }
            Self::Matchers => match text.parse::<crate::CauseMatcher>() {
                Ok(matcher) => Ok(Setting::Text(matcher.to_string())),
                Err(_) => Err(self.item()),
            },
            Self::Spans => match duration::read(text) {
                Ok(span) => Ok(Setting::Text(duration::write(span))),
                Err(_) => Err(self.item()),
            },
        }
    }

    /// The allowed values of something that is of the right type.
    pub(in crate::config) fn range(self) -> String {
        match self {
            Self::Int { least, most } => format!("from {least} to {most}"),
            Self::Float { least, most, bounds } => match bounds {
                Bounds::Both => format!("from {least} to {most}"),
                Bounds::Least => format!("at least {least} and below {most}"),
                Bounds::Above => format!("above {least}"),
                Bounds::From => format!("at least {least}"),
            },
            Self::Span { least: Duration::ZERO, most: Duration::MAX } => "at least 0".to_owned(),
            Self::Span { least, most: Duration::MAX } => format!("at least {least:?}"),
            Self::Span { least, most } => format!("from {least:?} to {most:?}"),
            _ => self.expected(),
        }
    }

    /// What an item of a list may be; of what is no list, the same as `expected`.
    pub(in crate::config) fn item(self) -> String {
        match self {
            Self::Classes => Self::Class.expected(),
            Self::Matchers => format!("one of {}", crate::outcome::MATCHERS),
            Self::Spans => SPAN.to_owned(),
            _ => self.expected(),
        }
    }

    /// What is allowed, type included.
    pub(in crate::config) fn expected(self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Int { .. } => format!("a whole number {}", self.range()),
            Self::Float { .. } => format!("a number {}", self.range()),
            Self::Span { least: Duration::ZERO, most: Duration::MAX } => SPAN.to_owned(),
            Self::Span { most: Duration::MAX, .. } => format!("{SPAN}, {}", self.range()),
            Self::Span { .. } => format!("{SPAN}, {}", self.range()),
            Self::Choice(choices) => {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                format!("one of {}", names.join(", "))
            }
            Self::Text => "a name".to_owned(),
            Self::Meter => "the name of a meter".to_owned(),
            Self::Class => "the name of a class".to_owned(),
            Self::Classes => "a list of names of classes".to_owned(),
            Self::Matchers => format!("a list of {}", crate::outcome::MATCHERS),
            Self::Spans => format!("a list of durations, each {SPAN}"),
        }
    }
}

/// A whole number as YAML and Java write it: with a sign and underscores, but without leading zeros, which some take for
/// octal and some do not.
fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    let digits = digits.replace('_', "");
    // What is longer is out of every range.
    let number = if digits.len() > 30 { i128::MAX } else { digits.parse().ok()? };
    Some(if text.starts_with('-') { -number } else { number })
}

impl Setting {
    /// As `explain` prints it.
    pub(in crate::config) fn show(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Span(value) => format!("{value:?}"),
            Self::Choice(value) => (*value).to_owned(),
            Self::Text(value) => crate::config::problem::shown(value),
            Self::List(values) => format!("[{}]", values.join(", ")),
        }
    }
}

/// A type that a field of a settings struct has.
pub(in crate::config) trait Field: Sized {
    fn from_setting(setting: &Setting) -> Option<Self>;
    fn to_setting(&self, kind: Kind) -> Option<Setting>;
}

impl Field for bool {
    fn from_setting(setting: &Setting) -> Option<Self> {
        if let Setting::Bool(value) = setting { Some(*value) } else { None }
    }

    fn to_setting(&self, _: Kind) -> Option<Setting> {
        Some(Setting::Bool(*self))
    }
}

impl Field for i64 {
    fn from_setting(setting: &Setting) -> Option<Self> {
        if let Setting::Int(value) = setting { Some(*value) } else { None }
    }

    fn to_setting(&self, _: Kind) -> Option<Setting> {
        Some(Setting::Int(*self))
    }
}

impl Field for u32 {
    fn from_setting(setting: &Setting) -> Option<Self> {
        if let Setting::Int(value) = setting { Self::try_from(*value).ok() } else { None }
    }

    fn to_setting(&self, _: Kind) -> Option<Setting> {
        Some(Setting::Int((*self).into()))
    }
}

impl Field for f64 {
    fn from_setting(setting: &Setting) -> Option<Self> {
        if let Setting::Float(value) = setting { Some(*value) } else { None }
    }

    fn to_setting(&self, _: Kind) -> Option<Setting> {
        Some(Setting::Float(*self))
    }
}

impl Field for Duration {
    fn from_setting(setting: &Setting) -> Option<Self> {
        if let Setting::Span(value) = setting { Some(*value) } else { None }
    }

    fn to_setting(&self, _: Kind) -> Option<Setting> {
        Some(Setting::Span(*self))
    }
}

impl Field for String {
    fn from_setting(setting: &Setting) -> Option<Self> {
        match setting {
            Setting::Choice(value) => Some((*value).to_owned()),
            Setting::Text(value) => Some(value.clone()),
            _ => None,
        }
    }

    fn to_setting(&self, kind: Kind) -> Option<Setting> {
        // What is not allowed is kept as it is, and refused when it is used.
        Some(kind.read(self).unwrap_or_else(|_| Setting::Text(self.clone())))
    }
}

impl Field for Vec<String> {
    fn from_setting(setting: &Setting) -> Option<Self> {
        if let Setting::List(values) = setting { Some(values.clone()) } else { None }
    }

    fn to_setting(&self, _: Kind) -> Option<Setting> {
        Some(Setting::List(self.clone()))
    }
}

pub(in crate::config) fn write_span(span: Duration) -> String {
    duration::write(span)
}
