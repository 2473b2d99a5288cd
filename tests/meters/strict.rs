//! Prometheus's text format by the letter, escapes and all, which the parser from crates.io leaves out.

#![allow(unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

pub type Labels = BTreeMap<String, String>;

#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: f64,
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The samples of a text that is correct in every respect; panics if it is not.
pub fn parse(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n') && !text.contains("\n\n") && !text.contains('\0'));
    let (mut samples, mut seen) = (Vec::new(), BTreeSet::new());
    let (mut families, mut current) = (BTreeSet::new(), (String::new(), String::new()));
    let mut lines = text.split_terminator('\n');
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !words.is_empty(), "{line}");
            assert!(families.insert(name.to_owned()), "{name} is in two places");
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            let (again, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, again);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            current = (name.to_owned(), kind.to_owned());
            continue;
        }
        let sample = sample(line);
        let (family, kind) = &current;
        let end =
            sample.name.strip_prefix(&**family).unwrap_or_else(|| panic!("{line} is in {family}"));
        match &**kind {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&end), "{line}"),
            _ => assert_eq!(end, "", "{line}"),
        }
        assert_eq!(kind == "counter", sample.name.ends_with("_total"), "{line}");
        assert!(!sample.value.is_nan(), "{line}");
        assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
        samples.push(sample);
    }
    check_buckets(&samples);
    samples
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line:?}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line:?}"));
            assert!(is_name(key) && !key.starts_with("__"), "{line:?}");
            let (value, left) = quoted(value);
            assert!(labels.insert(key.to_owned(), value).is_none(), "{key} twice: {line:?}");
            match left.split_at(1) {
                (",", left) => rest = left,
                ("}", left) => {
                    rest = left;
                    break;
                }
                _ => panic!("{line:?}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line:?}"));
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap() }
}

/// A quoted text up to its closing quote, and what follows that.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                c @ ('"' | '\\') => c,
                c => panic!("\\{c} is no escape"),
            }),
            c => value.push(c),
        }
    }
    panic!("no closing quote: {text:?}");
}

fn check_buckets(samples: &[Sample]) {
    let mut series: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples {
        if let Some(name) = sample.name.strip_suffix("_bucket") {
            let mut labels = sample.labels.clone();
            let end = labels.remove("le").unwrap().parse().unwrap();
            series.entry((name.to_owned(), labels)).or_default().push((end, sample.value));
        }
    }
    for ((name, labels), buckets) in series {
        assert!(buckets.is_sorted(), "{name} {labels:?}: {buckets:?}");
        assert!(buckets.is_sorted_by_key(|(_, count)| *count), "{name} {labels:?}: {buckets:?}");
        let (end, all) = buckets[buckets.len() - 1];
        let of = |end: &str| {
            let name = format!("{name}{end}");
            samples.iter().find(|sample| sample.name == name && sample.labels == labels)
        };
        assert!(end.is_infinite() && of("_sum").is_some());
        assert_eq!(of("_count").unwrap().value, all);
    }
}

#[test]
#[should_panic(expected = "is no escape")]
fn an_escape_that_is_none_is_noticed() {
    sample("a{b=\"\\t\"} 1");
}

#[test]
#[should_panic(expected = "is in two places")]
fn a_family_in_two_places_is_noticed() {
    parse(
        "# HELP a x\n# TYPE a gauge\na 1\n# HELP b x\n# TYPE b gauge\n# HELP a x\n# TYPE a gauge\n",
    );
}
