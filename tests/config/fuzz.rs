//! Documents of any kind: none may panic, hang or eat up memory, and the three formats must agree.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use seawall::config::{Config, ConfigErrors, Format, Loader};

const FORMATS: [Format; 3] = [Format::Yaml, Format::Toml, Format::Json];

/// `SEAWALL_FUZZ` makes so many times more of them.
fn cases(cases: u32) -> ProptestConfig {
    let times = std::env::var("SEAWALL_FUZZ").ok().and_then(|times| times.parse().ok());
    ProptestConfig {
        cases: cases * times.unwrap_or(1),
        failure_persistence: None,
        // Another seed where there are more of them.
        rng_seed: RngSeed::Fixed(u64::from(times.unwrap_or(1)) + 5),
        ..ProptestConfig::default()
    }
}

/// Reads with bounds on time and memory, and looks at everything that came of it.
fn read(format: Format, text: &[u8]) -> Result<Config, ConfigErrors> {
    let loader = Loader::new().env([("A", "1"), ("B", "${A}"), ("RETRY", "x")]);
    let (mut result, start) = (None, Instant::now());
    let info = allocation_counter::measure(|| result = Some(loader.read(format, "f", text)));
    let took = start.elapsed();
    let text = || String::from_utf8_lossy(text).into_owned();
    assert!(took < Duration::from_secs(5), "{took:?} for {format}:\n{}", text());
    // An alias is short, and what it stands for is counted.
    assert!(info.bytes_max < 80 << 20, "{} bytes for {format}:\n{}", info.bytes_max, text());
    let result = result.unwrap();
    match &result {
        Ok(config) => {
            for line in config.explain().chain(config.warnings().iter().map(ToString::to_string)) {
                assert_eq!(line.lines().count(), 1, "{line:?} of\n{}", text());
            }
        }
        Err(errors) => {
            assert!(errors.len() > 0);
            let lines = errors.to_string();
            let more = usize::from(errors.len() > errors.iter().count());
            assert_eq!(lines.lines().count(), errors.iter().count() + more, "{lines:?}");
            for problem in errors.iter().filter(|problem| problem.variable().is_none()) {
                assert!(problem.line() > Some(0) && problem.column() > Some(0), "{problem}");
            }
        }
    }
    result
}

/// A tree as all three formats can write it, but for what TOML has not.
#[derive(Clone, Debug)]
enum Tree {
    Plain(String),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

fn escaped(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                // A letter beyond the first 65 536 is two escapes in JSON and none at all elsewhere.
                if c.len_utf16() == 1 {
                    let _ = write!(out, "\\u{:04x}", c.encode_utf16(&mut units)[0]);
                } else {
                    out.push(c);
                }
            }
        }
    }
    out.push('"');
}

impl Tree {
    /// On one line.
    fn flow(&self, format: Format, out: &mut String) {
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::Text(text) => escaped(text, out),
            Self::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place > 0 { ", " } else { "" });
                    item.flow(format, out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (place, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if place > 0 { ", " } else { "" });
                    escaped(key, out);
                    out.push_str(if format == Format::Toml { " = " } else { ": " });
                    value.flow(format, out);
                }
                out.push('}');
            }
        }
    }

    /// With a line for each key.
    fn block(&self, depth: usize, out: &mut String) {
        let Self::Map(entries) = self else {
            out.push(' ');
            self.flow(Format::Yaml, out);
            out.push('\n');
            return;
        };
        if entries.is_empty() {
            out.push_str(" {}\n");
            return;
        }
        out.push_str(if depth > 0 { "\n" } else { "" });
        for (key, value) in entries {
            out.push_str(&"  ".repeat(depth));
            escaped(key, out);
            out.push(':');
            value.block(depth + 1, out);
        }
    }

    fn write(&self, format: Format) -> String {
        let mut out = String::new();
        match (format, self) {
            (Format::Yaml, _) => self.block(0, &mut out),
            (Format::Toml, Self::Map(entries)) => {
                for (key, value) in entries {
                    escaped(key, &mut out);
                    out.push_str(" = ");
                    value.flow(format, &mut out);
                    out.push('\n');
                }
            }
            _ => self.flow(format, &mut out),
        }
        out
    }
}

fn scalar() -> impl Strategy<Value = Tree> {
    let plain = prop::sample::select(vec![
        "0",
        "1",
        "-1",
        "2",
        "5",
        "10",
        "50",
        "100",
        "101",
        "1000",
        "86401",
        "10000001",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "0.5",
        "1.0",
        "1.5",
        "-0.5",
        "99.9",
        "100.5",
        "1e3",
        "1e300",
        "true",
        "false",
    ]);
    let text = prop::sample::select(vec![
        "",
        " ",
        "5s",
        "0",
        "7ms",
        "1m",
        "2h",
        "PT1.5S",
        "PT0S",
        "-5s",
        "forever",
        "99999999999d",
        "1ns",
        "PT99999999999999999999S",
        "soon",
        "yes",
        "NaN",
        "inf",
        "1e999",
        "count_based",
        "TIME-BASED",
        "open",
        "half_open",
        "default",
        "shared",
        "orders",
        "deep",
        "http",
        "grpc",
        "plain",
        "exponential",
        "fixed",
        "uniform",
        "sequence",
        "full_jitter",
        "smooth",
        "tokens",
        "share",
        "deposits",
        "token_bucket",
        "sliding_window",
        "503",
        "5xx",
        "500-599",
        "grpc:14",
        "connect",
        "any",
        "5xx, timeout",
        "java.io.IOException",
        "com.example.Nobody",
        "${A}",
        "${A:5}",
        "${Z}",
        "${Z:7}",
        "${",
        "}${B}{",
        "${resilience4j.retry}",
        "\u{0}",
        "\n",
        "\u{1b}[2J",
        "ä𝄞",
        "\u{2028}",
        "'",
        "\\",
        "# x",
        ": ",
    ]);
    prop_oneof![
        3 => plain.prop_map(|text| Tree::Plain(text.to_owned())),
        4 => text.prop_map(|text| Tree::Text(text.to_owned())),
        1 => "[ -~]{0,12}".prop_map(Tree::Text),
    ]
}

const MODULES: [&str; 9] = [
    "circuitbreaker",
    "retry",
    "bulkhead",
    "thread-pool-bulkhead",
    "rate_limiter",
    "timeLimiter",
    "timer",
    "pipelines",
    "classifiers",
];

const KEYS: [&str; 74] = [
    "failureRateThreshold",
    "slow-call-rate-threshold",
    "slowCallDurationThreshold",
    "waitDurationInOpenState",
    "maxWaitDurationInHalfOpenState",
    "transitionToStateAfterWaitDuration",
    "slidingWindowType",
    "slidingWindowSize",
    "minimumNumberOfCalls",
    "permittedNumberOfCallsInHalfOpenState",
    "initialState",
    "automaticTransitionFromOpenToHalfOpenEnabled",
    "recordExceptions",
    "ignoreExceptions",
    "recordFailurePredicate",
    "enableExponentialBackoff",
    "exponentialBackoffMultiplier",
    "exponentialMaxWaitDurationInOpenState",
    "enableRandomizedWait",
    "randomizedWaitFactor",
    "ignoreClassBindingExceptions",
    "eventConsumerBufferSize",
    "baseConfig",
    "base_config",
    "record",
    "ignore",
    "openWait",
    "open_on",
    "openOnRetryAfter",
    "randomSeed",
    "maxAttempts",
    "max-attempts",
    "waitDuration",
    "exponentialMaxWaitDuration",
    "retryExceptions",
    "failAfterMaxAttempts",
    "retry",
    "maxDuration",
    "maxRetryAfter",
    "retryAfterSpread",
    "backoff",
    "budget",
    "kind",
    "base",
    "cap",
    "factor",
    "step",
    "least",
    "most",
    "waits",
    "jitter",
    "randomized",
    "capacity",
    "retryCost",
    "share",
    "maxShare",
    "timeToLive",
    "maxConcurrentCalls",
    "maxWaitDuration",
    "queueCapacity",
    "maxThreadPoolSize",
    "coreThreadPoolSize",
    "limitForPeriod",
    "limitRefreshPeriod",
    "timeoutDuration",
    "timeout",
    "algorithm",
    "burst",
    "protocol",
    "deadline",
    "failure",
    "scope",
    "metricNames",
    "onFailureTagResolver",
];

const NAMES: [&str; 9] =
    ["orders", "default", "shared", "deep", "a-b", "[a.b]", "Orders", "x y", "[]"];

/// A key that should stand there, or any other.
fn key(own: &'static [&'static str]) -> impl Strategy<Value = String> {
    let hostile = prop::sample::select(vec![
        "",
        "x",
        "[",
        "]",
        "[a",
        "a]",
        "[0]",
        "<<",
        "~",
        "null",
        "instance",
        "maxAttemts",
        "\n",
        "ä",
        "${A}",
        "MAX_ATTEMPTS",
        "configs",
        "instances",
        "retry",
        "tags",
        "metrics",
        "enabled",
    ]);
    prop_oneof![
        12 => prop::sample::select(own).prop_map(str::to_owned),
        1 => hostile.prop_map(str::to_owned),
    ]
}

/// Each key once: TOML has no words for more.
fn map(
    keys: impl Strategy<Value = String>,
    values: impl Strategy<Value = Tree>,
    most: usize,
) -> impl Strategy<Value = Tree> {
    prop::collection::vec((keys, values), 0..=most).prop_map(|entries| {
        let mut seen = std::collections::HashSet::new();
        Tree::Map(entries.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect())
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let values = prop_oneof![
        8 => scalar().boxed(),
        1 => prop::collection::vec(scalar(), 0..4).prop_map(Tree::List).boxed(),
        1 => map(key(&KEYS), scalar(), 4).boxed(),
    ];
    let settings = prop_oneof![
        9 => map(key(&KEYS), values.clone(), 5).boxed(),
        1 => values.boxed()
    ];
    let named = prop_oneof![12 => map(key(&NAMES), settings, 4).boxed(), 1 => scalar().boxed()];
    const SECTIONS: [&str; 4] = ["configs", "instances", "backends", "tags"];
    let section = prop_oneof![
        4 => map(key(&SECTIONS), named.clone(), 3).boxed(),
        1 => named.boxed()
    ];
    const ROOTS: [&str; 3] = ["seawall", "resilience4j", "server"];
    map(key(&ROOTS), map(key(&MODULES), section, 4), 3)
}

/// Settings that are more often right than wrong: one key of one pattern each, with a value of its type.
fn sound() -> impl Strategy<Value = Tree> {
    let texts = |values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(|text| Tree::Text(text.to_owned())).boxed()
    };
    let spans = || texts(&["1ms", "5s", "PT1.5S", "7", "2h", "forever", "1001us", "1000000001ns"]);
    let counts = || texts(&["1", "2", "7", "100", "100000"]);
    let flags = || texts(&["true", "false", "TRUE"]);
    let shares = || texts(&["0", "0.25", "0.5", "0.999"]);
    let causes = || texts(&["503", "5xx,connect", "grpc:14", "500-599", "any", ""]);
    let classes =
        || texts(&["java.io.IOException", "java.lang.Exception,java.io.EOFException", ""]);
    let one = |pairs: Vec<(&'static str, BoxedStrategy<Tree>)>, most| {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(key, value)| value.prop_map(move |value| (key.to_owned(), value)).boxed())
            .collect();
        let entries = prop::collection::vec(prop::strategy::Union::new(pairs), 0..=most);
        let settings = entries.prop_map(|entries| {
            let mut seen = std::collections::HashSet::new();
            Tree::Map(entries.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect())
        });
        settings.boxed()
    };
    let names = || prop::sample::select(&NAMES[..8]).prop_map(str::to_owned);
    let section = |settings: BoxedStrategy<Tree>| {
        (map(names(), settings.clone(), 2), map(names(), settings, 3)).prop_map(
            |(configs, instances)| {
                Tree::Map(vec![
                    ("configs".to_owned(), configs),
                    ("instances".to_owned(), instances),
                ])
            },
        )
    };
    let breaker = one(
        vec![
            ("failureRateThreshold", texts(&["1", "33.3", "100"])),
            ("slow_call_rate_threshold", texts(&["1", "99.5"])),
            ("slowCallDurationThreshold", spans()),
            ("wait-duration-in-open-state", spans()),
            ("slidingWindowType", texts(&["COUNT_BASED", "time-based", "consecutive"])),
            ("slidingWindowSize", texts(&["1", "60", "86400"])),
            ("minimumNumberOfCalls", counts()),
            ("initialState", texts(&["closed", "FORCED_OPEN", "half-open"])),
            ("enableExponentialBackoff", flags()),
            ("exponentialBackoffMultiplier", texts(&["1", "1.5", "3"])),
            ("exponentialMaxWaitDurationInOpenState", texts(&["1h", "1d", "forever"])),
            ("randomizedWaitFactor", shares()),
            ("recordExceptions", classes()),
            ("ignore", causes()),
            ("openOn", causes()),
            ("baseConfig", texts(&["shared", "default", "Orders"])),
        ],
        6,
    );
    let retry = one(
        vec![
            ("maxAttempts", counts()),
            ("waitDuration", spans()),
            ("enableExponentialBackoff", flags()),
            ("enableRandomizedWait", flags()),
            ("randomizedWaitFactor", shares()),
            ("exponentialMaxWaitDuration", texts(&["1h", "1d", "forever"])),
            ("retryExceptions", classes()),
            ("retry", causes()),
            ("maxRetryAfter", spans()),
            ("randomSeed", counts()),
            ("failAfterMaxAttempts", flags()),
        ],
        6,
    );
    let pool = one(
        vec![
            ("maxThreadPoolSize", texts(&["0", "100", "200"])),
            ("coreThreadPoolSize", texts(&["0", "1"])),
            ("queueCapacity", texts(&["-1", "0", "7"])),
            ("keepAliveDuration", spans()),
        ],
        4,
    );
    let rate = one(
        vec![
            ("limitForPeriod", counts()),
            ("limitRefreshPeriod", texts(&["1ns", "500ns", "1s"])),
            ("timeoutDuration", spans()),
            ("algorithm", texts(&["cycles", "semaphore", "sliding-window"])),
            ("drainOn", causes()),
        ],
        4,
    );
    let time = one(vec![("timeout", spans()), ("cancelRunningFuture", flags())], 2);
    let timer = one(
        vec![
            ("metricNames", texts(&["fuzz.calls", "fuzz.others", "f"])),
            ("baseConfig", texts(&["shared", "default", "Orders"])),
        ],
        2,
    );
    let sections = (
        section(breaker),
        section(retry),
        section(pool),
        section(rate),
        section(time),
        section(timer),
    );
    sections.prop_map(|(breaker, retry, pool, rate, time, timer)| {
        let sections = vec![
            ("circuitbreaker".to_owned(), breaker),
            ("retry".to_owned(), retry),
            ("thread_pool_bulkhead".to_owned(), pool),
            ("rateLimiter".to_owned(), rate),
            ("time-limiter".to_owned(), time),
            ("micrometer".to_owned(), Tree::Map(vec![("timer".to_owned(), timer)])),
        ];
        Tree::Map(vec![("resilience4j".to_owned(), Tree::Map(sections))])
    })
}

/// All that a text came to, without the lines and columns, which each format has of its own.
fn outcome(result: &Result<Config, ConfigErrors>) -> Vec<String> {
    let mut all: Vec<String> = match result {
        Ok(config) => {
            let place = |line: String| {
                let (value, from) = line.split_once("  # ").unwrap();
                let config = from.split_once(' ').filter(|_| from.starts_with("f:"));
                format!("{value}  # {}", config.map_or("", |(_, config)| config))
            };
            let warnings = config.warnings().iter().map(|warning| {
                let text = warning.to_string();
                text.splitn(4, ':').last().unwrap().to_owned()
            });
            config.explain().map(place).chain(warnings).collect()
        }
        Err(errors) => {
            let one = |problem: &seawall::config::Problem| {
                let text = problem.to_string();
                let text = text.splitn(4, ':').last().unwrap();
                text.split(" in line ").next().unwrap().to_owned()
            };
            errors.iter().map(one).collect()
        }
    };
    all.sort();
    all
}

fn agree(tree: &Tree) -> Result<bool, TestCaseError> {
    let texts = FORMATS.map(|format| tree.write(format));
    let [yaml, toml, json] =
        std::array::from_fn(|place| read(FORMATS[place], texts[place].as_bytes()));
    let expected = outcome(&yaml);
    for (format, other) in [(Format::Toml, toml), (Format::Json, json)] {
        let other = outcome(&other);
        prop_assert_eq!(
            &expected,
            &other,
            "YAML and {} differ for\n{}\n{}\n{}",
            format,
            texts[0],
            texts[1],
            texts[2]
        );
    }
    Ok(yaml.is_ok())
}

/// What Rust prints for a `Duration`, as a file may have it.
fn reread(value: &str) -> String {
    let digits = value.trim_end_matches(|c: char| c.is_alphabetic() || c == 'µ');
    let nanos: u128 = match &value[digits.len()..] {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "µs" => 1_000,
        "ns" => 1,
        _ => return value.to_owned(),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return value.to_owned();
    }
    if value == format!("{:?}", Duration::MAX) {
        return "forever".to_owned();
    }
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = format!("{part:0<9}").parse::<u128>().unwrap() * nanos / 1_000_000_000;
    format!("{}ns", whole.parse::<u128>().unwrap() * nanos + part)
}

/// What `explain` says of every instance, but for which config was named as the base.
fn explained(config: &Config) -> Vec<(String, String, bool)> {
    let lines = config.explain().map(|line| {
        let (key, rest) = line.split_once(" = ").unwrap();
        let (value, from) = rest.rsplit_once("  # ").unwrap();
        (key.to_owned(), value.to_owned(), from == "default")
    });
    lines.filter(|(key, ..)| !key.ends_with(".base_config")).collect()
}

/// What `explain` says, read as a file, means the same again.
fn reads_back(config: &Config) -> Result<(), TestCaseError> {
    let lines = explained(config);
    let mut text = String::new();
    for (place, (key, value, is_default)) in lines.iter().enumerate() {
        let (module, rest) = key.split_once('.').unwrap();
        let name_end = if rest.starts_with('[') {
            rest.find("].").unwrap() + 1
        } else {
            rest.find('.').unwrap()
        };
        let (name, setting) = (&rest[..name_end], &rest[name_end + 1..]);
        let is_new = place == 0 || !lines[place - 1].0.starts_with(&format!("{module}.{name}."));
        if is_new {
            let _ = writeln!(
                text,
                "\"seawall.{module}.instances[{}]\": {{}}",
                name.trim_matches(['[', ']'])
            );
        }
        if !is_default {
            let value = match value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
                Some(items) => format!("\"{items}\""),
                None => format!("\"{}\"", reread(value)),
            };
            let name = name.trim_matches(['[', ']']);
            let _ = writeln!(text, "\"seawall.{module}.instances[{name}].{setting}\": {value}");
        }
    }
    match Config::from_text(Format::Yaml, "f", &text) {
        Ok(again) => {
            let plain = |lines: Vec<(String, String, bool)>| -> Vec<_> {
                lines.into_iter().map(|(key, value, _)| format!("{key} = {value}")).collect()
            };
            prop_assert_eq!(plain(lines), plain(explained(&again)), "{}", text);
        }
        Err(errors) => prop_assert!(false, "{}\nin\n{}", errors, text),
    }
    Ok(())
}

/// Files that are right, to be spoilt.
const GOOD: [(Format, &str); 4] = [
    (Format::Yaml, include_str!("files/application.yml")),
    (
        Format::Yaml,
        "a: &a {maxAttempts: 2, waitDuration: 1s}\nresilience4j.retry.instances.orders:\n  max-attempts: ${A:5}\n  <<: [*a]\n---\n\
         seawall:\n  pipelines:\n    orders: {protocol: http, deadline: 5s}\n  classifiers.x: {failure: [5xx, 429]}\n",
    ),
    (
        Format::Toml,
        "[resilience4j.circuitbreaker.configs.default]\nslidingWindowSize = 0x10\n[seawall.retry.instances]\norders.max_attempts = 1_0\n\
         'a.b' = { wait_duration = \"5s\", retry = ['5xx', \"grpc:14\"] }\n",
    ),
    (
        Format::Json,
        "{\"resilience4j\": {\"retry\": {\"instances\": {\"orders\": {\"maxAttempts\": 3, \"retry\": [503, \"timeout\"],\n\
         \"waitDuration\": \"PT1.5S\"}}}, \"bulkhead\": {\"backends\": {\"\\u0061\": null}}}}",
    ),
];

#[derive(Clone, Debug)]
enum Change {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, &'static str),
    Repeat(prop::sample::Index, usize),
    Byte(prop::sample::Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = prop::sample::select(vec![
        "\t",
        "\n",
        "\r",
        " ",
        "  ",
        ":",
        ": ",
        "- ",
        "&a ",
        "*a",
        "<<: ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "|\n",
        ">",
        "#",
        "%",
        "---\n",
        "...\n",
        "!x ",
        "? ",
        "@",
        "`",
        "${",
        "}",
        "\u{0}",
        "\u{feff}",
        "\u{85}",
        "ä",
        "\\",
        "\\u",
        ",",
        "=",
        "[[",
        "]]",
        "\"\"\"",
        "0",
        "-",
        "9999999999",
        "null",
        "~",
        "true",
        "e",
        ".",
    ]);
    let index = any::<prop::sample::Index>;
    prop_oneof![
        1 => (index(), 1..40_usize).prop_map(|(at, count)| Change::Delete(at, count)),
        3 => (index(), pieces).prop_map(|(at, piece)| Change::Insert(at, piece)),
        1 => (index(), 1..200_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
    ]
}

fn spoil(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Delete(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::Insert(at, piece) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.bytes());
            }
            Change::Repeat(at, count) => {
                let at = at.index(bytes.len());
                let piece = bytes[at..(at + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            Change::Byte(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![
        "\\PC{0,80}",
        "[ \\n\\t:{}\\[\\]&*!|>'\"#%@,?a-c~<=.0-9\\\\-]{0,120}",
        "(resilience4j|seawall|retry|instances|a|maxAttempts|[:.]|: |\\n|  |\\{|\\}|\\[|\\]|,|\"|=|&a|\\*a|<<|- ){0,40}",
    ]) {
        for format in FORMATS {
            let _ = read(format, text.as_bytes());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for format in FORMATS {
            let _ = read(format, &bytes);
        }
    }

    #[test]
    fn the_three_formats_agree_on_any_tree(tree in tree()) {
        agree(&tree)?;
    }

    #[test]
    fn a_good_file_that_was_spoilt_is_read_or_refused(
        which in 0..GOOD.len(), changes in prop::collection::vec(change(), 1..6),
    ) {
        let (format, text) = GOOD[which];
        let _ = read(format, &spoil(text, &changes));
    }
}

#[test]
fn the_three_formats_agree_on_settings_and_explain_reads_back() {
    let mut runner = proptest::test_runner::TestRunner::new(cases(300));
    let good = std::cell::Cell::new((0, 0));
    let result = runner.run(&sound(), |tree| {
        let (fine, all) = good.get();
        let is_fine = agree(&tree)?;
        good.set((fine + u32::from(is_fine), all + 1));
        if is_fine {
            reads_back(&read(Format::Yaml, tree.write(Format::Yaml).as_bytes()).unwrap())?;
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let (fine, all) = good.get();
    assert!(fine * 10 > all, "only {fine} of {all} were right");
}
