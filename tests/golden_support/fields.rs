//! A JSON object that is read key by key. What nobody has asked for is an error.

use std::time::Duration;

use serde_json::{Map, Number, Value};

/// What a step showed, or shall show.
pub(crate) type Seen = Map<String, Value>;

/// An object, less the keys that were taken.
#[derive(Debug, Default)]
pub(crate) struct Fields(Seen);

impl Fields {
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        match serde_json::from_str(line) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err("not a JSON object".into()),
            Err(error) => Err(format!("not JSON: {error}")),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &Seen {
        &self.0
    }

    pub(crate) fn into_rest(self) -> Seen {
        self.0
    }

    /// Everything must have been taken by now.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("unknown key `{key}`")),
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Result<Value, String> {
        self.0.shift_remove(key).ok_or_else(|| format!("no key `{key}`"))
    }

    fn read<T>(
        &mut self,
        key: &str,
        kind: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, String> {
        let value = self.take(key)?;
        read(&value).ok_or_else(|| format!("`{key}` is {value}, which is not {kind}"))
    }

    pub(crate) fn number(&mut self, key: &str) -> Result<u64, String> {
        self.read(key, "a whole number from 0", Value::as_u64)
    }

    pub(crate) fn count(&mut self, key: &str) -> Result<u32, String> {
        self.read(key, "a count", |value| u32::try_from(value.as_u64()?).ok())
    }

    pub(crate) fn nanos(&mut self, key: &str) -> Result<Duration, String> {
        self.number(key).map(Duration::from_nanos)
    }

    pub(crate) fn float(&mut self, key: &str) -> Result<f64, String> {
        self.read(key, "a number", Value::as_f64)
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, String> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(crate) fn text(&mut self, key: &str) -> Result<String, String> {
        self.read(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn object(&mut self, key: &str) -> Result<Self, String> {
        self.read(key, "an object", |value| value.as_object().cloned().map(Self))
    }

    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        let read = |item: &Value| item.as_str().map(str::to_owned);
        self.read(key, "a list of strings", |value| value.as_array()?.iter().map(read).collect())
    }

    /// As `texts`, where `null` stands for "no list".
    pub(crate) fn texts_or_null(&mut self, key: &str) -> Result<Option<Vec<String>>, String> {
        if self.0.get(key).is_some_and(Value::is_null) {
            self.take(key)?;
            return Ok(None);
        }
        self.texts(key).map(Some)
    }

    /// The keys that are left, in their order.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// A 32-bit float as it is written down: with the fewest digits that say which one it is.
pub(crate) fn float(value: f32) -> Value {
    let written: f64 = value.to_string().parse().expect("a float's text is a number");
    Number::from_f64(written).map_or(Value::Null, Value::Number)
}

pub(crate) fn nanos(span: Duration) -> Value {
    u64::try_from(span.as_nanos())
        .map_or_else(|_| Value::from(span.as_nanos().to_string()), Value::from)
}
