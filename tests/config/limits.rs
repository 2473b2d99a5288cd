//! Every setting with a limit, out of the schema: one value below it, one above, one of the wrong type, and its key misspelt.

use std::time::Duration;

use seawall::config::{Config, Format};
use serde_json::Value;

/// A setting as the schema has it.
struct Setting {
    /// The section's key, the key below which it stands, if any, and its own in `snake_case`.
    module: String,
    group: Option<String>,
    name: String,
    schema: Value,
}

/// A value as it is written, and what has to be said of it.
enum Written {
    Number(String),
    Text(String),
}

fn settings() -> Vec<Setting> {
    let schema: Value = serde_json::from_str(&seawall::config::schema()).unwrap();
    let definitions = schema["$defs"].as_object().unwrap();
    let keys = |definition: &str| {
        let all = definitions[definition]["properties"].as_object().unwrap().clone();
        // The one of the spellings that is `snake_case`.
        all.into_iter().filter(|(key, _)| !key.contains('-') && !key.contains(char::is_uppercase))
    };
    let mut settings = Vec::new();
    for module in definitions.keys().filter(|name| !["backoff", "budget"].contains(&name.as_str()))
    {
        for (name, schema) in keys(module) {
            let Some(below) = schema["$ref"].as_str() else {
                settings.push(Setting { module: module.clone(), group: None, name, schema });
                continue;
            };
            for (below, schema) in keys(below.rsplit('/').next().unwrap()) {
                let (module, group) = (module.clone(), Some(name.clone()));
                settings.push(Setting { module, group, name: below, schema });
            }
        }
    }
    settings
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |all, word| all + &word[..1].to_uppercase() + &word[1..])
}

impl Setting {
    /// As a file of that tree has them.
    fn spelt(&self, own: bool, key: &str) -> String {
        if own { key.to_owned() } else { camel(key) }
    }

    /// A file with nothing but this, the whole key, and the place of it.
    fn file(
        &self,
        format: Format,
        own: bool,
        key: &str,
        value: &Written,
    ) -> (String, String, (u32, u32)) {
        let key = self.spelt(own, key);
        let mut above = vec![if own { "seawall" } else { "resilience4j" }.to_owned()];
        if !own && self.module == "timer" {
            above.push("micrometer".to_owned());
        }
        above.push(self.spelt(own, &self.module));
        if !["pipelines", "classifiers"].contains(&self.module.as_str()) {
            above.push("instances".to_owned());
        }
        above.push("orders".to_owned());
        above.extend(self.group.iter().map(|group| self.spelt(own, group)));
        let path = format!("{}.{key}", above.join("."));
        let quoted = match value {
            Written::Number(number) => number.clone(),
            Written::Text(text) => serde_json::to_string(text).unwrap(),
        };
        let depth = u32::try_from(above.len()).unwrap();
        let (text, at) = match format {
            Format::Yaml => {
                let mut text = String::new();
                for (depth, key) in above.iter().enumerate() {
                    text.push_str(&format!("{}{key}:\n", "  ".repeat(depth)));
                }
                text.push_str(&format!("{}{key}: {quoted}\n", "  ".repeat(above.len())));
                (text, (depth + 1, 2 * depth + 1))
            }
            Format::Toml => (format!("[{}]\n{key} = {quoted}\n", above.join(".")), (2, 1)),
            _ => {
                let opened: String = above.iter().map(|key| format!("{{\"{key}\": ")).collect();
                let closed = "}".repeat(above.len());
                (format!("{opened}{{\n   \"{key}\": {quoted} }}{closed}"), (2, 4))
            }
        };
        (text, path, at)
    }

    /// Refuses a value in every format and both trees, with these very words.
    fn refuse(&self, value: &Written, expected: &str) {
        let shown = match value {
            Written::Number(text) | Written::Text(text) => text,
        };
        self.told(&self.name, value, |_| format!("{shown} is not allowed, must be {expected}"));
    }

    fn told(&self, key: &str, value: &Written, message: impl Fn(bool) -> String) {
        for own in [true, false] {
            if !own && ["pipelines", "classifiers"].contains(&self.module.as_str()) {
                continue;
            }
            for format in [Format::Yaml, Format::Toml, Format::Json] {
                let (text, path, (line, column)) = self.file(format, own, key, value);
                let message = format!("f:{line}:{column}: {path}: {}", message(own));
                let errors = match Config::from_text(format, "f", &text) {
                    Ok(_) => panic!("this has to be refused: {message}\n{text}"),
                    Err(errors) => errors.to_string(),
                };
                // What follows are lists of names, and what else a pipeline without a step lacks.
                let told = errors.lines().any(|line| line.starts_with(&message));
                assert!(told, "\n{message}\nis not in\n{errors}\nof\n{text}");
            }
        }
    }

    /// Takes a value at the limit, whatever else has to stand beside it.
    fn takes(&self, value: &Written, expected: &str) {
        let (text, ..) = self.file(Format::Yaml, true, &self.name, value);
        if let Err(errors) = Config::from_text(Format::Yaml, "f", &text) {
            assert!(!errors.to_string().contains(expected), "{errors}\n{text}");
        }
    }
}

/// The part of an entry of the schema that says its type.
fn plain(schema: &Value) -> &Value {
    schema["anyOf"].get(0).unwrap_or(schema)
}

fn span(text: &str) -> Duration {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: u64 = digits.parse().unwrap();
    match &text[digits.len()..] {
        "ns" => Duration::from_nanos(number),
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        unit => panic!("{unit}"),
    }
}

#[test]
fn each_limit_is_kept_and_told() {
    use Written::{Number, Text};

    let mut rows = 0;
    for setting in settings() {
        let schema = plain(&setting.schema);
        let kind = &schema["type"];
        rows += 1;
        if *kind == "integer" {
            let (least, most) =
                (schema["minimum"].as_i64().unwrap(), schema["maximum"].as_i64().unwrap());
            let range = format!("from {least} to {most}");
            let number = |number: i128| Number(number.to_string());
            setting.refuse(&Text((i128::from(least) - 1).to_string()), &range);
            // The numbers of TOML have 64 bits.
            let above = |number: i128| {
                if most == i64::MAX { Text(number.to_string()) } else { Number(number.to_string()) }
            };
            setting.refuse(&number(i128::from(least) - 1), &range);
            setting.refuse(&above(i128::from(most) + 1), &range);
            for wrong in ["many", "1e3", "010", ""] {
                let shown = if wrong.is_empty() { "``" } else { wrong };
                let message = format!("{shown} is not allowed, must be a whole number {range}");
                setting.told(&setting.name, &Text(wrong.to_owned()), |_| message.clone());
            }
            setting.refuse(&Number("1.5".into()), &format!("a whole number {range}"));
            setting.takes(&number(least.into()), &range);
            setting.takes(&number(most.into()), &range);
        } else if *kind == "number" {
            let least = schema["minimum"].as_f64();
            let (above, most) = (schema["exclusiveMinimum"].as_f64(), schema["maximum"].as_f64());
            let below = schema["exclusiveMaximum"].as_f64();
            let range = match (least, most, above, below) {
                (Some(least), Some(most), ..) => format!("from {least} to {most}"),
                (Some(least), _, _, Some(below)) => format!("at least {least} and below {below}"),
                (_, _, Some(above), _) => format!("above {above}"),
                (Some(least), ..) => format!("at least {least}"),
                _ => panic!("{schema}"),
            };
            let too_small = above.unwrap_or_else(|| least.unwrap() - 0.001);
            setting.refuse(&Number(too_small.to_string()), &range);
            if let Some(too_large) = below.or(most.map(|most| most + 0.001)) {
                setting.refuse(&Number(too_large.to_string()), &range);
            }
            for wrong in ["half", "NaN", "inf", "1e999"] {
                setting.refuse(&Text(wrong.to_owned()), &format!("a number {range}"));
            }
            for fine in least.into_iter().chain(most) {
                setting.takes(&Number(fine.to_string()), &range);
            }
        } else if let Some(least) = schema["x-minimum"].as_str() {
            let (least, most) = (span(least), schema["x-maximum"].as_str().map(span));
            let range = match most {
                Some(most) => format!("from {least:?} to {most:?}"),
                None if least.is_zero() => "at least 0".to_owned(),
                None => format!("at least {least:?}"),
            };
            let below = match least.as_nanos() {
                0 => "-1".to_owned(),
                nanos => format!("{}ns", nanos - 1),
            };
            setting.refuse(&Text(below), &range);
            setting.refuse(&Text("PT-0.5S".to_owned()), &range);
            match most {
                Some(most) => {
                    let above = if most.subsec_nanos() == 0 {
                        format!("{}ns", most.as_nanos() + 1)
                    } else {
                        format!("PT{}S", most.as_secs() + 1)
                    };
                    setting.refuse(&Text(above), &range);
                }
                None => {
                    let longest = "at most 18446744073709551615s, or `forever`";
                    setting.refuse(&Text("18446744073709551616s".to_owned()), longest);
                    setting.refuse(&Text("9999999999999999d".to_owned()), longest);
                }
            }
            for wrong in ["soon", "1.5s", "1 s", "5w", "P1Y"] {
                setting.refuse(&Text(wrong.to_owned()), "a duration like 500ms, 5s or PT5S");
            }
            setting.takes(&Text(format!("{}ns", least.as_nanos())), &range);
        } else if *kind == "boolean" {
            for wrong in ["yes", "off", "2", "-1"] {
                setting.refuse(&Text(wrong.to_owned()), "true or false");
            }
            setting.refuse(&Number("0".into()), "true or false");
        } else if let Some(names) = schema["enum"].as_array() {
            let first = names[0].as_str().unwrap();
            setting.refuse(&Text("nowhere".to_owned()), &format!("one of {first}"));
        } else if let Some(pattern) = schema["pattern"].as_str() {
            // The name of a meter.
            let named = "^[A-Za-z][A-Za-z0-9._-]{0,";
            let longest = pattern.strip_prefix(named).unwrap().strip_suffix("}$").unwrap();
            let longest = 1 + longest.parse::<usize>().unwrap();
            let range = format!(
                "1 to {longest} letters, digits, dots, underscores and dashes, a letter first"
            );
            let message = format!("`` is not allowed, must be {range}");
            setting.told(&setting.name, &Text(String::new()), |_| message.clone());
            // A message shows no more than the start of it.
            let above = "m".repeat(longest + 1);
            let message = format!("{}… is not allowed, must be {range}", &above[..80]);
            setting.told(&setting.name, &Text(above.clone()), |_| message.clone());
            setting.refuse(&Number("7".to_owned()), &range);
            setting.refuse(&Text("7.calls".to_owned()), &range);
            for wrong in ["my calls", "größe", "a/b"] {
                setting.refuse(&Text(wrong.to_owned()), &range);
            }
            for (wrong, shown) in [("[]", "a list"), ("{}", "a section")] {
                let message = format!("{shown} is not allowed, must be the name of a meter");
                setting.told(&setting.name, &Number(wrong.into()), |_| message.clone());
            }
            for fine in ["m", &above[1..]] {
                setting.takes(&Text(fine.to_owned()), &range);
            }
        } else if let Some(items) = schema["x-items"].as_str() {
            let message = format!("a section is not allowed, must be {items}");
            setting.told(&setting.name, &Number("{}".into()), |_| message.clone());
        } else {
            // A name.
            for (wrong, shown) in [("[]", "a list"), ("{}", "a section")] {
                let message = format!("{shown} is not allowed, must be ");
                setting.told(&setting.name, &Number(wrong.into()), |_| message.clone());
            }
        }
    }
    assert!(rows > 120, "{rows}");
}

#[test]
fn each_key_misspelt_is_told_with_the_right_one() {
    let all = settings();
    let mut hints = 0;
    for setting in &all {
        // A letter doubled, as hands do it.
        let middle = setting.name.len() / 2;
        let middle = middle - usize::from(setting.name[middle..].starts_with('_'));
        let letter = &setting.name[middle..=middle];
        let wrong = format!("{}{letter}{}", &setting.name[..middle], &setting.name[middle..]);
        let value = Written::Number("1".to_owned());
        setting.told(&wrong, &value, |own| {
            format!("unknown key, did you mean `{}`?", setting.spelt(own, &setting.name))
        });
        hints += 1;
        // And one that is like none.
        let known =
            all.iter().find(|other| other.module == setting.module && other.group == setting.group);
        setting.told("zzzzzzzz", &value, |own| {
            let _ = (own, known);
            "unknown key, must be one of ".to_owned()
        });
    }
    assert!(hints > 100, "{hints}");
}

/// The limits that are written down for Resilience4j's own keys, so that the schema cannot drift from them.
#[test]
fn the_schema_has_the_limits_of_resilience4j() {
    const NOTHING: Option<f64> = None;
    let numbers = [
        ("circuit_breaker", "failure_rate_threshold", "minimum", 1.0, Some(100.0)),
        ("circuit_breaker", "slow_call_rate_threshold", "minimum", 1.0, Some(100.0)),
        ("circuit_breaker", "sliding_window_size", "minimum", 1.0, NOTHING),
        ("circuit_breaker", "minimum_number_of_calls", "minimum", 1.0, NOTHING),
        (
            "circuit_breaker",
            "permitted_number_of_calls_in_half_open_state",
            "minimum",
            1.0,
            NOTHING,
        ),
        ("circuit_breaker", "exponential_backoff_multiplier", "exclusiveMinimum", 0.0, NOTHING),
        ("circuit_breaker", "event_consumer_buffer_size", "minimum", 1.0, NOTHING),
        ("retry", "max_attempts", "minimum", 1.0, NOTHING),
        ("retry", "exponential_backoff_multiplier", "exclusiveMinimum", 0.0, NOTHING),
        ("retry", "event_consumer_buffer_size", "minimum", 1.0, NOTHING),
        ("bulkhead", "max_concurrent_calls", "minimum", 1.0, NOTHING),
        ("thread_pool_bulkhead", "max_thread_pool_size", "minimum", 0.0, NOTHING),
        ("thread_pool_bulkhead", "core_thread_pool_size", "minimum", 0.0, NOTHING),
        ("thread_pool_bulkhead", "queue_capacity", "minimum", -1.0, NOTHING),
        ("rate_limiter", "limit_for_period", "minimum", 1.0, NOTHING),
        ("rate_limiter", "event_consumer_buffer_size", "minimum", 1.0, NOTHING),
        ("time_limiter", "event_consumer_buffer_size", "minimum", 1.0, NOTHING),
        ("timer", "event_consumer_buffer_size", "minimum", 1.0, NOTHING),
    ];
    let spans = [
        ("circuit_breaker", "slow_call_duration_threshold", "1ns"),
        ("circuit_breaker", "wait_duration_in_open_state", "1ms"),
        ("circuit_breaker", "max_wait_duration_in_half_open_state", "0s"),
        ("circuit_breaker", "exponential_max_wait_duration_in_open_state", "1ms"),
        ("retry", "wait_duration", "0s"),
        ("retry", "exponential_max_wait_duration", "0s"),
        ("bulkhead", "max_wait_duration", "0s"),
        ("thread_pool_bulkhead", "keep_alive_duration", "0s"),
        ("rate_limiter", "limit_refresh_period", "1ns"),
        ("rate_limiter", "timeout_duration", "0s"),
        ("time_limiter", "timeout_duration", "0s"),
    ];
    let all = settings();
    let find = |module: &str, name: &str| {
        let found =
            all.iter().find(|one| one.module == module && one.group.is_none() && one.name == name);
        plain(&found.unwrap_or_else(|| panic!("{module}.{name}")).schema).clone()
    };
    for (module, name, bound, least, most) in numbers {
        let schema = find(module, name);
        assert_eq!(schema[bound].as_f64(), Some(least), "{module}.{name}");
        assert!(most.is_none() || schema["maximum"].as_f64() == most, "{module}.{name}");
    }
    for (module, name, least) in spans {
        assert_eq!(find(module, name)["x-minimum"], least, "{module}.{name}");
    }
    for module in ["circuit_breaker", "retry"] {
        let factor = find(module, "randomized_wait_factor");
        assert_eq!(
            (factor["minimum"].as_f64(), factor["exclusiveMaximum"].as_f64()),
            (Some(0.0), Some(1.0))
        );
    }
}
