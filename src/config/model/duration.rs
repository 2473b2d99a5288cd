//! Spans of time as they are written in files.

use std::time::Duration;

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is none at all.
    Text,
    /// It is below zero.
    Negative,
    /// It is longer than can be said.
    TooLong,
}

/// Reads `500` (milliseconds; without leading zeros, as any whole number), `500ms`, `5s`, `PT1.5S`, as Spring does, and `forever`.
pub(super) fn read(text: &str) -> Result<Duration, Wrong> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("forever") {
        return Ok(Duration::MAX);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.starts_with(['P', 'p']) {
        return iso(text);
    }
    // As YAML writes a number. With a unit it is a text, in which there are none.
    let plain = without_underscores(unsigned);
    let unsigned = plain.as_deref().unwrap_or(unsigned);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = unsigned.split_at(digits);
    let nanos: u64 = match unit.to_ascii_lowercase().as_str() {
        "ns" => 1,
        "us" => 1_000,
        "" | "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(Wrong::Text),
    };
    if number.is_empty() || (unit.is_empty() && number.len() > 1 && number.starts_with('0')) {
        return Err(Wrong::Text);
    }
    let number: u64 = number.parse().map_err(|_| Wrong::TooLong)?;
    if text.starts_with('-') && number > 0 {
        return Err(Wrong::Negative);
    }
    let nanos = u128::from(number) * u128::from(nanos);
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| Wrong::TooLong)?;
    let rest = u32::try_from(nanos % 1_000_000_000).map_err(|_| Wrong::TooLong)?;
    Ok(Duration::new(seconds, rest))
}

/// Of a number that has some, between its digits.
fn without_underscores(number: &str) -> Option<String> {
    let is_digit = |c: char| c.is_ascii_digit();
    let fits = number.starts_with(is_digit) && number.ends_with(is_digit);
    let only = number.chars().all(|c| is_digit(c) || c == '_');
    (fits && only && number.contains('_')).then(|| number.replace('_', ""))
}

/// ISO 8601 as far as it is a span of time: days are 24 hours, and there are no weeks, months or years.
fn iso(text: &str) -> Result<Duration, Wrong> {
    // What is longer is too long at any rate, and need not be looked at.
    if text.len() > 64 {
        return Err(Wrong::TooLong);
    }
    let parser = jiff::fmt::temporal::SpanParser::new();
    let span = parser.parse_span(text).map_err(|_| {
        let is_iso = text.bytes().all(|b| b.is_ascii_digit() || b"+-PTDHMSptdhms.,".contains(&b));
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        match text {
            _ if is_iso && digits > 12 => Wrong::TooLong,
            // Java has signs before each number too.
            _ if is_iso && digits > 0 && text.trim_start_matches('-').contains('-') => {
                Wrong::Negative
            }
            _ => Wrong::Text,
        }
    })?;
    if span.get_years() != 0 || span.get_months() != 0 || span.get_weeks() != 0 {
        return Err(Wrong::Text);
    }
    let days = i64::from(span.get_days()).checked_mul(24 * 3600).ok_or(Wrong::TooLong)?;
    let time = jiff::SignedDuration::try_from(span.days(0)).map_err(|_| Wrong::TooLong)?;
    let whole = time.checked_add(jiff::SignedDuration::from_secs(days)).ok_or(Wrong::TooLong)?;
    Duration::try_from(whole).map_err(|_| Wrong::Negative)
}

/// So that it reads back as the same.
pub(super) fn write(span: Duration) -> String {
    if span == Duration::MAX {
        return "forever".to_owned();
    }
    match (span.as_secs(), span.subsec_nanos()) {
        (seconds, 0) => format!("{seconds}s"),
        (_, nanos) if nanos % 1_000_000 == 0 => format!("{}ms", span.as_millis()),
        (_, nanos) if nanos % 1_000 == 0 => format!("{}us", span.as_micros()),
        _ if span.as_nanos() <= u64::MAX.into() => format!("{}ns", span.as_nanos()),
        (seconds, nanos) => format!("PT{seconds}.{nanos:09}S"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_write_it() {
        for (text, nanos) in [
            ("0", 0),
            ("10", 10_000_000),
            ("10ms", 10_000_000),
            ("PT0.01S", 10_000_000),
            ("pt1.5s", 1_500_000_000),
            ("7ns", 7),
            ("7us", 7_000),
            ("7S", 7_000_000_000),
            ("1_000", 1_000_000_000),
            ("+1_0_0", 100_000_000),
            ("010s", 10_000_000_000),
            ("+7m", 420_000_000_000),
            ("2h", 7_200_000_000_000),
            ("1d", 86_400_000_000_000),
            ("P1DT1H", 90_000_000_000_000),
            ("-0s", 0),
        ] {
            assert_eq!(read(text).map(|span| span.as_nanos()), Ok(nanos), "{text}");
        }
        for text in [
            "", "s", "ten", "1.5s", "5 s", "5w", "P1Y", "P1W", "P", "1e3", "0x10", "½s", "010",
            "-010", "1_000s", "_1", "1_",
        ] {
            assert_eq!(read(text), Err(Wrong::Text), "{text}");
        }
        for text in ["-1", "-5s", "PT-5S", "-PT5S"] {
            assert_eq!(read(text), Err(Wrong::Negative), "{text}");
        }
        for text in ["99999999999999999999", "999999999999999999d", "PT99999999999999999999S"] {
            assert_eq!(read(text), Err(Wrong::TooLong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in 0..u64::MAX / 2_000_000_000_000, nanos in 0..1_000_000_000_u32) {
            let span = Duration::new(seconds, nanos);
            prop_assert_eq!(read(&write(span)), Ok(span));
        }

        #[test]
        fn no_text_panics(text in "[-+PTDHMSnsumhd0-9., ]{0,40}") {
            let _ = read(&text);
        }
    }
}
