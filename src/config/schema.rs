//! The JSON schema of a file, out of the same tables that it is read by.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::document::{MODULES, Module, holders};
use super::model::kind::{Bounds, Kind};
use super::model::table::{Key, Table};
use super::model::{CLASSIFIER, PIPELINE, write_span};
use super::read::camel;

/// The JSON schema (draft 2020-12) of a file of settings, for editors and for checks before a roll-out.
///
/// Below `resilience4j` keys are in `camelCase` or `kebab-case`, below `seawall` in `snake_case` too; a file may also mix them, write
/// keys with dots, and have placeholders. Ranges of durations, for which JSON schema has no words, are in `x-minimum` and
/// `x-maximum`.
#[must_use]
pub fn schema() -> String {
    let mut definitions = Map::new();
    for module in &MODULES {
        define(&mut definitions, module.table);
    }
    define(&mut definitions, &PIPELINE);
    define(&mut definitions, &CLASSIFIER);
    let sections = |own: bool| {
        let mut sections = Map::new();
        for module in &MODULES {
            for name in spellings(module.table.name).into_iter().chain([module.key.to_owned()]) {
                sections.insert(name, section(module));
            }
        }
        for holder in holders() {
            let held = MODULES.iter().filter(|module| module.within == Some(holder));
            let held = held.map(|module| (module.key.to_owned(), section(module))).collect();
            sections.insert(holder.to_owned(), closed(held));
        }
        if own {
            for table in [&PIPELINE, &CLASSIFIER] {
                sections.insert(table.name.to_owned(), named(table));
            }
        } else {
            for other in ["scheduled", "thread"] {
                let nothing = "Has no effect here.";
                sections
                    .insert(other.to_owned(), json!({"type": "object", "description": nothing}));
            }
        }
        closed(sections)
    };
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of seawall",
        "description": "Everything but `seawall` and `resilience4j` is left alone.",
        "type": "object",
        "properties": { "seawall": sections(true), "resilience4j": sections(false) },
        "$defs": definitions,
    });
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn closed(properties: Map<String, Value>) -> Value {
    let mut closed = json!({"type": ["object", "null"], "additionalProperties": false});
    closed["properties"] = properties.into();
    closed
}

/// A map from a user's names to settings.
fn named(table: &Table) -> Value {
    let settings = json!({"$ref": format!("#/$defs/{}", table.name)});
    json!({"type": ["object", "null"], "additionalProperties": settings})
}

fn section(module: &Module) -> Value {
    let mut keys = Map::new();
    for name in module.instances.iter().chain(&["configs"]) {
        keys.insert((*name).to_owned(), named(module.table));
    }
    let text = json!({"type": ["string", "number", "boolean"]});
    keys.insert("tags".into(), json!({"type": ["object", "null"], "additionalProperties": text}));
    let nothing = "Has no effect here.";
    keys.insert("metrics".into(), json!({"type": "object", "description": nothing}));
    if module.aspect.is_some() {
        let only = "May only say the order that pipelines have at any rate.";
        let order = json!({"type": "integer", "description": only});
        let name = format!("{}_aspect_order", module.table.name);
        for name in spellings(&name) {
            keys.insert(name, order.clone());
        }
    }
    closed(keys)
}

fn define(definitions: &mut Map<String, Value>, table: &'static Table) {
    let mut properties = Map::new();
    for key in table.keys {
        for name in std::iter::once(&key.name).chain(key.aliases) {
            for spelling in spellings(name) {
                properties.insert(spelling, setting(key));
            }
        }
    }
    for (group, below) in table.groups {
        define(definitions, below);
        for spelling in spellings(group) {
            properties.insert(spelling, json!({"$ref": format!("#/$defs/{}", below.name)}));
        }
    }
    let mut definition = closed(properties);
    definition["description"] = table.about.split(" in a file").next().unwrap_or("").trim().into();
    definitions.insert(table.name.to_owned(), definition);
}

fn setting(key: &Key) -> Value {
    let mut schema = kind(key.kind);
    let mut doc = key.doc.trim().replace('`', "");
    if let Some(reason) = key.idle {
        doc.push_str(&format!(" Has no effect here: {reason}."));
    }
    schema["description"] = doc.into();
    if let Some(default) = key.default {
        schema["default"] = serde_json::from_str(default).unwrap_or_else(|_| default.into());
    }
    schema
}

/// A value that is written as a number, or as a text with a placeholder.
fn or_placeholder(plain: Value) -> Value {
    json!({"anyOf": Value::Array(vec![plain, json!({"type": "string", "pattern": "\\$\\{"})])})
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Bool => or_placeholder(json!({"type": "boolean"})),
        Kind::Int { least, most } => {
            or_placeholder(json!({"type": "integer", "minimum": least, "maximum": most}))
        }
        Kind::Float { least, most, bounds } => or_placeholder(match bounds {
            Bounds::Both => json!({"type": "number", "minimum": least, "maximum": most}),
            Bounds::Least => json!({"type": "number", "minimum": least, "exclusiveMaximum": most}),
            Bounds::Above => json!({"type": "number", "exclusiveMinimum": least}),
            Bounds::From => json!({"type": "number", "minimum": least}),
        }),
        Kind::Span { least, most } => {
            let mut span = json!({
                "type": ["integer", "string"],
                "minimum": 0,
                "format": "duration: 500 (milliseconds), 500ms, 5s, PT5S, forever",
                "x-minimum": write_span(least),
            });
            if most < Duration::MAX {
                span["x-maximum"] = write_span(most).into();
            }
            span
        }
        Kind::Choice(choices) => {
            let mut names: Vec<String> = Vec::new();
            for (name, others) in choices {
                for name in std::iter::once(name).chain(*others) {
                    names.extend([(*name).to_owned(), name.to_uppercase()]);
                }
            }
            or_placeholder(json!({"enum": names}))
        }
        Kind::Text => json!({"type": ["string", "number", "boolean"]}),
        Kind::Meter => {
            or_placeholder(json!({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9._-]{0,199}$"}))
        }
        Kind::Class => json!({"type": "string"}),
        Kind::Classes | Kind::Spans | Kind::Matchers => json!({
            "type": ["array", "string", "integer"],
            "items": {"type": ["string", "integer"]},
            "x-items": kind.expected(),
        }),
    }
}

/// A key as files write it.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), camel(name), name.replace('_', "-")];
    all.dedup();
    all
}
