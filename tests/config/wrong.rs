//! Files with mistakes, each with the very words that a user gets to read.
//!
//! `wrong/` has the files, each with its messages beside it (`.txt`) and, where it has some, its environment (`.env`). Run with
//! `SEAWALL_WRITE_MESSAGES=1` after a change of words, and read what has changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
             rateLimiter, timeLimiter\n\
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

/// The largest files that are read at all, with as much wrong as fits in them: the time grows as the file does, and no faster.
#[test]
fn large_files_take_time_and_memory_in_proportion() {
    let many = |start: &str, item: &dyn Fn(usize) -> String, end: &str| {
        let mut text = start.to_owned();
        for i in 0.. {
            let item = item(i);
            if text.len() + item.len() + end.len() > 200_000 {
                break;
            }
            text.push_str(&item);
        }
        text + end
    };
    let long = "n".repeat(100_000);
    let cases = [
        (
            Format::Json,
            many(
                "{\"seawall\":{\"retry\":{\"instances\":{\"a\":{",
                &|i| format!("\"k{i}\":1,"),
                "\"x\":1}}}}}",
            ),
        ),
        (Format::Toml, many("[seawall.retry.instances.a]\n", &|i| format!("k{i}=1\n"), "")),
        (
            Format::Yaml,
            many("seawall: {retry: {instances: {a: {", &|i| format!("k{i}: 1,"), "}}}}"),
        ),
        // Names in a file that nothing is called, beside many that are.
        (
            Format::Yaml,
            many(
                "seawall: {retry: {instances: {",
                &|i| format!("{i}: ,"),
                "}}, pipelines: {x: {retry: y}}}",
            ),
        ),
        (
            Format::Yaml,
            many(
                &format!("seawall: {{bulkhead: {{configs: {{{long}: }}, instances: {{"),
                &|i| format!("{i}: {{base_config: x}},"),
                "}}}",
            ),
        ),
        (
            Format::Json,
            many(
                &format!("{{\"seawall\":{{\"retry\":{{\"instances\":{{\"{long}\":{{"),
                &|i| format!("\"{i}\":1,"),
                "\"x\":1}}}}}",
            ),
        ),
        (Format::Yaml, many("", &|_| "---\nx\n".to_owned(), "")),
        (
            Format::Yaml,
            many(
                "seawall.retry.instances.a.retry:\n",
                &|_| "- ${a.a.a.a.a.a.a.a.a.a}\n".to_owned(),
                "",
            ),
        ),
        (
            Format::Yaml,
            many("", &|i| format!("---\nseawall.retry.instances.a.max_attempts: {}\n", i % 2), ""),
        ),
    ];
    for lenient in [false, true] {
        let loader = Loader::new().lenient_unknown_keys(lenient);
        // Of what is only a warning there may not be more either.
        for (format, text) in cases.iter().take(if lenient { 2 } else { cases.len() }) {
            let start = text.chars().take(60).collect::<String>();
            let (mut result, begin) = (None, Instant::now());
            let info = allocation_counter::measure(|| {
                result = Some(loader.read(*format, "f", text.as_bytes()));
            });
            let took = begin.elapsed();
            assert!(took < Duration::from_secs(10), "{took:?} for {start} …");
            assert!(info.bytes_max < 100 << 20, "{} bytes for {start} …", info.bytes_max);
            match result.unwrap() {
                Ok(config) => {
                    assert!(lenient, "{start} …");
                    assert!((1..=1000).contains(&config.warnings().len()), "{start} …");
                }
                Err(errors) => assert!((1..=1000).contains(&errors.iter().count()), "{start} …"),
            }
        }
    }
}
