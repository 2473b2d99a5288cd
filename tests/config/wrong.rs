//! Files with mistakes, each with the very words that a user gets to read.
//!
//! `wrong/` has the files, each with its messages beside it (`.txt`) and, where it has some, its environment (`.env`). Run with
//! `SEAWALL_WRITE_MESSAGES=1` after a change of words, and read what has changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use seawall::config::{Config, ConfigErrors, Format, Loader};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/wrong")
}

/// What is wrong, how many bytes were in use at once to find that, and how long it took at best.
fn refuse(
    loader: &Loader,
    format: Format,
    name: &str,
    text: &[u8],
) -> (Result<Config, ConfigErrors>, u64, Duration) {
    let (mut result, mut bytes, mut took) = (None, 0, Duration::MAX);
    // The machine may be busy with something else.
    for _ in 0..5 {
        let start = Instant::now();
        let info = allocation_counter::measure(|| result = Some(loader.read(format, name, text)));
        took = took.min(start.elapsed());
        bytes = info.bytes_max;
        if took < Duration::from_millis(100) {
            break;
        }
    }
    (result.unwrap(), bytes, took)
}

#[test]
fn every_wrong_file_has_its_message() {
    let write = std::env::var_os("SEAWALL_WRITE_MESSAGES").is_some();
    let mut paths: Vec<_> =
        std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut count, mut failures) = (0, Vec::new());
    for path in paths {
        let Some(format) = Format::of(&path) else { continue };
        count += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let env = std::fs::read_to_string(path.with_extension("env")).unwrap_or_default();
        let env = env.lines().map(|line| line.split_once('=').unwrap());
        let loader = Loader::new().env(env);
        let text = std::fs::read(&path).unwrap();
        let (result, bytes, took) = refuse(&loader, format, name, &text);
        let Err(errors) = result else {
            failures.push(format!("{name}: nothing is wrong with it"));
            continue;
        };
        assert!(took < Duration::from_millis(100), "{name} took {took:?}");
        assert!(bytes < 1 << 20, "{name} took {bytes} bytes");
        let messages = format!("{errors}\n");
        let beside = directory().join(format!("{name}.txt"));
        if write {
            std::fs::write(&beside, &messages).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if messages != expected {
            failures.push(format!("{name} should say\n{expected}and says\n{messages}"));
        }
        assert_eq!(errors.len(), errors.iter().count(), "{name}");
        let places = errors.iter().map(|problem| {
            (
                problem.variable().is_some(),
                problem.line().unwrap_or(0),
                problem.column().unwrap_or(0),
            )
        });
        assert!(places.is_sorted(), "{name} is not told in order:\n{messages}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count >= 40, "{count}");
}

/// Those that an editor or a version control system would mend on the way.
#[test]
fn bytes_that_no_editor_shows() {
    let settings = "resilience4j:\r\n  retry:\r\n    instances:\r\n      orders:\r\n        maxAttempts: 0\r\n";
    let marked = format!("\u{feff}{settings}");
    let wide = "resilience4j: {'ä': 1, retry: {instances: {'𝄞': {maxAttempts: 0}}}}";
    let cases: [(Format, &[u8], &str); 10] = [
        (
            Format::Yaml,
            settings.as_bytes(),
            "f:5:9: resilience4j.retry.instances.orders.maxAttempts: 0 is not allowed, must be from 1 to 4294967295",
        ),
        (
            Format::Yaml,
            marked.as_bytes(),
            "f:5:9: resilience4j.retry.instances.orders.maxAttempts: 0 is not allowed, must be from 1 to 4294967295",
        ),
        (
            Format::Json,
            "\u{feff}{\"resilience4j\":\r\n {\"retry\": 3}}".as_bytes(),
            "f:2:3: resilience4j.retry: 3 is not allowed, must be a section with keys",
        ),
        (
            Format::Toml,
            "\u{feff}[resilience4j]\r\nretry = 3\r\n".as_bytes(),
            "f:2:1: resilience4j.retry: 3 is not allowed, must be a section with keys",
        ),
        (
            Format::Yaml,
            wide.as_bytes(),
            "f:1:16: resilience4j.ä: unknown key, must be one of circuitBreaker, retry, bulkhead, threadPoolBulkhead, \
             rateLimiter, timeLimiter, timer\n\
             f:1:50: resilience4j.retry.instances.𝄞.maxAttempts: 0 is not allowed, must be from 1 to 4294967295",
        ),
        (Format::Yaml, b"resilience4j:\n  re\xfftry: 3\n", "f:2:5: not UTF-8"),
        (Format::Toml, b"\xc3\x28 = 1", "f:1:1: not UTF-8"),
        (
            Format::Json,
            "\u{e4}{\"a\": \"".as_bytes().split_last().unwrap().1,
            "f:1:1: unexpected token",
        ),
        (Format::Json, b"", "f:1:1: expected a value"),
        (
            Format::Yaml,
            b"resilience4j.retry.instances.orders.maxAttempts: \"\\e[2J\\n\\u202e9\"",
            "f:1:1: resilience4j.retry.instances.orders.maxAttempts: `\\u{1b}[2J\\n\\u{202e}9` is not allowed, must be a \
             whole number from 1 to 4294967295",
        ),
    ];
    for (format, text, expected) in cases {
        let (result, bytes, took) = refuse(&Loader::new(), format, "f", text);
        let errors = result.expect_err(expected).to_string();
        assert_eq!(errors, expected);
        assert!(
            took < Duration::from_millis(100) && bytes < 1 << 20,
            "{expected}: {took:?}, {bytes}"
        );
    }
}

/// Small files that are made to cost much.
#[test]
fn what_explodes_is_refused_at_once() {
    let deep = 10_000;
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (this, above) in ('b'..'m').zip('a'..) {
        laughs.push_str(&format!("{this}: &{this} [{}]\n", vec![format!("*{above}"); 9].join(",")));
    }
    let mut merges = "a0: &a0 {x: 1}\n".to_owned();
    for i in 1..100 {
        let above = vec![format!("*a{}", i - 1); 9].join(",");
        merges.push_str(&format!("a{i}: &a{i} {{<<: [{above}], y{i}: 1}}\n"));
    }
    let mut doubling = "p0: x\n".to_owned();
    for i in 1..15 {
        doubling.push_str(&format!("p{i}: ${{p{0}}}${{p{0}}}\n", i - 1));
    }
    doubling.push_str("resilience4j.retry.instances.orders.baseConfig: ${p14}\n");
    let settings = "resilience4j.retry.instances.orders.";
    let cases = [
        (Format::Yaml, "[".repeat(deep), "nested more than 64 levels deep"),
        (Format::Yaml, "{a: ".repeat(deep), "nested more than 64 levels deep"),
        (Format::Yaml, "- ".repeat(deep), "nested more than 64 levels deep"),
        (Format::Yaml, "? ".repeat(deep), "nested more than 64 levels deep"),
        (Format::Json, "[".repeat(deep), "maximum nesting depth exceeded"),
        (Format::Json, "{\"a\":".repeat(deep), "maximum nesting depth exceeded"),
        (Format::Toml, format!("a = {}", "[".repeat(deep)), "nested more than 64 levels deep"),
        (Format::Toml, format!("a = {}", "{a = ".repeat(deep)), "nested more than 64 levels deep"),
        (Format::Toml, format!("a{} = 1", ".a".repeat(deep)), "nested more than 64 levels deep"),
        (Format::Yaml, laughs, "more than 200000 values, those that aliases stand for included"),
        (Format::Yaml, merges, "more than 200000 values, those that aliases stand for included"),
        (Format::Yaml, "a: &a\n  b: *a\n".to_owned(), "an anchor cannot stand within itself"),
        (Format::Yaml, doubling, "longer than 4096 characters"),
        (
            Format::Yaml,
            format!("{settings}maxAttempts: {}", "9".repeat(deep)),
            "9… is not allowed, must be from 1 to",
        ),
        (
            Format::Yaml,
            format!("{settings}waitDuration: {}", "9".repeat(deep)),
            "9… is not allowed, must be at most",
        ),
        (
            Format::Yaml,
            format!("{settings}waitDuration: PT{}S", "9".repeat(deep)),
            "9… is not allowed, must be at most",
        ),
        (
            Format::Yaml,
            format!("{settings}retryExceptions: {}", "a".repeat(deep)),
            "a… is not allowed, must be the name of a class",
        ),
        (
            Format::Yaml,
            format!("{settings}maxAttempts: {}", "${".repeat(deep)),
            "without its closing brace",
        ),
        (
            Format::Json,
            format!(
                "{{\"seawall\": {{\"retry\": {{\"instances\": {{\"{}\": {{}}}}}}}}}}",
                "n".repeat(deep)
            ),
            "a key longer than 500 bytes",
        ),
    ];
    for (format, text, part) in cases {
        let start = text.chars().take(60).collect::<String>();
        let (result, bytes, took) = refuse(&Loader::new(), format, "f", text.as_bytes());
        let errors = result.expect_err(&start).to_string();
        assert!(errors.contains(part), "{start} …\n{errors}");
        assert!(errors.len() < 3000, "{start} …\n{errors}");
        assert!(took < Duration::from_millis(300), "{took:?} for {start} …");
        assert!(bytes < 40 << 20, "{bytes} bytes for {start} …");
    }
}

/// What is wrong, taken as often as fits into a file of a size.
fn many(size: usize, start: &str, item: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = start.to_owned();
    for i in 0.. {
        let item = item(i);
        if text.len() + item.len() + end.len() > size {
            break;
        }
        text.push_str(&item);
    }
    text + end
}

fn crowded(size: usize) -> Vec<(Format, String)> {
    let long = "n".repeat(size / 2);
    let json = |name: &str| format!("{{\"seawall\":{{\"retry\":{{\"instances\":{{\"{name}\":{{");
    let configs = format!("seawall: {{bulkhead: {{configs: {{{long}: }}, instances: {{");
    let placeholders = "seawall.retry.instances.a.retry:\n";
    let unknown = |i| format!("\"k{i}\":1,");
    vec![
        (Format::Json, many(size, &json("a"), unknown, "\"x\":1}}}}}")),
        (Format::Toml, many(size, "[seawall.retry.instances.a]\n", |i| format!("k{i}=1\n"), "")),
        (
            Format::Yaml,
            many(size, "seawall: {retry: {instances: {a: {", |i| format!("k{i}: 1,"), "}}}}"),
        ),
        // Below a key that is half the file.
        (Format::Json, many(size, &json(&long), unknown, "\"x\":1}}}}}")),
        (Format::Yaml, many(size, &configs, |i| format!("{i}: {{base_config: x}},"), "}}}")),
        // Names that nothing has, beside many that something has.
        (
            Format::Yaml,
            many(size / 2, "seawall: {retry: {instances: {", |i| format!("{i}: ,"), "}}, ")
                + &many(size / 2, "pipelines: {", |i| format!("{i}: , p{i}: {{retry: x}},"), "}}"),
        ),
        (Format::Yaml, many(size, "", |_| "---\nx\n".to_owned(), "")),
        (Format::Yaml, many(size, placeholders, |_| "- ${a.a.a.a.a.a.a.a}\n".to_owned(), "")),
        (
            Format::Yaml,
            many(
                size,
                "",
                |i| format!("---\nseawall.retry.instances.a.max_attempts: {}\n", i % 2),
                "",
            ),
        ),
    ]
}

/// As much wrong as fits: time and memory grow as the file does, and no faster.
#[test]
fn large_files_cost_in_proportion() {
    let read = |loader: &Loader, format, text: &str| {
        let (mut result, start) = (None, Instant::now());
        let info = allocation_counter::measure(|| {
            result = Some(loader.read(format, "f", text.as_bytes()));
        });
        (result.unwrap(), info.bytes_max, start.elapsed())
    };
    for ((format, small), (_, large)) in crowded(75_000).into_iter().zip(crowded(300_000)) {
        let name = large.chars().take(60).collect::<String>();
        let loader = Loader::new();
        let before = (0..3).map(|_| read(&loader, format, &small).2).min().unwrap();
        // The machine may be busy with something else; what is four times as long must not take ten times as long.
        let fits = (0..3).any(|_| {
            let (result, bytes, took) = read(&loader, format, &large);
            let told = result.expect_err(&name).iter().count();
            assert!((1..=1000).contains(&told), "{told} for {name} …");
            assert!(bytes < 100 << 20, "{bytes} bytes for {name} …");
            took < Duration::from_secs(1) || took < before * 10
        });
        assert!(fits, "{before:?} for a quarter of {name} …");
    }
    // Of what is only a warning there may not be more either.
    for (format, text) in &crowded(300_000)[..3] {
        let lenient = Loader::new().lenient_unknown_keys(true);
        let (result, bytes, _) = read(&lenient, *format, text);
        assert_eq!(result.unwrap().warnings().len(), 1000);
        assert!(bytes < 100 << 20, "{bytes} bytes");
    }
}

#[test]
fn what_is_wrong_in_a_shared_config_is_told_once() {
    let text = "resilience4j.retry: {configs.default.retryExceptions: 'a.B, c.D', instances: {x: {}, y: {}}}";
    let errors = Config::from_text(Format::Yaml, "f", text).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors}");
}
