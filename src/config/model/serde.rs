//! The structs in serde's terms: the same table, the same checks.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::kind::{Setting, write_span};
use super::table::{Model, Table};
use crate::config::problem::Report;
use crate::config::read::{self, Reader};
use crate::config::tree::branch::Branch;
use crate::config::tree::{Entry, Node, Position, Value};

macro_rules! with_serde {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::config::model::serde::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::config::model::serde::deserialize(deserializer)
            }
        }
    };
}

pub(in crate::config) use with_serde;

pub(in crate::config) fn serialize<M: Model, S: Serializer>(
    model: &M,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut values = Vec::new();
    model.push_values(&mut values);
    let table = M::TABLE;
    let (own, mut below) = values.split_at(table.keys.len());
    let mut map = serializer.serialize_map(None)?;
    for (key, value) in table.keys.iter().zip(own) {
        if let Some(value) = value {
            map.serialize_entry(key.name, value)?;
        }
    }
    for (group, table) in table.groups {
        let (values, rest) = below.split_at(table.keys.len());
        below = rest;
        if values.iter().any(Option::is_some) {
            map.serialize_entry(group, &Group { table, values })?;
        }
    }
    map.end()
}

struct Group<'a> {
    table: &'static Table,
    values: &'a [Option<Setting>],
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.table.keys.iter().zip(self.values) {
            if let Some(value) = value {
                map.serialize_entry(key.name, value)?;
            }
        }
        map.end()
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Span(value) => serializer.serialize_str(&write_span(*value)),
            Self::Choice(value) => serializer.serialize_str(value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => values.serialize(serializer),
        }
    }
}

pub(in crate::config) fn deserialize<'de, M: Model, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<M, D::Error> {
    let Tree(value) = Tree::deserialize(deserializer)?;
    let node = Node { at: Position::START, value };
    let branch = Branch::root([&node]);
    let mut report = Report::new("settings");
    let record = Reader::plain(&mut report, &branch).record(M::TABLE, &branch);
    match report.finish() {
        Ok(_) => Ok(read::model(&record)),
        // There are no places here, so only what follows them is told.
        Err(errors) => Err(D::Error::custom(errors.without_places())),
    }
}

/// Anything that serde can tell, as a tree. How deep it may be is for the format to say.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Self)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string().into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string().into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string().into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string().into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Tree(value)) = seq.next_element()? {
            items.push(Node { at: Position::START, value });
        }
        Ok(Value::List(Arc::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, Tree(value))) = map.next_entry::<String, Tree>()? {
            let node = Node { at: Position::START, value };
            entries.push(Entry { key: key.into(), at: Position::START, merged: 0, node });
        }
        Ok(Value::Map(Arc::new(entries)))
    }
}
