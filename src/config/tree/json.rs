//! JSON, strictly.

use std::sync::Arc;

use jsonc_parser::ast::Value as Json;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Budget, Entry, Lines, MOST_DEPTH, Node, Position, SyntaxError, Value};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut reader = Reader { lines: Lines::new(text.as_bytes()), budget: Budget::default() };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| reader.error(error.range().start, &error.kind().to_string()))?;
    let Some(json) = parsed.value else {
        return Err(reader.error(0, "expected a value"));
    };
    reader.node(&json, 0)
}

struct Reader<'a> {
    lines: Lines<'a>,
    budget: Budget,
}

impl Reader<'_> {
    fn error(&self, offset: usize, message: &str) -> SyntaxError {
        let mut message = message.to_owned();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        SyntaxError::new(self.lines.position(offset), message)
    }

    fn position(&self, ranged: &impl Ranged) -> Position {
        self.lines.position(ranged.range().start)
    }

    fn node(&mut self, json: &Json<'_>, depth: usize) -> Result<Node, SyntaxError> {
        let at = self.position(json);
        if depth > MOST_DEPTH {
            return Err(SyntaxError::too_deep(at));
        }
        self.budget.spend(1, at)?;
        let value = match json {
            Json::StringLit(text) => Value::Scalar(Arc::from(&*text.value)),
            Json::NumberLit(number) => Value::Scalar(number.value.into()),
            Json::BooleanLit(boolean) => Value::Scalar(boolean.value.to_string().into()),
            Json::NullKeyword(_) => Value::Null,
            Json::Array(array) => {
                let items = array.elements.iter().map(|item| self.node(item, depth + 1));
                Value::List(Arc::new(items.collect::<Result<_, _>>()?))
            }
            Json::Object(object) => {
                let mut entries = Vec::with_capacity(object.properties.len());
                for property in &object.properties {
                    entries.push(Entry {
                        key: property.name.as_str().into(),
                        at: self.position(property),
                        merged: 0,
                        node: self.node(&property.value, depth + 1)?,
                    });
                }
                Value::Map(Arc::new(entries))
            }
        };
        Ok(Node { at, value })
    }
}
