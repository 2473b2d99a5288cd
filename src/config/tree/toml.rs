//! TOML.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Budget, Entry, Lines, MOST_DEPTH, Node, SyntaxError, Value};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut reader = Reader { lines: Lines::new(text.as_bytes()), budget: Budget::default() };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        // Some of its messages have several lines.
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let at = reader.lines.position(offset);
        if message.contains("recurs") {
            SyntaxError::too_deep(at)
        } else {
            SyntaxError::new(at, message)
        }
    })?;
    let at = reader.lines.position(0);
    Ok(Node { at, value: reader.table(table.get_ref(), 0)? })
}

struct Reader<'a> {
    lines: Lines<'a>,
    budget: Budget,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Result<Value, SyntaxError> {
        // The table is sorted by key, and the order in the file matters.
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            entries.push(Entry {
                // A name in quotes may hold a dot, which is none between two keys.
                key: bracketed(key.get_ref()).into(),
                at: self.lines.position(key.span().start),
                merged: 0,
                node: self.node(value, depth + 1)?,
            });
        }
        Ok(Value::Map(Arc::new(entries)))
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, SyntaxError> {
        let at = self.lines.position(value.span().start);
        if depth > MOST_DEPTH {
            return Err(SyntaxError::too_deep(at));
        }
        self.budget.spend(1, at)?;
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Scalar(Arc::from(&**text)),
            DeValue::Integer(number) => Value::Scalar(integer(number).into()),
            DeValue::Float(number) => Value::Scalar(number.as_str().into()),
            DeValue::Boolean(boolean) => Value::Scalar(boolean.to_string().into()),
            DeValue::Datetime(time) => Value::Scalar(time.to_string().into()),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.node(item, depth + 1));
                Value::List(Arc::new(items.collect::<Result<_, _>>()?))
            }
            DeValue::Table(table) => self.table(table, depth)?,
        };
        Ok(Node { at, value })
    }
}

fn integer(number: &toml::de::DeInteger<'_>) -> String {
    if number.radix() == 10 {
        return number.as_str().to_owned();
    }
    let digits = number.as_str().replace('_', "");
    i64::from_str_radix(&digits, number.radix()).map_or(digits, |number| number.to_string())
}

/// Dotted keys are apart already, so what has a dot in TOML has it in quotes.
fn bracketed(key: &str) -> String {
    if key.contains('.') && !key.starts_with('[') { format!("[{key}]") } else { key.to_owned() }
}
