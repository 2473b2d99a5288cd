//! Settings as a list of keys and values, for people and programs to look at.

use std::time::Duration;

/// The settings of one instance, in the order of its pattern's page.
///
/// A key is the builder method's name; that of a span of time has `_seconds` after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(Vec<(String, Setting)>);

/// One value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// No limit, or not set.
    None,
    /// Yes or no; of a function, whether there is one.
    Bool(bool),
    /// A number of things.
    Integer(u64),
    /// A share, a percentage, or seconds.
    Number(f64),
    /// A kind, in `snake_case`, or a formula in words.
    Text(String),
}

impl Settings {
    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(key, setting)| (&**key, setting))
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.iter().find(|(is, _)| *is == key).map(|(_, setting)| setting)
    }

    pub(crate) fn with(mut self, key: &str, setting: impl Into<Setting>) -> Self {
        self.0.push((key.to_owned(), setting.into()));
        self
    }

    /// The longest span there is stands for "no limit".
    pub(crate) fn with_span(self, key: &str, span: impl Into<Option<Duration>>) -> Self {
        let span = span.into().filter(|span| *span < Duration::MAX);
        self.with(&format!("{key}_seconds"), span.map(|span| span.as_secs_f64()))
    }
}

impl From<bool> for Setting {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Setting {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f32> for Setting {
    fn from(value: f32) -> Self {
        // By way of its digits: 33.3 shall not become 33.29999924.
        Self::Number(value.to_string().parse().unwrap_or(f64::from(value)))
    }
}

impl From<f64> for Setting {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Setting {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Setting {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Setting {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

#[cfg(feature = "snapshot")]
mod serde {
    use serde::ser::{Serialize, SerializeMap, Serializer};

    use super::{Setting, Settings};

    impl Serialize for Settings {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.len()))?;
            for (key, setting) in self.iter() {
                map.serialize_entry(key, setting)?;
            }
            map.end()
        }
    }

    impl Serialize for Setting {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::None => serializer.serialize_none(),
                Self::Bool(value) => serializer.serialize_bool(*value),
                Self::Integer(value) => serializer.serialize_u64(*value),
                Self::Number(value) => serializer.serialize_f64(*value),
                Self::Text(value) => serializer.serialize_str(value),
            }
        }
    }
}
