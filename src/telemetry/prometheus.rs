//! Prometheus's text format, version 0.0.4, with the names that Micrometer makes.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use super::meters::{Families, Labels, Meter, MeterKind, Reading, Timing};

/// The type that goes with the text over HTTP.
#[cfg(feature = "snapshot")]
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn text(families: &Families) -> String {
    // What differs only in what Prometheus does not allow is one meter, or one series, there: either of them twice would
    // spoil the whole scrape.
    let mut all: BTreeMap<String, (&Meter, BTreeMap<String, Reading>)> = BTreeMap::new();
    for family in families.iter() {
        let meter = family.meter();
        let (_, series) =
            all.entry(meter.name.replace(['.', '-'], "_")).or_insert((meter, BTreeMap::new()));
        for (labels, reading) in family.series() {
            let written = series.entry(written(labels));
            written.and_modify(|sum| sum.add(reading, meter)).or_insert(*reading);
        }
    }
    let mut text = String::new();
    for (name, (meter, series)) in all {
        // Writing to a string cannot fail.
        let _ = write(&mut text, &name, meter, &series);
    }
    text
}

fn write(
    out: &mut String,
    name: &str,
    meter: &Meter,
    series: &BTreeMap<String, Reading>,
) -> fmt::Result {
    match meter.kind {
        MeterKind::Counter => {
            head(out, &format!("{name}_total"), meter.help, "counter")?;
            for (labels, reading) in series {
                if let Reading::Counter(value) = reading {
                    line(out, &format!("{name}_total"), labels, value)?;
                }
            }
        }
        MeterKind::Gauge => {
            head(out, name, meter.help, "gauge")?;
            for (labels, reading) in series {
                if let Reading::Gauge(value) = reading {
                    line(out, name, labels, value)?;
                }
            }
        }
        MeterKind::Timer => {
            let name = format!("{name}_seconds");
            let timings = series.iter().filter_map(|(labels, reading)| match reading {
                Reading::Timer(timing) => Some((labels, timing)),
                _ => None,
            });
            head(out, &name, meter.help, "histogram")?;
            for (labels, timing) in timings.clone() {
                histogram(out, &name, labels, timing)?;
            }
            let name = format!("{name}_max");
            head(out, &name, "The longest of the last minutes", "gauge")?;
            for (labels, timing) in timings {
                line(out, &name, labels, Seconds(timing.max()))?;
            }
        }
    }
    Ok(())
}

fn histogram(out: &mut String, name: &str, labels: &str, timing: &Timing) -> fmt::Result {
    let bucket = format!("{name}_bucket");
    for (end, count) in timing.cumulative() {
        let end = end.map_or_else(|| "+Inf".to_owned(), |end| Seconds(end).to_string());
        let comma = if labels.is_empty() { "" } else { "," };
        line(out, &bucket, &format!("{labels}{comma}le=\"{end}\""), count)?;
    }
    line(out, &format!("{name}_count"), labels, timing.count())?;
    line(out, &format!("{name}_sum"), labels, Seconds(timing.sum()))
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn line(out: &mut String, name: &str, labels: &str, value: impl fmt::Display) -> fmt::Result {
    if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{labels}}} {value}")
    }
}

/// Never in the notation with an exponent, which not every reader knows.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}

/// The labels between the braces. Of two that come out the same the first counts.
fn written(labels: &Labels) -> String {
    let mut keys: Vec<String> = Vec::new();
    let mut text = String::new();
    for (key, value) in labels.iter() {
        let key = label_name(key);
        if keys.contains(&key) {
            continue;
        }
        let comma = if keys.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{key}=\"{}\"", Escaped(value));
        keys.push(key);
    }
    text
}

/// As Micrometer does it: what is not allowed becomes `_`, and what must not be at the beginning gets an `m_` before it.
/// So do the names that are Prometheus's own.
fn label_name(key: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = key.chars().map(allowed).collect();
    let is_reserved = matches!(&*name, "le" | "quantile");
    if is_reserved || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return format!("m_{name}");
    }
    name
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                // To Prometheus's lexer the text ends here, and the scrape would be lost as a whole.
                '\0' => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
