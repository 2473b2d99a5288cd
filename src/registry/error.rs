//! What a registry refuses.

use std::error::Error as StdError;
use std::fmt;

use super::InstanceKind;
use crate::near::near;
use crate::settings::ConfigError;

/// A registry cannot do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// There are no settings of this name.
    UnknownConfig {
        /// Of which pattern.
        kind: InstanceKind,
        /// The name asked for.
        name: String,
        /// Known names that are near to it, nearest first.
        near: Vec<String>,
    },
    /// There is no instance of this name, and the operation creates none.
    UnknownInstance {
        /// Of which pattern.
        kind: InstanceKind,
        /// The name asked for.
        name: String,
        /// Known names that are near to it, nearest first.
        near: Vec<String>,
    },
    /// There is an instance of this name already.
    Exists {
        /// Of which pattern.
        kind: InstanceKind,
        /// The name.
        name: String,
    },
    /// The settings named `default` can be neither added nor removed: they are always there.
    /// [`set_default_config`](super::View::set_default_config) exchanges them.
    DefaultConfig {
        /// Of which pattern.
        kind: InstanceKind,
    },
    /// What makes an instance asked for that very instance, itself or by way of others.
    Circular {
        /// Of which pattern.
        kind: InstanceKind,
        /// The instance that would have waited for itself.
        name: String,
    },
    /// A setting is out of range, or two contradict each other.
    Config {
        /// Of which pattern.
        kind: InstanceKind,
        /// Of which instance or pipeline; empty for settings without one.
        name: String,
        /// Which setting.
        error: ConfigError,
    },
}

impl RegistryError {
    pub(super) fn unknown_config<'a>(
        kind: InstanceKind,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::UnknownConfig { kind, name: name.to_owned(), near: suggest(name, known) }
    }

    pub(super) fn unknown_instance<'a>(
        kind: InstanceKind,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::UnknownInstance { kind, name: name.to_owned(), near: suggest(name, known) }
    }
}

fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    near(name, known).into_iter().map(str::to_owned).collect()
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = |f: &mut fmt::Formatter<'_>, near: &[String]| match near {
            [] => Ok(()),
            near => write!(f, "; did you mean `{}`?", near.join("` or `")),
        };
        match self {
            Self::UnknownConfig { kind, name, near } => {
                write!(f, "no settings of a {kind} are named `{name}`")?;
                mean(f, near)
            }
            Self::UnknownInstance { kind, name, near } => {
                write!(f, "there is no {kind} `{name}`")?;
                mean(f, near)
            }
            Self::Exists { kind, name } => write!(f, "there is a {kind} `{name}` already"),
            Self::DefaultConfig { kind } => write!(
                f,
                "the settings `default` of a {kind} are always there: they can be neither added nor removed"
            ),
            Self::Circular { kind, name } => {
                write!(f, "what makes the {kind} `{name}` asks for that very {kind}")
            }
            Self::Config { kind, name, error } if name.is_empty() => write!(f, "{kind}: {error}"),
            Self::Config { kind, name, error } => write!(f, "{kind} `{name}`: {error}"),
        }
    }
}

/// All is in the message.
impl StdError for RegistryError {}
